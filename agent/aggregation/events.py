"""Third stage: what changed between two readings becomes an event with its observation window. Pure functions.

In:   the ticks of an hour, the snapshot as of the end of the hour before, what the audit table says of this hour.
Out:  Events, and the snapshot after this hour. A first reading gives no event: there is nothing to compare it with.
      A list that was not read completely (no count beside it) is not compared, so nothing is taken for gone that was
      only not seen. What changed and changed back between two readings is not seen.
When another node of the cluster reads a list, its snapshot is forgotten here: that node tells its events.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from agent.model import ConsentLevel, Hour, Sample, Series, Tick, Value
from agent.store.audit import AuditEntry
from agent.store.snapshots import Items, Key, ListState, Snapshot

SOURCE = "events"
JMX = "jmx"
JVM = "jvm"
PRODUCT = "product"
ELSEWHERE = "other-node"
UNKNOWN = "unknown"  # in place of a version, where the database has none
READ_FROM = "read_from"  # the attribute of a list's count that says who told the list
REST = "rest"
APPS, APPS_BY_REST = "app.installed", "app.installed by rest"
INSTANT = "%Y-%m-%dT%H:%M:%SZ"


Attributes = tuple[tuple[str, Value], ...]
Change = tuple[str, Key, Attributes]  # metric, value of its tag ("" for none), attributes


@dataclass(frozen=True, slots=True)
class Event:
    """One change: its metric, its tags, and between which two instants it happened."""

    metric: str
    observed_from: datetime
    observed_to: datetime
    tags: tuple[tuple[str, str], ...] = ()
    attributes: Attributes = ()
    hashed: tuple[str, ...] = ()

    def sample(self) -> Sample:
        """The event as a sample, which an hour counts."""
        # Two readings stand in the store's order; where the clock was set back in between, their labels do not.
        first, last = sorted((self.observed_from, self.observed_to))
        window = (
            ("observed_from", first.astimezone(UTC).strftime(INSTANT)),
            ("observed_to", last.astimezone(UTC).strftime(INSTANT)),
        )
        return Sample(Series(SOURCE, self.metric, self.tags, self.hashed), 1, (*self.attributes, *window))


@dataclass(frozen=True, slots=True)
class WatchedList:
    """A list of the catalog whose changes are events: its metric, its count's metric, its tag, what tells a change."""

    metric: str
    count: str
    tag: str
    facts: Callable[[Sample], tuple[str, ...]]
    changes: Callable[[Items, Items], Iterator[Change]]


def _attribute(sample: Sample, name: str) -> str:
    return str(dict(sample.attributes).get(name, ""))


def _app_changes(before: Items, after: Items) -> Iterator[Change]:
    for key in sorted(before.keys() - after.keys()):
        yield "event.app.removed", key, _given(from_version=before[key][0])
    for key in sorted(after.keys() - before.keys()):
        yield "event.app.installed", key, _given(to_version=after[key][0])
    for key in sorted(before.keys() & after.keys()):
        (old, old_state), (new, new_state) = before[key], after[key]
        if old != new:
            yield "event.app.updated", key, _given(from_version=old, to_version=new)
        if (old_state == "disabled") != (new_state == "disabled"):
            yield ("event.app.disabled" if new_state == "disabled" else "event.app.enabled"), key, ()


def _given(**versions: str) -> Attributes:
    return tuple((name, version) for name, version in versions.items() if version)


def _state_changes(before: Items, after: Items) -> Iterator[Change]:
    """Of a list that holds only what differs from the default, which is taken to be enabled."""
    for key in sorted(before.keys() | after.keys()):
        was, now = (items.get(key) == ("disabled",) for items in (before, after))
        if was != now:
            yield ("event.app.disabled" if now else "event.app.enabled"), key, ()


def _flag_changes(before: Items, after: Items) -> Iterator[Change]:
    for key in sorted(after.keys() - before.keys()):
        yield "event.feature_flag.set", key, ()
    for key in sorted(before.keys() - after.keys()):
        yield "event.feature_flag.cleared", key, ()


def _node_changes(before: Items, after: Items) -> Iterator[Change]:
    was, now = ({key for key, facts in items.items() if facts == ("active",)} for items in (before, after))
    for key in sorted(now - was):
        yield "event.node.joined", key, ()
    for key in sorted(was - now):
        yield "event.node.left", key, ()


LISTS = (
    WatchedList(
        APPS,
        "app.installed.count",
        "pluginKey",
        lambda sample: ("" if sample.value == UNKNOWN else str(sample.value), _attribute(sample, "state")),
        _app_changes,
    ),
    WatchedList("app.state", "app.state.count", "pluginKey", lambda sample: (str(sample.value),), _state_changes),
    WatchedList("feature_flag.site", "feature_flag.site.count", "flag", lambda sample: (), _flag_changes),
    WatchedList("cluster.node", "cluster.nodes", "node", lambda sample: (str(sample.value),), _node_changes),
)
APP_LISTS = (APPS, "app.state")


def list_of(metric: str) -> WatchedList | None:
    """How the list that a snapshot keeps by this name is watched; None when it is no list."""
    name = APPS if metric == APPS_BY_REST else metric
    return next((watched for watched in LISTS if watched.metric == name), None)


AUDIT_EVENTS = {
    "link.made": "event.agent.linked",
    "link.removed": "event.agent.unlinked",
    "consent.set": "event.agent.consent_changed",
}


def events_between(snapshot: Snapshot, ticks: Iterable[Tick]) -> tuple[tuple[Event, ...], Snapshot]:
    """The events of these ticks compared with `snapshot` and with each other, and the snapshot after them."""
    lists = dict(snapshot.lists)
    events: list[Event] = []
    for tick in sorted(ticks, key=lambda item: item.number):
        by_metric: dict[str, list[Sample]] = {}
        for sample in tick.samples:
            by_metric.setdefault(sample.series.metric, []).append(sample)
        elsewhere = {
            failure.metric for report in tick.reports for failure in report.failures if failure.reason == ELSEWHERE
        }
        for watched in LISTS:
            # Forgotten, not kept: when the turn comes back, what changed meanwhile was another node's to tell.
            if {watched.metric, watched.count} & elsewhere:
                _forget(lists, watched.metric)
                continue
            items = _items(watched, by_metric)
            name = _name(lists, watched, by_metric) if items is not None else None
            if items is not None and name is not None:
                events += _compare(lists, name, watched.tag, ListState(tick.taken_at, items), watched.changes)
        events += _product(lists, by_metric, tick.taken_at)
        events += _jvm(lists, tick)
    return tuple(events), replace(snapshot, lists=lists)


def audit_events(
    snapshot: Snapshot, rows: Iterable[AuditEntry], hour: Hour, closed_at: datetime
) -> tuple[tuple[Event, ...], Snapshot]:
    """The events that the audit table tells up to the end of `hour`, closed at `closed_at`, and the snapshot after.

    Acts are taken in the table's order up to the first that belongs to a later hour, so that none is passed over: what
    was done while no hour was closed, or before the clock was set back, is told late rather than not at all. A row
    labelled after `closed_at` was written under a clock that was ahead; it has happened. The first look goes back to
    the start of its hour only.
    """
    events: list[Event] = []
    last = snapshot.audit
    for row in sorted(rows, key=lambda item: item.number):
        if snapshot.audit is not None and row.number <= snapshot.audit:
            continue
        if row.event in AUDIT_EVENTS and hour.end <= row.at <= closed_at:
            break
        last = row.number
        metric = AUDIT_EVENTS.get(row.event)
        if metric is None or (snapshot.audit is None and row.at < hour.start):
            continue
        level = row.detail.get("consent", row.detail.get("new"))
        known = isinstance(level, str) and level in tuple(ConsentLevel)
        at = row.at if row.at <= closed_at else hour.start
        events.append(Event(metric, at, at, (), (("level", str(level)),) if known else ()))
    return tuple(events), replace(snapshot, audit=last or 0)


def _items(watched: WatchedList, by_metric: Mapping[str, Sequence[Sample]]) -> Items | None:
    """The list as this tick read it; None when it was not read, or not completely."""
    counts = by_metric.get(watched.count, ())
    items = {_key(sample.series, watched.tag): watched.facts(sample) for sample in by_metric.get(watched.metric, ())}
    return items if len(counts) == 1 and counts[0].value == len(items) else None


def _key(series: Series, tag: str) -> Key:
    return Key(dict(series.tags).get(tag, ""), tag in series.hashed)


def _name(lists: dict[str, ListState], watched: WatchedList, by_metric: Mapping[str, Sequence[Sample]]) -> str | None:
    """What this list is compared with; None: with nothing, and nothing is remembered of it.

    The app manager and the database know different apps, so their lists are never compared: a configuration that
    changes from one to the other begins anew, and what the database tells while the app manager is away is passed
    over, so that the next list of the app manager tells all that changed since its last, once.
    """
    read_from = _attribute(by_metric[watched.count][0], READ_FROM)
    if watched.metric not in APP_LISTS:
        return watched.metric
    if read_from == REST:
        for name in APP_LISTS:
            lists.pop(name, None)
        return APPS_BY_REST
    if read_from:
        return None
    lists.pop(APPS_BY_REST, None)
    return watched.metric


def _forget(lists: dict[str, ListState], name: str) -> None:
    for known in (name, APPS_BY_REST) if name == APPS else (name,):
        lists.pop(known, None)


def _compare(
    lists: dict[str, ListState],
    name: str,
    tag: str,
    now: ListState,
    changes: Callable[[Items, Items], Iterator[Change]],
) -> Iterator[Event]:
    before = lists.get(name)
    lists[name] = now
    if before is not None:
        for metric, key, attributes in changes(before.items, now.items):
            tags, hashed = ((tag, key.text),) if key.text else (), (tag,) if key.hashed else ()
            yield Event(metric, before.at, now.at, tags, attributes, hashed)


def _product(lists: dict[str, ListState], by_metric: Mapping[str, Sequence[Sample]], at: datetime) -> Iterator[Event]:
    """Another version or build. One that was not read this time keeps its last value."""
    before = lists.get(PRODUCT)
    facts = dict(before.items) if before is not None else {}
    found = {
        Key(name): (str(samples[0].value),)
        for name in ("version", "build")
        if (samples := by_metric.get(f"product.{name}"))
    }
    if not found:
        return
    now = {**facts, **found}
    lists[PRODUCT] = ListState(at, now)
    changed = [name for name in found if name in facts and facts[name] != found[name]]
    if before is not None and changed:
        attributes = tuple(
            (f"{side}_{name.text}", items[name][0])
            for name in changed
            for side, items in (("from", facts), ("to", now))
        )
        yield Event("event.product.upgraded", before.at, at, (), attributes)


def _jvm(lists: dict[str, ListState], tick: Tick) -> Iterator[Event]:
    """Another start time of the JVM. An epoch that was not read says nothing."""
    epoch = tick.epochs.get(JMX, "")
    if not epoch:
        return
    before = lists.get(JVM)
    lists[JVM] = ListState(tick.taken_at, {Key("epoch"): (epoch,)})
    if before is not None and before.items != lists[JVM].items:
        yield Event("event.jvm.restarted", before.at, tick.taken_at)


def with_events(ticks: Sequence[Tick], events: Iterable[Event]) -> list[Tick]:
    """The same ticks, the last of them with the events as further samples; an hour counts them like any other."""
    samples = tuple(event.sample() for event in events)
    if not samples or not ticks:
        return list(ticks)
    # In the last tick, where everything that the hour noticed has happened already.
    last = max(ticks, key=lambda item: item.number)
    return [replace(tick, samples=tick.samples + samples) if tick is last else tick for tick in ticks]
