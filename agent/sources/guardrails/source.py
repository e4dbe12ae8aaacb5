"""Guardrails: counts from the product's database, one named query at a time.

In:   the catalog's `.sql` files, a read-only engine with a statement timeout (agent.product), what each query cost.
Out:  Samples, whole numbers wherever the database gave one. Each query has its own transaction, timeout and
      error: a slow or missing one costs only its own metrics. A missing table or column is "not-present",
      never 0. A query that would take more than 1 % of the time since its last run is "not-due"; where it slides beyond
      an hour, or was ended for taking too long, the database's own estimate stands in with `method = estimate`.
      A table that this account may not read is asked for through its filtered view, where there is one.
      SourceError only when the database cannot be reached at all.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from agent.catalog import Catalog, DataType, Metric, NullMeans, SqlQuery
from agent.errors import SourceError
from agent.model import Failure, Kind, Reading, Sample, Series, Value
from agent.product.database.errors import DeadlinePassed, map_database_error
from agent.product.database.gate import Gate
from agent.reasons import (
    DEADLINE,
    NOT_A_NUMBER,
    NOT_DUE,
    NOT_PRESENT,
    NOT_SUPPORTED,
    PERMISSION_DENIED,
    TIMEOUT,
)
from agent.sources.base import NO_TEXT, clean_text, clean_url, once_each, text_of
from agent.sources.governor import CostGovernor
from agent.sources.guardrails.estimates import Estimates
from agent.sources.guardrails.tables import DIALECT as LISTED_BY
from agent.sources.guardrails.tables import missing_tables, tables_of
from agent.sources.inventory import BUILD, Inventory
from agent.sources.numbers import LARGEST, NoNumberError, number_of
from agent.sources.opening import Opening
from agent.sources.restricted import RestrictedStatements
from agent.system.clock import monotonic_s

NAME = "guardrails"
DIALECTS = {"mariadb": "mysql", "mssql": "sqlserver"}  # SQLAlchemy's word -> the catalog's
LEAST_S = 0.05  # with less time left a query is not begun
EXACT, ESTIMATE = "exact", "estimate"

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class _Job:
    """One query of a read; `missed` says why its estimate is wanted instead, None to run the query itself."""

    query: SqlQuery
    takes_s: float = 0.0
    missed: tuple[str, str] | None = None


@dataclass(slots=True)
class _Round:
    """One read as it goes on: what it has given so far, and what it learns in case it is accepted.

    `ran` and `estimated` are the queries of which that was noted in this very read: what waits from an earlier one,
    which was lost, is not accepted with it.
    """

    end_s: float
    restricted: RestrictedStatements
    samples: list[Sample] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    ran: dict[str, float] = field(default_factory=dict)
    estimated: list[str] = field(default_factory=list)


class Guardrails:
    """The guardrail queries of one product, over one connection that lives for one read."""

    name = NAME

    def __init__(
        self,
        catalog: Catalog,
        open_engine: Callable[[], Engine],
        *,
        governor: CostGovernor | None = None,
        gate: Gate | None = None,
        inventory: Inventory | None = None,
        clock: Callable[[], float] = monotonic_s,
    ) -> None:
        self._metrics: dict[str, list[Metric]] = {}
        for metric in catalog.of_source(NAME):
            if metric.sql is not None:
                self._metrics.setdefault(metric.sql.query, []).append(metric)
        self._queries = catalog.queries
        self._open_engine = open_engine
        self._gate = gate or Gate()
        self._inventory = inventory or Inventory(catalog, clock=clock)
        self._governor = governor or CostGovernor()
        self._clock = clock
        self._estimates = Estimates(catalog.estimates, clock, self._governor.tick_s)
        self._restricted = RestrictedStatements()

    def read(self, deadline_s: float) -> Reading:
        """The due queries, cheapest first, as far as `deadline_s` reaches; the others with what kept them."""
        done = _Round(self._clock() + deadline_s, self._restricted.copy())
        waiting = self._jobs(done)
        if not waiting:
            return Reading((), once_each(done.failures))
        try:
            with self._gate.connected(deadline_s, self._open_engine) as connection:
                self._inventory.look(connection)
                waiting = self._with_tables(connection, waiting, done)
                while waiting:
                    self._work(connection, waiting[0], done)
                    waiting.pop(0)
        except (SQLAlchemyError, DeadlinePassed, SourceError) as error:
            # Never was or is no more: nothing further can be asked, but what came before still counts.
            lost = map_database_error(error)
            if not done.samples:
                # `from None`: a driver's message may carry the whole address, login included.
                raise lost from None
            done.failures += [failed for job in waiting for failed in self._all(job.query, lost.reason, lost.why)]

        def commit() -> None:
            self._governor.accept(done.ran)
            self._estimates.accept(done.estimated)
            self._restricted = done.restricted

        return Reading(tuple(done.samples), once_each(done.failures), costs_s=done.ran, commit=commit)

    def close(self) -> None:
        """Forget the engine; the next read makes another."""
        self._gate.close()

    def _jobs(self, done: _Round) -> list[_Job]:
        """What to ask now, cheapest first; what is not due and has no estimate is a failure."""
        now_s = self._clock()
        jobs = []
        for name in self._metrics:
            query, last, wait_s = self._queries[name], self._governor.last(name), self._governor.wait_s(name, now_s)
            if wait_s <= 0:
                jobs.append(_Job(query, 0.0 if last is None else last.took_s))
            elif last is not None and last.absent and not last.lost:
                done.failures += self._all(query, last.absent, f"asked again in {wait_s:.0f} s")
            elif last is not None:
                missed = NOT_DUE, f"its last run took {last.took_s:.2f} s; due in {wait_s:.0f} s"
                if self._stands_in(name, missed) and (query.estimate or query.planned):
                    jobs.append(_Job(query, 0.0, missed))
                else:
                    done.failures += self._all(query, *missed)
        # Cheapest first: when the time is used up, one slow count is missing and not forty quick ones.
        return sorted(jobs, key=lambda job: (job.takes_s, job.query.name))

    def _with_tables(self, connection: Connection, jobs: list[_Job], done: _Round) -> list[_Job]:
        """The jobs whose tables exist, as far as that can be known beforehand; only new ones are looked up."""
        if connection.dialect.name != LISTED_BY:
            return jobs
        tables: dict[str, frozenset[str]] = {}
        for job in jobs:
            last = self._governor.last(job.query.name)
            sql = job.query.text(LISTED_BY)
            # What the product moved is not looked up: the inventory says which of its two tables counts.
            if sql is not None and job.query.until is None and (last is None or last.absent):
                tables[job.query.name] = tables_of(sql)
        if not tables:
            return jobs
        # A missing table is an error line in that server's log, so what is not known to be there is looked up first.
        missing = missing_tables(connection, (name for names in tables.values() for name in names))
        left = []
        for job in jobs:
            absent = sorted(tables.get(job.query.name, frozenset()) & missing)
            if absent:
                self._note(done, job.query.name, self._clock(), 0.0, NOT_PRESENT)
                done.failures += self._all(job.query, NOT_PRESENT, f"there is no table {absent[0]}")
            else:
                left.append(job)
        return left

    def _all(self, query: SqlQuery, reason: str, detail: str = "") -> list[Failure]:
        return [Failure(metric.name, reason, detail) for metric in self._metrics[query.name]]

    def _work(self, connection: Connection, job: _Job, done: _Round) -> None:
        """Run the query when it fits into the time left; what it did not give, its estimate may give."""
        missed = job.missed
        if missed is None:
            if done.end_s - self._clock() >= max(LEAST_S, job.takes_s):
                missed = self._ask(connection, job.query, done)
            else:
                missed = DEADLINE, f"its last run took {job.takes_s:.2f} s; that was not left"
        if missed is not None:
            done.failures += self._estimate(connection, job.query, missed, done)

    def _ask(self, connection: Connection, query: SqlQuery, done: _Round) -> tuple[str, str] | None:
        """Run one query in a transaction of its own and note its cost; a reason and its detail when it gave nothing.

        Raises when the connection is lost.
        """
        dialect = DIALECTS.get(connection.dialect.name, connection.dialect.name)
        sql, why = self._inventory.words(connection, query, done.restricted, dialect)
        if sql is None:
            return NOT_SUPPORTED, why
        began_s = self._clock()
        try:
            with connection.begin() as transaction:
                # A transaction for each: on PostgreSQL one failed statement spoils all that follow it in the same one.
                row = connection.exec_driver_sql(sql).mappings().first()
                transaction.rollback()
        except (SQLAlchemyError, DeadlinePassed) as error:
            failed = map_database_error(error)
            took_s = self._clock() - began_s
            if done.restricted.asks_again(query, dialect, failed):
                return self._ask(connection, query, done)
            failed = done.restricted.to_report(query, failed)
            absent = failed.reason if failed.reason in (NOT_PRESENT, PERMISSION_DENIED) else ""
            timed_out = failed.reason == TIMEOUT
            self._note(done, query.name, began_s, took_s, absent, timed_out=timed_out)
            if connection.closed or connection.invalidated or isinstance(error, DeadlinePassed):
                raise
            return failed.reason, failed.why
        self._note(done, query.name, began_s, self._clock() - began_s)
        found = {str(column).lower(): value for column, value in (row or {}).items()}
        for metric in self._metrics[query.name]:
            answer = _sample(metric, query, found, self._attributes(metric, query, {"method": EXACT}))
            if isinstance(answer, Sample):
                done.samples.append(answer)
                if metric.name == BUILD:
                    self._inventory.is_of(str(answer.value))
            else:
                done.failures.append(answer)
        return None

    def _estimate(
        self, connection: Connection, query: SqlQuery, missed: tuple[str, str], done: _Round
    ) -> list[Failure]:
        """The database's own idea of the rows, for the metrics that can use it; the others miss what they missed."""
        failures = self._all(query, *missed)
        left_s = done.end_s - self._clock()
        if not self._stands_in(query.name, missed) or not self._estimates.due(query) or left_s < LEAST_S:
            return failures
        dialect = DIALECTS.get(connection.dialect.name, connection.dialect.name)
        done.estimated.append(query.name)
        guesses = self._estimates.ask(connection, dialect, query)
        for metric in self._metrics[query.name]:
            guess = guesses.get(metric.sql.column) if metric.sql is not None else None
            if guess is None:
                continue
            failures = [failure for failure in failures if failure.metric != metric.name]
            if guess.rows is None:
                # NULL as an estimate means that nobody knows, whatever the count's NULL means.
                failures.append(Failure(metric.name, NOT_PRESENT, "the database has no estimate of this table"))
                continue
            facts = {"method": ESTIMATE, "as_of": guess.as_of}
            series = Series(NAME, metric.name)
            done.samples.append(Sample(series, round(guess.rows), self._attributes(metric, query, facts)))
        return failures

    def _note(
        self, done: _Round, query: str, began_s: float, took_s: float, absent: str = "", *, timed_out: bool = False
    ) -> None:
        """The cost counts now, whatever becomes of this read; that the query was read, when it is accepted."""
        self._governor.note(query, began_s, took_s, absent, timed_out=timed_out, accepted=False)
        done.ran[query] = took_s

    def _stands_in(self, query: str, missed: tuple[str, str]) -> bool:
        """Whether an estimate is wanted: the count is too rare, was ended, or its last value came too late to count."""
        last = self._governor.last(query)
        waits = missed[0] in (NOT_DUE, DEADLINE)
        return self._governor.estimated(query) or (waits and last is not None and last.lost > 0 and not last.absent)

    def _attributes(self, metric: Metric, query: SqlQuery, facts: Mapping[str, Value]) -> tuple[tuple[str, Value], ...]:
        """What the catalog lists for this metric, of how and how often it is counted."""
        known = {**facts, "every_s": round(self._governor.every_s(query.name))}
        return tuple((name, value) for name, value in known.items() if name in metric.attributes)


def open_source(opening: Opening) -> Guardrails:
    """The guardrails of this configuration; where the database is and as whom is read for each connection."""
    from agent.product.database.connect import open_product_database

    return Guardrails(
        opening.catalog,
        lambda: open_product_database(opening.settings),
        governor=opening.governor,
        gate=opening.gate,
        inventory=opening.inventory,
    )


def _sample(
    metric: Metric, query: SqlQuery, row: Row, attributes: tuple[tuple[str, Value], ...] = ()
) -> Sample | Failure:
    """The column's value: text for an info metric, else a number."""
    column = metric.sql.column if metric.sql is not None else ""
    if column not in row:
        return Failure(metric.name, NOT_PRESENT, "the statement gave no row")
    value = row[column]
    if value is None:
        if query.null_means is NullMeans.ZERO:
            return Sample(Series(NAME, metric.name), 0, attributes)
        return Failure(metric.name, NOT_PRESENT, "NULL")
    if metric.kind is Kind.INFO:
        text = text_of(value)
        if text is None:
            return Failure(metric.name, NOT_PRESENT, NO_TEXT)
        words = clean_text(text).strip()
        words = clean_url(words) if metric.data_type is DataType.URL else words
        if not words:
            return Failure(metric.name, NOT_PRESENT, "no text")
        return Sample(Series(NAME, metric.name), words, attributes)
    if isinstance(value, str | bytes):
        try:
            value = Decimal(value if isinstance(value, str) else value.decode("ascii"))
        except (ArithmeticError, UnicodeDecodeError):
            return Failure(metric.name, NOT_A_NUMBER)
    if isinstance(value, bool):
        return Failure(metric.name, NOT_A_NUMBER, type(value).__name__)
    try:
        number = number_of(value)
    except NoNumberError as error:
        return Failure(metric.name, error.reason, type(value).__name__)
    # SQLite gives a sum of whole numbers as a fraction sometimes: a count is a whole number wherever it is one.
    whole = isinstance(number, float) and number.is_integer() and abs(number) <= LARGEST
    return Sample(Series(NAME, metric.name), int(number) if whole else number, attributes)
