"""Events: what changed between two readings, and nothing that was only not seen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from agent.aggregation import Event, aggregate, audit_events, events_between, with_events
from agent.catalog import load_catalog
from agent.model import Failure, Hour, Kind, Outcome, Sample, Series, SourceReport, Tick
from agent.store.audit import AuditEntry
from agent.store.snapshots import Snapshot
from tests.support.ticks import HOUR, START

KINDS = {name: metric.kind for name, metric in load_catalog("jira").metrics.items()}
Apps = Mapping[str, tuple[str, str]]


def at(minute: float) -> datetime:
    return START + timedelta(minutes=minute)


def read(
    minute: float,
    apps: Apps | None = None,
    *,
    nodes: Mapping[str, str] | None = None,
    flags: tuple[str, ...] | None = None,
    version: str = "",
    epoch: str = "",
    cut: bool = False,
    read_from: str = "",
    failures: tuple[Failure, ...] = (),
) -> Tick:
    """A tick in which these lists were read; None means that one was not due."""
    samples: list[Sample] = []
    if apps is not None:
        for key, (number, state) in apps.items():
            series = Series("apps", "app.installed", (("pluginKey", key),))
            samples.append(Sample(series, number, (("state", state),)))
        if not cut:
            told_by = (("read_from", read_from),) if read_from else ()
            samples.append(Sample(Series("apps", "app.installed.count"), len(apps), told_by))
    if nodes is not None:
        samples += [Sample(Series("nodes", "cluster.node", (("node", key),)), state) for key, state in nodes.items()]
        samples.append(Sample(Series("nodes", "cluster.nodes"), len(nodes)))
    if flags is not None:
        samples += [Sample(Series("flags", "feature_flag.site", (("flag", key),)), "stored") for key in flags]
        samples.append(Sample(Series("flags", "feature_flag.site.count"), len(flags)))
    if version:
        samples.append(Sample(Series("guardrails", "product.version"), version))
    report = SourceReport("apps", Outcome.OK, len(samples), failures)
    return Tick(at(minute), tuple(samples), (report,), {"jmx": epoch})


def changes(*ticks: Tick, before: Snapshot | None = None) -> list[tuple[str, str, float, float]]:
    """(metric, tag, from, to) of each event, in minutes."""
    events, _ = events_between(before or Snapshot(), ticks)
    minutes = [
        ((e.observed_from - START) / timedelta(minutes=1), (e.observed_to - START) / timedelta(minutes=1))
        for e in events
    ]
    return [(e.metric, e.tags[0][1] if e.tags else "", *window) for e, window in zip(events, minutes, strict=True)]


OLD = {"a": ("1.0", "default"), "b": ("1.0", "enabled"), "c": ("1.0", "disabled"), "d": ("1.0", "default")}
NEW = {"a": ("1.1", "default"), "b": ("1.0", "disabled"), "c": ("1.0", "default"), "e": ("2.0", "default")}


def test_first_reading_gives_no_event() -> None:
    """There is nothing to compare the first snapshot with."""
    assert changes(read(0, OLD, nodes={"n": "active"}, flags=("f",), version="9.12", epoch="1")) == []


def test_every_change_of_an_app() -> None:
    """Updated, disabled, enabled, removed, installed: each with the window between the two readings."""
    assert changes(read(0, OLD), read(2), read(60, NEW)) == [
        ("event.app.removed", "d", 0, 60),
        ("event.app.installed", "e", 0, 60),
        ("event.app.updated", "a", 0, 60),
        ("event.app.disabled", "b", 0, 60),
        ("event.app.enabled", "c", 0, 60),
    ]
    events, _ = events_between(Snapshot(), [read(0, OLD), read(60, NEW)])
    assert events[2].attributes == (("from_version", "1.0"), ("to_version", "1.1"))


def test_default_and_enabled_are_no_change() -> None:
    """A state that is stored but was the default before is no event."""
    assert changes(read(0, {"a": ("1", "default")}), read(60, {"a": ("1", "enabled")})) == []


def test_cut_list_is_not_compared() -> None:
    """Without the count beside it a list was not read completely: nothing is gone, and the older one stays."""
    assert changes(read(0, OLD), read(60, {"a": ("1.0", "default")}, cut=True), read(120, OLD)) == []


def test_failed_reading_is_not_compared() -> None:
    """A database that was away in between makes the window longer and no event of its own."""
    failed = read(60, failures=(Failure("", "refused"),))
    assert changes(read(0, OLD), failed, read(120, {**OLD, "x": ("1", "default")})) == [
        ("event.app.installed", "x", 0, 120)
    ]


def test_other_source_of_the_list_is_no_change() -> None:
    """From the database to the app manager and back: other apps and states are seen, and none is an event."""
    assert changes(read(0, OLD), read(60, NEW, read_from="rest")) == []
    assert changes(read(0, OLD, read_from="rest"), read(60, NEW)) == []
    # what was known from before is forgotten with the change, so that it is not compared a year later
    assert changes(read(0, OLD), read(60, NEW, read_from="rest"), read(120, NEW)) == []
    assert changes(read(0, OLD, read_from="rest"), read(60, NEW), read(120, NEW, read_from="rest")) == []


def test_database_in_place_of_the_app_manager_is_passed_over() -> None:
    """What changed while the app manager was away is told once it answers again, once, with the whole window."""
    away = read(60, {"a": ("1.0", "default")}, read_from="database")
    later = read(120, {**OLD, "x": ("1", "default")}, read_from="rest")
    assert changes(read(0, OLD, read_from="rest"), away, later) == [("event.app.installed", "x", 0, 120)]


def test_app_manager_tells_every_change() -> None:
    """Two lists of the app manager are compared like two of the database."""
    assert changes(read(0, OLD, read_from="rest"), read(60, NEW, read_from="rest")) == changes(
        read(0, OLD), read(60, NEW)
    )


def test_version_that_is_not_known() -> None:
    """An app without a version is told without one; one that becomes known is an update."""
    events, _ = events_between(
        Snapshot(), [read(0, {"a": ("unknown", "")}), read(60, {"a": ("1.0", ""), "b": ("unknown", "")})]
    )
    assert [(event.metric, event.attributes) for event in events] == [
        ("event.app.installed", ()),
        ("event.app.updated", (("to_version", "1.0"),)),
    ]


def test_empty_list_is_a_reading() -> None:
    """A list with no rows and a count of 0 says that all are gone."""
    assert [name for name, *_ in changes(read(0, flags=("f",)), read(60, flags=()))] == ["event.feature_flag.cleared"]


def test_flags_nodes_product_and_jvm() -> None:
    """The other lists: presence of a flag, active nodes, version, start time of the JVM."""
    before = read(0, flags=("f",), nodes={"n": "active", "m": "offline"}, version="9.12", epoch="1")
    after = read(2, flags=("g",), nodes={"n": "offline", "m": "active"}, version="10.3", epoch="2")
    assert changes(before, after) == [
        ("event.feature_flag.set", "g", 0, 2),
        ("event.feature_flag.cleared", "f", 0, 2),
        ("event.node.joined", "m", 0, 2),
        ("event.node.left", "n", 0, 2),
        ("event.product.upgraded", "", 0, 2),
        ("event.jvm.restarted", "", 0, 2),
    ]


def test_unread_epoch_is_no_restart() -> None:
    """While the JVM does not answer nothing is known; the restart is told when it answers again, once."""
    ticks = (read(0, epoch="1"), read(2), read(4, epoch="2"), read(6, epoch="2"))
    assert changes(*ticks) == [("event.jvm.restarted", "", 0, 4)]


def test_snapshot_carries_over() -> None:
    """What one hour ends with is what the next begins with: an agent's restart loses nothing and invents nothing."""
    _, snapshot = events_between(Snapshot(), [read(0, OLD, epoch="1")])
    assert changes(read(60, OLD, epoch="1"), before=snapshot) == []
    assert changes(read(60, {**OLD, "x": ("1", "default")}, epoch="1"), before=snapshot) == [
        ("event.app.installed", "x", 0, 60)
    ]


def test_list_of_another_node_is_forgotten() -> None:
    """While another node of the cluster reads the list, that node tells its events; here it begins anew."""
    elsewhere = read(60, failures=(Failure("app.installed", "other-node"),))
    assert changes(read(0, OLD), elsewhere, read(120, NEW)) == []


def test_bitbucket_state_rows() -> None:
    """A list of deviations: a row that goes means that the app is back at its default."""

    def states(minute: float, **states: str) -> Tick:
        samples = [Sample(Series("apps", "app.state", (("pluginKey", key),)), state) for key, state in states.items()]
        return Tick(at(minute), (*samples, Sample(Series("apps", "app.state.count"), len(states))), ())

    assert changes(states(0, a="disabled", b="enabled"), states(60, c="disabled")) == [
        ("event.app.enabled", "a", 0, 60),
        ("event.app.disabled", "c", 0, 60),
    ]


def row(number: int, minute: float, event: str, **detail: str) -> AuditEntry:
    return AuditEntry(number, at(minute), "root", event, detail)


AUDIT = (
    row(1, -90, "link.made", consent="basic"),
    row(2, 10, "consent.set", old="basic", new="extended"),
    row(3, 20, "bundle.written", file="planted"),
    row(4, 30, "link.removed", way="planted"),
    row(5, 70, "link.made", consent="basic"),
)


def test_acts_of_the_owner() -> None:
    """Linked, unlinked and consent changed come from the audit table, each once, none from before the first look."""
    first, snapshot = audit_events(Snapshot(), AUDIT, HOUR, at(75))
    assert [(event.metric, event.attributes) for event in first] == [
        ("event.agent.consent_changed", (("level", "extended"),)),
        ("event.agent.unlinked", ()),
    ]
    second, snapshot = audit_events(snapshot, AUDIT, Hour(HOUR.end), at(121))
    assert [event.metric for event in second] == ["event.agent.linked"]
    assert audit_events(snapshot, AUDIT, Hour(Hour(HOUR.end).end), at(181)) == ((), snapshot)


def test_act_while_no_hour_was_closed_is_told_late() -> None:
    """A link made while the daemon stood still is told with its own time in the next hour that closes."""
    _, snapshot = audit_events(Snapshot(), AUDIT[:1], HOUR, at(61))
    (event, *_), _ = audit_events(snapshot, AUDIT, Hour(at(240)), at(301))
    assert (event.metric, event.observed_from) == ("event.agent.consent_changed", at(10))


def test_one_restart_is_one_event_when_the_clock_was_set_back() -> None:
    """Ticks are compared in the store's order: labels that mix two starts of a JVM make no event each time."""
    before = [replace(read(minute, epoch="1"), number=n) for n, minute in enumerate(range(0, 30, 2), start=1)]
    after = [replace(read(minute, epoch="2"), number=n) for n, minute in enumerate(range(15, 45, 2), start=50)]
    (event,), _ = events_between(Snapshot(), [*after, *before])
    assert event.metric == "event.jvm.restarted"
    window = dict(event.sample().attributes)
    assert (window["observed_from"], window["observed_to"]) == ("2026-11-22T19:15:00Z", "2026-11-22T19:28:00Z")


def test_no_act_is_lost_when_the_clock_was_set() -> None:
    """Acts go by the table's number: one after the clock was set back is told with the next hour that closes.

    An act that was labelled by a clock far ahead does not hold up the ones after it, and is told within its hour.
    """
    rows = (row(1, 50, "link.made", consent="basic"), row(2, 70, "link.removed"), row(3, 20, "link.made"))
    first, snapshot = audit_events(Snapshot(audit=0), rows, HOUR, at(75))
    assert [event.metric for event in first] == ["event.agent.linked"]
    second, snapshot = audit_events(snapshot, rows, Hour(HOUR.end), at(121))
    assert [event.metric for event in second] == ["event.agent.unlinked", "event.agent.linked"]
    assert snapshot.audit == 3
    others = (row(1, 70, "bundle.written", file="planted"), row(2, 20, "link.made", consent="basic"))
    noticed, _ = audit_events(Snapshot(audit=0), others, HOUR, at(75))
    assert [event.metric for event in noticed] == ["event.agent.linked"], "what is no event holds up none"
    ahead = (row(1, 40 * 1440, "link.made", consent="basic"), row(2, 30, "link.removed"))
    noticed, _ = audit_events(Snapshot(audit=0), ahead, HOUR, at(61))
    assert [(event.metric, event.observed_from) for event in noticed] == [
        ("event.agent.linked", HOUR.start),
        ("event.agent.unlinked", at(30)),
    ]


def test_hour_counts_events() -> None:
    """Two restarts are one row: count 2 and the window over both; expected is what was noticed, nothing failed."""
    ticks = [read(0, epoch="1"), read(2, epoch="2"), read(30), read(32, epoch="3")]
    events, _ = events_between(Snapshot(), ticks)
    (found,) = [
        item
        for item in aggregate(with_events(ticks, events), HOUR, expected=30, kinds=KINDS)
        if item.series.source == "events"
    ]
    assert found.figures == {
        "count": 2,
        "observed_from": "2026-11-22T19:00:00Z",
        "observed_to": "2026-11-22T19:32:00Z",
    }
    assert (found.samples, found.expected, found.failed) == (2, 2, {})


def test_event_is_not_missed_in_the_next_hour() -> None:
    """An hour without the event has no row for it: nobody expects one."""
    event = Event("event.app.removed", at(0), at(10), (("pluginKey", "a"),))
    known = aggregate(with_events([read(0)], [event]), HOUR, expected=30, kinds=KINDS)
    assert [row.series.metric for row in known] == ["event.app.removed"]
    assert aggregate([read(60)], Hour(HOUR.end), expected=30, kinds=KINDS, known=known) == []


def test_every_event_is_in_the_catalog() -> None:
    """What is told has an entry, in every product's catalog."""
    assert {name for name, kind in KINDS.items() if kind is Kind.EVENT} >= {
        metric for metric, *_ in changes(read(0, OLD, epoch="1"), read(60, NEW, epoch="2"))
    } | {"event.agent.linked", "event.agent.unlinked", "event.agent.consent_changed"}
