"""Explanations agree with the door."""

from __future__ import annotations

import pytest

from agent.catalog import load_catalog
from agent.consent import Pseudonyms, Rules, explain, explain_metric
from agent.model import Consent, ConsentLevel, Kind, Sample, Series
from tests.consent.test_filter import GAUGE, aggregate
from tests.support.door import consented

KEY = Pseudonyms(b"k" * 32)


@pytest.mark.parametrize("level", list(ConsentLevel))
def test_agrees_with_the_filter(level: ConsentLevel) -> None:
    """For every metric of the catalog: said to be sent if and only if the filter lets it out."""
    catalog = load_catalog("jira")
    for metric in catalog.metrics.values():
        figures = {"value": 1} if metric.kind is Kind.INFO else GAUGE
        series = Series(metric.source, metric.name)
        own = aggregate(figures, name=metric.name)
        own = type(own)(series, own.hour, own.figures, 30, 30, {})
        out = consented([own], catalog, Consent(level, catalog.field_list_version), KEY)
        explained = explain(Sample(series, 1), Rules(catalog, level, KEY))
        assert explained.sent is bool(out.records) is explain_metric(metric, level).sent


def test_says_why_not() -> None:
    """What would stay is named with the same rule as the filter names."""
    catalog = load_catalog("jira")
    sample = Sample(Series("jmx", "jvm.memory.heap.used", (("owner", "x"),)), "text")
    explained = explain(sample, Rules(catalog, ConsentLevel.BASIC, KEY))
    assert explained.sent
    assert dict(explained.stays) == {
        "tags.owner": "the tag has no rule in the catalog",
        "value": "text is not allowed in a measurement",
    }
    assert (
        explain(Sample(Series("jmx", "planted"), 1), Rules(catalog, ConsentLevel.BASIC, KEY)).why
        == "it is not in the catalog"
    )


def test_shows_tags_as_they_would_leave() -> None:
    """A hashed tag is shown hashed, so that the preview is no leak either."""
    catalog = load_catalog("jira")
    series = Series("jmx", "jira.mail.outgoing.connected", (("server", "mail.example.com"),))
    explained = explain(Sample(series, 1), Rules(catalog, ConsentLevel.BASIC, KEY))
    assert explained.tags == (("server", KEY.tag("server", "mail.example.com")),)


def test_what_leaves_as_a_hash_is_named() -> None:
    """Tags, attributes and the value: each that would leave as a keyed hash is told, and only those."""
    catalog = load_catalog("jira")
    own = Sample(Series("apps", "app.installed", (("pluginKey", "com.example.own"),)), "1.2", (("name", "Own"),))
    public = Sample(Series("apps", "app.installed", (("pluginKey", "com.atlassian.jira.some"),)), "1.2")
    server = Sample(Series("guardrails", "instance.server_id"), "B000-0000-1111-2222")
    found = [explain(sample, Rules(catalog, ConsentLevel.BASIC, KEY)) for sample in (own, public, server)]
    assert [explained.hashed for explained in found] == [("pluginKey",), (), ("value",)]
    assert dict(found[0].stays).keys() == {"name"}
