"""How the agent logs in to the product's database, decided anew for each connection and kept by nobody.

`login = "product"`: address and login as the product's own file says at this moment; the password is never copied.
`login = "own"`: the address in our settings, the password from a file or a systemd credential.
Every fault is a SourceError: a database the agent may not enter costs its own samples, nothing else.
"""

from __future__ import annotations

from pathlib import Path

from agent.errors import ConfigError, SourceError
from agent.product.database.own_login import address_of, with_settings_of_tls
from agent.product.homes.dispatch import read_product_database
from agent.product.model import DatabaseAccess
from agent.reasons import PERMISSION_DENIED
from agent.settings import DatabaseLogin, DatabaseSettings, Dialect, Settings, read_secret
from agent.system.access import barred

OWN_ACCOUNT = (
    "Create a read-only account for the agent, put its password into a file of mode 0600, and set in agent.toml: "
    '[database] login = "own", dialect, host, name, user and password_file'
)


def read_database_access(settings: Settings) -> DatabaseAccess:
    """Address, user and password for one connection.

    Raises SourceError: `password-encrypted` when the product keeps its password encrypted, `login-not-followed` when it
    logs in otherwise than by a password, `permission-denied` when this account may not read the product's file,
    `login-unreadable` when the place of the login is of no use.
    """
    try:
        if settings.database.login is DatabaseLogin.PRODUCT:
            return _product_login(settings)
        return _own_login(settings.database)
    except PermissionError as error:
        path = Path(str(error.filename))
        words = barred(path)
        raise SourceError(PERMISSION_DENIED, f"{path} cannot be read.", why=words.why, do=words.do) from None
    except ConfigError as error:
        mistakes = "; ".join(str(mistake) for mistake in error.mistakes)
        raise SourceError("login-unreadable", error.what, why=mistakes or error.why, do=error.do) from None


def _product_login(settings: Settings) -> DatabaseAccess:
    product = settings.instance.product
    database = read_product_database(product, settings.instance.home, settings.instance.shared_home)
    if database.encrypted:
        raise SourceError(
            "password-encrypted",
            f"The database password of {product} is encrypted and is not decrypted by this agent.",
            why=f"It is {database.kept.words}; its key belongs to the product.",
            do=OWN_ACCOUNT,
        )
    if database.address.login_gap:
        raise SourceError(
            "login-not-followed",
            f"The database login of {product} cannot be used by this agent.",
            why=f"It {database.address.login_gap}.",
            do=OWN_ACCOUNT,
        )
    address = with_settings_of_tls(database.address, settings.database.tls)
    return DatabaseAccess(address, database.user, database.password, database.schema)


def _own_login(database: DatabaseSettings) -> DatabaseAccess:
    address = address_of(database)
    if address.dialect is Dialect.SQLITE:
        return DatabaseAccess(address, "", None)
    return DatabaseAccess(
        address,
        database.user or "",
        read_secret(database.password_file, database.password_credential),
        _own_schema(address.dialect, database.schema),
    )


def _own_schema(dialect: Dialect, schema: str | None) -> str:
    """Where to look for tables; PostgreSQL first in the account's own schema, as it does when nothing is said.

    There config/database/postgresql.sql keeps views of tables of which the account may see only single rows.
    """
    if not schema:
        return ""
    return f"$user,{schema}" if dialect is Dialect.POSTGRESQL else schema
