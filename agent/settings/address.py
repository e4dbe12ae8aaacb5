"""What an address in the configuration must look like; the same functions check it and take it apart for use.

No problem repeats the address: a password may stand in it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import SplitResult, unquote, urlsplit

PROXY_PORTS = {"http": 3128, "https": 443}
EXAMPLE = "write for instance https://collector.example.com"
PROXY_FORM = "http://[USER@]HOST:PORT"


@dataclass(frozen=True, slots=True)
class ProxyAddress:
    """Where the proxy is, whether it is spoken to over TLS, and the user to log in as, percent-decoded."""

    host: str
    port: int
    secure: bool
    user: str | None

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def web_address_problem(text: str, schemes: tuple[str, ...], *, user_allowed: bool = False) -> str | None:
    """What is wrong with an address; None when nothing is."""
    try:
        address = urlsplit(text)
        port_is_good = address.port is None or address.port > 0
    except ValueError:
        return f"is not an address; {EXAMPLE}"
    if address.scheme not in schemes:
        asked = " or ".join(f"{scheme}://" for scheme in schemes)
        return f"must begin with {asked}" + ("; nothing is ever sent without TLS" if schemes == ("https",) else "")
    if address.password is not None:
        beside = ", use proxy_password_file" if user_allowed else ""
        return f"holds a password; passwords do not stand in this file{beside}"
    if not port_is_good or not _is_host(address) or (address.username is not None and not user_allowed):
        return f"is not an address; {EXAMPLE}"
    if address.query or address.fragment or "?" in text or "#" in text:
        return "must not have a query or fragment"
    return None


def _is_host(address: SplitResult) -> bool:
    host = address.hostname or ""
    return bool(host) and host.isprintable() and not any(character in host for character in " \\%<>")


def proxy_problem(text: str) -> str | None:
    """What is wrong with a proxy's address; None when `parse_proxy` takes it."""
    try:
        parse_proxy(text)
    except ValueError as error:
        return str(error)
    return None


def parse_proxy(text: str) -> ProxyAddress:
    """The proxy that `text` names; the one reading of it, for the check and for the connection.

    Raises ValueError with what is wrong.
    """
    problem = web_address_problem(text, ("http", "https"), user_allowed=True)
    if problem is not None:
        raise ValueError(problem)
    address = urlsplit(text)
    if address.path not in ("", "/"):
        # Most often the address of a PAC file, which is a program that only a browser runs.
        raise ValueError(f"must not have a path: name the proxy itself ({PROXY_FORM}), not a file that tells of it")
    port = address.port or PROXY_PORTS[address.scheme]
    return ProxyAddress(address.hostname or "", port, address.scheme == "https", _user(address.username))


def _user(encoded: str | None) -> str | None:
    """The user as the proxy knows it: `CORP%5Csvc` is CORP\\svc. A percent sign that begins no code stays one."""
    if encoded is None:
        return None
    try:
        user = unquote(encoded, errors="strict")
    except UnicodeDecodeError:
        raise ValueError("has a user that is not UTF-8 once its %-codes are read") from None
    if not user:
        raise ValueError(f"names an empty user; the form is {PROXY_FORM}")
    if ":" in user:
        raise ValueError("must not have a colon in the user: it ends the name where name and password travel")
    if not user.isprintable():
        raise ValueError("has a user with control characters")
    return user


_BRACKETED = re.compile(r"\[([^\[\]]+)\](?::([0-9]{1,5}))?", re.ASCII)
_NAMED = re.compile(r"([^:\[\]]+)(?::([0-9]{1,5}))?", re.ASCII)
_HOST = re.compile(r"[A-Za-z0-9._:%-]{1,253}|/[^\s]{0,106}", re.ASCII)


def host_problem(text: str) -> str | None:
    """What is wrong with a host; a folder stands for PostgreSQL's local socket."""
    return None if _HOST.fullmatch(text) else "is not a host name or address"


def server_problem(text: str) -> str | None:
    """What is wrong with an entry of a list of servers; None when `parse_server` takes it."""
    try:
        parse_server(text)
    except ValueError as error:
        return str(error)
    return None


def parse_server(text: str) -> tuple[str, int | None]:
    """Host and port of `db.example.com`, `db.example.com:5433`, `2001:db8::7` or `[2001:db8::7]:5433`.

    Raises ValueError with what is wrong.
    """
    if text.count(":") > 1 and not text.startswith("["):
        host, port = text, None
    elif match := _BRACKETED.fullmatch(text) or _NAMED.fullmatch(text):
        host, port = match[1], match[2]
    else:
        raise ValueError("holds an entry that is not HOST or HOST:PORT")
    if host_problem(host) is not None:
        raise ValueError("holds an entry that is not a host name or address")
    if port is not None and not 1 <= int(port) <= 65535:
        raise ValueError("holds a port that is not between 1 and 65535")
    return host, None if port is None else int(port)
