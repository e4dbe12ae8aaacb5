"""Proves that the login to the product's database cannot write, by asking the database what the login may do.

In:   one connection of a read-only engine. Out: `WriteProof`: what the login may change, which columns with secrets or
personal texts it may read, and what the server leaves to every login. Nothing is tried: only the catalogue is read, so
the server's log stays clean. The session is read-only whatever comes out; the proof is about the login, which a session
setting does not change. What cannot be told counts as "may write": a role whose rights are hidden, a kind of right not
known to be harmless. PostgreSQL, MariaDB and SQLite are asked for real in the tests; the questions to SQL Server and
Oracle were never run on a server, only their words were checked.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from agent.product.database.errors import database_errors
from agent.settings import shown

SHOWN = 8  # findings of one kind beyond these are counted only
STRICT = "To close that: psql -v strict=on -f postgresql.sql"
FILE_MODE = "The agent opens it read-only; to be safe, give its account no right to write it."
SCRIPTS = {
    "postgresql": "config/database/postgresql.sql",
    "mysql": "config/database/mysql.sql",
    "mariadb": "config/database/mysql.sql",
    "mssql": "config/database/sqlserver.sql",
    "oracle": "config/database/oracle.sql",
}
# Table and column, lower case: passwords, licences, mail addresses, and what people write.
PRIVATE_COLUMNS = (
    ("app_property", "prop_value"),
    ("bandana", "bandanavalue"),
    ("bodycontent", "body"),
    ("content", "title"),
    ("cwd_application", "credential"),
    ("cwd_directory_attribute", "attribute_value"),
    ("cwd_user", "credential"),
    ("cwd_user", "email_address"),
    ("jiraaction", "actionbody"),
    ("jiraissue", "description"),
    ("jiraissue", "summary"),
    ("plugin_setting", "key_value"),
    ("plugin_setting", "setting_value"),
    ("productlicense", "license"),
    ("propertystring", "propertyvalue"),
    ("propertytext", "propertyvalue"),
    ("sta_pull_request", "title"),
)


@dataclass(frozen=True, slots=True)
class WriteProof:
    """What the login may change (`findings`, empty unless `can_write`), and private columns it may read.

    `left_open` is what the server lets every login do, away from the product's tables; nobody is refused for it.
    """

    can_write: bool
    findings: tuple[str, ...] = ()
    too_wide: tuple[str, ...] = ()
    script: str = ""
    left_open: tuple[str, ...] = ()

    @property
    def left_open_text(self) -> str:
        """What stands open beside the login's own rights, in a sentence; "" for nothing."""
        if not self.left_open:
            return ""
        kind = "The server leaves to every login" if self.script else "This account may write the database's file"
        return f"{kind}: {', '.join(self.left_open)}."

    @property
    def left_open_cure(self) -> str:
        """What closes it."""
        return (STRICT if self.script else FILE_MODE) if self.left_open else ""

    def lines(self) -> list[str]:
        """For a person: the verdict, what it rests on, and the cure."""
        if not self.can_write:
            lines = ["The login cannot write: the database says so."]
        else:
            lines = [
                "The login MAY WRITE; the agent's sessions are read-only all the same.",
                *(f"  {finding}" for finding in self.findings),
                f'  Cure: a read-only account, made with {self.script}; then [database] login = "own".',
            ]
        if self.too_wide:
            lines.append(f"It may read more than the agent needs: {', '.join(self.too_wide)}.")
        if self.left_open:
            lines.append(f"{self.left_open_text} {self.left_open_cure}")
        return lines


def _open_files(connection: Connection) -> Iterable[str]:
    """The files of an embedded database that this account may write; root may write any, which tells nothing."""
    for row in _rows(connection, "PRAGMA database_list"):
        path = str(row[2] or "")
        if path and os.geteuid() != 0 and os.access(path, os.W_OK, effective_ids=True):
            yield f"{path} (mode {os.stat(path).st_mode & 0o777:03o})"


def script_for(dialect: str) -> str:
    """The script that makes a read-only account: where an installation has it, else its place in a checkout."""
    installed = Path(sys.prefix) / "share" / SCRIPTS[dialect]
    return str(installed) if installed.is_file() else SCRIPTS[dialect]


def prove(connection: Connection) -> WriteProof:
    """What the login of this connection may change. Raises SourceError when the database does not say."""
    dialect = connection.dialect.name
    if dialect == "sqlite":
        # Opened with mode=ro: the file itself refuses, whatever its mode lets the account do.
        files = tuple(_open_files(connection))
        connection.rollback()
        return WriteProof(False, left_open=files)
    with database_errors():
        findings = tuple(_shortened(_FINDERS[dialect](connection)))
        too_wide = tuple(sorted(set(_too_wide(connection))))
        left_open = tuple(str(row[0]) for sql in _LEFT_OPEN.get(dialect, ()) for row in _rows(connection, sql))
        connection.rollback()
    return WriteProof(bool(findings), findings, too_wide, script_for(dialect), left_open)


def _shortened(findings: Iterable[tuple[str, str]]) -> Iterable[str]:
    """One line a kind of right: "may insert into a, b and 12 more"."""
    things: dict[str, list[str]] = {}
    for kind, thing in findings:
        things.setdefault(kind, []).append(shown(thing, 80))
    for kind, names in things.items():
        more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
        yield f"{kind} {', '.join(names[:SHOWN])}{more}".strip()


def _rows(connection: Connection, sql: str) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in connection.exec_driver_sql(sql)]


# ---------------------------------------------------------------------------------------------------- PostgreSQL

_POSTGRESQL = (
    """select 'is', attribute from pg_roles r cross join lateral (values ('superuser', rolsuper),
       ('allowed to create roles', rolcreaterole), ('allowed to create databases', rolcreatedb),
       ('allowed to replicate', rolreplication), ('above row security', rolbypassrls)) a (attribute, given)
       where rolname = current_user and given""",
    """select 'may act as the role', rolname from pg_roles where rolname <> current_user
       and pg_has_role(current_user, oid, 'member') and rolname not in ('pg_monitor', 'pg_read_all_settings',
       'pg_read_all_stats', 'pg_stat_scan_tables') order by 2""",
    """select 'may ' || lower(w.word) || ' on', c.oid::regclass::text from pg_class c cross join
       (values ('INSERT'), ('UPDATE'), ('DELETE'), ('TRUNCATE'), ('TRIGGER')) w (word)
       where c.relkind in ('r', 'p', 'v', 'm', 'f')
       and c.relnamespace::regnamespace::text !~ '^(pg_|information_schema)'
       and case when w.word in ('INSERT', 'UPDATE') then has_any_column_privilege(c.oid, w.word)
           else has_table_privilege(c.oid, w.word) end order by 1, 2""",
    """select 'owns', c.oid::regclass::text from pg_class c join pg_roles r on r.oid = c.relowner
       where r.rolname = current_user and c.relkind in ('r', 'p', 'v', 'm', 'f', 'S')
       and c.relnamespace::regnamespace::text !~ '^pg_' order by 2""",
    """select 'may advance the sequence', c.oid::regclass::text from pg_class c where case when
       c.relkind = 'S' then has_sequence_privilege(c.oid, 'USAGE, UPDATE') else false end order by 2""",
    """select 'may create objects in the schema', nspname from pg_namespace
       where nspname !~ '^pg_' and has_schema_privilege(oid, 'CREATE') order by 2""",
    """select 'may create schemas in the database', current_database()
       where has_database_privilege(current_database(), 'CREATE')""",
    # A function that runs with its owner's rights and is not declared to only read; those of an extension are known.
    """select 'may run with the rights of its owner', p.oid::regprocedure::text from pg_proc p
       where p.prosecdef and p.provolatile = 'v' and p.pronamespace::regnamespace::text !~ '^(pg_|information_schema)'
       and has_schema_privilege(p.pronamespace, 'USAGE') and has_function_privilege(p.oid, 'EXECUTE')
       and not exists (select 1 from pg_depend d where d.objid = p.oid and d.deptype = 'e') order by 2""",
)
# Rights of PUBLIC on a fresh database, which no product's tables suffer from.
_LEFT_OPEN = {
    "postgresql": (
        "select 'temporary tables' where has_database_privilege(current_database(), 'TEMP')",
        """select 'large objects' where has_function_privilege('lo_create(oid)', 'EXECUTE')
           or has_function_privilege('lo_creat(integer)', 'EXECUTE')
           or has_function_privilege('lo_from_bytea(oid,bytea)', 'EXECUTE')""",
    )
}


def _find_postgresql(connection: Connection) -> Iterable[tuple[str, str]]:
    for sql in _POSTGRESQL:
        yield from ((str(kind), str(thing)) for kind, thing in _rows(connection, sql))


# ----------------------------------------------------------------------------------------------- MySQL, MariaDB

HARMLESS_MYSQL = frozenset(
    {
        "USAGE",
        "SELECT",
        "SHOW VIEW",
        "SHOW DATABASES",
        "SHOW_ROUTINE",
        "PROCESS",
        "REFERENCES",
        "REPLICATION CLIENT",
        "BINLOG MONITOR",
        "SLAVE MONITOR",
    }
)
# Every account of a fresh MariaDB or old MySQL may do everything there; no product keeps anything in it.
PLAYGROUND = frozenset({"test.*", "test\\_%.*"})
_GRANT = re.compile(
    r"GRANT (?P<what>.+?) ON (?P<where>(?:(?:PROCEDURE|FUNCTION|PACKAGE|PACKAGE BODY) )?(?:\S|`[^`]*`)+?)"
    r" TO (?P<rest>.+)",
    re.DOTALL,
)
_ROLE = re.compile(r"GRANT (?P<roles>(?:`[^`]+`(?:@`[^`]*`)?(?:, ?)?)+) TO ", re.DOTALL)


def rights_of_grant(line: str) -> list[tuple[str, str]]:
    """(right, where) of one line of SHOW GRANTS that are more than reading; its password hash is not looked at."""
    match = _GRANT.match(line)
    if match is None:
        return []
    rights = [right.strip().upper() for right in re.sub(r"\([^)]*\)", "", match["what"]).split(",")]
    if "WITH GRANT OPTION" in match["rest"].upper():
        rights.append("GRANT OPTION")
    where = match["where"].replace("`", "")
    if where in PLAYGROUND:
        return []
    return [(right, where) for right in rights if right not in HARMLESS_MYSQL]


def _find_mysql(connection: Connection) -> Iterable[tuple[str, str]]:
    asked: set[str] = set()
    waiting = ["SHOW GRANTS"]
    while waiting:
        statement = waiting.pop()
        asked.add(statement)
        try:
            lines = [str(row[0]) for row in _rows(connection, statement)]
        except SQLAlchemyError:
            yield "may act as a role whose rights cannot be read:", statement.removeprefix("SHOW GRANTS FOR ")
            continue
        for line in lines:
            role = _ROLE.match(line)
            if role is not None:
                named = re.findall(r"`[^`]+`(?:@`[^`]*`)?", role["roles"])
                waiting += [sql for name in named if (sql := f"SHOW GRANTS FOR {name}") not in asked]
            elif _GRANT.match(line) is None and line.upper().startswith("GRANT "):
                yield "has a grant that is not understood:", line.partition(" TO ")[0].removeprefix("GRANT ")
            for right, where in rights_of_grant(line):
                yield f"may {right.lower()} on", where


# -------------------------------------------------------------------------------------------------- SQL Server

_SQLSERVER = """
select p.permission_name, 'the server' from fn_my_permissions(null, 'SERVER') p
union all select p.permission_name, 'the database' from fn_my_permissions(null, 'DATABASE') p
union all select p.permission_name, s.name + '.' + o.name from sys.objects o
  join sys.schemas s on s.schema_id = o.schema_id
  cross apply fn_my_permissions(quotename(s.name) + '.' + quotename(o.name), 'OBJECT') p
  where o.type in ('U', 'V') and o.is_ms_shipped = 0
"""


def harmless_sqlserver(permission: str) -> bool:
    """Whether a permission of SQL Server only reads."""
    reading = ("VIEW ", "CONNECT", "SELECT", "REFERENCES", "SHOWPLAN")
    return permission.upper().startswith(reading)


def _find_sqlserver(connection: Connection) -> Iterable[tuple[str, str]]:
    for permission, where in dict.fromkeys(_rows(connection, _SQLSERVER)):
        if not harmless_sqlserver(str(permission)):
            yield f"may {str(permission).lower()} on", str(where)


# ------------------------------------------------------------------------------------------------------ Oracle

# Accounts that Oracle itself maintains grant much to PUBLIC; none of it is a product's.
_ORACLE = """
select privilege, 'the database' from session_privs
union all select privilege, owner || '.' || table_name from all_tab_privs_recd
  where owner not in (select username from all_users where oracle_maintained = 'Y')
union all select privilege, owner || '.' || table_name from role_tab_privs
  where owner not in (select username from all_users where oracle_maintained = 'Y')
union all select 'OWN', table_name from user_tables
"""
HARMLESS_ORACLE = frozenset({"CREATE SESSION", "READ"})


def harmless_oracle(privilege: str) -> bool:
    """Whether a privilege of Oracle only reads; SELECT does not: it also locks rows and whole tables."""
    return privilege.upper() in HARMLESS_ORACLE


def _find_oracle(connection: Connection) -> Iterable[tuple[str, str]]:
    for privilege, where in dict.fromkeys(_rows(connection, _ORACLE)):
        if not harmless_oracle(str(privilege)):
            yield f"may {str(privilege).lower()} on", str(where)


_FINDERS: dict[str, Callable[[Connection], Iterable[tuple[str, str]]]] = {
    "postgresql": _find_postgresql,
    "mysql": _find_mysql,
    "mariadb": _find_mysql,
    "mssql": _find_sqlserver,
    "oracle": _find_oracle,
}

# ------------------------------------------------------------------------------------------------- too wide reads

# Every readable column that bears the name of a private one: two columns, table and column.
_READABLE = {
    "postgresql": """select c.relname, a.attname from pg_class c join pg_attribute a on a.attrelid = c.oid
       where c.relkind in ('r', 'p') and a.attnum > 0 and not a.attisdropped
       and has_schema_privilege(c.relnamespace, 'USAGE') and has_column_privilege(c.oid, a.attnum, 'SELECT')
       and c.relnamespace::regnamespace::text !~ '^(pg_|information_schema)'""",
    "mysql": """select c.table_name, c.column_name from information_schema.columns c
       join information_schema.tables t on t.table_schema = c.table_schema and t.table_name = c.table_name
       where t.table_type = 'BASE TABLE' and find_in_set('select', c.privileges) > 0""",
    "mssql": """select o.name, c.name from sys.objects o join sys.columns c on c.object_id = o.object_id
       where o.type = 'U' and has_perms_by_name(quotename(schema_name(o.schema_id)) + '.' + quotename(o.name),
       'OBJECT', 'SELECT', c.name, 'COLUMN') = 1""",
    "oracle": """select c.table_name, c.column_name from all_tab_columns c
       join all_tables t on t.owner = c.owner and t.table_name = c.table_name""",
}
_READABLE["mariadb"] = _READABLE["mysql"]


def _too_wide(connection: Connection) -> Iterable[str]:
    private = set(PRIVATE_COLUMNS)
    for table, column in _rows(connection, _READABLE[connection.dialect.name]):
        if (str(table).lower(), str(column).lower()) in private:
            yield f"{str(table).lower()}.{str(column).lower()}"
