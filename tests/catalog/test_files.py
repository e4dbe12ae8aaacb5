"""The catalog as it ships."""

from __future__ import annotations

import pytest

from agent.catalog import DataType, TagTreatment, Threshold, ThresholdState, load_catalog, products
from agent.model import ConsentLevel, EntryType
from agent.sources.jmx.binding import JmxBinding

# Tag names that may hold what a person typed: never kept as they are under Basic.
TYPED = ("lock", "server", "query", "path", "task", "template", "context", "pool", "map")
# Key properties of beans that can hold them: where Jira says nothing else, they are not read at all.
TYPED_PROPERTIES = ("query", "path", "action", "taskName", "templateName", "entityType", "subCategory")


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
        "apps": {EntryType.APP_USAGE, EntryType.SYSTEM_METRIC},
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
        binding = metric.bound(JmxBinding)
        assert binding is not None
        for bean in binding.beans:
            domain, _, rest = bean.partition(":")
            assert "*" not in domain
            assert not rest.startswith("*")
            assert "connection=*" not in rest


@pytest.mark.parametrize("product", products())
def test_references_can_be_followed(product: str) -> None:
    """Each entry names the page its fact is from, or says of which version it was observed; no private repository."""
    for metric in load_catalog(product).metrics.values():
        reference = metric.reference
        assert reference.startswith("https://") or reference.endswith("observed"), metric.name
        if reference.startswith("https://github.com/"):
            assert reference.split("/")[3] in {"atlassian", "atlassian-labs"}, metric.name
        assert metric.description.endswith("."), metric.name


@pytest.mark.parametrize("product", products())
def test_typed_properties_are_not_read(product: str) -> None:
    """What people typed into queries, paths and names of tasks is not even kept in the tick."""
    for metric in load_catalog(product).of_source("jmx"):
        binding = metric.bound(JmxBinding)
        assert binding is not None
        keys = {key.removeprefix("tag.") for key in binding.tags}
        assert not keys & set(TYPED_PROPERTIES), metric.name


@pytest.mark.parametrize("product", products())
def test_open_patterns_have_what_tells_beans_apart(product: str) -> None:
    """A pattern with further properties merges what its tags do not tell apart, or keeps a tag for each."""
    for metric in load_catalog(product).of_source("jmx"):
        binding = metric.bound(JmxBinding)
        assert binding is not None
        if binding.bean.endswith(",*"):
            assert binding.merge is not None or binding.tags, metric.name


@pytest.mark.parametrize("product", products())
def test_slow_counts_say_how_often(product: str) -> None:
    """A count that can slide may say so in its row; one that can be estimated may say that too."""
    catalog = load_catalog(product)
    for metric in catalog.of_source("guardrails"):
        assert metric.sql is not None
        if metric.cost != "S":
            assert metric.attributes["every_s"].data_type is DataType.MEASUREMENT, metric.name
        if metric.sql.column in catalog.queries[metric.sql.query].estimated_columns:
            assert {"method", "as_of"} <= metric.attributes.keys(), metric.name


# Entity -> (approaching from, exceeding above), as the pages that each entry names publish them; of the others none.
PUBLISHED: dict[str, dict[str, tuple[float | None, float]]] = {
    "confluence": {
        "confluence.guardrail.spaces": (8_000, 10_000),
        "confluence.guardrail.spaces.opensearch": (117_965, 131_072),
        "confluence.guardrail.users": (70_000, 100_000),
        "confluence.guardrail.groups": (20_000, 30_000),
        "confluence.guardrail.permissions.per_space.max": (None, 20_000),
        "confluence.guardrail.index.objects": (9_000_000, 11_000_000),
        "confluence.home.local.write.latency": (5, 15),
        "confluence.node.latency.mean": (10, 50),
    },
}
SOME_OF_JIRA: dict[str, tuple[float | None, float]] = {
    "jira.guardrail.projects.active": (5250, 7000),
    "jira.guardrail.users": (75_000, 100_000),
    "jira.guardrail.epics": (None, 100_000),
    "jira.guardrail.links.per_issue.incoming.max": (None, 1000),
}


def published(product: str) -> dict[str, tuple[float | None, float]]:
    """The thresholds of a product's catalog."""
    metrics = load_catalog(product).metrics.values()
    return {one.name: (one.threshold.warn, one.threshold.limit) for one in metrics if one.threshold is not None}


@pytest.mark.parametrize("product", products())
def test_published_numbers(product: str) -> None:
    """Of Confluence exactly the published ones, of Jira's some, of the others what is written here."""
    if product == "jira":
        assert SOME_OF_JIRA.items() <= published(product).items()
    else:
        assert published(product) == PUBLISHED.get(product, {})


def test_jira_covers_its_apps() -> None:
    """Jira, Service Management and Assets each have their counts."""
    catalog = load_catalog("jira")
    names = [metric.name.partition(".guardrail.")[0] for metric in catalog.of_source("guardrails")]
    assert names.count("jira") > 60
    assert names.count("jsm") > 10
    assert names.count("assets") >= 8


@pytest.mark.parametrize(
    ("value", "level"),
    [
        (0, ThresholdState.OPTIMAL),
        (9, ThresholdState.OPTIMAL),
        (10, ThresholdState.APPROACHING),
        (20, ThresholdState.APPROACHING),
        (21, ThresholdState.EXCEEDING),
    ],
)
def test_levels(value: float, level: ThresholdState) -> None:
    """At the warning it approaches, at the limit still; only above it exceeds."""
    assert Threshold(20, "https://example.com", 10).state(value) is level


def test_levels_of_spaces() -> None:
    """As its entry has it: fewer than 8,000 is optimal, more than 10,000 exceeding, what lies between approaches."""
    threshold = load_catalog("confluence").metrics["confluence.guardrail.spaces"].threshold
    assert threshold is not None
    states = [threshold.state(spaces) for spaces in (7_999, 8_000, 10_000, 10_001)]
    assert states == ["optimal", "approaching", "approaching", "exceeding"]


def test_without_a_warning_nothing_approaches() -> None:
    """Only a limit is published for some: up to it all is well."""
    assert Threshold(0, "https://example.com").state(0) is ThresholdState.OPTIMAL
    assert Threshold(0, "https://example.com").state(1) is ThresholdState.EXCEEDING
