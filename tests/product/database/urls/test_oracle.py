"""What stands around Oracle's addresses: TCPS, names and wallets, logins by something else than a password."""

from __future__ import annotations

import pytest

from agent.product.database.jdbc import DatabaseTls, parse_jdbc_url
from agent.settings import TlsMode

DESCRIPTION = "jdbc:oracle:thin:@(DESCRIPTION=(ADDRESS=(PROTOCOL=tcps)(HOST=a)(PORT=2484))(CONNECT_DATA=(SID=x)){})"


@pytest.mark.parametrize(
    ("url", "tls"),
    [
        ("jdbc:oracle:thin:@tcp://db.test/J", DatabaseTls()),
        ("jdbc:oracle:thin:@tcps://db.test:2484/J", DatabaseTls(TlsMode.VERIFY_FULL, assumed=True)),
        ("jdbc:oracle:thin:@tcps://db.test/J?ssl_server_dn_match=true", DatabaseTls(TlsMode.VERIFY_FULL)),
        ("jdbc:oracle:thin:@tcps://db.test/J?ssl_server_dn_match=off", DatabaseTls(TlsMode.VERIFY_CA)),
        ("jdbc:oracle:thin:@tcps://db.test/J?oracle.net.ssl_server_dn_match=no", DatabaseTls(TlsMode.VERIFY_CA)),
        (
            'jdbc:oracle:thin:@tcps://db.test/J?ssl_server_dn_match=yes&ssl_server_cert_dn="CN=db,O=x"',
            DatabaseTls(TlsMode.VERIFY_FULL, expected_name="CN=db,O=x"),
        ),
        (DESCRIPTION.format(""), DatabaseTls(TlsMode.VERIFY_FULL, assumed=True)),
        (DESCRIPTION.format("(SECURITY=(SSL_SERVER_DN_MATCH=off))"), DatabaseTls(TlsMode.VERIFY_CA)),
        (
            DESCRIPTION.format('(SECURITY=(SSL_SERVER_DN_MATCH=yes)(SSL_SERVER_CERT_DN="CN=db,O=x"))'),
            DatabaseTls(TlsMode.VERIFY_FULL, expected_name="CN=db,O=x"),
        ),
        (DESCRIPTION.format("") + "?oracle.net.ssl_server_dn_match=false", DatabaseTls(TlsMode.VERIFY_CA)),
    ],
)
def test_tcps_is_always_verified(url: str, tls: DatabaseTls) -> None:
    """TCPS checks the certificate, and the name too unless the URL says otherwise."""
    assert parse_jdbc_url(url).tls == tls


def test_addresses_without_tls_beside_some_with() -> None:
    """Of a mixed list only what is encrypted is used, and the note says so."""
    both = "(ADDRESS=(PROTOCOL=tcp)(HOST=a.test)(PORT=1521))(ADDRESS=(PROTOCOL=tcps)(HOST=b.test)(PORT=2484))"
    address = parse_jdbc_url(f"jdbc:oracle:thin:@(DESCRIPTION={both}(CONNECT_DATA=(SID=x)))")
    assert address.hosts == (("b.test", 2484),)
    assert "ADDRESS_LIST" in address.notes[0]


@pytest.mark.parametrize(
    "store", ["wallet_location=/w", "javax.net.ssl.trustStore=/x.jks", "oracle.net.wallet_location=/w"]
)
def test_stores_are_named(store: str) -> None:
    """A wallet or trust store cannot be read by the agent; the note says what to do."""
    address = parse_jdbc_url(f"jdbc:oracle:thin:@tcps://db.test/J?ssl_server_dn_match=on&{store}")
    assert [("cannot read" in note, "ca_file" in note) for note in address.notes] == [(True, True)]


@pytest.mark.parametrize(
    ("url", "word"),
    [
        ("jdbc:oracle:thin:/@db.test:1521/J", "wallet"),
        ("jdbc:oracle:thin:@db.test/J?oracle.net.authentication_services=(KERBEROS5)", "Kerberos"),
        ("jdbc:oracle:thin:@tcps://db.test/J?oracle.jdbc.tokenAuthentication=OCI_TOKEN", "token"),
        ("jdbc:oracle:thin:@tcps://db.test/J?oracle.jdbc.provider.password=ojdbc-provider-azure", "provider"),
        ("jdbc:oracle:thin:@db.test/J", ""),
    ],
)
def test_login_that_only_the_product_can_do(url: str, word: str) -> None:
    """Wallets, Kerberos and tokens are named; the address is the same for an account of our own."""
    address = parse_jdbc_url(url)
    assert (word in address.login_gap, bool(address.login_gap), address.service) == (True, bool(word), "J")
