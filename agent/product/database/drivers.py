"""How each database is reached and made harmless: driver, connect arguments, what a new session is told.

Every session is read-only, gives up on a statement after `statement_timeout_s` on the server, waits at most LOCK_WAIT_S
for a lock, and never reads a password from here: `engine.py` hands it over when the connection is made.
"""

from __future__ import annotations

import math
import os
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from agent.errors import SourceError
from agent.product.database.address import DatabaseAddress, DatabaseTls
from agent.product.database.tls import context_of, freetds_file, freetds_text, libpq_tls
from agent.product.model import DatabaseAccess
from agent.settings import Dialect, TargetServer, TlsMode
from agent.system.clock import monotonic_s

APPLICATION = "portfolio-agent"
LOCK_WAIT_S = 2
LONGEST_CONNECT_S = 10
PROGRESS_STEPS = 20_000  # SQLite looks at the clock every 20,000 of its own steps: about a millisecond


Opening = Callable[[], AbstractContextManager[Mapping[str, object]]]


@dataclass(frozen=True, slots=True)
class Driver:
    """What SQLAlchemy needs for one dialect.

    `prepare` gets each new driver connection; `on_begin` is the first statement of every transaction; `creator`
    replaces connecting by arguments; `cut_after_s` asks for a watch on this side, where the driver itself has none.
    `places` are arguments for one host each, tried in their order by drivers that know one host only; `opening` stands
    round the making of each connection and gives what changes with time (files of TLS). `guards` are the settings of a
    PostgreSQL session, which a pooler may drop (`pooled.py`).
    """

    name: str
    connect: Mapping[str, object] = field(default_factory=dict)
    prepare: Callable[[Any], None] | None = None
    on_begin: str = ""
    creator: Callable[[], Any] | None = None
    before_statement: Callable[[], None] | None = None
    cut_after_s: float | None = None
    places: tuple[Mapping[str, object], ...] = ({},)
    opening: Opening | None = None
    guards: Mapping[str, str] = field(default_factory=dict)


def driver_for(login: DatabaseAccess, statement_timeout_s: float) -> Driver:
    """The driver settings for this login; no password in them."""
    return _DRIVERS[login.address.dialect](login, statement_timeout_s)


def _connect_s(statement_timeout_s: float) -> int:
    # libpq takes 1 for 2, and whole seconds only.
    return max(2, min(LONGEST_CONNECT_S, math.ceil(statement_timeout_s)))


def _postgresql(login: DatabaseAccess, timeout_s: float) -> Driver:
    address = login.address
    guards = {
        "default_transaction_read_only": "on",
        "statement_timeout": str(_milliseconds(timeout_s)),
        "lock_timeout": str(LOCK_WAIT_S * 1000),
        "idle_in_transaction_session_timeout": str(_milliseconds(timeout_s) + 60_000),
        # The product's own queries come first: one process for each of ours, no compiled code.
        "max_parallel_workers_per_gather": "0",
        "jit": "off",
    }
    schema = login.schema or address.schema
    if schema:
        names = [name.strip().strip('"').replace('"', "") for name in schema.split(",")]
        guards["search_path"] = ",".join(f'"{name}"' for name in names if name)
    connect: dict[str, object] = {
        "host": ",".join(host for host, _ in address.hosts),
        "port": ",".join(str(port) for _, port in address.hosts),
        "dbname": address.name,
        "user": login.user,
        "application_name": APPLICATION,
        "connect_timeout": _connect_s(timeout_s),
        "options": " ".join(f"-c {key}={_escaped(value)}" for key, value in guards.items()),
        # A peer that is gone without a word: noticed by the kernel within the statement's time.
        "keepalives_idle": 30,
        "tcp_user_timeout": _milliseconds(timeout_s) + 5_000,
        # No prepared statements: a pooler may send the next execution to a server session that knows none of them.
        "prepare_threshold": None,
    }
    if address.target is not TargetServer.ANY:
        connect["target_session_attrs"] = str(address.target)
    return Driver(
        "postgresql+psycopg",
        connect,
        prepare=_psycopg_read_only,
        cut_after_s=timeout_s + 2.0,
        guards=guards,
        opening=lambda: nullcontext(libpq_tls(address.tls)),
    )


def _psycopg_read_only(connection: Any) -> None:
    # BEGIN READ ONLY on top of the session's default: no statement of ours can switch it off inside a transaction.
    connection.read_only = True


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace(" ", "\\ ")


def _mysql(login: DatabaseAccess, timeout_s: float) -> Driver:
    address = login.address
    connect: dict[str, object] = {
        "database": address.name,
        "user": login.user,
        "charset": "utf8mb4",
        "connect_timeout": _connect_s(timeout_s),
        "read_timeout": timeout_s + 2.0,
        "write_timeout": timeout_s + 2.0,
        "program_name": APPLICATION,
    }

    def prepare(connection: Any) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT VERSION()")
            mariadb = "mariadb" in str(cursor.fetchone()[0]).lower()
            limit = (
                f"max_statement_time = {timeout_s:.3f}"
                if mariadb
                else f"max_execution_time = {_milliseconds(timeout_s)}"
            )
            cursor.execute(
                f"SET SESSION {limit}, lock_wait_timeout = {LOCK_WAIT_S}, innodb_lock_wait_timeout = {LOCK_WAIT_S}"
            )
            # For the session, so that every transaction of it is; a login without the right to write makes it true a
            # second time.
            cursor.execute("SET SESSION TRANSACTION READ ONLY")
        connection.commit()

    # On top of the session's default: before a transaction a statement could make the next one writable.
    return Driver(
        "mysql+pymysql",
        connect,
        prepare=prepare,
        on_begin="START TRANSACTION READ ONLY",
        places=tuple({"host": host, "port": port} for host, port in address.hosts),
        opening=lambda: nullcontext(_pymysql_tls(address.tls)),
    )


def _pymysql_tls(tls: DatabaseTls) -> dict[str, object]:
    """Said nothing or `prefer`, the driver encrypts where the server can, and checks nothing."""
    if tls.mode is TlsMode.DISABLE:
        return {"ssl_disabled": True}
    if tls.mode in (None, TlsMode.PREFER) and not tls.certificate_file:
        return {}
    return {"ssl": context_of(tls, check_name=True)}


def _oracle(login: DatabaseAccess, timeout_s: float) -> Driver:
    def prepare(connection: Any) -> None:
        connection.call_timeout = _milliseconds(timeout_s)
        # Templates write "public" for every database; in Oracle it is no schema, and each statement would fail.
        if login.schema and login.schema.lower() != "public":
            connection.current_schema = login.schema

    connect: dict[str, object] = {
        "dsn": oracle_descriptor(login.address, _connect_s(timeout_s)),
        "user": login.user,
        "program": APPLICATION,
    }
    return Driver(
        "oracle+oracledb",
        connect,
        prepare=prepare,
        on_begin="SET TRANSACTION READ ONLY",
        opening=lambda: nullcontext(_oracledb_tls(login.address.tls)),
    )


def _oracledb_tls(tls: DatabaseTls) -> dict[str, object]:
    # The driver compares the name itself, by what the descriptor says.
    return {"ssl_context": context_of(tls, check_name=False)} if _is_tcps(tls) else {}


def _is_tcps(tls: DatabaseTls) -> bool:
    return tls.mode not in (None, TlsMode.DISABLE)


def oracle_descriptor(address: DatabaseAddress, connect_s: int) -> str:
    """Oracle's own form of the address; hosts and names were checked when the address was made."""
    tls = address.tls
    protocol = "tcps" if _is_tcps(tls) else "tcp"
    places = "".join(f"(ADDRESS=(PROTOCOL={protocol})(HOST={host})(PORT={port}))" for host, port in address.hosts)
    what = f"(SERVICE_NAME={address.service})" if address.service else f"(SID={address.sid})"
    if address.instance:
        what += f"(INSTANCE_NAME={address.instance})"
    security = ""
    if _is_tcps(tls):
        name = f'(SSL_SERVER_CERT_DN="{tls.expected_name}")' if tls.expected_name else ""
        security = f"(SECURITY=(SSL_SERVER_DN_MATCH={'yes' if tls.mode is TlsMode.VERIFY_FULL else 'no'}){name})"
    return (
        f"(DESCRIPTION=(TRANSPORT_CONNECT_TIMEOUT={connect_s})(RETRY_COUNT=0)"
        f"(ADDRESS_LIST={places})(CONNECT_DATA={what}){security})"
    )


def _sqlserver(login: DatabaseAccess, timeout_s: float) -> Driver:
    address = login.address
    connect: dict[str, object] = {
        "database": address.name,
        "user": login.user,
        "timeout": math.ceil(timeout_s),
        "login_timeout": _connect_s(timeout_s),
        "appname": APPLICATION,
        "read_only": True,
    }
    if address.tls.mode in (TlsMode.REQUIRE, TlsMode.VERIFY_CA, TlsMode.VERIFY_FULL):
        connect["encryption"] = "require"

    def prepare(connection: Any) -> None:
        cursor = connection.cursor()
        cursor.execute("SELECT snapshot_isolation_state FROM sys.databases WHERE database_id = DB_ID()")
        row = cursor.fetchone()
        cursor.execute(f"SET LOCK_TIMEOUT {LOCK_WAIT_S * 1000}")
        # Snapshot reads take no shared locks; without it a lock wait ends after LOCK_TIMEOUT.
        if row is not None and row[0] == 1:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL SNAPSHOT")
        cursor.close()
        connection.commit()

    # An instance's port is asked for at the host, so the two exclude each other.
    places = tuple(
        {"server": f"{host}\\{address.instance}"} if address.instance else {"server": host, "port": str(port)}
        for host, port in address.hosts
    )
    return Driver("mssql+pymssql", connect, prepare=prepare, places=places, opening=lambda: _pymssql_tls(address.tls))


@contextmanager
def _pymssql_tls(tls: DatabaseTls) -> Iterator[Mapping[str, object]]:
    with freetds_file(freetds_text(tls)) if tls.verifies else nullcontext():
        yield {}


def _sqlite(login: DatabaseAccess, timeout_s: float) -> Driver:
    path = login.address.name
    ends = [math.inf]

    def connect() -> sqlite3.Connection:
        if not os.path.isfile(path):
            raise SourceError(
                "not-present",
                "The database file is not there.",
                why=f"There is no file {path}.",
                do=f"Put it back, or name the right file in [database] name. See: ls -l {os.path.dirname(path)}",
            )
        connection = sqlite3.connect(
            f"file:{quote(path)}?mode=ro", uri=True, timeout=LOCK_WAIT_S, check_same_thread=False
        )
        connection.execute("PRAGMA query_only = ON")
        connection.execute("PRAGMA trusted_schema = OFF")
        connection.set_progress_handler(lambda: monotonic_s() > ends[0], PROGRESS_STEPS)
        return connection

    def before_statement() -> None:
        ends[0] = monotonic_s() + timeout_s

    return Driver("sqlite+pysqlite", creator=connect, before_statement=before_statement)


def _milliseconds(seconds: float) -> int:
    return max(1, round(seconds * 1000))


_DRIVERS: dict[Dialect, Callable[[DatabaseAccess, float], Driver]] = {
    Dialect.POSTGRESQL: _postgresql,
    Dialect.MYSQL: _mysql,
    Dialect.ORACLE: _oracle,
    Dialect.SQLSERVER: _sqlserver,
    Dialect.SQLITE: _sqlite,
}
