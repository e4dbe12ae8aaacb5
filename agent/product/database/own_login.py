"""An address and the keys of [database] that say it: what a product's URL holds is carried over whole, and read back.

Pure. `own_login_of` is for `init`; `address_of` is for each connection of an account of our own. One undoes the other,
but for notes and for options that only the product's own login needs.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from agent.errors import ConfigError
from agent.product.database.address import DEFAULT_PORTS, DatabaseAddress, DatabaseTls
from agent.settings import DatabaseLogin, DatabaseSettings, DatabaseTlsSettings, Dialect, TargetServer, TlsMode
from agent.settings.address import parse_server


def own_login_of(
    address: DatabaseAddress, schema: str = "", user: str | None = None, password_file: Path | None = None
) -> DatabaseSettings:
    """[database] of an account of the agent's own at this address.

    `schema` is the one the product's configuration names beside its URL; it beats the URL's.
    """
    dialect = address.dialect
    if dialect is Dialect.SQLITE:
        return DatabaseSettings(login=DatabaseLogin.OWN, dialect=dialect, name=address.name)
    host, port, hosts = _places(address)
    return DatabaseSettings(
        login=DatabaseLogin.OWN,
        dialect=dialect,
        host=host,
        port=port,
        hosts=hosts,
        target=None if address.target is TargetServer.ANY else address.target,
        name=address.name or address.service or None,
        sid=address.sid or None,
        # Oracle's instance is one of a service's; the listener chooses it where nothing is said.
        instance=(address.instance or None) if dialect is Dialect.SQLSERVER else None,
        schema=schema_for(dialect, schema or address.schema) or None,
        user=user,
        password_file=password_file,
        tls=_tls_settings(address.tls),
    )


def where_the_script_grants(own: DatabaseSettings) -> DatabaseSettings:
    """The same settings, where an account made by the script in config/database finds its views of the tables."""
    if own.dialect is Dialect.MYSQL and own.name:
        return replace(own, name=f"portfolio_agent_{own.name}")
    if own.dialect is Dialect.ORACLE:
        return replace(own, schema="PORTFOLIO_AGENT_VIEWS")
    # SQL Server looks in the account's default schema; on PostgreSQL the account reads the product's own.
    return replace(own, schema=None) if own.dialect is Dialect.SQLSERVER else own


def schema_for(dialect: Dialect, schema: str) -> str:
    """The schema where the database has such a thing; templates of containers write "public" for every database."""
    if dialect in (Dialect.MYSQL, Dialect.SQLITE):
        return ""
    if schema.lower() == "public" and dialect is not Dialect.POSTGRESQL:
        return ""
    return schema


def _places(address: DatabaseAddress) -> tuple[str | None, int | None, tuple[str, ...] | None]:
    """host, port and hosts of the settings."""
    if len(address.hosts) > 1:
        return None, None, tuple(_server(host, port) for host, port in address.hosts)
    return address.host, None if address.instance and address.dialect is Dialect.SQLSERVER else address.port, None


def _server(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _tls_settings(tls: DatabaseTls) -> DatabaseTlsSettings:
    return DatabaseTlsSettings(
        mode=tls.mode,
        ca_file=_path(tls.ca_file),
        certificate_file=_path(tls.certificate_file),
        key_file=_path(tls.key_file),
        expected_name=tls.expected_name or None,
    )


def _path(text: str) -> Path | None:
    return Path(text) if text else None


def address_of(database: DatabaseSettings) -> DatabaseAddress:
    """The address that the settings of an own account name; raises ConfigError when they are not complete."""
    dialect = database.dialect
    if dialect is None or (database.name is None and database.sid is None):
        raise ConfigError(
            "The database's address is not complete.",
            why="dialect or name is missing.",
            do='Set [database] dialect, host and name, or login = "product"',
        )
    if dialect is Dialect.SQLITE:
        return DatabaseAddress(dialect, (), database.name or "")
    oracle = dialect is Dialect.ORACLE
    return DatabaseAddress(
        dialect,
        tuple(_hosts(database, database.port or DEFAULT_PORTS[dialect])),
        name="" if oracle else database.name or "",
        service=(database.name or "") if oracle else "",
        sid=database.sid or "",
        instance=database.instance or "",
        target=database.target or TargetServer.ANY,
        tls=_tls_of(database.tls),
    )


def _hosts(database: DatabaseSettings, usual_port: int) -> Iterable[tuple[str, int]]:
    if database.hosts is None:
        # Not through parse_server: a host may be the folder of PostgreSQL's local socket.
        yield database.host or "localhost", usual_port
        return
    for text in database.hosts:
        host, port = parse_server(text)
        yield host, port or usual_port


def _tls_of(tls: DatabaseTlsSettings) -> DatabaseTls:
    return DatabaseTls(
        tls.mode,
        ca_file=str(tls.ca_file or ""),
        certificate_file=str(tls.certificate_file or ""),
        key_file=str(tls.key_file or ""),
        expected_name=tls.expected_name or "",
    )


def with_settings_of_tls(address: DatabaseAddress, tls: DatabaseTlsSettings) -> DatabaseAddress:
    """The product's address with what [database.tls] adds: files, names, and a mode that is stronger or was not said.

    The agent's connection is never weaker than the product's: a weaker mode is a note.
    """
    said, ours = address.tls, _tls_of(tls)
    wanted = _mode_of(address.dialect, ours.mode)
    free = said.mode is None or said.assumed
    weaker = wanted is not None and said.mode is not None and _STRENGTH.index(wanted) < _STRENGTH.index(said.mode)
    notes = address.notes
    if weaker and not free:
        notes += (f"[database.tls] mode: {said.mode}, which the product's URL asks for, stays; it is the stronger.",)
    return replace(
        address,
        notes=notes,
        tls=DatabaseTls(
            said.mode if wanted is None or (weaker and not free) else wanted,
            ca_file=ours.ca_file or said.ca_file,
            certificate_file=ours.certificate_file or said.certificate_file,
            key_file=ours.key_file or said.key_file,
            expected_name=ours.expected_name or said.expected_name,
            assumed=said.assumed and wanted is None,
        ),
    )


_STRENGTH = tuple(TlsMode)  # weakest first


def _mode_of(dialect: Dialect, mode: TlsMode | None) -> TlsMode | None:
    """The mode as this database knows it; the file does not know which one the product's URL names."""
    if mode is TlsMode.STRICT and dialect is not Dialect.SQLSERVER:
        return TlsMode.VERIFY_FULL
    return None if mode is TlsMode.PREFER and dialect is Dialect.ORACLE else mode
