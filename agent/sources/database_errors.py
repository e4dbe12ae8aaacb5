"""Which code a failed query leaves with, by the error number each database gives.

A missing table or column is normal (versions and apps differ), a refused one is the grant's fault; all else is named
plainly. Messages are never used: they are translated and may hold values.
"""

from __future__ import annotations

import re

from sqlalchemy.exc import DBAPIError

from agent.catalog.reasons import NOT_PRESENT, PERMISSION_DENIED, QUERY_FAILED, TIMEOUT

SQLSTATES = {
    "42P01": NOT_PRESENT,  # undefined table
    "42703": NOT_PRESENT,  # undefined column
    "3F000": NOT_PRESENT,  # no such schema
    "42501": PERMISSION_DENIED,
    "57014": TIMEOUT,  # canceled by statement_timeout
    "55P03": TIMEOUT,  # lock not available
}
MYSQL = {
    1146: NOT_PRESENT,
    1054: NOT_PRESENT,
    1049: NOT_PRESENT,
    1142: PERMISSION_DENIED,
    1143: PERMISSION_DENIED,
    1044: PERMISSION_DENIED,
    1317: TIMEOUT,
    1969: TIMEOUT,  # MariaDB max_statement_time
    3024: TIMEOUT,  # MySQL max_execution_time
    1205: TIMEOUT,
}
# Oracle says "table or view does not exist" for a table without a grant too.
ORACLE = {942: NOT_PRESENT, 904: NOT_PRESENT, 1031: PERMISSION_DENIED, 1013: TIMEOUT, 3136: TIMEOUT}
SQLSERVER = {208: NOT_PRESENT, 207: NOT_PRESENT, 229: PERMISSION_DENIED, 230: PERMISSION_DENIED, 1222: TIMEOUT}
SQLITE = (("no such table", NOT_PRESENT), ("no such column", NOT_PRESENT), ("interrupted", TIMEOUT))


def reason_of(error: DBAPIError, dialect: str) -> str:
    """The code for a query that failed on a living connection."""
    cause = error.orig
    if dialect == "postgresql":
        return SQLSTATES.get(str(getattr(cause, "sqlstate", "")), QUERY_FAILED)
    if dialect == "sqlite":
        return next((code for text, code in SQLITE if text in str(cause)), QUERY_FAILED)
    number = _number(cause)
    table = {"mysql": MYSQL, "mariadb": MYSQL, "oracle": ORACLE, "mssql": SQLSERVER}.get(dialect, {})
    return table.get(number, TIMEOUT if dialect == "oracle" and "DPY-4024" in str(cause) else QUERY_FAILED)


def _number(cause: BaseException | None) -> int:
    first = cause.args[0] if cause is not None and cause.args else None
    if isinstance(first, int):
        return first
    code = getattr(first, "code", None)  # oracledb's error object
    if isinstance(code, int):
        return code
    found = re.search(r"ORA-0*(\d+)", str(first))
    return int(found[1]) if found else 0
