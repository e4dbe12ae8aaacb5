"""The screen before linking says what leaves, what never does, where to, and how to withdraw."""

from __future__ import annotations

from agent.catalog import load_catalog
from agent.link.consent_text import FieldCount, consent_text, field_counts
from agent.model import Category, ConsentLevel


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


def test_counts_come_from_the_catalog() -> None:
    """Basic counts each metric that leaves under Basic; Extended those that are new or keep a tag Basic does not."""
    catalog = load_catalog("jira")
    counts = field_counts(catalog)
    basic = [metric for metric in catalog.metrics.values() if metric.consent is ConsentLevel.BASIC]
    assert sum(count.basic for count in counts.values()) == len(basic) > 50
    changed = [
        metric
        for metric in catalog.metrics.values()
        if metric.consent is ConsentLevel.EXTENDED
        or (metric in basic and any(rule.basic is not rule.extended for rule in metric.tags.values()))
    ]
    assert sum(count.added for count in counts.values()) == len(changed)
