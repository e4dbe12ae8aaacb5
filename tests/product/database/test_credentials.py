"""The login to the product's database is read anew each time, and told to nobody."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from agent.errors import SourceError
from agent.product import read_database_access
from agent.settings import (
    DatabaseLogin,
    DatabaseSettings,
    DatabaseTlsSettings,
    Dialect,
    InstanceSettings,
    ProductType,
    Settings,
    TlsMode,
)
from tests.support.homes import write_home


def settings_for(home: Path, database: DatabaseSettings | None = None) -> Settings:
    """Settings beside one home."""
    return Settings(InstanceSettings(ProductType.JIRA, home, home / "shared"), database=database or DatabaseSettings())


def test_products_login_is_read_each_time(tmp_path: Path) -> None:
    """A password that the product changes is the one used next."""
    home = write_home(tmp_path)
    settings = settings_for(home)
    login = read_database_access(settings)
    assert (login.user, login.schema, login.address.host) == ("jira_user", "public", "db.example.com")
    assert login.password is not None
    assert login.password.reveal() == "pl4in-Pass"
    path = home / "dbconfig.xml"
    path.write_text(path.read_text().replace("pl4in-Pass", "next-Pass"))
    renewed = read_database_access(settings).password
    assert renewed is not None
    assert renewed.reveal() == "next-Pass"
    assert "Pass" not in repr(login)


def test_encrypted_password_leads_to_an_own_account(tmp_path: Path) -> None:
    """An encrypted password costs the database's samples and says exactly what to set up."""
    with pytest.raises(SourceError) as caught:
        read_database_access(settings_for(write_home(tmp_path, password="{ATL_SECURED}")))
    assert caught.value.reason == "password-encrypted"
    assert 'login = "own"' in caught.value.do


@pytest.mark.parametrize(
    ("query", "word"),
    [
        ("authenticationPluginClassName=com.azure.identity.extensions.jdbc.postgresql.Plugin", "plug-in"),
        ("gsslib=gssapi", "Kerberos"),
    ],
)
def test_login_that_only_the_product_can_do(tmp_path: Path, query: str, word: str) -> None:
    """A password that is not the product's to send is not tried; the reason is named, and the way on."""
    home = write_home(tmp_path, url=f"jdbc:postgresql://db.example.com/jira?{query}")
    with pytest.raises(SourceError) as caught:
        read_database_access(settings_for(home))
    assert caught.value.reason == "login-not-followed"
    assert word in caught.value.why
    assert 'login = "own"' in caught.value.do


def test_tls_of_the_settings_beside_the_products_login(tmp_path: Path) -> None:
    """What the product's URL does not say comes from [database.tls]; what it says stays."""
    home = write_home(tmp_path, url="jdbc:postgresql://db.example.com/jira?sslmode=verify-full")
    tls = DatabaseTlsSettings(mode=TlsMode.REQUIRE, ca_file=Path("/etc/ca.pem"))
    login = read_database_access(settings_for(home, DatabaseSettings(tls=tls)))
    assert (login.address.tls.mode, login.address.tls.ca_file) == (TlsMode.VERIFY_FULL, "/etc/ca.pem")


def test_unreadable_home_is_a_source_error(tmp_path: Path) -> None:
    """A home that went away costs one source, not the daemon."""
    with pytest.raises(SourceError) as caught:
        read_database_access(settings_for(tmp_path / "gone"))
    assert caught.value.reason == "login-unreadable"
    assert "dbconfig.xml" in caught.value.why


def test_own_login(tmp_path: Path) -> None:
    """With login = own the address is the configuration's and the password the file's, read at that moment."""
    secret = tmp_path / "db.password"
    secret.write_text("own$$\\pw\n")
    secret.chmod(0o600)
    own = DatabaseSettings(
        login=DatabaseLogin.OWN,
        dialect=Dialect.ORACLE,
        host="db.example.com",
        name="JIRA",
        schema="JIRAOWNER",
        user="portfolio_agent",
        password_file=secret,
    )
    login = read_database_access(settings_for(tmp_path, own))
    assert (login.address.service, login.address.port, login.schema) == ("JIRA", 1521, "JIRAOWNER")
    assert login.password is not None
    assert login.password.reveal() == "own$$\\pw"
    secret.chmod(0o644)
    with pytest.raises(SourceError) as caught:
        read_database_access(settings_for(tmp_path, own))
    assert caught.value.reason == "login-unreadable"
    assert "own$$" not in str(caught.value)
    lite = replace(own, dialect=Dialect.SQLITE, name="/srv/demo.db", password_file=None, user=None, host=None)
    assert read_database_access(settings_for(tmp_path, lite)).address.name == "/srv/demo.db"
