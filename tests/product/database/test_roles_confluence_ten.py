"""The account of the role scripts beside Confluence 10: the named rows of `plugin_setting`, and no other."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import psycopg
import pymysql
import pytest
from sqlalchemy import Engine

from agent.catalog import load_catalog
from agent.product.database.connect import refuse_writable
from agent.product.database.engine import open_engine
from agent.product.database.proof import prove
from agent.product.model import DatabaseAccess
from agent.sources.guardrails.source import Guardrails
from tests.support import confluence_ten
from tests.support.confluence_ten import BASE_URL, SERVER_ID
from tests.support.mariadb import MariaDbServer, mariadb
from tests.support.postgres import PostgresServer, postgres
from tests.support.private_tables import SECRET
from tests.support.roles import (
    PASSWORD,
    drop_postgres_role,
    fill_mariadb,
    fill_postgres,
    make_mariadb_role,
    make_postgres_role,
    postgres_login,
)

__all__ = ["mariadb", "postgres"]  # the fixtures

CATALOG = load_catalog("confluence")
NEW = {"instance.base_url": BASE_URL, "instance.server_id": SERVER_ID}


@dataclass
class Site:
    """A Confluence database, whatever server it is on; `make_role` gives the account's login, anew each time."""

    server: PostgresServer | MariaDbServer
    name: str
    make_role: Callable[[], DatabaseAccess]

    def run(self, *statements: str) -> None:
        """As the product's administrator."""
        if isinstance(self.server, PostgresServer):
            self.server.execute(self.name, *statements, f'alter table if exists plugin_setting owner to "{self.name}"')
        else:
            self.server.execute(f"use {self.name}", *statements)

    def upgrade(self, build: int = 9405) -> None:
        """Confluence's table of 10, and the build number of this version."""
        on_mariadb = isinstance(self.server, MariaDbServer)
        table = "CONFVERSION" if on_mariadb else "confversion"
        rows = confluence_ten.inserts(confluence_ten.rows(), backslash="\\\\" if on_mariadb else "\\")
        self.run(confluence_ten.create(), *rows)
        self.run(f"insert into {table} (confversionid, buildnumber) values (99, {build})")


@pytest.fixture(params=["postgresql", "mariadb"])
def site(request: pytest.FixtureRequest) -> Iterator[Site]:
    """Confluence before 10 with planted secrets, no account yet."""
    if request.param == "mariadb":
        mysql: MariaDbServer = request.getfixturevalue("mariadb")
        name = fill_mariadb("confluence", mysql)
        yield Site(mysql, name, lambda: make_mariadb_role(mysql, name))
        return
    server: PostgresServer = request.getfixturevalue("postgres")
    name = fill_postgres("confluence", server)
    made = []

    def make() -> DatabaseAccess:
        make_postgres_role(server, name)
        made.append(name)
        return postgres_login(server, name)

    yield Site(server, name, make)
    if made:
        drop_postgres_role(server, name)


def instance(login: DatabaseAccess) -> dict[str, object]:
    """Base URL and server ID as the account reads them, or why it does not."""

    def engine() -> Engine:
        return refuse_writable(open_engine(login, 10))

    reading = Guardrails(CATALOG, engine).read(30)
    found: dict[str, object] = {failure.metric: failure.reason for failure in reading.failures}
    found |= {sample.series.metric: sample.value for sample in reading.samples}
    return {metric: found.get(metric) for metric in NEW}


def test_account_reads_what_confluence_ten_has(site: Site) -> None:
    """Script run after the upgrade: base URL and server ID of the new table; the proof finds nothing too wide."""
    site.upgrade()
    login = site.make_role()
    assert instance(login) == NEW
    with open_engine(login, 10).connect() as connection:
        proof = prove(connection)
    assert (proof.can_write, proof.too_wide) == (False, ())


def test_no_other_row_is_seen(site: Site) -> None:
    """Of the table the account sees the named rows, of the general settings the address alone, and no secret."""
    site.upgrade()
    login = site.make_role()
    with open_engine(login, 10).connect() as connection:
        seen = connection.exec_driver_sql("select namespace, setting_key, setting_value from plugin_setting").all()
    link = f"applinks.admin.{confluence_ten.LINK}"
    assert {row[1] for row in seen} == {
        *("confluence.server.id", confluence_ten.SETTINGS),
        *(f"{link}.{key}" for key in ("name", "type", "rpc.url", "display.url")),
    }
    assert {row[0] for row in seen} == {"_GLOBAL"}
    assert SECRET not in repr(seen)
    settings = next(row[2] for row in seen if row[1] == confluence_ten.SETTINGS)
    assert settings == f'"baseUrl":"https://planted:planted@{BASE_URL[8:]}?planted=1"'


def test_the_table_itself_is_refused(site: Site) -> None:
    """Not by the name of its place either, and not for a single key."""
    site.upgrade()
    login = site.make_role()
    address = login.address
    if isinstance(site.server, PostgresServer):
        words = f"host={address.host} port={address.port} dbname={site.name} user=portfolio_agent password={PASSWORD}"
        with psycopg.connect(words, autocommit=True) as session:
            for sql in ("select * from public.plugin_setting", "select setting_key from public.plugin_setting"):
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    session.execute(sql)
        return
    with (
        pymysql.connect(
            host=address.host, port=address.port, user=login.user, password=PASSWORD, database=address.name
        ) as connection,
        connection.cursor() as cursor,
    ):
        for sql in ("select *", "select setting_key"):
            with pytest.raises(pymysql.MySQLError) as caught:
                cursor.execute(f"{sql} from {site.name}.plugin_setting")
            assert caught.value.args[0] in (1044, 1142, 1143)


@pytest.mark.parametrize("build", [9405, 9300, 10001])
def test_account_of_before_the_upgrade_never_tells_what_was(site: Site, build: int) -> None:
    """The script was not run again: the values of the day of the upgrade, which it could read, are not told."""
    login = site.make_role()
    assert instance(login)["instance.server_id"] == "BCNF-0000-1111-2222"
    site.upgrade(build)
    assert set(instance(login).values()) <= {"permission-denied", "not-supported"}


def test_table_of_bitbucket_is_another_one(site: Site) -> None:
    """A table of this name with other columns beside Confluence's tables: the account reads the settings as before."""
    site.run("create table plugin_setting (namespace varchar(255), key_name varchar(255), key_value text, id bigint)")
    assert instance(site.make_role())["instance.server_id"] == "BCNF-0000-1111-2222"
