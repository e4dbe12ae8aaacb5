"""A synthetic home of any product, written by one call, and what each calls the parts of a login."""

from __future__ import annotations

from pathlib import Path
from xml.sax.saxutils import escape

import pytest

from agent.errors import ConfigError
from agent.product import read_home
from agent.settings import InstanceSettings, ProductType, Settings
from tests.support import product_homes
from tests.support.homes import write_home
from tests.support.product_homes import PASSWORD, SECRETS, write_product_home

JIRA = ProductType.JIRA
FILES = {JIRA: "dbconfig.xml", **{ProductType(name): file for name, file in product_homes.FILES.items()}}
URL_KEYS = dict.fromkeys(ProductType, "hibernate.connection.url")
URL_KEYS |= {JIRA: "jdbc-datasource/url", ProductType.BITBUCKET: "jdbc.url"}
USER_KEYS = dict.fromkeys(ProductType, "hibernate.connection.username")
USER_KEYS |= {JIRA: "jdbc-datasource/username", ProductType.BITBUCKET: "jdbc.user"}
# What says that a class of the admin's opens the password.
ENCRYPTED = {product: {"jdbc.password.decrypter.classname": "com.example.Cipher"} for product in ProductType}
ENCRYPTED |= {
    JIRA: {"atlassian-password-cipher-provider": "com.example.Cipher"},
    ProductType.BITBUCKET: {"encrypted-property.cipher.classname": "com.example.Cipher"},
}
# A database that the application server opens; Bitbucket has none.
SETTING = {product: {"hibernate.connection.datasource": "java:comp/env/jdbc/product"} for product in ProductType}
SETTING[JIRA] = {"jndi-datasource/jndi-name": "java:comp/env/jdbc/JiraDS"}
# Jira names the kind of its database beside the URL.
KINDS = {"mysql": "mysql8", "mariadb": "mysql8", "sqlserver": "mssql", "oracle": "oracle10g", "h2": "h2"}


def write_any_home(
    folder: Path,
    product: ProductType,
    *,
    url: str = "jdbc:postgresql://db.example.com:5432/product",
    user: str = "product_user",
    password: str = PASSWORD,
    more: dict[str, str] | None = None,
) -> Path:
    """A home as the product writes it; `more` are further properties; what is empty is left out or empty."""
    if product is not JIRA:
        return write_product_home(folder, product, url=url, user=user, password=password, more=more)
    kind = KINDS.get(url.split(":")[1] if ":" in url else "", "postgres72")
    extra = "".join(f"<{name}>{value}</{name}>" for name, value in (more or {}).items() if "/" not in name)
    home = write_home(folder, url=escape(url), kind=kind, user=user, password=escape(password), extra=extra)
    if any("/" in name for name in more or {}):
        text = (home / FILES[JIRA]).read_text()
        head, rest = text.split("  <jdbc-datasource>")
        names = "<jndi-datasource><jndi-name>java:comp/env/jdbc/JiraDS</jndi-name></jndi-datasource>"
        (home / FILES[JIRA]).write_text(head + names + rest.split("</jdbc-datasource>")[1])
    return home


def refused(product: ProductType, home: Path, shared: Path | None = None) -> str:
    """The text of the refusal; it never holds a secret."""
    with pytest.raises(ConfigError) as caught:
        read_home(product, home, shared)
    assert caught.value.exit_code == 10
    text = str(caught.value)
    assert not any(secret in text for secret in (PASSWORD, escape(PASSWORD), *SECRETS))
    return text


def settings_for(product: ProductType, home: Path, shared: Path | None = None) -> Settings:
    """A configuration beside the home."""
    return Settings(InstanceSettings(product, home, shared or home / "shared"))
