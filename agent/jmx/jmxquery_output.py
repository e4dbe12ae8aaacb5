"""Parses what the jmxquery jar prints: nearly JSON, but text values are printed as they are, quotes and all.

So records are cut at their fixed beginning rather than read as JSON. A value that imitates a record's beginning can
at worst fake a value of the same JVM, which could report anything in the first place.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from agent.jmx.errors import JmxError
from agent.jmx.model import JmxScalar

BETWEEN = re.compile(r'\},\s*\n(?=\{"mBeanName" : ")')
RECORD = re.compile(
    r'\{"mBeanName" : "((?:[^"\\]|\\.)*)", "attribute" : "((?:[^"\\]|\\.)*)"'
    r'(?:, "attributeKey" : "((?:[^"\\]|\\.)*)")?, "attributeType" : "([^"]*)"(?:, "value" : (.*))?',
    re.DOTALL,
)
WHOLE = frozenset({"Integer", "Long", "Short", "Byte", "BigInteger", "AtomicLong", "AtomicInteger"})
MAX_DIGITS = 2500  # as for Jolokia; Python refuses to make a number of 4,300
REAL = frozenset({"Double", "Float", "BigDecimal"})
# What the jar's Java exceptions say, in the order in which they must be tried.
CAUSES = (
    ("UnknownHostException", "unknown-host", "The name is not known here.", "Correct [jmx] host."),
    (
        "Authentication failed",
        "login-required",
        "The JVM wants a login.",
        "Use [jmx] transport = 'rmi' with user and password_file.",
    ),
    (
        "SecurityException",
        "login-required",
        "The JVM wants a login.",
        "Use [jmx] transport = 'rmi' with user and password_file.",
    ),
    ("SSL", "tls-failed", "The JVM wants TLS.", "Use [jmx] transport = 'rmi' with [jmx.tls]."),
    ("non-JRMP", "wrong-port", "The port speaks another protocol.", "Correct [jmx] port."),
    ("NameNotFoundException", "wrong-port", "An RMI registry answers there, but no JMX.", "Correct [jmx] port."),
    (
        "Connection refused",
        "refused",
        "No program listens on that port.",
        "Start the product, or correct [jmx] port.",
    ),
    ("timed out", "unreachable", "The address does not answer.", "Check [jmx] host and firewall."),
    ("No route", "unreachable", "There is no route to the address.", "Check [jmx] host and network."),
)


@dataclass(frozen=True, slots=True)
class Record:
    """One value, or the `failure` that stands in its place (`type_name` is what the bean had)."""

    bean: str
    attribute: str
    key: str | None
    type_name: str
    value: JmxScalar = None
    failure: str = ""


def parse_records(text: str) -> Iterator[Record]:
    """Every record of an answer. Raises JmxError for text that is no answer of the jar."""
    body = text.strip()
    if not (body.startswith("[") and body.endswith("]")):
        raise JmxError(
            "protocol-error", "The jmxquery child gave no answer that can be read.", do="Try [jmx] transport = 'rmi'."
        )
    body = body[1:-1].strip()
    for piece in BETWEEN.split(body) if body else ():
        found = RECORD.match(piece.removesuffix("}") if piece.endswith("}") else piece)
        if found is not None:
            bean, attribute, key, type_name, raw = found.groups()
            yield _record(_plain(bean), _plain(attribute), None if key is None else _plain(key), type_name, raw)


def _plain(text: str) -> str:
    return text.replace('\\"', '"')


def _record(bean: str, attribute: str, key: str | None, type_name: str, raw: str | None) -> Record:
    if type_name == "Null" or raw is None:
        # The jar prints the same for null, for an attribute that threw, and for tables.
        return Record(
            bean, attribute, key, type_name, failure="not-present" if type_name == "Null" else "not-supported"
        )
    quoted = len(raw) >= 2 and raw[0] == raw[-1] == '"'
    plain = raw[1:-1] if quoted else raw.strip()
    if type_name == "String":
        return Record(bean, attribute, key, type_name, plain)
    if type_name == "Boolean" and plain in ("true", "false"):
        return Record(bean, attribute, key, type_name, plain == "true")
    try:
        # A longer one is refused, never cut: its first digits would be another number.
        if type_name in WHOLE and len(plain) <= MAX_DIGITS:
            return Record(bean, attribute, key, type_name, int(plain))
        if type_name in REAL and len(plain) <= MAX_DIGITS:
            return Record(bean, attribute, key, type_name, float(plain))
    except ValueError:
        return Record(bean, attribute, key, type_name, failure="protocol-error")
    return Record(bean, attribute, key, type_name, failure="not-supported")


def parse_error(text: str, where: str) -> JmxError:
    """What the jar says went wrong, as a JmxError. Its own sentences stay here: they may hold anything."""
    if not text.strip():
        # What the jar cannot print ends it with a stack trace on its standard error, which may hold anything.
        return JmxError(
            "protocol-error",
            f"The JVM at {where} cannot be read.",
            why="The jmxquery child ended without a word, as it does at a CompositeData that lacks one of its items.",
            do="Set in agent.toml: [jmx] transport = 'rmi'",
        )
    for words, code, why, do in CAUSES:
        if words in text:
            return JmxError(code, f"The JVM at {where} cannot be read.", why=why, do=do)
    return JmxError(
        "protocol-error",
        f"The JVM at {where} cannot be read.",
        why="The jmxquery child failed without a known cause.",
        do="Try [jmx] transport = 'rmi', or run: portfolio-agent sample",
    )
