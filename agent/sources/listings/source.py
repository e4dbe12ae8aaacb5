"""Listings: statements of the product's database that give many rows, each row a series of its own.

In:   the catalog's `listings/*.sql`, a read-only engine, the owner's consent level as a callable, the wall clock.
Out:  Samples tagged from the columns the catalog names; text is cleaned and cut. A statement says how many rows are
      taken at most: more are "rows-cut". The number of rows is a sample of its own and is there only when every row
      was read, so a reader can tell "gone" from "not seen". Statements for consent extended are never run under less.
      What is asked once an hour is "not-due" at the other ticks, and so is a statement whose rows came too late for
      their tick, until it has waited for its share of time. SourceError when the database cannot be reached.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from itertools import islice

from sqlalchemy import Connection, Engine, bindparam, text
from sqlalchemy.exc import SQLAlchemyError

from agent.catalog import Catalog, Every, JoinedQuery, Metric, SqlBinding, SqlQuery
from agent.errors import SourceError
from agent.model import ConsentLevel, Failure, Hour, Reading, Sample, Series, hour_of
from agent.product.database.errors import DeadlinePassed, map_database_error
from agent.product.database.gate import Gate
from agent.reasons import NOT_DUE, NOT_PRESENT, NOT_SUPPORTED, PERMISSION_DENIED, ROWS_CUT
from agent.sources.base import NO_TEXT, no_time, once_each, text_of
from agent.sources.governor import CostGovernor
from agent.sources.inventory import Inventory
from agent.sources.listings.unpack import Unreadable, unpack
from agent.sources.opening import Opening
from agent.sources.restricted import RestrictedStatements
from agent.sources.row_series import APP_TAG, Found, Row, Tags, attributes_of, series_of, tags_of
from agent.system.clock import monotonic_s, utc_now

DIALECTS = {"mariadb": "mysql", "mssql": "sqlserver"}  # SQLAlchemy's word -> the catalog's
PUBLIC_APPS = "public_apps"
REST_ONLY = "only the product's app manager knows it: set [apps] rest_url"
KEYS_AT_ONCE = 500  # Oracle takes at most 1000 values in one list

Clock = Callable[[], datetime]


class _Memory:
    """What accepted readings taught: when each statement was read, which found no table, which need their views.

    `ran` are the statements of the read that learns with it.
    """

    def __init__(self, before: _Memory | None = None) -> None:
        self.read_in: dict[str, Hour] = {} if before is None else dict(before.read_in)
        self.ran: list[str] = []
        self.absent: dict[str, Failure] = {} if before is None else dict(before.absent)
        self.restricted: RestrictedStatements = RestrictedStatements() if before is None else before.restricted.copy()


class Listing:
    """The listings of one source, over one connection that lives for one read."""

    def __init__(
        self,
        name: str,
        catalog: Catalog,
        open_engine: Callable[[], Engine],
        level: Callable[[], ConsentLevel],
        *,
        gate: Gate | None = None,
        inventory: Inventory | None = None,
        hour_length_s: int = 3600,
        tick_s: float = 0.0,
        now: Clock = utc_now,
        clock: Callable[[], float] = monotonic_s,
    ) -> None:
        self.name = name
        self._catalog = catalog
        self._bound: dict[str, list[tuple[Metric, SqlBinding]]] = {}
        # What only the app manager knows is not due here, as long as no login for it is given.
        self._elsewhere = [
            Failure(metric.name, NOT_DUE, REST_ONLY) for metric in catalog.of_source(name) if metric.sql is None
        ]
        for metric in catalog.of_source(name):
            if metric.sql is not None:
                self._bound.setdefault(metric.sql.query, []).append((metric, metric.sql))
        self._open_engine = open_engine
        self._gate = gate or Gate()
        self._inventory = inventory or Inventory(catalog, clock=clock)
        self._level = level
        self._hour_length_s = hour_length_s
        self._now = now
        self._clock = clock
        self._memory = _Memory()
        # Only for runs that were lost: what an accepted one cost is bounded by the hour it is good for.
        self._lost = CostGovernor(tick_s=tick_s)
        self._extended = False

    def read(self, deadline_s: float) -> Reading:
        """The rows of every statement that is due; each that fails costs only its own metrics."""
        if deadline_s <= 0:
            raise no_time(f"{self.name} was not read.")
        samples: list[Sample] = []
        failures: list[Failure] = list(self._elsewhere)
        self._extended = self._level() is ConsentLevel.EXTENDED
        due = self._due(failures)
        if not due:
            return Reading((), once_each(failures))
        memory = _Memory(self._memory)
        try:
            with self._gate.connected(deadline_s, self._open_engine) as connection:
                while due:
                    self._list(connection, due[0], memory, samples, failures)
                    due.pop(0)
        except (SQLAlchemyError, DeadlinePassed, SourceError) as error:
            lost = map_database_error(error)
            if not samples:
                # `from None`: a driver's message may carry the whole address, login included.
                raise lost from None
            failures += [failed for query in due for failed in self._all(query.name, lost.reason, lost.why)]

        def commit() -> None:
            self._memory = memory
            self._lost.forget(memory.ran)

        return Reading(tuple(samples), once_each(failures), commit=commit)

    def close(self) -> None:
        """Forget the engine; the next read makes another."""
        self._gate.close()

    def _due(self, failures: list[Failure]) -> list[SqlQuery]:
        """What is asked now. Once an hour means: at the first tick of each window, so that every hour has one."""
        due = []
        window = hour_of(self._now(), self._hour_length_s)
        for name in self._bound:
            query = self._catalog.queries[name]
            this_hour = self._memory.read_in.get(name) == window
            absent = self._memory.absent.get(name)
            wait_s = self._lost.wait_s(name, self._clock())
            if this_hour and absent is not None:
                # A missing table costs the database an error line in its log each time one asks.
                failures += self._all(name, absent.reason, absent.detail)
            elif this_hour and query.every is Every.HOUR:
                failures += self._all(name, NOT_DUE)
            elif query.consent is ConsentLevel.EXTENDED and not self._extended:
                failures += self._all(name, NOT_DUE, "it reads names and needs consent extended")
            elif wait_s > 0:
                failures += self._all(name, NOT_DUE, f"its last rows came too late to count; due in {wait_s:.0f} s")
            else:
                due.append(query)
        return due

    def _all(self, query: str, reason: str, detail: str = "") -> list[Failure]:
        return [Failure(metric.name, reason, detail) for metric, _ in self._bound[query]]

    def _list(
        self,
        connection: Connection,
        query: SqlQuery,
        memory: _Memory,
        samples: list[Sample],
        failures: list[Failure],
    ) -> None:
        """Read one statement and what is joined to it. Raises when the connection is lost."""
        memory.absent.pop(query.name, None)
        window = hour_of(self._now(), self._hour_length_s)
        began_s = self._clock()
        try:
            self._take(connection, query, memory, samples, failures)
        finally:
            self._lost.note(query.name, began_s, self._clock() - began_s, accepted=False)
            memory.ran.append(query.name)
        memory.read_in[query.name] = window

    def _take(
        self,
        connection: Connection,
        query: SqlQuery,
        memory: _Memory,
        samples: list[Sample],
        failures: list[Failure],
    ) -> None:
        answer = self._ask(connection, query, memory.restricted)
        if isinstance(answer, Failure):
            failures += self._all(query.name, answer.reason, answer.detail)
            if answer.reason in (NOT_PRESENT, PERMISSION_DENIED):
                memory.absent[query.name] = answer
            return
        rows, cut = answer
        if cut is not None:
            # A cut list has no count: what is not in it may still be there.
            failures += self._all(query.name, ROWS_CUT, cut)
        for metric, sql in self._bound[query.name]:
            if sql.count:
                if cut is None:
                    counted = len({tags for row in rows if (tags := self._key(query.name, row)) is not None})
                    samples.append(Sample(Series(self.name, metric.name), counted))
                continue
            found = series_of(metric, sql, rows, failures, self._catalog)
            for joined in sql.also:
                self._join(connection, metric, sql, joined, memory.restricted, found, failures)
            samples += [
                Sample(Series(self.name, metric.name, tags), value, tuple(sorted(attributes.items())))
                for tags, (value, attributes) in found.items()
            ]

    def _key(self, query: str, row: Row) -> Tags | None:
        """What tells a row from the others: the tags of the first entry that reads rows of this statement."""
        return next((tags_of(sql, row) for _, sql in self._bound[query] if sql.rows), None)

    def _join(
        self,
        connection: Connection,
        metric: Metric,
        sql: SqlBinding,
        joined: JoinedQuery,
        restricted: RestrictedStatements,
        found: Found,
        failures: list[Failure],
    ) -> None:
        """Add the attributes of a further statement to the series it names; what it names beside them is dropped."""
        query = self._catalog.queries[joined.query]
        if query.consent is ConsentLevel.EXTENDED and not self._extended:
            return
        # Public apps only, and some at a time: databases bound how many values a list may have, Oracle at a thousand.
        keys = sorted({key for tags in found for tag, key in tags if tag == APP_TAG and self._catalog.is_public(key)})
        lists = [keys[at : at + KEYS_AT_ONCE] for at in range(0, len(keys), KEYS_AT_ONCE)]
        for some in lists if query.of_public_apps else [None]:
            answer = self._ask(connection, query, restricted, some)
            if isinstance(answer, Failure):
                failures.append(Failure(metric.name, answer.reason, answer.detail))
                return
            rows, cut = answer
            if cut is not None:
                failures.append(Failure(metric.name, ROWS_CUT, cut))
            for row in rows:
                tags = tags_of(sql, row)
                if tags is not None and tags in found:
                    found[tags][1].update(attributes_of(metric, joined.attributes, row, tags, self._catalog))

    def _ask(
        self,
        connection: Connection,
        query: SqlQuery,
        restricted: RestrictedStatements,
        keys: list[str] | None = None,
    ) -> tuple[list[Row], str | None] | Failure:
        """The rows of one statement and, when there are more than it may give, what was cut."""
        dialect = connection.dialect.name
        words, why = self._inventory.words(connection, query, restricted, DIALECTS.get(dialect, dialect))
        if words is None:
            return Failure("", NOT_SUPPORTED, why)
        # text() also doubles the per cent signs of LIKE for the drivers that count them as their own.
        statement = text(words)
        if keys is not None:
            statement = statement.bindparams(bindparam(PUBLIC_APPS, keys, expanding=True))
        try:
            with connection.begin() as transaction:
                result = connection.execute(statement).mappings()
                rows: list[Row] = [
                    {str(column).lower(): value for column, value in row.items()}
                    # One more than may be taken, which is how it is known that there were more.
                    for row in islice(result, query.rows + 1)
                ]
                result.close()
                transaction.rollback()
            rows = _unpacked(query, rows, self._catalog.product)
        except Unreadable as error:
            return Failure("", NOT_SUPPORTED, f"{query.name}: {error}")
        except (SQLAlchemyError, DeadlinePassed) as error:
            if connection.closed or connection.invalidated or isinstance(error, DeadlinePassed):
                raise
            failed = map_database_error(error)
            if restricted.asks_again(query, DIALECTS.get(dialect, dialect), failed):
                return self._ask(connection, query, restricted, keys)
            failed = restricted.to_report(query, failed)
            return Failure("", failed.reason, failed.why)
        if len(rows) > query.rows:
            return rows[: query.rows], f"{query.name}: more than {query.rows} rows; only the first of them are taken"
        return rows, None


def open_source(opening: Opening) -> Listing:
    """The listing `opening.name`; where the database is and as whom is read for each connection."""
    from agent.product.database.connect import open_product_database

    return Listing(
        opening.name,
        opening.catalog,
        lambda: open_product_database(opening.settings),
        opening.level,
        gate=opening.gate,
        inventory=opening.inventory,
        hour_length_s=opening.settings.hour.length_s,
        tick_s=opening.settings.sampling.interval_s,
    )


def _unpacked(query: SqlQuery, rows: list[Row], product: str) -> list[Row]:
    """The rows with each stored text of many values in its parts; at most one more than may be taken."""
    if query.unpack is None:
        return rows
    column, form = query.unpack
    texts = [(row, text_of(row.get(column) or "")) for row in rows]
    if any(text is None for _, text in texts):
        raise Unreadable(NO_TEXT)
    # The whole text goes with the row that is taken apart: of a licence nothing else may be left.
    parts = (
        {name: value for name, value in {**row, column: None, **part}.items() if value is not None}
        for row, text in texts
        for part in unpack(text or "", form, product)
    )
    return list(islice(parts, query.rows + 1))
