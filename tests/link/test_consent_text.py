"""The screen before linking says what leaves, what never does, where to, and how to withdraw."""

from __future__ import annotations

from dataclasses import replace

import pytest

from agent.catalog import Catalog, DataType, Metric, load_catalog, products
from agent.consent import Leaves, Part, Pseudonyms, Rules, Stays, explain_metric
from agent.link.consent_text import FieldCount, consent_text, field_counts
from agent.model import Category, ConsentLevel, Series

KEY = Pseudonyms(b"k" * 32)


def test_every_category_is_named_with_its_count() -> None:
    """Each of the five categories stands there with the number of metrics that Basic lets out."""
    counts = {category: FieldCount(number, 2) for number, category in enumerate(Category, start=1)}
    text = consent_text(counts, endpoint="https://cloud.example.com", location="eu")
    for number in range(1, 6):
        assert f"({number} metric{'s' if number > 1 else ''})" in text
    assert "(10 metrics new or with such a name)" in text


def test_promises_and_ways_out_are_there() -> None:
    """The screen names both levels, what never leaves, where to, the preview and three ways to withdraw."""
    text = consent_text({}, endpoint="https://cloud.example.com", location=None)
    for words in (
        *("BASIC", "EXTENDED", "NEVER", "e-mail", "display names", "https://cloud.example.com"),
        *("portfolio-agent preview", "catalog show", "consent set basic", "consent set none", "portfolio-agent unlink"),
    ):
        assert words in text
    assert all(len(line) <= 80 for line in text.splitlines())


@pytest.mark.parametrize("product", products())
def test_counts_come_from_the_catalog(product: str) -> None:
    """Basic counts each metric that leaves under Basic; Extended each that is new or says more, in tag or attribute."""
    catalog = load_catalog(product)
    counts = field_counts(catalog)
    basic = [metric for metric in catalog.metrics.values() if explain_metric(metric, ConsentLevel.BASIC).sent]
    assert sum(count.basic for count in counts.values()) == len(basic) > 50
    more = [metric for metric in catalog.metrics.values() if says_more(metric, catalog)]
    added = sum(count.added for count in counts.values())
    assert added == len(more)
    text = consent_text(counts, endpoint="https://cloud.example.com", location=None)
    assert f"({added} metrics new or with such a name)" in text


def says_more(metric: Metric, catalog: Catalog) -> bool:
    """Whether the rules let something of this metric out under Extended that they hash or keep here under Basic."""
    of = Series(metric.source, metric.name, (("pluginKey", "com.quibble.own"),))
    basic, extended = (Rules(catalog, level, KEY) for level in (ConsentLevel.BASIC, ConsentLevel.EXTENDED))
    if isinstance(basic.entry(metric.name), Stays):
        return not isinstance(extended.entry(metric.name), Stays)
    plain = {**metric.tags, **metric.attributes}
    unshaped = replace(
        metric,
        tags={name: replace(rule, shape="") for name, rule in metric.tags.items()},
        attributes={name: replace(rule, shape="") for name, rule in metric.attributes.items()},
    )
    for name, rule in plain.items():
        part = Part.TAG if name in metric.tags else Part.ATTRIBUTE
        text = "2026-01-05T19:00:00Z" if rule.data_type is DataType.INSTANT else "Planted"
        if basic.treat(unshaped, part, name, text, of=of) != extended.treat(unshaped, part, name, text, of=of):
            return isinstance(extended.treat(unshaped, part, name, text, of=of), Leaves)
    return False
