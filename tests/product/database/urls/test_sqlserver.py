"""What the options of mssql-jdbc and jTDS mean: instance and port, encryption, Windows logins."""

from __future__ import annotations

import pytest

from agent.product.database.jdbc import DatabaseTls, parse_jdbc_url
from agent.settings import TlsMode

BASE = "jdbc:sqlserver://h.test;databaseName=jira;"


@pytest.mark.parametrize(
    ("url", "port", "instance"),
    [
        ("jdbc:sqlserver://h.test\\INST;databaseName=j", 1433, "INST"),
        ("jdbc:sqlserver://h.test;instanceName=INST;databaseName=j", 1433, "INST"),
        ("jdbc:sqlserver://;serverName=h.test\\INST;databaseName=j", 1433, "INST"),
        ("jdbc:sqlserver://h.test:51433;instanceName=INST;databaseName=j", 51433, ""),
        ("jdbc:sqlserver://h.test;portNumber=51433;instanceName=INST;databaseName=j", 51433, ""),
        ("jdbc:sqlserver://h.test\\INST:51433;databaseName=j", 51433, ""),
        ("jdbc:jtds:sqlserver://h.test:51433/j;instance=INST", 1433, "INST"),
        ("jdbc:jtds:sqlserver://h.test:51433/j", 51433, ""),
    ],
)
def test_instance_or_port(url: str, port: int, instance: str) -> None:
    """Microsoft's driver takes the port before the instance, jTDS the instance before the port."""
    address = parse_jdbc_url(url)
    assert (address.host, address.port, address.instance) == ("h.test", port, instance)


@pytest.mark.parametrize(
    ("options", "tls"),
    [
        ("encrypt=false", DatabaseTls(TlsMode.PREFER)),
        ("encrypt=optional", DatabaseTls(TlsMode.PREFER)),
        ("encrypt=no;trustServerCertificate=true", DatabaseTls(TlsMode.PREFER)),
        ("encrypt=true", DatabaseTls(TlsMode.VERIFY_FULL)),
        ("encrypt=mandatory;trustServerCertificate=false", DatabaseTls(TlsMode.VERIFY_FULL)),
        ("encrypt=true;trustServerCertificate=true", DatabaseTls(TlsMode.REQUIRE)),
        ("trustServerCertificate=true", DatabaseTls(TlsMode.REQUIRE)),
        ("encrypt=strict;trustServerCertificate=true", DatabaseTls(TlsMode.STRICT)),
        ("encrypt=strict;serverCertificate=/c.pem", DatabaseTls(TlsMode.STRICT, "/c.pem")),
        ("encrypt=true;hostNameInCertificate=db.test", DatabaseTls(TlsMode.VERIFY_FULL, expected_name="db.test")),
        # Azure's own words; the host fits the pattern, so the host itself is checked.
        ("encrypt=true;hostNameInCertificate=*.test", DatabaseTls(TlsMode.VERIFY_FULL)),
        ("encrypt=true;hostNameInCertificate=*.db.test", DatabaseTls(TlsMode.VERIFY_FULL, expected_name="*.db.test")),
        ("", DatabaseTls(TlsMode.VERIFY_FULL, assumed=True)),
    ],
)
def test_encryption(options: str, tls: DatabaseTls) -> None:
    """What is said is kept; where nothing is said it is what the newer drivers do, and marked as assumed."""
    assert parse_jdbc_url(BASE + options).tls == tls


@pytest.mark.parametrize(
    ("mode", "ssl"),
    [
        (TlsMode.PREFER, "off"),
        (TlsMode.PREFER, "request"),
        (TlsMode.REQUIRE, "require"),
        (TlsMode.VERIFY_CA, "authenticate"),
    ],
)
def test_jtds_encryption(mode: TlsMode, ssl: str) -> None:
    """jTDS has words of its own."""
    assert parse_jdbc_url(f"jdbc:jtds:sqlserver://h.test/j;ssl={ssl}").tls == DatabaseTls(mode)


@pytest.mark.parametrize(
    ("options", "option"),
    [
        ("encrypt=true;trustStore=/x.jks;trustStorePassword=hunter2", "trustStore"),
        ("encrypt=true;trustManagerClass=a.B", "trustManagerClass"),
        ("encrypt=false;failoverPartner=b.test\\X", "failoverPartner"),
        ("loginTimeout=5", "encrypt"),
    ],
)
def test_what_is_not_handed_on_is_named(options: str, option: str) -> None:
    """Stores and classes of the product are named; so is what was assumed."""
    address = parse_jdbc_url(BASE + options)
    assert [note.partition(":")[0] for note in address.notes] == [option]
    assert "hunter2" not in repr(address)


@pytest.mark.parametrize(
    ("url", "word"),
    [
        (BASE + "integratedSecurity=true;authenticationScheme=JavaKerberos", "Windows authentication, with Kerberos"),
        (BASE + "integratedSecurity=true", "Windows authentication"),
        (BASE + "authenticationScheme=NTLM;domain=CORP", "Windows authentication"),
        (BASE + "authentication=ActiveDirectoryMSI", "Entra"),
        (BASE + "authentication=ActiveDirectoryPassword", "Entra"),
        (BASE + "authentication=SqlPassword", ""),
        (BASE + "integratedSecurity=false", ""),
        ("jdbc:jtds:sqlserver://h.test/j;domain=CORP;useNTLMv2=true", "Windows authentication"),
    ],
)
def test_login_that_only_the_product_can_do(url: str, word: str) -> None:
    """A login by Windows or Entra ID is named; the address is the same for an account of our own."""
    address = parse_jdbc_url(url)
    assert (word in address.login_gap, bool(address.login_gap), address.host) == (True, bool(word), "h.test")
