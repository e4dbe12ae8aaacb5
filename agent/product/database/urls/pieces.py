"""What the URL forms of all drivers share: hosts, ports, options, paths, and what was found on the way.

In:   pieces of a product's URL, hostile input. Out: values, or BadUrl. No message repeats any part of the URL.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote, unquote_plus

from agent.product.database.address import DEFAULT_PORTS, BadUrl
from agent.settings import Dialect, TlsMode

VALUE_LIMIT = 4096
NEEDS_PEM = "To trust another authority than the system's, export it as PEM and name it: [database.tls] ca_file"


@dataclass(slots=True)
class Findings:
    """What is found beside the address: why the product's login cannot be used, and what is not handed on."""

    login_gap: str = ""
    notes: list[str] = field(default_factory=list)

    def gap(self, words: str) -> None:
        """The first reason stays."""
        self.login_gap = self.login_gap or words

    def note(self, option: str, words: str) -> None:
        """One sentence on an option, once."""
        sentence = f"{option}: {words}"
        if sentence not in self.notes:
            self.notes.append(sentence)


def options_of(pieces: Iterable[str], *, plus_is_blank: bool = False) -> dict[str, str]:
    """Options by their names in lower case, values decoded; of one that is given twice the last counts."""
    found = {}
    for piece in pieces:
        key, given, value = piece.partition("=")
        if key.strip() and len(value) <= VALUE_LIMIT:
            value = unquote_plus(value) if plus_is_blank else unquote(value)
            if not value.isprintable():
                raise BadUrl("holds an option with control characters")
            found[key.strip().lower()] = value.strip() if given else ""
    return found


def flag(options: Mapping[str, str], name: str) -> bool | None:
    """What a switch says, as the drivers read it; None when it is not there. A switch without a value is on."""
    value = options.get(name)
    if value is None:
        return None
    return value.lower() in ("true", "yes", "1", "on", "")


def hosts_of(authority: str, dialect: Dialect) -> tuple[tuple[str, int], ...]:
    """The hosts of `user:password@a:1,b,[2001:db8::7]:3`; a login is dropped, an empty host is this machine."""
    authority = authority.rpartition("@")[2]
    hosts = []
    for piece in authority.split(","):
        piece = piece.strip()
        if match := re.fullmatch(r"\[([^\[\]]*)\](?::([0-9]*))?", piece):
            if ":" not in match[1]:
                raise BadUrl("holds a name in square brackets: a placeholder that was not filled in")
            hosts.append((match[1], port_of(match[2] or "", dialect)))
        elif piece.count(":") > 1 and re.fullmatch(r"[0-9A-Fa-f:.]+", piece):
            hosts.append((piece, DEFAULT_PORTS[dialect]))
        else:
            host, _, port = piece.partition(":")
            hosts.append((host or "localhost", port_of(port, dialect)))
    return tuple(hosts)


def port_of(text: str, dialect: Dialect) -> int:
    """The port in `text`, the usual one where it is empty; raises BadUrl."""
    if not text:
        return DEFAULT_PORTS[dialect]
    if not re.fullmatch(r"[0-9]{1,5}", text, re.ASCII) or not 1 <= int(text) <= 65535:
        raise BadUrl("holds a port that is not a number from 1 to 65535")
    return int(text)


def required(value: str, what: str) -> str:
    """The same value; raises BadUrl when it is empty."""
    if not value:
        raise BadUrl(f"holds no {what}")
    return value


def local_path(text: str) -> str:
    """The absolute path that an option names, also as `file:///x`; "" for anything else."""
    path = re.sub(r"^file:(?://(?=/))?", "", text, flags=re.IGNORECASE)
    return path if path.startswith("/") and ".." not in path.split("/") else ""


def refuse_socket_factory(options: Mapping[str, str], names: Iterable[str], standard: Iterable[str] = ()) -> None:
    """Raise BadUrl for a class of the product that makes the sockets: only it knows where the database is."""
    for name in names:
        value = options.get(name.lower(), "")
        if value and value.rpartition(".")[2] not in standard:
            whose = " of Google Cloud SQL" if "cloud.sql" in value.lower() else ""
            raise BadUrl(
                f"connects through a socket factory{whose} ({name}), which only the product can load; give the agent "
                "an account of its own with a host and port that this machine reaches"
            )


def tls_mode(text: str, known: Mapping[str, TlsMode]) -> TlsMode:
    """The mode that a driver's word means; raises BadUrl for a word it does not know either."""
    mode = known.get(text.lower().replace("_", "-"))
    if mode is None:
        raise BadUrl("holds a TLS mode that its driver does not know")
    return mode
