"""What a well-formed value must still fulfil: limits of one key, and what must fit together.

In:   the settings as typed values and the set of keys the file really holds.
Out:  (key, problem) pairs in words for an admin; the loader adds file and line. Never a value that could be a secret.

An option that has no effect in this configuration is a mistake: someone wrote it and relies on it. Three switches are
the exception, because flipping them for a day must not mean rewriting the file: `enabled = false` of a section, and
`agent.mode = "offline"` for [cloud] and [delivery].
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

from agent.settings.address import host_problem, parse_proxy, proxy_problem, server_problem, web_address_problem
from agent.settings.database_rules import database_problems, expected_name_problem, instance_problem
from agent.settings.keys import Unit, render_duration, render_size
from agent.settings.password_rules import password_problems
from agent.settings.schema import Mode, Settings

Problem = tuple[str, str]

TRANSPORTS = ("rmi", "jolokia", "jmxquery")
LOG_LEVELS = ("debug", "info", "warning", "error")
CREDENTIAL_NAME = r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}"


@dataclass(frozen=True, slots=True)
class Limit:
    """The range of one number, both ends included."""

    least: float
    most: float
    unit: Unit = Unit.NONE

    def problem(self, value: float) -> str | None:
        """What is wrong with `value`, or None."""
        if self.least <= value <= self.most:
            return None
        return f"must be between {self._text(self.least)} and {self._text(self.most)}"

    def _text(self, value: float) -> str:
        if self.unit is Unit.DURATION:
            return render_duration(value)
        return render_size(int(value)) if self.unit is Unit.SIZE else f"{value:g}"


def _seconds(least: float, most: float) -> Limit:
    return Limit(least, most, Unit.DURATION)


DAY_S = 86400.0
# Wide enough for demos and tests; what lies outside is a slip of the pen (a missing unit, a zero too many).
LIMITS = {
    "sampling.interval": _seconds(1, 3600),
    "sampling.deadline": _seconds(0.1, 3600),
    "hour.length": _seconds(1, DAY_S),
    "hour.close_after": _seconds(0, 3600),
    "jmx.port": Limit(1, 65535),
    "jmx.connector_port": Limit(1, 65535),
    "jmx.max_beans": Limit(1, 1_000_000),
    "database.port": Limit(1, 65535),
    "database.statement_timeout": _seconds(0.1, 600),
    "clientside.smallest_group": Limit(1, 10_000),
    "delivery.retry_for": _seconds(0, DAY_S),
    "delivery.outbox_limit": Limit(1024**2, 1024**4, Unit.SIZE),
    "delivery.first_wait": _seconds(0.01, 3600),
    "delivery.longest_wait": _seconds(0.01, DAY_S),
    "bundle.every": _seconds(1, 31 * DAY_S),
    "bundle.days": Limit(1, 400),
    "bundle.keep": Limit(1, 1000),
}
CHOICES = {"agent.log_level": LOG_LEVELS, "jmx.transport": TRANSPORTS}


def problems_of(settings: Settings, given: Collection[str], faulted: Collection[str] = ()) -> Iterator[Problem]:
    """Everything that does not fit together; `given` are the keys that stand in the file.

    `faulted` keys have a mistake of their own already and hold their default: what depends on them is not judged.
    """
    for pivots, rule in RULES:
        if not any(pivot in faulted for pivot in pivots):
            yield from (problem for problem in rule(settings, given) if problem[0] not in faulted)


def _times(settings: Settings, given: Collection[str]) -> Iterator[Problem]:
    sampling, hour, delivery = settings.sampling, settings.hour, settings.delivery
    if sampling.deadline_s >= sampling.interval_s:
        yield "sampling.deadline", _above("must be shorter than sampling.interval", sampling.interval_s)
    if hour.length_s < sampling.interval_s:
        yield "hour.length", _above("must not be shorter than sampling.interval", sampling.interval_s)
    if hour.close_after_s > hour.length_s:
        yield "hour.close_after", _above("must not be longer than hour.length", hour.length_s)
    if delivery.first_wait_s > delivery.longest_wait_s:
        yield "delivery.first_wait", _above("must not be longer than delivery.longest_wait", delivery.longest_wait_s)
    if "database.statement_timeout" in given and settings.database.statement_timeout_s > sampling.deadline_s:
        yield (
            "database.statement_timeout",
            _above("has no effect when it is longer than sampling.deadline", sampling.deadline_s),
        )
    if "bundle.every" in given and settings.agent.mode is not Mode.OFFLINE:
        yield "bundle.every", 'has no effect with agent.mode = "linked": only offline mode writes bundles on schedule'


def _above(words: str, limit_s: float) -> str:
    return f"{words} ({render_duration(limit_s)}); both may come from the defaults, then set both"


def _jmx(settings: Settings, given: Collection[str]) -> Iterator[Problem]:
    jmx = settings.jmx
    if jmx.transport == "jmxquery" and jmx.user is not None:
        yield (
            "jmx.user",
            'cannot be used with transport = "jmxquery": that library puts the password into the command line of its '
            'Java process, where every local user can read it. Use transport = "rmi", or a JVM port on loopback '
            "without a password",
        )
    if jmx.transport == "jolokia":
        if jmx.url is None:
            yield "jmx.url", 'is required with transport = "jolokia"'
        for key in ("jmx.host", "jmx.port"):
            if key in given:
                yield key, 'has no effect with transport = "jolokia": the address is jmx.url'
    elif jmx.url is not None:
        yield "jmx.url", f'has no effect with transport = "{jmx.transport}": only jolokia uses it'
    for key in ("jmx.connector_port", "jmx.follow_stub_host"):
        if key in given and jmx.transport != "rmi":
            yield key, f'has no effect with transport = "{jmx.transport}": only rmi uses it'
    if "jmx.java" in given and jmx.transport != "jmxquery":
        yield "jmx.java", f'has no effect with transport = "{jmx.transport}": only jmxquery starts a Java process'
    yield from password_problems("jmx", jmx.user, jmx.password_file is not None, jmx.password_credential is not None)
    yield from _jmx_tls(settings, given)


def _jmx_tls(settings: Settings, given: Collection[str]) -> Iterator[Problem]:
    tls = settings.jmx.tls
    # Jolokia speaks https by its url; the two switches mirror the JVM's own remote port only.
    if settings.jmx.transport == "jolokia":
        for key in ("jmx.tls.server", "jmx.tls.registry"):
            if key in given:
                yield key, 'has no effect with transport = "jolokia": jmx.url says whether TLS is used'
        used = (settings.jmx.url or "").startswith("https:")
        why = "has no effect when jmx.url is not https"
    else:
        used = tls.server or tls.registry
        why = "has no effect while jmx.tls.server and jmx.tls.registry are false"
    if not used:
        names = ("ca_file", "certificate_file", "key_file", "expected_name", "check_name")
        yield from ((f"jmx.tls.{name}", why) for name in names if f"jmx.tls.{name}" in given)
        return
    if settings.jmx.transport == "jmxquery":
        switch = "jmx.tls.server" if tls.server else "jmx.tls.registry"
        yield switch, 'cannot be used with transport = "jmxquery": use transport = "rmi"'
    if (tls.certificate_file is None) != (tls.key_file is None):
        missing = "key_file" if tls.key_file is None else "certificate_file"
        yield f"jmx.tls.{missing}", "is required: a client certificate needs both certificate_file and key_file"
    if tls.expected_name is not None and not tls.check_name:
        yield "jmx.tls.expected_name", "has no effect with check_name = false"


def _apps(settings: Settings, given: Collection[str]) -> Iterator[Problem]:
    apps = settings.apps
    if apps.rest_url is None:
        useless = sorted(key for key in given if key.startswith("apps."))
        yield from ((key, "has no effect without apps.rest_url") for key in useless)
        return
    if apps.token_file is not None and apps.token_credential is not None:
        yield "apps.token_credential", "has no effect beside token_file; keep one of the two"
    token = apps.token_file is not None or apps.token_credential is not None
    if token and apps.user is not None:
        yield "apps.user", "has no effect beside a token; keep one of the two"
    elif not token and apps.user is None:
        yield (
            "apps.rest_url",
            "needs a login: set apps.token_file, apps.token_credential, or apps.user and a password",
        )
    by_file, by_credential = apps.password_file is not None, apps.password_credential is not None
    if not (token and apps.user is not None):
        yield from password_problems("apps", apps.user, by_file, by_credential)
    if apps.ca_file is not None and not apps.rest_url.startswith("https:"):
        yield "apps.ca_file", "has no effect when apps.rest_url is not https"


def _product_address(text: str) -> str | None:
    """https, because the login of an administrator travels; plain only where it does not leave this machine."""
    problem = web_address_problem(text, ("http", "https"))
    if problem is None and text.startswith("http:") and not _is_loopback(urlsplit(text).hostname or ""):
        return "must begin with https://: a login is sent there; http:// is for this machine only (127.0.0.1, ::1)"
    return problem


def _is_loopback(host: str) -> bool:
    return host in ("localhost", "::1") or re.fullmatch(r"127(\.\d{1,3}){3}", host, re.ASCII) is not None


def _login_name(text: str) -> str | None:
    return "must not hold a colon: it ends the name where name and password travel" if ":" in text else None


def _clientside(settings: Settings, given: Collection[str]) -> Iterator[Problem]:
    if settings.clientside.install is None:
        for name in ("access_log_dir", "smallest_group"):
            if f"clientside.{name}" in given:
                yield f"clientside.{name}", "has no effect without clientside.install"


def _cloud(settings: Settings, given: Collection[str]) -> Iterator[Problem]:
    cloud = settings.cloud
    if cloud.proxy is None:
        if cloud.proxy_password_file is not None:
            yield "cloud.proxy_password_file", "has no effect without cloud.proxy"
        return
    user = parse_proxy(cloud.proxy).user
    if cloud.proxy_password_file is not None and not user:
        yield "cloud.proxy_password_file", "has no effect without a user in cloud.proxy (http://user@proxy:3128)"
    if cloud.proxy_password_file is None and user:
        yield "cloud.proxy", "names a user, so cloud.proxy_password_file is required"


def _node_name(text: str) -> str | None:
    return None if len(text) <= 255 else "is longer than 255 characters"


CHECKS: dict[str, Callable[[str], str | None]] = {
    "instance.node": _node_name,
    "jmx.url": lambda text: web_address_problem(text, ("http", "https")),
    "jmx.host": host_problem,
    "database.host": host_problem,
    "database.hosts": server_problem,
    "database.instance": instance_problem,
    "database.tls.expected_name": expected_name_problem,
    "apps.rest_url": _product_address,
    "apps.user": _login_name,
    "cloud.endpoint": lambda text: web_address_problem(text, ("https",)),
    "cloud.proxy": proxy_problem,
}

Rule = Callable[[Settings, Collection[str]], Iterator[Problem]]
# The keys a rule leans on, and the rule.
_PIVOTS_OF_TIMES = (
    "agent.mode",
    "sampling.interval",
    "sampling.deadline",
    "hour.length",
    "hour.close_after",
    "delivery.first_wait",
    "delivery.longest_wait",
)
RULES: tuple[tuple[tuple[str, ...], Rule], ...] = (
    (_PIVOTS_OF_TIMES, _times),
    (("jmx.transport", "jmx.url", "jmx.tls.server", "jmx.tls.registry"), _jmx),
    (("database.login", "database.dialect", "database.tls.mode"), database_problems),
    (("apps.rest_url", "apps.user"), _apps),
    (("clientside.install",), _clientside),
    (("cloud.proxy",), _cloud),
)
