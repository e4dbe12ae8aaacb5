"""What pgjdbc's options mean: TLS, target server, schema, client certificate, logins without a password."""

from __future__ import annotations

import pytest

from agent.product.database.jdbc import DatabaseTls, parse_jdbc_url
from agent.settings import TargetServer, TlsMode

BASE = "jdbc:postgresql://db.test/jira?"


@pytest.mark.parametrize(
    ("query", "tls"),
    [
        ("", DatabaseTls()),
        ("sslmode=disable", DatabaseTls(TlsMode.DISABLE)),
        ("sslmode=allow", DatabaseTls(TlsMode.PREFER)),
        ("sslmode=prefer", DatabaseTls(TlsMode.PREFER)),
        ("sslmode=require", DatabaseTls(TlsMode.REQUIRE)),
        ("sslmode=REQUIRE", DatabaseTls(TlsMode.REQUIRE)),
        ("sslmode=require&sslrootcert=/x.pem", DatabaseTls(TlsMode.REQUIRE)),
        ("sslmode=verify-ca&sslrootcert=/x.pem", DatabaseTls(TlsMode.VERIFY_CA, "/x.pem")),
        ("sslmode=verify-full&sslrootcert=/a%20b.pem", DatabaseTls(TlsMode.VERIFY_FULL, "/a b.pem")),
        ("sslmode=verify-full&sslrootcert=file:///x.pem", DatabaseTls(TlsMode.VERIFY_FULL, "/x.pem")),
        ("ssl=true&sslrootcert=/x.pem", DatabaseTls(TlsMode.VERIFY_FULL, "/x.pem")),
        ("ssl&sslrootcert=/x.pem", DatabaseTls(TlsMode.VERIFY_FULL, "/x.pem")),
        ("ssl=false", DatabaseTls()),
        ("ssl=true&sslmode=prefer", DatabaseTls(TlsMode.PREFER)),
        ("ssl=true&sslfactory=org.postgresql.ssl.NonValidatingFactory", DatabaseTls(TlsMode.REQUIRE)),
        (
            "sslmode=verify-full&sslrootcert=/ca.pem&sslcert=/x.crt&sslkey=/x.pk8",
            DatabaseTls(TlsMode.VERIFY_FULL, "/ca.pem", "/x.crt", "/x.pk8"),
        ),
    ],
)
def test_tls_is_handed_on(query: str, tls: DatabaseTls) -> None:
    """Mode, authorities and client certificate are as pgjdbc reads them, and nothing is left to say."""
    address = parse_jdbc_url(BASE + query)
    assert address.tls == tls
    assert address.notes == ()


@pytest.mark.parametrize(
    ("query", "mode", "option"),
    [
        ("ssl=true", TlsMode.VERIFY_FULL, "sslmode"),
        ("sslmode=verify-full&sslrootcert=root.crt", TlsMode.VERIFY_FULL, "sslrootcert"),
        ("sslmode=verify-full&sslrootcert=../root.crt", TlsMode.VERIFY_FULL, "sslrootcert"),
        ("ssl=true&sslfactory=org.postgresql.ssl.DefaultJavaSSLFactory", TlsMode.VERIFY_FULL, "sslfactory"),
        ("ssl=true&sslfactory=com.example.Own", TlsMode.VERIFY_FULL, "sslfactory"),
        ("sslmode=require&sslcert=/x.crt&sslkey=/x.p12", TlsMode.REQUIRE, "sslkey"),
        ("sslmode=require&sslcert=/x.crt&sslkey=/x.pk8&sslpassword=hunter2", TlsMode.REQUIRE, "sslpassword"),
        ("sslmode=require&sslcert=x.crt&sslkey=x.pk8", TlsMode.REQUIRE, "sslcert, sslkey"),
        ("sslmode=require&sslkey=/x.pk8", TlsMode.REQUIRE, "sslcert, sslkey"),
        ("sslmode=require&channelBinding=require", TlsMode.REQUIRE, "channelBinding"),
        ("sslmode=require&sslNegotiation=direct", TlsMode.REQUIRE, "sslNegotiation"),
        ("sslmode=require&sslhostnameverifier=a.B", TlsMode.REQUIRE, "sslhostnameverifier"),
        ("loadBalanceHosts=true", None, "loadBalanceHosts"),
        ("targetServerType=preferPrimary", None, "targetServerType"),
        ("options=-c%20role%3Dx", None, "options"),
    ],
)
def test_what_is_not_handed_on_is_named(query: str, mode: TlsMode | None, option: str) -> None:
    """An option that matters and cannot be handed on is a note, and the mode is never weaker for it."""
    address = parse_jdbc_url(BASE + query)
    assert address.tls.mode is mode
    assert [note.partition(":")[0] for note in address.notes][:1] == [option]
    assert "hunter2" not in repr(address)


@pytest.mark.parametrize(
    ("word", "target"),
    [
        ("any", TargetServer.ANY),
        ("primary", TargetServer.PRIMARY),
        ("master", TargetServer.PRIMARY),
        ("preferPrimary", TargetServer.PRIMARY),
        ("secondary", TargetServer.STANDBY),
        ("slave", TargetServer.STANDBY),
        ("preferSecondary", TargetServer.PREFER_STANDBY),
        ("preferSlave", TargetServer.PREFER_STANDBY),
    ],
)
def test_target(word: str, target: TargetServer) -> None:
    """Which of several servers is asked, old words and new."""
    assert parse_jdbc_url(f"jdbc:postgresql://a.test,b.test/jira?targetServerType={word}").target is target


@pytest.mark.parametrize(
    ("query", "schema"),
    [
        ("currentSchema=jira", "jira"),
        ("currentSchema=a,b", "a,b"),
        ("options=-c%20search_path=jira", "jira"),
        ("options=-c+search_path%3Djira", "jira"),
        ("options=-csearch_path%3Djira", "jira"),
        ("options=--search_path%3Djira", "jira"),
        ("options=-c+search_path%3Da%5C+b", "a b"),
        ("currentSchema=a&options=-c%20search_path=b", "a"),
        ("ApplicationName=jira", ""),
    ],
)
def test_schema(query: str, schema: str) -> None:
    """The schema is found wherever the URL names it."""
    assert parse_jdbc_url(BASE + query).schema == schema


@pytest.mark.parametrize(
    ("query", "word"),
    [
        ("authenticationPluginClassName=com.azure.identity.extensions.jdbc.postgresql.X", "plug-in"),
        ("gsslib=gssapi", "Kerberos"),
        ("kerberosServerName=postgres", "Kerberos"),
        ("gsslib=auto", ""),
    ],
)
def test_login_that_only_the_product_can_do(query: str, word: str) -> None:
    """A plug-in or Kerberos is a reason for an account of our own, at the same address."""
    address = parse_jdbc_url(BASE + query)
    assert (address.host, bool(address.login_gap)) == ("db.test", bool(word))
    assert word in address.login_gap
