"""A transaction that cannot write and cannot run long, for each database a product may stand on.

The login may be allowed to write (it is often the product's own), so each query is fenced in by itself.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection

SQLITE_STEPS = 20_000  # virtual machine steps between two looks at the clock: about a millisecond


@contextmanager
def read_only(connection: Connection, timeout_s: float) -> Iterator[None]:
    """One read-only transaction whose statement ends after `timeout_s`; always rolled back."""
    milliseconds = max(1, int(timeout_s * 1000))
    dialect = connection.dialect.name
    try:
        if dialect == "postgresql":
            connection.exec_driver_sql("SET TRANSACTION READ ONLY")
            connection.exec_driver_sql(f"SET LOCAL statement_timeout = {milliseconds}")
            # Workers and compiled plans would spend the product's processors on a count.
            connection.exec_driver_sql("SET LOCAL max_parallel_workers_per_gather = 0")
            connection.exec_driver_sql("SET LOCAL jit = off")
        elif dialect in ("mysql", "mariadb"):
            if getattr(connection.dialect, "is_mariadb", False):
                connection.exec_driver_sql(f"SET SESSION max_statement_time = {milliseconds / 1000}")
            else:
                connection.exec_driver_sql(f"SET SESSION max_execution_time = {milliseconds}")
            connection.exec_driver_sql("START TRANSACTION READ ONLY")
        elif dialect == "oracle":
            connection.exec_driver_sql("SET TRANSACTION READ ONLY")
            _driver(connection).call_timeout = milliseconds
        elif dialect == "mssql":
            # SQL Server has no read-only transaction; it must not queue behind the product's locks either.
            connection.exec_driver_sql(f"SET LOCK_TIMEOUT {milliseconds}")
        elif dialect == "sqlite":
            connection.exec_driver_sql("PRAGMA query_only = ON")
            end_s = time.monotonic() + timeout_s
            _driver(connection).set_progress_handler(lambda: time.monotonic() > end_s, SQLITE_STEPS)
        yield
    finally:
        if dialect == "sqlite" and not connection.invalidated:
            _driver(connection).set_progress_handler(None, 0)
        connection.rollback()


def _driver(connection: Connection):  # type: ignore[no-untyped-def]  # each driver has a class of its own
    return connection.connection.driver_connection
