"""The catalog as it ships."""

from __future__ import annotations

import pytest

from agent.catalog import DataType, TagTreatment, load_catalog, products
from agent.model import ConsentLevel, EntryType

# Tag names that may hold what a person typed: never kept as they are under Basic.
TYPED = ("lock", "server", "query", "path", "task", "template", "context")


@pytest.mark.parametrize("product", products())
def test_loads(product: str) -> None:
    """Every shipped catalog is free of faults and has the common entries."""
    catalog = load_catalog(product)
    assert "jvm.memory.heap.used" in catalog.metrics
    assert "host.memory.total" in catalog.metrics


def test_jira_has_each_kind_of_source() -> None:
    """JMX, guardrails and host each give Jira their type of entry."""
    catalog = load_catalog("jira")
    types = {
        source: {metric.type for metric in catalog.of_source(source)}
        for source in ("jmx", "guardrails", "host", "apps", "events")
    }
    assert types == {
        "jmx": {EntryType.JMX_METRIC},
        "guardrails": {EntryType.GUARDRAILS, EntryType.SYSTEM_METRIC},
        "host": {EntryType.SYSTEM_METRIC},
        "apps": {EntryType.APP_USAGE},
        "events": {EntryType.SYSTEM_EVENT},
    }


@pytest.mark.parametrize("product", products())
def test_typed_text_is_not_kept_under_basic(product: str) -> None:
    """A tag that an admin or user may have typed is hashed or dropped under Basic, an app key at least when private."""
    for metric in load_catalog(product).metrics.values():
        for tag, rule in metric.tags.items():
            if tag in TYPED:
                assert rule.basic in (TagTreatment.HASH, TagTreatment.DROP), metric.name
            if tag == "pluginKey":
                assert rule.basic is TagTreatment.KEEP_PUBLIC, metric.name


@pytest.mark.parametrize("product", products())
def test_basic_never_reads_names(product: str) -> None:
    """Nothing that leaves under Basic is a name."""
    for metric in load_catalog(product).metrics.values():
        assert metric.consent is not ConsentLevel.BASIC or metric.data_type is not DataType.NAME


@pytest.mark.parametrize("product", products())
def test_no_pattern_over_a_whole_domain(product: str) -> None:
    """A pattern names a type at least: reading everything of Jira's domain is a known bug (JRASERVER-72688)."""
    for metric in load_catalog(product).of_source("jmx"):
        assert metric.jmx is not None
        for bean in (metric.jmx.bean, *metric.jmx.or_beans):
            domain, _, rest = bean.partition(":")
            assert "*" not in domain
            assert not rest.startswith("*")
            assert "connection=*" not in rest


@pytest.mark.parametrize("product", products())
def test_references_can_be_followed(product: str) -> None:
    """Each entry names the page its fact is from."""
    for metric in load_catalog(product).metrics.values():
        assert metric.reference.startswith("https://"), metric.name
        assert metric.description.endswith("."), metric.name
