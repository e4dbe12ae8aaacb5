"""A JDBC URL as the products write it becomes a `DatabaseAddress`; garbage becomes `BadUrl`, never anything else.

A URL may hold a login (`user:password@`, `?password=`): it is dropped here, and no message repeats any part of the
URL. What each driver's words mean stands in `urls/`, one module a database; an option that matters (TLS, host, schema,
certificate) is handed on, refused, or named in the address's `notes`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from agent.product.database.address import DEFAULT_PORTS, BadUrl, DatabaseAddress, DatabaseTls
from agent.product.database.urls.mysql import parse_mariadb, parse_mysql
from agent.product.database.urls.oracle import parse_oracle
from agent.product.database.urls.postgresql import parse_postgresql
from agent.product.database.urls.sqlserver import parse_jtds, parse_sqlserver
from agent.product.database.urls.wrappers import placeholder_in, refuse_known, unwrapped
from agent.settings import Dialect

__all__ = ["DEFAULT_PORTS", "BadUrl", "DatabaseAddress", "DatabaseTls", "parse_jdbc_url", "placeholder_in"]

URL_LIMIT = 8192


def parse_jdbc_url(url: str) -> DatabaseAddress:
    """The address in a JDBC URL; raises BadUrl, and only BadUrl, for any other text."""
    url = url.strip()
    if len(url) > URL_LIMIT:
        raise BadUrl("is too long")
    # The product's file is data: what it says goes into connection strings and messages.
    if not url.isprintable():
        raise BadUrl("holds control characters")
    if problem := placeholder_in(url):
        raise BadUrl(problem)
    url, gap = unwrapped(url)
    if not url.lower().startswith("jdbc:"):
        raise BadUrl("does not begin with jdbc:")
    refuse_known(url)
    for prefix, parse in _FORMS:
        if url.lower().startswith(prefix):
            address = parse(url[len(prefix) :])
            return replace(address, login_gap=gap) if gap else address
    raise BadUrl("names a database that is not known: PostgreSQL, MySQL, MariaDB, Oracle and SQL Server are")


def _sqlite(rest: str) -> DatabaseAddress:
    if not rest.startswith("/") or "?" in rest or ".." in rest.split("/"):
        raise BadUrl("must be jdbc:sqlite: and an absolute path")
    return DatabaseAddress(Dialect.SQLITE, (), rest)


_FORMS: tuple[tuple[str, Callable[[str], DatabaseAddress]], ...] = (
    ("jdbc:postgresql:", parse_postgresql),
    ("jdbc:mysql:", parse_mysql),
    ("jdbc:mariadb:", parse_mariadb),
    ("jdbc:oracle:thin:", parse_oracle),
    ("jdbc:oracle:oci:", parse_oracle),
    ("jdbc:oracle:oci8:", parse_oracle),
    ("jdbc:sqlserver:", parse_sqlserver),
    ("jdbc:jtds:sqlserver:", parse_jtds),
    ("jdbc:sqlite:", _sqlite),
)
