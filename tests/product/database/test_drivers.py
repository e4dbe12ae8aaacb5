"""What the drivers of SQL Server and Oracle are handed; no server of theirs runs here."""

from __future__ import annotations

from pathlib import Path

import oracledb
import pytest

from agent.errors import SourceError
from agent.product.database.address import DatabaseAddress, DatabaseTls
from agent.product.database.drivers import Driver, driver_for
from agent.product.database.jdbc import parse_jdbc_url
from agent.product.database.tls import BUNDLES, authorities_of, freetds_text
from agent.product.model import DatabaseAccess
from agent.settings import Dialect, TlsMode

MSSQL = "jdbc:sqlserver://h.test;databaseName=jira;encrypt=false;"


def driver_of(address: DatabaseAddress, schema: str = "") -> Driver:
    """What is handed over for a login at this address."""
    return driver_for(DatabaseAccess(address, "reader", None, schema), 5.0)


@pytest.mark.parametrize(
    ("options", "places"),
    [
        ("", ({"server": "h.test", "port": "1433"},)),
        ("portNumber=51433", ({"server": "h.test", "port": "51433"},)),
        ("portNumber=51433;instanceName=INST", ({"server": "h.test", "port": "51433"},)),
        ("instanceName=INST", ({"server": "h.test\\INST"},)),
        ("failoverPartner=b.test", ({"server": "h.test", "port": "1433"}, {"server": "b.test", "port": "1433"})),
    ],
)
def test_sqlserver_places(options: str, places: tuple[dict[str, str], ...]) -> None:
    """A port or an instance, never both; a failover partner is the second place."""
    assert driver_of(parse_jdbc_url(MSSQL + options)).places == places


@pytest.mark.parametrize(
    ("mode", "encryption"),
    [
        (None, None),
        (TlsMode.PREFER, None),
        (TlsMode.REQUIRE, "require"),
        (TlsMode.VERIFY_CA, "require"),
        (TlsMode.VERIFY_FULL, "require"),
    ],
)
def test_sqlserver_encryption(mode: TlsMode | None, encryption: str | None) -> None:
    """From `require` on the driver is told to encrypt all, whatever file of FreeTDS the system has."""
    address = DatabaseAddress(Dialect.SQLSERVER, (("h.test", 1433),), "jira", tls=DatabaseTls(mode))
    assert driver_of(address).connect.get("encryption") == encryption


def test_freetds_is_told_whom_to_trust(tmp_path: Path) -> None:
    """Authorities, name and the strict form stand in FreeTDS's own file; other modes need none."""
    ca = tmp_path / "ca.pem"
    ca.write_text("x")
    text = freetds_text(DatabaseTls(TlsMode.VERIFY_FULL, str(ca), expected_name="db.test"))
    assert text.splitlines() == [
        "[global]",
        "\tencryption = require",
        f"\tca file = {ca}",
        "\tcheck certificate hostname = yes",
        "\tcertificate hostname = db.test",
    ]
    assert "hostname = no" in freetds_text(DatabaseTls(TlsMode.VERIFY_CA, str(ca)))
    assert "encryption = strict" in freetds_text(DatabaseTls(TlsMode.STRICT, str(ca)))


def test_the_systems_authorities_are_a_file() -> None:
    """Without a CA file the drivers get the system's own file: their OpenSSL looks for it where there is none."""
    assert authorities_of(DatabaseTls(TlsMode.VERIFY_FULL)) in BUNDLES
    with pytest.raises(SourceError, match=r"/srv/none\.pem"):
        authorities_of(DatabaseTls(TlsMode.VERIFY_FULL, "/srv/none.pem"))


PLACE = "(ADDRESS_LIST=(ADDRESS=(PROTOCOL={})(HOST=h.test)(PORT=1521)))"


@pytest.mark.parametrize(
    ("url", "pieces"),
    [
        ("jdbc:oracle:thin:@h.test:1521:ORCL", (PLACE.format("tcp"), "(CONNECT_DATA=(SID=ORCL))")),
        ("jdbc:oracle:thin:@h.test/J", (PLACE.format("tcp"), "(CONNECT_DATA=(SERVICE_NAME=J))")),
        ("jdbc:oracle:thin:@h.test/J/J1", ("(CONNECT_DATA=(SERVICE_NAME=J)(INSTANCE_NAME=J1))",)),
        (
            "jdbc:oracle:thin:@tcp://a.test:1,b.test:2/J",
            ("(ADDRESS=(PROTOCOL=tcp)(HOST=a.test)(PORT=1))(ADDRESS=(PROTOCOL=tcp)(HOST=b.test)(PORT=2))",),
        ),
        ("jdbc:oracle:thin:@tcps://h.test/J", (PLACE.format("tcps"), "(SECURITY=(SSL_SERVER_DN_MATCH=yes))")),
        ("jdbc:oracle:thin:@tcps://h.test/J?ssl_server_dn_match=off", ("(SECURITY=(SSL_SERVER_DN_MATCH=no))",)),
        (
            "jdbc:oracle:thin:@tcps://h.test/J?ssl_server_cert_dn=CN=db,O=x",
            ('(SECURITY=(SSL_SERVER_DN_MATCH=yes)(SSL_SERVER_CERT_DN="CN=db,O=x"))',),
        ),
    ],
)
def test_oracle_descriptor(url: str, pieces: tuple[str, ...]) -> None:
    """A SID stays a SID, a service a service; TCPS goes with how the name is checked."""
    dsn = str(driver_of(parse_jdbc_url(url)).connect["dsn"])
    assert all(piece in dsn for piece in pieces), dsn
    assert dsn.count("(") == dsn.count(")")


def test_oracle_descriptor_is_one_the_driver_reads() -> None:
    """Oracle's own parser finds in it what was put in."""
    url = 'jdbc:oracle:thin:@tcps://h.test:2484/J?ssl_server_cert_dn="CN=db,O=x"'
    parameters = oracledb.ConnectParams()
    parameters.parse_connect_string(driver_of(parse_jdbc_url(url)).connect["dsn"])
    assert (parameters.host, parameters.port, parameters.protocol) == ("h.test", 2484, "tcps")
    assert (parameters.service_name, parameters.ssl_server_dn_match) == ("J", True)
    assert parameters.ssl_server_cert_dn == "CN=db,O=x"


@pytest.mark.parametrize(
    ("mode", "verified"),
    [(None, None), (TlsMode.DISABLE, None), (TlsMode.REQUIRE, False), (TlsMode.VERIFY_CA, True)],
)
def test_oracle_trust(mode: TlsMode | None, verified: bool | None) -> None:
    """TCPS brings a context that trusts as the mode says; plain TCP brings none."""
    address = DatabaseAddress(Dialect.ORACLE, (("h.test", 1521),), service="J", tls=DatabaseTls(mode))
    opening = driver_of(address).opening
    assert opening is not None
    with opening() as more:
        context = more.get("ssl_context")
    assert (None if context is None else bool(context.verify_mode)) == verified  # type: ignore[attr-defined]  # object by the seam


class Session:
    """An Oracle session that keeps what is set on it."""

    call_timeout = 0
    current_schema = ""


@pytest.mark.parametrize(("schema", "set_to"), [("JIRAOWNER", "JIRAOWNER"), ("public", ""), ("PUBLIC", ""), ("", "")])
def test_oracle_schema(schema: str, set_to: str) -> None:
    """The owner's schema is set; "public", which templates write for every database, is not."""
    address = parse_jdbc_url("jdbc:oracle:thin:@h.test/J")
    prepare = driver_of(address, schema).prepare
    assert prepare is not None
    session = Session()
    prepare(session)
    assert session.current_schema == set_to


def test_postgresql_schema_of_the_url() -> None:
    """The URL's schema is searched where the product's configuration names none beside it."""
    address = parse_jdbc_url("jdbc:postgresql://h.test/jira?currentSchema=atlassian")
    assert 'search_path="atlassian"' in str(driver_of(address).connect["options"])
    assert 'search_path="beside"' in str(driver_of(address, "beside").connect["options"])
    assert "target_session_attrs" not in driver_of(address).connect
