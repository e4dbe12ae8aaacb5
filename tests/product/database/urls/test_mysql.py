"""What the options of Connector/J and MariaDB's connector mean: TLS, trust stores, plug-ins."""

from __future__ import annotations

import pytest

from agent.product.database.jdbc import DatabaseTls, parse_jdbc_url
from agent.settings import TlsMode


@pytest.mark.parametrize(
    ("url", "tls"),
    [
        ("jdbc:mysql://h/j", DatabaseTls()),
        ("jdbc:mysql://h/j?sslMode=DISABLED", DatabaseTls(TlsMode.DISABLE)),
        ("jdbc:mysql://h/j?sslMode=PREFERRED", DatabaseTls(TlsMode.PREFER)),
        ("jdbc:mysql://h/j?sslMode=REQUIRED", DatabaseTls(TlsMode.REQUIRE)),
        ("jdbc:mysql://h/j?sslMode=VERIFY_CA", DatabaseTls(TlsMode.VERIFY_CA)),
        ("jdbc:mysql://h/j?sslMode=VERIFY_IDENTITY", DatabaseTls(TlsMode.VERIFY_FULL)),
        ("jdbc:mysql://h/j?useSSL=false", DatabaseTls(TlsMode.DISABLE)),
        ("jdbc:mysql://h/j?useSSL=true", DatabaseTls(TlsMode.REQUIRE, assumed=True)),
        ("jdbc:mysql://h/j?useSSL=true&verifyServerCertificate=false", DatabaseTls(TlsMode.REQUIRE, assumed=True)),
        ("jdbc:mysql://h/j?useSSL=true&requireSSL=true", DatabaseTls(TlsMode.REQUIRE)),
        ("jdbc:mysql://h/j?requireSSL=true", DatabaseTls(TlsMode.REQUIRE)),
        ("jdbc:mysql://h/j?useSSL=true&verifyServerCertificate=true", DatabaseTls(TlsMode.VERIFY_CA)),
        ("jdbc:mysql://h/j?useSSL=true&trustServerCertificate=true", DatabaseTls(TlsMode.REQUIRE)),
        ("jdbc:mysql://h/j?useSSL=true&sslMode=VERIFY_CA", DatabaseTls(TlsMode.VERIFY_CA)),
        ("jdbc:mariadb://h/j", DatabaseTls()),
        ("jdbc:mariadb://h/j?sslMode=disable", DatabaseTls(TlsMode.DISABLE)),
        ("jdbc:mariadb://h/j?sslMode=trust", DatabaseTls(TlsMode.REQUIRE)),
        ("jdbc:mariadb://h/j?sslMode=verify-ca", DatabaseTls(TlsMode.VERIFY_CA)),
        ("jdbc:mariadb://h/j?sslMode=verify-full", DatabaseTls(TlsMode.VERIFY_FULL)),
        ("jdbc:mariadb://h/j?sslMode=verify-full&serverSslCert=/c.pem", DatabaseTls(TlsMode.VERIFY_FULL, "/c.pem")),
        ("jdbc:mariadb://h/j?useSsl=true", DatabaseTls(TlsMode.VERIFY_FULL)),
        ("jdbc:mariadb://h/j?useSsl=true&disableSslHostnameVerification=true", DatabaseTls(TlsMode.VERIFY_CA)),
        ("jdbc:mariadb://h/j?useSsl=true&trustServerCertificate=true", DatabaseTls(TlsMode.REQUIRE)),
    ],
)
def test_tls_is_never_weaker(url: str, tls: DatabaseTls) -> None:
    """Every spelling of every version of both drivers gives the mode that the product uses, or a stronger one."""
    assert parse_jdbc_url(url).tls == tls


@pytest.mark.parametrize(
    ("query", "option"),
    [
        ("sslMode=VERIFY_CA&trustCertificateKeyStoreUrl=file:/x.jks", "trustCertificateKeyStoreUrl"),
        ("sslMode=verify-ca&trustStore=/x.jks&trustStorePassword=hunter2", "trustStore"),
        ("sslMode=REQUIRED&clientCertificateKeyStoreUrl=file:/x.jks", "clientCertificateKeyStoreUrl"),
        ("sslMode=trust&keyStore=/x.p12", "keyStore"),
        ("sslMode=verify-ca&serverSslCert=classpath:x.pem", "serverSslCert"),
        ("useSSL=true", "useSSL"),
    ],
)
def test_what_is_not_handed_on_is_named(query: str, option: str) -> None:
    """A store of Java's cannot be read here; the note says which option and what to do instead."""
    address = parse_jdbc_url(f"jdbc:mysql://h/j?{query}")
    assert [note.partition(":")[0] for note in address.notes] == [option]
    assert "[database.tls]" in address.notes[0]
    assert "hunter2" not in repr(address)


@pytest.mark.parametrize(
    ("query", "word"),
    [
        (
            "defaultAuthenticationPlugin=com.azure.identity.extensions.jdbc.mysql.AzureMysqlAuthenticationPlugin",
            "Entra",
        ),
        ("authenticationPlugins=com.mysql.cj.protocol.a.authentication.AuthenticationKerberosClient", "Kerberos"),
        ("authenticationPlugins=com.mysql.cj.protocol.a.authentication.AuthenticationLdapSaslClientPlugin", "LDAP"),
        ("credentialType=AWS-IAM", "plug-in"),
        ("credentialType=ENV", "plug-in"),
        ("credentialType=PROPERTY", ""),
        ("servicePrincipalName=mariadb/host@EXAMPLE", "Kerberos"),
        ("defaultAuthenticationPlugin=caching_sha2_password", ""),
        ("defaultAuthenticationPlugin=com.mysql.cj.protocol.a.authentication.MysqlClearPasswordPlugin", ""),
    ],
)
def test_login_that_only_the_product_can_do(query: str, word: str) -> None:
    """A plug-in that gives the password is named; one that sends a password is none of these."""
    gap = parse_jdbc_url(f"jdbc:mysql://h/j?{query}").login_gap
    assert (word in gap, bool(gap)) == (True, bool(word))
