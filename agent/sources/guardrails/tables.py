"""Which tables a PostgreSQL database has, so that missing ones are not asked for.

A statement on a missing table leaves an error in the server's log, and each app that is not installed has several.
Only PostgreSQL logs those, and only there a table is listed whether or not the account may read it: elsewhere the
statement itself tells, once an hour.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from sqlalchemy import Connection, text

DIALECT = "postgresql"
_TABLE = re.compile(r'\b(?:from|join)\s+("?)(\w+)\1(?![\w.(])', re.IGNORECASE)
_NAMED = re.compile(r"(\w+)\s+as\s*\(", re.IGNORECASE)  # WITH name AS (...): a table of this statement only
_EXISTING = text(
    "select relname from pg_class where relname = any(:wanted)"
    " and relkind in ('r', 'v', 'm', 'f', 'p') and pg_table_is_visible(oid)"
)


def tables_of(sql: str) -> frozenset[str]:
    """The tables a statement reads, as PostgreSQL spells them; those of a named schema are left out."""
    named = {found[1] for found in _NAMED.finditer(sql)}
    return frozenset(
        found[2] if found[1] else found[2].lower() for found in _TABLE.finditer(sql) if found[2] not in named
    )


def missing_tables(connection: Connection, wanted: Iterable[str]) -> frozenset[str]:
    """Those of `wanted` that the database does not have, in one question."""
    names = sorted(set(wanted))
    with connection.begin() as transaction:
        existing = {str(name) for name in connection.execute(_EXISTING, {"wanted": names}).scalars()}
        transaction.rollback()
    return frozenset(names) - existing
