"""The field list's version covers all that decides what may leave, and nothing else."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace

import pytest

from agent.catalog import Catalog, DataType, Metric, TagRule, TagTreatment, load_catalog
from agent.catalog.field_list import FIGURES, RULES_EDITION, field_list_version
from agent.model import Category, ConsentLevel, EntryType, Kind
from agent.reasons import REASONS

JIRA = load_catalog("jira")
Change = Callable[[Metric], Metric]


def version(catalog: Catalog) -> str:
    return field_list_version(catalog.metrics.values(), catalog.public_apps, catalog.private_apps)


def changed(change: Change, name: str = "app.installed") -> Catalog:
    return replace(JIRA, metrics={**JIRA.metrics, name: change(JIRA.metrics[name])})


def with_tag(**facts: object) -> Change:
    def change(metric: Metric) -> Metric:
        return replace(metric, tags={name: replace(rule, **facts) for name, rule in metric.tags.items()})  # type: ignore[arg-type] # facts of a rule

    return change


def with_attribute(name: str, **facts: object) -> Change:
    def change(metric: Metric) -> Metric:
        rule = replace(metric.attributes[name], **facts)  # type: ignore[arg-type] # facts of a rule
        return replace(metric, attributes={**metric.attributes, name: rule})

    return change


def without_shapes(metric: Metric) -> Metric:
    return with_tag(shape="")(
        replace(metric, shape="", attributes={n: replace(r, shape="") for n, r in metric.attributes.items()})
    )


def test_the_catalog_names_this_version() -> None:
    """What a catalog calls itself is the version of what it holds."""
    assert JIRA.field_list_version == version(JIRA)


def test_opening_every_text_shape_is_another_list() -> None:
    """A catalog whose texts may look like anything is not the one that was consented to."""
    opened = {name: without_shapes(metric) for name, metric in JIRA.metrics.items()}
    assert version(replace(JIRA, metrics=opened)) != version(JIRA)


NEW_RULE = TagRule(TagTreatment.KEEP, TagTreatment.KEEP, DataType.STATE)


@pytest.mark.parametrize(
    "change",
    [
        lambda metric: replace(metric, shape=r"\d+"),
        lambda metric: replace(metric, consent=ConsentLevel.EXTENDED),
        lambda metric: replace(metric, data_type=DataType.NAME),
        lambda metric: replace(metric, kind=Kind.GAUGE),
        lambda metric: replace(metric, type=EntryType.SYSTEM_METRIC),
        lambda metric: replace(metric, source="flags"),
        lambda metric: replace(metric, unit="s"),
        lambda metric: replace(metric, tags={**metric.tags, "planted": NEW_RULE}),
        lambda metric: replace(metric, attributes={**metric.attributes, "planted": NEW_RULE}),
        lambda metric: replace(metric, tags={}),
        with_tag(basic=TagTreatment.KEEP),
        with_tag(extended=TagTreatment.HASH),
        with_tag(data_type=DataType.NAME),
        with_tag(shape=".*"),
        with_attribute("name", basic=TagTreatment.KEEP),
        with_attribute("name", extended=TagTreatment.DROP),
        with_attribute("name", shape=".*"),
        with_attribute("name", data_type=DataType.STATE),
    ],
)
def test_each_fact_that_decides_is_in_it(change: Change) -> None:
    """Consent, kind, types, treatments, shapes, tags and attributes of a single entry: each changes the version."""
    assert version(changed(change)) != version(JIRA)


@pytest.mark.parametrize(
    "change",
    [
        lambda metric: replace(metric, description="other words"),
        lambda metric: replace(metric, reference="https://example.com/other"),
        lambda metric: replace(metric, category=Category.OPERATIONAL),
        lambda metric: replace(metric, cost="XL", versions="10.3"),
        lambda metric: replace(metric, bindings=()),
    ],
)
def test_what_decides_nothing_is_not_in_it(change: Change) -> None:
    """Words, costs and where a figure is read may be mended without asking the owner again."""
    assert version(changed(change)) == version(JIRA)


def test_lists_beside_the_entries_are_in_it() -> None:
    """Public and private apps, the look of an app's key, figures of a kind, reasons, and the edition of the rules."""
    metrics = tuple(JIRA.metrics.values())
    more = {**FIGURES, Kind.GAUGE: FIGURES[Kind.GAUGE] | {"p99"}}
    versions = [
        field_list_version(metrics),
        field_list_version(metrics, ("com.example.",)),
        field_list_version(metrics, (), ("com.example.",)),
        field_list_version(metrics, figures=more),
        field_list_version(metrics, reasons=REASONS | {"planted"}),
        field_list_version(metrics, app_key=".*"),
        field_list_version(metrics, edition=RULES_EDITION + 1),
        field_list_version(metrics[1:]),
    ]
    assert len(set(versions)) == len(versions)


def test_order_does_not_matter() -> None:
    """Entries, tags, attributes and apps in another order are the same list."""

    def shuffled(rules: dict[str, TagRule]) -> dict[str, TagRule]:
        return dict(random.sample(list(rules.items()), len(rules)))

    metrics = [
        replace(metric, tags=shuffled(dict(metric.tags)), attributes=shuffled(dict(metric.attributes)))
        for metric in reversed(JIRA.metrics.values())
    ]
    assert field_list_version(metrics, JIRA.public_apps[::-1], JIRA.private_apps[::-1]) == version(JIRA)
