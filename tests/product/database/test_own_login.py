"""What a product's URL says is carried over into [database] whole, and read back as the same address."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from agent.errors import ConfigError
from agent.product.database.address import DatabaseAddress, DatabaseTls
from agent.product.database.jdbc import parse_jdbc_url
from agent.product.database.own_login import address_of, own_login_of, with_settings_of_tls
from agent.settings import (
    DatabaseSettings,
    DatabaseTlsSettings,
    Dialect,
    InstanceSettings,
    ProductType,
    Settings,
    TlsMode,
    render_settings,
)
from agent.settings.load import parse_settings

URLS = (
    "jdbc:postgresql://a.test,b.test:5433/jira?targetServerType=primary&sslmode=verify-full&sslrootcert=/x.pem",
    "jdbc:postgresql://db.test/jira?sslmode=verify-full&sslrootcert=/x.pem&sslcert=/c.crt&sslkey=/c.pk8",
    "jdbc:postgresql://[2001:db8::7],[::1]:5433/jira",
    "jdbc:postgresql://db.test/jira?sslmode=disable",
    "jdbc:mysql://a.test:3307/jira?sslMode=VERIFY_CA",
    "jdbc:mysql:replication://a.test,b.test:3307/jira?useSSL=false",
    "jdbc:mariadb://db.test/jira?sslMode=verify-full&serverSslCert=/c.pem",
    "jdbc:oracle:thin:@h.test:1521:ORCL",
    "jdbc:oracle:thin:@//h.test:1522/jira.example.com",
    "jdbc:oracle:thin:@tcps://a.test:2484,b.test/J?ssl_server_cert_dn=CN=db,O=x",
    "jdbc:oracle:thin:@tcps://a.test:2484/J?ssl_server_dn_match=off",
    "jdbc:sqlserver://h.test;instanceName=INST;encrypt=true;databaseName=jira",
    "jdbc:sqlserver://h.test:51433;instanceName=INST;encrypt=true;trustServerCertificate=true;databaseName=jira",
    "jdbc:sqlserver://h.test;databaseName=jira;encrypt=strict;hostNameInCertificate=db.test",
    "jdbc:sqlserver://h.test;databaseName=jira;encrypt=true;failoverPartner=b.test",
    "jdbc:sqlserver://h.test;databaseName=jira",
    "jdbc:jtds:sqlserver://h.test/jira;instance=INST;ssl=authenticate",
    "jdbc:mysql://h.test/jira?useSSL=true",
)


def through_the_file(database: DatabaseSettings) -> DatabaseSettings:
    """As `init` writes it and the agent reads it."""
    home = Path("/srv/home")
    settings = Settings(InstanceSettings(ProductType.JIRA, home, home), database=database)
    return parse_settings(render_settings(settings), "agent.toml").settings.database


@pytest.mark.parametrize("url", URLS)
def test_nothing_is_lost(url: str) -> None:
    """The address that an own account reaches is the product's: hosts, target, name, instance and TLS."""
    address = parse_jdbc_url(url)
    own = own_login_of(address, "", "portfolio_agent", Path("/etc/portfolio-agent/password"))
    carried = address_of(through_the_file(own))
    assert carried == replace(address, notes=(), tls=replace(address.tls, assumed=False))


@pytest.mark.parametrize(
    ("url", "beside", "schema"),
    [
        ("jdbc:postgresql://db.test/jira?currentSchema=a", "", "a"),
        ("jdbc:postgresql://db.test/jira?currentSchema=a", "b", "b"),
        ("jdbc:postgresql://db.test/jira", "public", "public"),
        ("jdbc:mysql://db.test/jira", "public", None),
        ("jdbc:oracle:thin:@h.test/J", "public", None),
        ("jdbc:oracle:thin:@h.test/J", "JIRAOWNER", "JIRAOWNER"),
        ("jdbc:sqlserver://h.test;databaseName=jira", "public", None),
        ("jdbc:sqlserver://h.test;databaseName=jira", "jiraschema", "jiraschema"),
    ],
)
def test_schema(url: str, beside: str, schema: str | None) -> None:
    """The schema goes over where the database has one; a template's "public" only where it is one."""
    own = own_login_of(parse_jdbc_url(url), beside, "portfolio_agent", Path("/etc/portfolio-agent/password"))
    assert own.schema == schema
    through_the_file(own)


def test_local_socket_and_demo() -> None:
    """A folder as host is PostgreSQL's own socket; the demo's file has no host at all."""
    base = DatabaseSettings(dialect=Dialect.POSTGRESQL, host="/run/postgresql", name="jira")
    assert address_of(base).hosts == (("/run/postgresql", 5432),)
    demo = own_login_of(DatabaseAddress(Dialect.SQLITE, (), "/srv/demo.db"))
    assert address_of(through_the_file(demo)) == DatabaseAddress(Dialect.SQLITE, (), "/srv/demo.db")


def test_incomplete_settings_are_named() -> None:
    """Without a dialect or a name there is no address."""
    with pytest.raises(ConfigError, match="not complete"):
        address_of(DatabaseSettings(dialect=Dialect.ORACLE))


@pytest.mark.parametrize(
    ("said", "ours", "mode"),
    [
        (DatabaseTls(), DatabaseTlsSettings(mode=TlsMode.VERIFY_FULL), TlsMode.VERIFY_FULL),
        (DatabaseTls(TlsMode.VERIFY_FULL, assumed=True), DatabaseTlsSettings(mode=TlsMode.REQUIRE), TlsMode.REQUIRE),
        (DatabaseTls(TlsMode.VERIFY_FULL), DatabaseTlsSettings(mode=TlsMode.REQUIRE), TlsMode.VERIFY_FULL),
        (DatabaseTls(TlsMode.VERIFY_FULL, assumed=True), DatabaseTlsSettings(), TlsMode.VERIFY_FULL),
        (DatabaseTls(TlsMode.REQUIRE), DatabaseTlsSettings(mode=TlsMode.VERIFY_FULL), TlsMode.VERIFY_FULL),
        (DatabaseTls(TlsMode.REQUIRE), DatabaseTlsSettings(mode=TlsMode.STRICT), TlsMode.VERIFY_FULL),
        (DatabaseTls(TlsMode.DISABLE), DatabaseTlsSettings(mode=TlsMode.REQUIRE), TlsMode.REQUIRE),
        (DatabaseTls(TlsMode.REQUIRE), DatabaseTlsSettings(), TlsMode.REQUIRE),
    ],
)
def test_the_settings_never_weaken_what_the_url_says(
    said: DatabaseTls, ours: DatabaseTlsSettings, mode: TlsMode
) -> None:
    """[database.tls] fills what the product's URL leaves open, or is stronger; a weaker mode is told, not used."""
    address = DatabaseAddress(Dialect.POSTGRESQL, (("h.test", 5432),), "jira", tls=said)
    used = with_settings_of_tls(address, ours)
    assert used.tls.mode is mode
    assert bool(used.notes) == (ours.mode is not None and ours.mode not in (mode, TlsMode.STRICT))


def test_a_mode_that_the_database_does_not_know() -> None:
    """Oracle's port speaks TLS or does not; SQL Server alone has the strict form."""
    oracle = DatabaseAddress(Dialect.ORACLE, (("h.test", 1521),), service="J")
    assert with_settings_of_tls(oracle, DatabaseTlsSettings(mode=TlsMode.PREFER)).tls.mode is None
    mssql = DatabaseAddress(Dialect.SQLSERVER, (("h.test", 1433),), "jira")
    assert with_settings_of_tls(mssql, DatabaseTlsSettings(mode=TlsMode.STRICT)).tls.mode is TlsMode.STRICT


def test_the_settings_name_the_files() -> None:
    """A trust store that the agent cannot read is replaced by a file of PEM."""
    address = parse_jdbc_url("jdbc:mysql://h.test/jira?sslMode=VERIFY_CA&trustCertificateKeyStoreUrl=file:/x.jks")
    ours = DatabaseTlsSettings(ca_file=Path("/etc/ca.pem"), certificate_file=Path("/c.pem"), key_file=Path("/c.key"))
    assert with_settings_of_tls(address, ours).tls == DatabaseTls(
        TlsMode.VERIFY_CA, ca_file="/etc/ca.pem", certificate_file="/c.pem", key_file="/c.key"
    )
