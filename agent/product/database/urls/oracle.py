"""URLs of ojdbc: `@host:1521:SID`, `@//host:1521/SERVICE`, EZConnect Plus with options, and DESCRIPTIONs.

Names that something else resolves (tnsnames.ora, LDAP, a configuration provider) are refused, each by its name.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from agent.product.database.address import BadUrl, DatabaseAddress, DatabaseTls, checked
from agent.product.database.urls.pieces import (
    NEEDS_PEM,
    Findings,
    flag,
    hosts_of,
    options_of,
    port_of,
    required,
)
from agent.settings import Dialect, TlsMode

_RESOLVERS = {
    "ldap": "is resolved by a name service (LDAP), which is not asked; write host, port and service in full",
    "ldaps": "is resolved by a name service (LDAP), which is not asked; write host, port and service in full",
    "http": "is fetched from a web address, which is not asked; write host, port and service in full",
    "https": "is fetched from a web address, which is not asked; write host, port and service in full",
}
_DEPTH_LIMIT = 20
Hosts = tuple[tuple[str, int], ...]


def parse_oracle(rest: str) -> DatabaseAddress:
    """The address in what follows `jdbc:oracle:thin:` or `jdbc:oracle:oci:`; raises BadUrl."""
    login, place = _split_login(rest)
    found = Findings()
    if login == "/":
        found.gap("logs in with a wallet or the operating system's account (/@)")
    if place.startswith("("):
        description, query = _split_description(place)
        address, security = _described(description, found)
        words = {**security, **_options(query, found)}
    else:
        place, _, query = place.partition("?")
        words = _options(query, found)
        address = _simple(place)
    tls = _tls(address.tls.mode is not None, words, found)
    return checked(
        DatabaseAddress(
            Dialect.ORACLE,
            address.hosts,
            service=address.service,
            sid=address.sid,
            instance=address.instance,
            tls=tls,
            login_gap=found.login_gap,
            notes=tuple(found.notes),
        )
    )


def _split_login(rest: str) -> tuple[str, str]:
    """What stands before the last @ of the place, which may be a login and is not kept, and what follows."""
    end = next((rest.index(mark) for mark in ("(", "?") if mark in rest), len(rest))
    at = rest.rfind("@", 0, end)
    if at < 0:
        at = rest.find("@")
    if at < 0:
        raise BadUrl("has no @ before the address")
    return rest[:at].strip(), rest[at + 1 :].strip()


def _simple(place: str) -> DatabaseAddress:
    secure: TlsMode | None = None
    if match := re.match(r"([a-z][a-z0-9+.-]*)://", place, re.IGNORECASE):
        scheme = match[1].lower()
        if scheme.startswith("config-"):
            raise BadUrl("is fetched from a configuration provider (config-...); write host, port and service in full")
        if scheme not in ("tcp", "tcps"):
            raise BadUrl(_RESOLVERS.get(scheme, "names a way to the database that is not known; tcp and tcps are"))
        secure = TlsMode.VERIFY_FULL if scheme == "tcps" else None
        place = place[match.end() :]
    tls = DatabaseTls(secure)
    place = place.removeprefix("//")
    if "/" in place:
        authority, _, service = place.partition("/")
        # What follows the service: how the server answers (dedicated, shared, pooled), then an instance.
        service, _, instance = service.partition("/")
        service = required(service.partition(":")[0], "service name")
        return DatabaseAddress(Dialect.ORACLE, _hosts(authority), service=service, instance=instance, tls=tls)
    authority, _, sid = place.rpartition(":")
    if not authority:
        raise BadUrl("is a name of tnsnames.ora; write host, port and service in full")
    if sid.isdigit() and ":" not in authority:
        raise BadUrl("holds a host and a port, but no service name or SID")
    return DatabaseAddress(Dialect.ORACLE, hosts_of(authority, Dialect.ORACLE), sid=required(sid, "SID"), tls=tls)


def _hosts(authority: str) -> Hosts:
    """EZConnect Plus: commas and semicolons between hosts; one without a port has that of the next that names one."""
    hosts: list[tuple[str, int]] = []
    waiting = 0
    for piece in re.split(r"[,;]", authority):
        hosts.extend(hosts_of(piece, Dialect.ORACLE))
        waiting += 1
        if re.search(r"(?:^|\]|[^:\]]):[0-9]+$", piece.strip()):
            hosts[-waiting:] = [(host, hosts[-1][1]) for host, _ in hosts[-waiting:]]
            waiting = 0
    return tuple(hosts)


# (KEY=value) and (KEY=(...)(...)), as nodes


@dataclass(slots=True)
class _Node:
    key: str
    value: str = ""
    inner: list[_Node] = field(default_factory=list)

    def all(self, *keys: str) -> Iterator[_Node]:
        """Every node below with one of these names."""
        for node in self.inner:
            if node.key in keys:
                yield node
            yield from node.all(*keys)

    def text(self, key: str) -> str:
        """The first value below with this name, or ""."""
        return next((node.value for node in self.all(key) if node.value), "")


_TOKEN = re.compile(r"\s*\(\s*([A-Za-z_.]+)\s*=\s*(\"[^\"]*\"|[^()\"]*)|\s*(\))|\s*(\S)")


def _split_description(place: str) -> tuple[_Node, str]:
    """The description as a tree, and the options behind it."""
    root = _Node("")
    open_nodes = [root]
    at = 0
    while match := _TOKEN.match(place, at):
        if match[4] is not None and not (match[4] == "?" and len(open_nodes) == 1):
            raise BadUrl("has a description that cannot be read")
        if match[4] is not None:
            return root, place[match.start(4) + 1 :]
        at = match.end()
        if match[1] is not None:
            node = _Node(match[1].lower(), match[2].strip().strip('"'))
            open_nodes[-1].inner.append(node)
            open_nodes.append(node)
        elif len(open_nodes) > 1:
            open_nodes.pop()
        else:
            raise BadUrl("has a description whose brackets do not match")
        if len(open_nodes) > _DEPTH_LIMIT:
            raise BadUrl("has a description that is nested too deeply")
    if len(open_nodes) != 1:
        raise BadUrl("has a description whose brackets do not match")
    return root, ""


def _described(root: _Node, found: Findings) -> tuple[DatabaseAddress, dict[str, str]]:
    """The address, and what stands under SECURITY in the words of the options."""
    nodes = list(root.all("description")) or [root]
    places = [_one_description(node, found) for node in nodes]
    first = places[0]
    if any((place.service, place.sid) != (first.service, first.sid) for place in places):
        raise BadUrl("has several descriptions with different services; name the one to ask in an account of the agent")
    # A host without TLS would be weaker than the others.
    secure = [place for place in places if place.tls.mode is not None]
    if 0 < len(secure) < len(places):
        found.note("DESCRIPTION_LIST", "of the addresses only those with TLS (TCPS) are used.")
    kept = secure or places
    hosts = tuple(dict.fromkeys(host for place in kept for host in place.hosts))
    return replace(kept[0], hosts=hosts), _security(nodes[places.index(kept[0])])


def _one_description(node: _Node, found: Findings) -> DatabaseAddress:
    if node.text("source_route").lower() in ("yes", "on", "true"):
        raise BadUrl("is routed through Oracle's Connection Manager (SOURCE_ROUTE), which is not followed")
    hosts: dict[str, list[tuple[str, int]]] = {}
    for address in node.all("address"):
        protocol = address.text("protocol").lower() or "tcp"
        if address.text("https_proxy"):
            raise BadUrl("is reached through a proxy (HTTPS_PROXY), which is not followed")
        if address.text("host"):
            place = address.text("host").strip("[]"), port_of(address.text("port"), Dialect.ORACLE)
            hosts.setdefault(protocol, []).append(place)
    if not hosts:
        raise BadUrl("has a description without an ADDRESS with a HOST")
    if not hosts.keys() & {"tcp", "tcps"}:
        raise BadUrl("names a protocol that is not followed; TCP and TCPS are")
    service, sid = node.text("service_name"), node.text("sid")
    if not service and not sid:
        raise BadUrl("has a description without SERVICE_NAME or SID")
    if "tcps" in hosts and "tcp" in hosts:
        found.note("ADDRESS_LIST", "of the addresses only those with TLS (TCPS) are used.")
    return DatabaseAddress(
        Dialect.ORACLE,
        tuple(hosts.get("tcps") or hosts["tcp"]),
        service=service,
        sid="" if service else sid,
        instance=node.text("instance_name"),
        tls=DatabaseTls(TlsMode.VERIFY_FULL if "tcps" in hosts else None),
    )


def _security(node: _Node) -> dict[str, str]:
    words = {
        "ssl_server_dn_match": node.text("ssl_server_dn_match"),
        "ssl_server_cert_dn": node.text("ssl_server_cert_dn"),
        "wallet_location": node.text("my_wallet_directory") or node.text("wallet_location") or node.text("directory"),
    }
    return {key: value for key, value in words.items() if value}


# options


def _options(query: str, found: Findings) -> dict[str, str]:
    words = {
        key.removeprefix("oracle.net.").removeprefix("javax.net.ssl."): value.strip('"')
        for key, value in options_of(query.split("&")).items()
    }
    if words.get("encryption_client", "").lower() in ("required", "requested"):
        raise BadUrl(
            "asks for Oracle's native network encryption, which the agent's driver does not speak; TLS (tcps) it does"
        )
    if words.get("https_proxy"):
        raise BadUrl("is reached through a proxy (https_proxy), which is not followed")
    if "kerberos" in words.get("authentication_services", "").lower():
        found.gap("logs in with Kerberos (authentication_services)")
    if words.get("token_auth") or words.get("oracle.jdbc.tokenauthentication"):
        found.gap("logs in with a token of Oracle's cloud (tokenAuthentication)")
    if any(key.startswith("oracle.jdbc.provider.") for key in words):
        found.gap("takes its login from a provider (oracle.jdbc.provider)")
    return words


def _tls(secure: bool, words: Mapping[str, str], found: Findings) -> DatabaseTls:
    if not secure:
        return DatabaseTls()
    store = next((name for name in ("wallet_location", "truststore", "keystore") if words.get(name)), "")
    if store:
        found.note(store, f"the agent cannot read a wallet or trust store. {NEEDS_PEM}")
    said = flag(words, "ssl_server_dn_match") if words.get("ssl_server_dn_match") else None
    name = words.get("ssl_server_cert_dn", "")
    if said is None and not name:
        found.note(
            "ssl_server_dn_match",
            "is not said, which newer drivers read as on, so the server's name is checked. Otherwise: "
            '[database.tls] mode = "verify-ca"',
        )
    if said is False:
        return DatabaseTls(TlsMode.VERIFY_CA)
    return DatabaseTls(TlsMode.VERIFY_FULL, expected_name=name, assumed=said is None)
