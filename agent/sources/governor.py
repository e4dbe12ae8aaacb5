"""Keeps each query within its share of time: one that costs much is asked rarely, and says so.

In:   how long each run took, in monotonic seconds. Out: when a query is due again, how often it may run at most, and
      whether the database's own estimate stands in for it until then.
Pure: the caller passes the time. What was learnt outlives a restart through `remember` and `recall`.

A run is noted when it ends, since its cost counts whatever becomes of its reading: a count that outlives its tick would
otherwise run again in each tick. That it *was read* counts when the reading was accepted (`accept`): until then it
waits for its share of time only, longer with each run that is lost, and not for what its class asks (a day for XL) nor
because its table is absent.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from agent.catalog import Catalog
from agent.settings import Settings
from agent.store.costs import QueryCost

SHARE = 0.01  # of the time since its last run a query may cost; a database must not suffer from being watched
ABSENT_AGAIN_S = 3600.0  # a table that is missing costs the database an error line in its log each time one asks
DAY_S = 86_400.0
# By cost class: however fast it was, not more often. XL joins the two largest tables: read through the database's
# memory they push the product's own pages out of it, so the time it took is not all that it cost.
LEAST_S: Mapping[str, float] = {"XL": DAY_S}
ESTIMATE_FROM_S = 3600.0  # a count that may not run each hour would leave hours empty


@dataclass(frozen=True, slots=True)
class QueryRun:
    """One run of a query: when it began, what it took, the reason when its table was missing or forbidden.

    `timeouts` counts the runs in a row that were ended for taking too long, this one included. `lost` counts those
    whose reading was not accepted, this one included: 0 when this one was.
    """

    began_s: float
    took_s: float
    absent: str = ""
    timeouts: int = 0
    lost: int = 0


class CostGovernor:
    """Decides which query is due, from what its last run cost.

    `costs` are the cost classes of the queries, `labels` the metric a person knows each by, `tick_s` how often
    sources are read: nothing can run more often. `estimable` are the queries that have an estimate, None for all.
    """

    def __init__(
        self,
        share: float = SHARE,
        absent_again_s: float = ABSENT_AGAIN_S,
        *,
        tick_s: float = 0.0,
        costs: Mapping[str, str] | None = None,
        labels: Mapping[str, str] | None = None,
        least_s: Mapping[str, float] = LEAST_S,
        estimable: frozenset[str] | None = None,
    ) -> None:
        self._share = share
        self._absent_again_s = absent_again_s
        self.tick_s = tick_s
        self._costs = costs or {}
        self._labels = labels or {}
        self._least_s = least_s
        self._estimable = estimable
        self._runs: dict[str, QueryRun] = {}

    def wait_s(self, query: str, now_s: float) -> float:
        """Seconds until `query` is due; 0 when it is due or never ran."""
        last = self._runs.get(query)
        if last is None:
            return 0.0
        if last.lost:
            rest_s = self._rest_lost_s(last)
        else:
            rest_s = self._absent_again_s if last.absent else self._rest_s(query, last)
        return max(0.0, last.began_s + rest_s - now_s)

    def every_s(self, query: str) -> float:
        """How often `query` may run at most, in whole ticks; one tick before its first run."""
        last = self._runs.get(query)
        rest_s = self._rest_s(query, last) if last is not None else 0.0
        return max(math.ceil(rest_s / self.tick_s), 1) * self.tick_s if self.tick_s else rest_s

    def estimated(self, query: str) -> bool:
        """Whether an estimate stands in: the last run was ended, or the next is more than an hour after it."""
        last = self._runs.get(query)
        if last is None or last.absent or (self._estimable is not None and query not in self._estimable):
            return False
        return last.timeouts > 0 or self._rest_s(query, last) > ESTIMATE_FROM_S

    def note(
        self,
        query: str,
        began_s: float,
        took_s: float,
        absent: str = "",
        *,
        timed_out: bool = False,
        accepted: bool = True,
    ) -> None:
        """Learn from one run; one whose reading is not accepted yet counts as lost until `accept`.

        One that was ended gave nothing that could be lost: that it takes too long is its cost, and counts at once.
        """
        last = self._runs.get(query) or QueryRun(began_s, 0.0)
        timeouts = last.timeouts + 1 if timed_out else 0
        self._runs[query] = QueryRun(began_s, took_s, absent, timeouts, 0 if accepted or timed_out else last.lost + 1)

    def accept(self, queries: Iterable[str]) -> None:
        """The readings that the last runs of these queries belong to were accepted."""
        for query in queries:
            run = self._runs.get(query)
            if run is not None:
                self._runs[query] = replace(run, lost=0)

    def forget(self, queries: Iterable[str]) -> None:
        """Nothing is known of them any more; for what is bounded otherwise once its reading was accepted."""
        for query in queries:
            self._runs.pop(query, None)

    def last(self, query: str) -> QueryRun | None:
        """The last run of `query`, None before the first."""
        return self._runs.get(query)

    def remember(self, now_s: float, now: datetime) -> list[QueryCost]:
        """Everything learnt, with instants in place of monotonic seconds; safe while another thread reads."""
        return [
            QueryCost(
                query=query,
                label=self._labels.get(query, query),
                began_at=now - timedelta(seconds=max(now_s - run.began_s, 0.0)),
                took_s=run.took_s,
                every_s=self.every_s(query),
                absent=run.absent,
                timeouts=run.timeouts,
                estimated=self.estimated(query),
                lost=run.lost,
            )
            for query, run in sorted(dict(self._runs).items())
        ]

    def recall(self, costs: Iterable[QueryCost], now_s: float, now: datetime) -> None:
        """Take up what an earlier process learnt. A run that seems to begin in the future began now.

        What was absent is asked again: an admin may have installed or granted it, and restarted for that reason.
        """
        for cost in costs:
            if not cost.absent:
                # Monotonic seconds are another machine's or another boot's by now; a clock that was set back must not
                # make a run lie in the future, or the query would wait for that long.
                ago_s = max((now - cost.began_at).total_seconds(), 0.0)
                self._runs[cost.query] = QueryRun(now_s - ago_s, cost.took_s, "", cost.timeouts, cost.lost)

    def _rest_s(self, query: str, last: QueryRun) -> float:
        """The least time between two runs: by budget, doubled for each run in vain up to a day, and by class."""
        rest_s = _doubled(last.took_s / self._share, last.timeouts)
        return max(rest_s, self._least_s.get(self._costs.get(query, ""), 0.0))

    def _rest_lost_s(self, last: QueryRun) -> float:
        """The same for a run that was lost; one that fits into each tick did not make its reading late: due at once."""
        rest_s = last.took_s / self._share
        return 0.0 if rest_s <= self.tick_s else _doubled(rest_s, last.lost)


def _doubled(rest_s: float, times: int) -> float:
    """Doubled with each further run in vain, up to a day; never less than the budget asks."""
    # 16 doublings are a day even of a run of a few milliseconds; more would only overflow.
    return max(rest_s, min(rest_s * 2.0 ** min(max(times - 1, 0), 16), DAY_S))


def governor_of(settings: Settings, catalog: Catalog) -> CostGovernor:
    """The governor for this catalog's queries, with nothing learnt yet."""
    labels: dict[str, str] = {}
    for metric in catalog.metrics.values():
        if metric.sql is not None:
            labels.setdefault(metric.sql.query, metric.name)
    costs = {name: query.cost for name, query in catalog.queries.items()}
    estimable = frozenset(name for name, query in catalog.queries.items() if query.estimated_columns)
    return CostGovernor(tick_s=settings.sampling.interval_s, costs=costs, labels=labels, estimable=estimable)
