"""The agent's own account, made by the shipped scripts beside a product's database on PostgreSQL and MariaDB."""

from __future__ import annotations

import os
import shutil
import subprocess
import uuid
from pathlib import Path

import pytest

from agent.product.database.credentials import _own_schema
from agent.product.database.jdbc import DatabaseAddress
from agent.product.model import DatabaseAccess
from agent.settings import Dialect, Secret
from scripts.database_roles import FOLDER
from tests.support import jira_database, product_databases
from tests.support.listings import APPS, jira_postgres
from tests.support.mariadb import MariaDbServer
from tests.support.postgres import PostgresServer
from tests.support.private_tables import plant

PASSWORD = "role-Word-1"


def fill_postgres(product: str, server: PostgresServer) -> str:
    """A database of the product on PostgreSQL that belongs to an account of its own, with planted secrets."""
    name = _filled_postgres(product, server)
    server.execute(name, *plant(product))
    server.execute(
        "postgres", f"CREATE ROLE {name} LOGIN PASSWORD 'owner-1'", f'ALTER DATABASE "{name}" OWNER TO {name}'
    )
    server.execute(
        name,
        "DO $$ DECLARE t text; BEGIN FOR t IN SELECT quote_ident(tablename) FROM pg_tables "
        f"WHERE schemaname = 'public' LOOP EXECUTE 'ALTER TABLE ' || t || ' OWNER TO {name}'; END LOOP; END $$",
        "GRANT CREATE ON SCHEMA public TO public",  # as it was before version 15
    )
    return name


def _filled_postgres(product: str, server: PostgresServer) -> str:
    if product != "jira":
        return product_databases.fill_postgres(product, server)
    return jira_postgres(server)


def make_postgres_role(server: PostgresServer, name: str, *, strict: bool = True, scripts: Path = FOLDER) -> None:
    """Run the shipped script, or the one of another tree, twice: the second run must give the same."""
    psql = shutil.which("psql")
    if psql is None:
        pytest.fail("apt-get install postgresql-client") if os.environ.get("CI") == "true" else pytest.skip("no psql")
    options = ["-v", "schema=public", *(["-v", "strict=on"] if strict else [])]
    for _ in range(2):
        command = [psql, "-X", "-q", "-d", server.dsn(name), *options, "-f", str(scripts / "postgresql.sql")]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode == 0, done.stderr
    server.execute(name, f"ALTER ROLE portfolio_agent PASSWORD '{PASSWORD}'")


def drop_postgres_role(server: PostgresServer, *names: str) -> None:
    """The words for removal in the script's header, for each database, then once for the role."""
    for name in names:
        server.execute(name, "DROP SCHEMA portfolio_agent CASCADE", "DROP OWNED BY portfolio_agent")
    server.execute("postgres", "DROP ROLE portfolio_agent")


def postgres_login(server: PostgresServer, name: str, schema: str = "public") -> DatabaseAccess:
    """The role's login, as `[database] login = "own"` makes it."""
    address = DatabaseAddress(Dialect.POSTGRESQL, ((server.host, server.port),), name)
    return DatabaseAccess(address, "portfolio_agent", Secret(PASSWORD), _own_schema(Dialect.POSTGRESQL, schema))


def fill_mariadb(product: str, server: MariaDbServer) -> str:
    """A database of the product on MariaDB with planted secrets."""
    name = filled_mariadb(product, server)
    server.execute(f"use {name}", *plant(product, upper=True, quote="`"))
    return name


def filled_mariadb(product: str, server: MariaDbServer) -> str:
    """A database of the product on MariaDB, Jira's apps, flags and links in it too."""
    if product != "jira":
        return product_databases.fill_mariadb(product, server)
    name = jira_database.fill_mariadb(server)
    server.execute(f"use {name}", *jira_database.statements(APPS))
    return name


def make_mariadb_role(server: MariaDbServer, name: str, *, scripts: Path = FOLDER) -> DatabaseAccess:
    """The login of the account that mysql.sql makes beside a database, after it ran twice."""
    user = f"agent_{uuid.uuid4().hex[:6]}"
    server.execute(f"CREATE USER {user}@'127.0.0.1' IDENTIFIED BY '{PASSWORD}'")
    client = ["mariadb", "--no-defaults", "--protocol=socket", f"--socket={server.folder}/socket", "--user=root"]
    for _ in range(2):
        wish = f"set @agent = '{user}@''127.0.0.1'''"
        printed = subprocess.run(
            [*client, "--skip-column-names", "--raw", f"--init-command={wish}", name],
            input=(scripts / "mysql.sql").read_text(),
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )
        done = subprocess.run(client, input=printed.stdout, capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode == 0, done.stderr
    address = DatabaseAddress(Dialect.MYSQL, ((server.host, server.port),), f"portfolio_agent_{name}")
    return DatabaseAccess(address, user, Secret(PASSWORD))
