"""What may be stored: names are hashed or gone before a tick reaches the store, by the rules of the way out."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from agent.catalog import Catalog, Merge, Metric, TagRule, TagTreatment, load_catalog
from agent.consent import Concealer, NoPseudonyms, Pseudonyms
from agent.model import (
    Consent,
    ConsentLevel,
    Failure,
    Hour,
    HourlyAggregate,
    Outcome,
    Sample,
    Series,
    SourceReport,
    Tick,
)
from agent.sources.jmx.binding import JmxBinding
from tests.support.door import consented

NOW = datetime(2026, 11, 22, 19, 10, tzinfo=UTC)
HOUR = Hour(datetime(2026, 11, 22, 19, tzinfo=UTC))
JIRA = load_catalog("jira")
PSEUDONYMS = Pseudonyms(b"k" * 32)
BASIC, EXTENDED = ConsentLevel.BASIC, ConsentLevel.EXTENDED
APP = Series("apps", "app.installed", (("pluginKey", "com.quibble.payroll"),))
LOCK = Series(
    "jmx", "jira.cluster.lock.held.count", (("lock", "Erika's lock"), ("pluginKey", "com.atlassian.jira.some"))
)


def tick(*samples: Sample, failures: tuple[Failure, ...] = ()) -> Tick:
    sources = sorted({sample.series.source for sample in samples} or {"jmx"})
    return Tick(NOW, samples, tuple(SourceReport(name, Outcome.OK, len(samples), failures) for name in sources))


def concealed(*samples: Sample, level: ConsentLevel = BASIC, catalog: Catalog = JIRA) -> tuple[Sample, ...]:
    return Concealer(catalog).conceal(tick(*samples), level, PSEUDONYMS).samples


def tags_that_leave(sample: Sample, level: ConsentLevel) -> dict[str, object]:
    """Tags of the record that this sample's hour becomes."""
    row = HourlyAggregate(sample.series, HOUR, {"value": sample.value, "last": 1}, 1, 1, {}, sample.hashed)
    return dict(consented([row], JIRA, Consent(level, "f"), PSEUDONYMS).records[0].tags)


@pytest.mark.parametrize("level", [BASIC, EXTENDED])
def test_what_leaves_is_the_same_as_without_it(level: ConsentLevel) -> None:
    """One name has one pseudonym: hashed before the store or at the door, never a hash of a hash."""
    for sample in (Sample(APP, "2.1"), Sample(LOCK, 4)):
        (stored,) = concealed(sample, level=level)
        assert tags_that_leave(stored, level) == tags_that_leave(sample, level)
        (twice,) = concealed(stored, level=level)
        assert twice == stored


def test_private_names_are_hashed_and_public_ones_kept() -> None:
    """Under Basic a private app's key and a lock's name are marked pseudonyms, a public app's key stays."""
    app, lock = concealed(Sample(APP, "2.1"), Sample(LOCK, 4))
    assert app.series.hashed == ("pluginKey",)
    assert app.series.tags == (("pluginKey", PSEUDONYMS.app("com.quibble.payroll")),)
    assert lock.series.hashed == ("lock",)
    assert dict(lock.series.tags)["pluginKey"] == "com.atlassian.jira.some"
    assert "Erika" not in repr((app, lock))


def test_extended_keeps_what_it_allows() -> None:
    """Under Extended app keys are readable, a lock's name is not."""
    app, lock = concealed(Sample(APP, "2.1", (("name", "Payroll"),)), Sample(LOCK, 4), level=EXTENDED)
    assert app.series == APP
    assert app.attributes == (("name", "Payroll"),)
    assert lock.series.hashed == ("lock",)


def test_lowering_hashes_what_is_plain() -> None:
    """A tick stored under Extended becomes under Basic what it would have been at once."""
    samples = (Sample(APP, "2.1", (("name", "Payroll"), ("state", "enabled"))), Sample(LOCK, 4))
    under_extended = concealed(*samples, level=EXTENDED)
    assert concealed(*under_extended) == concealed(*samples)
    assert tags_that_leave(under_extended[0], BASIC) == tags_that_leave(samples[0], BASIC)


@pytest.mark.parametrize("look", [PSEUDONYMS.app("com.quibble.payroll"), "h-0123456789abcdef", "n-0123456789abcdef"])
def test_what_looks_like_a_pseudonym_is_a_name(look: str) -> None:
    """A hostile key of that shape is hashed like any other, in the store and at the door."""
    series = replace(APP, tags=(("pluginKey", look),))
    (stored,) = concealed(Sample(series, "1"))
    assert stored.series.tags != series.tags
    assert tags_that_leave(Sample(series, "1"), BASIC) == dict(stored.series.tags)


def test_a_mark_on_something_else_is_not_believed() -> None:
    """A tag that is marked as a pseudonym and is none is hashed: a damaged store cannot let a name out."""
    marked = replace(APP, hashed=("pluginKey",))
    assert tags_that_leave(Sample(marked, "1"), BASIC) == {"pluginKey": PSEUDONYMS.app("com.quibble.payroll")}


def test_a_hashed_app_is_never_public() -> None:
    """A name that goes with public apps only does not go with a hashed key."""
    (stored,) = concealed(Sample(APP, "1", (("name", "Payroll"),)))
    assert stored.attributes == ()
    (public,) = concealed(Sample(replace(APP, tags=(("pluginKey", "com.atlassian.jira.x"),)), "1", (("name", "X"),)))
    assert public.attributes == (("name", "X"),)


def test_values_are_treated_like_tags() -> None:
    """The server ID is stored as its hash, the one that leaves; a link's name is gone, text in a number's place too."""
    server = Sample(Series("guardrails", "instance.server_id"), "BDEM-0JIR-A000-TEST")
    link = Sample(
        Series("links", "link.application", (("serverId", "id-1"),)), "https://a.example.com", (("name", "Erika"),)
    )
    text = Sample(Series("guardrails", "jira.guardrail.issues"), "Erika")
    stored = Concealer(JIRA).conceal(tick(server, link, text), BASIC, PSEUDONYMS)
    assert [sample.series.metric for sample in stored.samples] == ["instance.server_id", "link.application"]
    assert stored.samples[0].hashed == ("value",)
    assert stored.samples[1].attributes == ()
    assert concealed(*stored.samples) == stored.samples
    assert [failure.reason for report in stored.reports for failure in report.failures] == ["unexpected-text"]
    row = [
        HourlyAggregate(item.series, HOUR, {"value": item.value}, 1, 1, {}, item.hashed)
        for item in (server, stored.samples[0])
    ]
    plain, hashed = consented(row, JIRA, Consent(BASIC, "f"), PSEUDONYMS).records
    assert plain.attributes == hashed.attributes


def test_text_of_another_shape_is_not_kept() -> None:
    """Where a version or one of the product's words belongs, a person's name is hashed or left out."""
    version = Sample(Series("guardrails", "product.version"), "Erika Mustermann")
    connector = Sample(Series("jmx", "tomcat.threads.busy", (("connector", "http-nio-192.0.2.7-8080"),)), 3)
    plain = Sample(Series("jmx", "tomcat.threads.busy", (("connector", "http-nio-8080"),)), 3)
    stored = concealed(version, connector, plain)
    assert len(stored) == 2
    assert stored[0].series.hashed == ("connector",)
    assert stored[1] == plain


def test_without_the_key_private_series_are_left_out() -> None:
    """While the key cannot be read, what would be hashed is dropped with its reason; numbers and public keys stay."""
    public = Sample(replace(APP, tags=(("pluginKey", "com.atlassian.jira.x"),)), "1")
    heap = Sample(Series("jmx", "jvm.memory.heap.used"), 1)
    quoted = Failure("jvm.threads.count", "remote-failure", "bean Erika: no", ((5, 10),))
    samples = tick(Sample(APP, "1"), public, heap, Sample(LOCK, 1), failures=(quoted,))
    stored = Concealer(JIRA).conceal(samples, BASIC, NoPseudonyms())
    assert stored.samples == (public, heap)
    assert {report.outcome for report in stored.reports} == {Outcome.PARTIAL}
    reasons = {failure.metric: failure.reason for report in stored.reports for failure in report.failures}
    assert reasons["app.installed"] == reasons[LOCK.metric] == "key-away"
    assert "Erika" not in repr(stored)


def test_quoted_parts_of_details_are_hashed_under_every_level() -> None:
    """What a failure quotes is replaced, our own words around it stay; a second time changes nothing."""
    failure = Failure("x", "cut", "leaves out type=Erika and type=Zita.", ((11, 21), (26, 35)))
    for level in (BASIC, EXTENDED):
        stored = Concealer(JIRA).conceal(tick(failures=(failure,)), level, PSEUDONYMS)
        (told,) = stored.reports[0].failures
        assert told.detail.startswith("leaves out h-")
        assert told.detail.endswith(".")
        assert "Erika" not in told.detail
        assert "Zita" not in told.detail
        assert Concealer(JIRA).conceal(stored, level, PSEUDONYMS) == stored


def dropping(merge: Merge | None) -> Catalog:
    """A catalog in which the lock's name is dropped under Basic."""
    metric = JIRA.metrics[LOCK.metric]
    rule = TagRule(TagTreatment.DROP, TagTreatment.KEEP, metric.tags["lock"].data_type)
    jmx = metric.bound(JmxBinding) or JmxBinding("", "")
    changed = replace(metric, tags={**metric.tags, "lock": rule}, bindings=(replace(jmx, merge=merge),))
    return replace(JIRA, metrics={**JIRA.metrics, LOCK.metric: changed})


@pytest.mark.parametrize(("merge", "value"), [(Merge.SUM, 7), (Merge.MAX, 4), (None, 3)])
def test_series_that_become_equal_follow_the_entry(merge: Merge | None, value: int) -> None:
    """Added, the highest, or, without a rule, the first by name with the failure "ambiguous"; never silently summed."""
    other = replace(LOCK, tags=(("lock", "A lock"), LOCK.tags[1]))
    stored = Concealer(dropping(merge)).conceal(tick(Sample(LOCK, 4), Sample(other, 3)), BASIC, PSEUDONYMS)
    assert [(sample.value, sample.series.tags) for sample in stored.samples] == [(value, (LOCK.tags[1],))]
    failures = [failure.reason for failure in stored.reports[0].failures]
    assert failures == ([] if merge else ["ambiguous"])


@pytest.mark.parametrize("level", [BASIC, EXTENDED])
def test_what_was_concealed_before_is_not_copied(level: ConsentLevel) -> None:
    """An hour of stored ticks lies in memory while it is closed: what does not change stays the same object."""
    stored = Concealer(JIRA).conceal(tick(Sample(APP, "1.0"), Sample(LOCK, 3)), level, PSEUDONYMS)
    assert Concealer(JIRA).conceal(stored, level, PSEUDONYMS) is stored


def test_a_metric_that_never_leaves_is_stored_as_read() -> None:
    """What the catalog says is read and never leaves lies plain in the store, and nothing else; Extended waits."""

    def with_consent(level: ConsentLevel) -> Catalog:
        changed: Metric = replace(JIRA.metrics[LOCK.metric], consent=level)
        return replace(JIRA, metrics={**JIRA.metrics, LOCK.metric: changed})

    assert concealed(Sample(LOCK, 4), catalog=with_consent(ConsentLevel.NONE)) == (Sample(LOCK, 4),)
    assert concealed(Sample(LOCK, 4), catalog=with_consent(EXTENDED)) == ()
    forgotten = Series("jmx", "no.such.metric", (("a", "Erika"),))
    assert concealed(Sample(forgotten, 4)) == (Sample(Series("jmx", "no.such.metric"), 4),)
    assert concealed(Sample(forgotten, "Erika")) == ()
