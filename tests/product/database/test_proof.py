"""The proof that a login cannot write: what it finds on real servers, and how it reads what servers say."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
import uuid
from dataclasses import replace
from pathlib import Path

import pytest

from agent.catalog import load_catalog
from agent.errors import SourceError
from agent.product.database.connect import refuse_writable
from agent.product.database.engine import open_engine
from agent.product.database.jdbc import DatabaseAddress
from agent.product.database.proof import (
    _ORACLE,
    _READABLE,
    _SQLSERVER,
    WriteProof,
    harmless_oracle,
    harmless_sqlserver,
    prove,
    rights_of_grant,
)
from agent.product.model import DatabaseAccess
from agent.settings import DatabaseLogin, DatabaseSettings, Dialect, InstanceSettings, ProductType, Secret, Settings
from agent.settings.load import load_settings
from agent.sources.registry import open_source
from tests.support.homes import write_home
from tests.support.mariadb import MariaDbServer, mariadb
from tests.support.postgres import PostgresServer, postgres

__all__ = ["mariadb", "postgres"]  # the fixtures

WORD = "proof-Word-1"
OPEN_BY_DEFAULT = ("temporary tables", "large objects")


def postgres_login(server: PostgresServer, database: str, user: str) -> DatabaseAccess:
    return DatabaseAccess(
        DatabaseAddress(Dialect.POSTGRESQL, ((server.host, server.port),), database), user, Secret(WORD)
    )


def proof_of(login: DatabaseAccess) -> WriteProof:
    with open_engine(login, 5.0).connect() as connection:
        return prove(connection)


@pytest.fixture(scope="module")
def database(postgres: PostgresServer) -> str:
    """A database with one table of each kind."""
    name = postgres.create_database("proof")
    postgres.execute(
        name,
        "CREATE TABLE project (id bigint, name text)",
        "CREATE TABLE cwd_user (id bigint, credential text, email_address text)",
        "CREATE SEQUENCE numbers",
        "CREATE VIEW shown AS SELECT id FROM project",
    )
    return name


@pytest.fixture
def role(postgres: PostgresServer, database: str) -> str:
    """A new account that may look at one column."""
    name = f"r_{uuid.uuid4().hex[:8]}"
    postgres.execute(database, f"CREATE ROLE {name} LOGIN PASSWORD '{WORD}'", f"GRANT SELECT (id) ON project TO {name}")
    return name


@pytest.mark.parametrize(
    ("right", "found"),
    [
        ("GRANT INSERT ON project TO {role}", "may insert on project"),
        ("GRANT UPDATE (name) ON project TO {role}", "may update on project"),
        ("GRANT DELETE ON shown TO {role}", "may delete on shown"),
        ("GRANT TRUNCATE ON project TO {role}", "may truncate on project"),
        ("GRANT USAGE ON SEQUENCE numbers TO {role}", "may advance the sequence numbers"),
        ("GRANT CREATE ON SCHEMA public TO {role}", "may create objects in the schema public"),
        ('GRANT CREATE ON DATABASE "{database}" TO {role}', "may create schemas in the database {database}"),
        ("ALTER ROLE {role} CREATEROLE", "is allowed to create roles"),
        ("ALTER ROLE {role} CREATEDB", "is allowed to create databases"),
        ("ALTER ROLE {role} REPLICATION", "is allowed to replicate"),
        ("ALTER ROLE {role} BYPASSRLS", "is above row security"),
        ("GRANT INSERT (name) ON project TO {role}", "may insert on project"),
        ("GRANT TRIGGER ON project TO {role}", "may trigger on project"),
        ("GRANT pg_write_server_files TO {role}", "may act as the role pg_write_server_files"),
        ("GRANT pg_execute_server_program TO {role}", "may act as the role pg_execute_server_program"),
        (
            "CREATE ROLE w_{role}; GRANT INSERT ON project TO w_{role}; GRANT w_{role} TO {role}",
            "may act as the role w_{role}",
        ),
        ("CREATE ROLE n_{role}; GRANT n_{role} TO {role}; ALTER ROLE {role} NOINHERIT", "may act as the role n_{role}"),
        ("CREATE SCHEMA of_{role} AUTHORIZATION {role}", "may create objects in the schema of_{role}"),
        (
            "CREATE FUNCTION f_{role}() RETURNS int LANGUAGE sql SECURITY DEFINER AS 'select 1'; "
            "REVOKE EXECUTE ON FUNCTION f_{role}() FROM public; GRANT EXECUTE ON FUNCTION f_{role}() TO {role}",
            "may run with the rights of its owner f_{role}()",
        ),
        ("CREATE TABLE of_{role} (n int); ALTER TABLE of_{role} OWNER TO {role}", "owns of_{role}"),
    ],
)
def test_every_way_to_write_is_found(
    postgres: PostgresServer, database: str, role: str, right: str, found: str
) -> None:
    """PostgreSQL: one right more than reading, of whatever kind, is named; without it the login is clean."""
    login = postgres_login(postgres, database, role)
    assert proof_of(login) == WriteProof(False, (), (), "config/database/postgresql.sql", OPEN_BY_DEFAULT)
    for statement in right.format(role=role, database=database).split("; "):
        postgres.execute(database, statement)
    proof = proof_of(login)
    assert proof.can_write
    assert found.format(role=role, database=database) in proof.findings


def test_a_superuser_is_said_to_be_one(postgres: PostgresServer, database: str, role: str) -> None:
    """All rights at once: the list stays short and begins with the reason."""
    postgres.execute(database, f"ALTER ROLE {role} SUPERUSER")
    proof = proof_of(postgres_login(postgres, database, role))
    assert proof.findings[0].startswith("is superuser")
    assert all(len(finding) < 1000 for finding in proof.findings)


@pytest.mark.parametrize(
    "right",
    ["GRANT pg_monitor TO {role}", "GRANT SELECT ON project TO {role}", "GRANT USAGE ON SCHEMA public TO {role}"],
)
def test_what_only_reads_is_no_finding(postgres: PostgresServer, database: str, role: str, right: str) -> None:
    """Statistics and reading are harmless: the login stays usable."""
    postgres.execute(database, right.format(role=role))
    assert not proof_of(postgres_login(postgres, database, role)).can_write


def test_what_the_server_leaves_open_is_told_and_closed(postgres: PostgresServer) -> None:
    """PUBLIC's temporary tables and large objects: no reason to refuse, and gone when they are taken away."""
    name = postgres.create_database("open")
    user = f"o_{uuid.uuid4().hex[:8]}"
    postgres.execute(name, f"CREATE ROLE {user} LOGIN PASSWORD '{WORD}'")
    login = postgres_login(postgres, name, user)
    proof = proof_of(login)
    assert (proof.can_write, proof.left_open) == (False, OPEN_BY_DEFAULT)
    assert any("strict=on" in line for line in proof.lines())
    postgres.execute(name, f'REVOKE TEMPORARY ON DATABASE "{name}" FROM public')
    assert proof_of(login).left_open == ("large objects",)
    made = ("lo_create(oid)", "lo_creat(integer)", "lo_from_bytea(oid, bytea)")
    postgres.execute(name, *(f"REVOKE EXECUTE ON FUNCTION {function} FROM public" for function in made))
    assert proof_of(login).left_open == ()


def test_too_wide_reading_is_reported(postgres: PostgresServer, database: str, role: str) -> None:
    """Passwords and mail addresses that may be read are named; that alone is no right to write."""
    postgres.execute(database, f"GRANT SELECT ON cwd_user TO {role}")
    proof = proof_of(postgres_login(postgres, database, role))
    assert (proof.can_write, proof.too_wide) == (False, ("cwd_user.credential", "cwd_user.email_address"))


def test_a_writable_login_is_refused_until_it_is_mended(postgres: PostgresServer, database: str, role: str) -> None:
    """Each connection fails with what may be written and the cure; after the right is gone the same engine works."""
    postgres.execute(database, f"GRANT DELETE ON project TO {role}")
    engine = refuse_writable(open_engine(postgres_login(postgres, database, role), 5.0))
    for _ in range(2):
        with pytest.raises(SourceError) as caught:
            engine.connect()
        assert caught.value.reason == "login-can-write"
        assert "may delete on project" in caught.value.why
        assert "config/database/postgresql.sql" in caught.value.do
    open_sessions = f"SELECT count(*) FROM pg_stat_activity WHERE usename = '{role}'"
    assert postgres.execute("postgres", "SELECT pg_sleep(0.1)", open_sessions) == [(0,)]
    postgres.execute(database, f"REVOKE DELETE ON project FROM {role}")
    with engine.connect() as connection:
        assert connection.exec_driver_sql("select count(id) from project").scalar() == 0


def test_mariadb_rights_are_found_through_roles(mariadb: MariaDbServer) -> None:
    """MariaDB: rights of the account and of a role it may take on; a reader is clean."""
    name = f"p_{uuid.uuid4().hex[:6]}"
    mariadb.execute(
        f"CREATE DATABASE {name}",
        f"CREATE TABLE {name}.cwd_user (id int, credential text)",
        f"CREATE USER {name}@'127.0.0.1' IDENTIFIED BY '{WORD}'",
        f"GRANT SELECT ON {name}.* TO {name}@'127.0.0.1'",
    )
    login = DatabaseAccess(DatabaseAddress(Dialect.MYSQL, ((mariadb.host, mariadb.port),), name), name, Secret(WORD))
    assert proof_of(login) == WriteProof(False, (), ("cwd_user.credential",), "config/database/mysql.sql")
    mariadb.execute(
        f"CREATE ROLE writer_{name}",
        f"GRANT INSERT ON {name}.cwd_user TO writer_{name}",
        f"GRANT writer_{name} TO {name}@'127.0.0.1'",
    )
    proof = proof_of(login)
    assert proof.can_write
    assert any("insert" in finding or "act as" in finding for finding in proof.findings)
    mariadb.execute(f"GRANT UPDATE (id) ON {name}.cwd_user TO {name}@'127.0.0.1'")
    assert f"may update on {name}.cwd_user" in proof_of(login).findings


@pytest.mark.parametrize(
    ("right", "finding"),
    [
        ("INSERT ON {name}.t", "may insert on {name}.t"),
        ("UPDATE (id) ON {name}.t", "may update on {name}.t"),
        ("DELETE ON {name}.*", "may delete on {name}.*"),
        ("CREATE ON {name}.*", "may create on {name}.*"),
        ("CREATE TEMPORARY TABLES ON {name}.*", "may create temporary tables on {name}.*"),
        ("LOCK TABLES ON {name}.*", "may lock tables on {name}.*"),
        ("EXECUTE ON {name}.*", "may execute on {name}.*"),
        ("TRIGGER ON {name}.*", "may trigger on {name}.*"),
        ("EVENT ON {name}.*", "may event on {name}.*"),
        ("ALL PRIVILEGES ON {name}.*", "may all privileges on {name}.*"),
        ("FILE ON *.*", "may file on *.*"),
        ("SUPER ON *.*", "may super on *.*"),
        ("RELOAD ON *.*", "may reload on *.*"),
        ("CREATE USER ON *.*", "may create user on *.*"),
        ("SELECT ON {name}.* TO {name}@'127.0.0.1' WITH GRANT OPTION", "may grant option on {name}.*"),
        ("PROCESS ON *.*", ""),
        ("SHOW VIEW ON {name}.*", ""),
    ],
)
def test_every_kind_of_right_on_mariadb(mariadb: MariaDbServer, right: str, finding: str) -> None:
    """Given one by one on a real server: each right that is more than reading is named, the reading ones are not."""
    name = f"k_{uuid.uuid4().hex[:6]}"
    user = f"{name}@'127.0.0.1'"
    mariadb.execute(
        f"CREATE DATABASE {name}", f"CREATE TABLE {name}.t (id int)", f"CREATE USER {user} IDENTIFIED BY '{WORD}'"
    )
    mariadb.execute(f"GRANT SELECT ON {name}.t TO {user}")
    login = DatabaseAccess(DatabaseAddress(Dialect.MYSQL, ((mariadb.host, mariadb.port),), name), name, Secret(WORD))
    assert proof_of(login) == WriteProof(False, (), (), "config/database/mysql.sql")
    words = right.format(name=name)
    mariadb.execute(f"GRANT {words}" if " TO " in words else f"GRANT {words} TO {user}")
    expected = finding.format(name=name)
    assert proof_of(login).findings == ((expected,) if expected else ())


@pytest.mark.parametrize(
    ("line", "rights"),
    [
        ("GRANT USAGE ON *.* TO `a`@`%` IDENTIFIED BY PASSWORD '*AB INSERT ON'", []),
        ("GRANT SELECT (`id`, `update`) ON `jira`.`cwd_user` TO `a`@`%`", []),
        ("GRANT SELECT, INSERT (`id`) ON `jira`.`t` TO `a`@`%`", [("INSERT", "jira.t")]),
        ("GRANT ALL PRIVILEGES ON `jira`.* TO `a`@`%`", [("ALL PRIVILEGES", "jira.*")]),
        ("GRANT SELECT ON `jira`.* TO `a`@`%` WITH GRANT OPTION", [("GRANT OPTION", "jira.*")]),
        ("GRANT SELECT, LOCK TABLES ON `a b`.* TO `a`@`%`", [("LOCK TABLES", "a b.*")]),
        ("GRANT BACKUP_ADMIN,SHOW_ROUTINE ON *.* TO `a`@`%`", [("BACKUP_ADMIN", "*.*")]),
        ("GRANT EXECUTE ON PROCEDURE `jira`.`p` TO `a`@`%`", [("EXECUTE", "PROCEDURE jira.p")]),
        ("GRANT ALL PRIVILEGES ON `test`.* TO PUBLIC", []),
    ],
)
def test_lines_of_show_grants(line: str, rights: list[tuple[str, str]]) -> None:
    """What MySQL and MariaDB write is read right by right; a column named like a right is not one."""
    assert rights_of_grant(line) == rights


def test_sql_server_and_oracle_rights_are_sorted() -> None:
    """Reading rights pass, all others, unknown ones too, do not. Neither server is at hand: the words alone."""
    assert all(map(harmless_sqlserver, ("CONNECT", "SELECT", "VIEW DEFINITION", "CONNECT SQL", "REFERENCES")))
    assert not any(map(harmless_sqlserver, ("INSERT", "ALTER", "CONTROL", "EXECUTE", "TAKE OWNERSHIP", "CREATE TABLE")))
    assert all(map(harmless_oracle, ("CREATE SESSION", "READ")))
    assert not any(map(harmless_oracle, ("SELECT", "INSERT", "CREATE TABLE", "UNLIMITED TABLESPACE", "OWN")))


# View or function -> those of its columns that are used here, as Oracle and Microsoft list them in their references.
DOCUMENTED = {
    "oracle": {
        "session_privs": {"privilege"},
        "all_tab_privs_recd": {"grantee", "owner", "table_name", "grantor", "privilege", "grantable"},
        "role_tab_privs": {"role", "owner", "table_name", "column_name", "privilege", "grantable"},
        "all_users": {"username", "user_id", "created", "common", "oracle_maintained"},
        "user_tables": {"table_name"},
        "all_tab_columns": {"owner", "table_name", "column_name"},
        "all_tables": {"owner", "table_name", "num_rows", "last_analyzed"},
    },
    "mssql": {
        "fn_my_permissions": {"entity_name", "subentity_name", "permission_name"},
        "objects": {"name", "object_id", "schema_id", "type", "is_ms_shipped"},
        "schemas": {"name", "schema_id", "principal_id"},
        "columns": {"object_id", "name", "column_id"},
    },
}
FUNCTIONS = {"quotename", "schema_name", "has_perms_by_name"}


@pytest.mark.parametrize(
    ("dialect", "sql"),
    [
        *(("oracle", sql) for sql in (_ORACLE, _READABLE["oracle"])),
        *(("mssql", sql) for sql in (_SQLSERVER, _READABLE["mssql"])),
    ],
)
def test_unrun_questions_name_documented_views_and_columns(dialect: str, sql: str) -> None:
    """No SQL Server and no Oracle is at hand: each view and column is one that the maker's reference lists."""
    known = DOCUMENTED[dialect]
    bare = re.sub(r"'[^']*'", "''", sql.lower())
    views = re.findall(r"(?:from|join|apply)\s+(?:sys\.)?(\w+)", bare)
    assert views
    assert set(views) <= known.keys()
    columns = {column for view in views for column in known[view]}
    aliases = set(re.findall(r"(?:from|join)\s+(?:sys\.)?\w+(?:\([^)]*\))?\s+(\w)\b", bare)) | {"p"}
    words = "select union all from join on where and or not in null cross apply is sys"
    rest = set(re.findall(r"[a-z_]\w*", bare)) - set(words.split()) - set(views) - aliases - FUNCTIONS
    assert rest <= columns


def test_sqlite_is_read_only_by_nature(tmp_path: Path) -> None:
    """The file is opened so that nothing can be written."""
    path = tmp_path / "jira.db"
    path.touch()
    assert not proof_of(DatabaseAccess(DatabaseAddress(Dialect.SQLITE, (), str(path)), "", None)).can_write


def test_sqlite_file_that_the_account_may_write_is_told() -> None:
    """A mode that lets the agent's account write is told with its cure; that root may write it tells nothing."""
    folder = Path(tempfile.mkdtemp(prefix="pfa-mode-"))
    path = folder / "jira.db"
    path.touch()
    login = DatabaseAccess(DatabaseAddress(Dialect.SQLITE, (), str(path)), "", None)
    before = os.geteuid()
    try:
        folder.chmod(0o755)
        path.chmod(0o666)
        if before == 0:
            assert proof_of(login).left_open == ()
            os.seteuid(65534)
        proof = proof_of(login)
        assert (proof.can_write, proof.left_open) == (False, (f"{path} (mode 666)",))
        assert "no right to write it" in proof.lines()[-1]
        if before == 0:
            os.seteuid(0)
            path.chmod(0o644)
            os.seteuid(65534)
            assert proof_of(login).left_open == ()
    finally:
        os.seteuid(before)
        shutil.rmtree(folder)


def test_an_own_login_is_refused_the_products_is_not() -> None:
    """The default follows the login; the key overrides it."""
    assert not DatabaseSettings().refuses_writable_login
    assert DatabaseSettings(login=DatabaseLogin.OWN).refuses_writable_login
    assert not DatabaseSettings(login=DatabaseLogin.OWN, allow_writable_login=True).refuses_writable_login
    assert DatabaseSettings(allow_writable_login=False).refuses_writable_login


def test_the_guardrails_refuse_a_writable_account(
    postgres: PostgresServer, database: str, role: str, tmp_path: Path
) -> None:
    """login = "own" with a right to write: the source fails and says which; with the key set it reads."""
    postgres.execute(database, f"GRANT INSERT ON project TO {role}")
    secret = tmp_path / "database.password"
    secret.write_text(WORD)
    secret.chmod(0o600)
    own = DatabaseSettings(
        login=DatabaseLogin.OWN,
        dialect=Dialect.POSTGRESQL,
        host=postgres.host,
        port=postgres.port,
        name=database,
        user=role,
        password_file=secret,
    )
    settings = Settings(InstanceSettings(ProductType.JIRA, tmp_path, tmp_path), database=own)
    source = open_source("guardrails", settings, load_catalog("jira"))
    with pytest.raises(SourceError) as caught:
        source.read(10)
    assert (caught.value.reason, "may insert on project" in caught.value.why) == ("login-can-write", True)
    source.close()
    allowed = replace(settings, database=replace(own, allow_writable_login=True))
    source = open_source("guardrails", allowed, load_catalog("jira"))
    found = {sample.series.metric for sample in source.read(10).samples}
    assert {metric for metric in found if not metric.startswith("database.")} == {"jira.guardrail.projects"}
    source.close()


def test_the_key_is_read_from_the_file(tmp_path: Path) -> None:
    """allow_writable_login loads as true, false, or not said."""
    home = write_home(tmp_path)
    for text, expected in (("", None), ("allow_writable_login = false", False), ("allow_writable_login = true", True)):
        config = tmp_path / "agent.toml"
        config.write_text(
            f'[instance]\nproduct = "jira"\nhome = "{home}"\nshared_home = "{home / "shared"}"\n[database]\n{text}\n'
        )
        assert load_settings(config).database.allow_writable_login is expected
