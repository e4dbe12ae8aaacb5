"""`catalog show` and `catalog check` as views: everything that is read, and under which consent it may leave.

In:   the catalog, and a level to show only what may leave under it. Out: `CatalogView` or `CatalogCheckView`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from agent.catalog import (
    Catalog,
    CatalogError,
    DataType,
    Every,
    Metric,
    SqlQuery,
    TagRule,
    TagTreatment,
    declared_sources,
    load_catalog,
)
from agent.catalog.binding import Fact
from agent.catalog.check import check_all
from agent.catalog.model import AFTER, RESTRICTED, file_name
from agent.consent.explain import explain_metric, figures_of
from agent.model import Category, ConsentLevel, EntryType, Kind


@dataclass(frozen=True, slots=True)
class FieldRule:
    """What happens to one tag or attribute under each level."""

    basic: TagTreatment
    extended: TagTreatment
    data_type: DataType


@dataclass(frozen=True, slots=True)
class ThresholdRow:
    """Published numbers and their page; `warn` is null where only a limit is published."""

    warn: float | None
    limit: float
    source: str


@dataclass(frozen=True, slots=True)
class MetricRow:
    """One entry. `where` is where its source looks, `read_from` the places it is read from, `bindings` their facts.

    `attributes` are all an hourly entry may have; `attribute_rules` and `tags` those that consent decides one by one.
    """

    name: str
    description: str
    source: str
    where: str
    type: EntryType
    category: Category
    consent: ConsentLevel
    data_type: DataType
    unit: str
    kind: Kind
    cost: str
    versions: str
    reference: str
    read_from: tuple[str, ...]
    bindings: Mapping[str, Mapping[str, Fact]]
    threshold: ThresholdRow | None
    attributes: tuple[str, ...]
    attribute_rules: Mapping[str, FieldRule]
    tags: Mapping[str, FieldRule]


@dataclass(frozen=True, slots=True)
class StatementText:
    """One variant of a statement: its file, the dialect ("" for every other one), the text that is run.

    `restricted`: run where the account may not read the table itself. `after`: run where the product has moved what
    it reads.
    """

    file: str
    dialect: str
    restricted: bool
    after: bool
    sql: str


@dataclass(frozen=True, slots=True)
class PlannedText:
    """A statement of which the planner is asked how many rows it would give; explained, never run."""

    file: str
    column: str
    dialect: str
    sql: str


@dataclass(frozen=True, slots=True)
class StatementRow:
    """One question to the database. `rows`: the most that are taken; `estimated_from`: a table whose size stands in."""

    query: str
    counts: str
    cost: str
    consent: ConsentLevel
    versions: str
    rows: int
    every: Every
    texts: tuple[StatementText, ...]
    estimated_from: str | None
    planned: tuple[PlannedText, ...]


@dataclass(frozen=True, slots=True)
class EstimateText:
    """How one dialect is asked about how many rows a table has; `variant` is its file's name without the ending."""

    variant: str
    sql: str


@dataclass(frozen=True, slots=True)
class CatalogView:
    """The catalog of one product; `consent` is "all" or the level it was narrowed to.

    `statements` and `estimates` are null unless they were asked for.
    """

    product: str
    field_list_version: str
    consent: str
    metrics: tuple[MetricRow, ...]
    statements: tuple[StatementRow, ...] | None
    estimates: tuple[EstimateText, ...] | None


@dataclass(frozen=True, slots=True)
class CatalogCheckView:
    """The number of metrics by product; every field of each is classified."""

    metrics: Mapping[str, int]


def read_catalog(product: str, level: ConsentLevel | None, *, sql: bool) -> CatalogView:
    """Everything the catalog says, or only what may leave under `level`; `sql` adds the statements' text.

    Raises CatalogError when there is no such product or its files have a fault.
    """
    return catalog_view(load_catalog(product), level, sql=sql)


def catalog_view(catalog: Catalog, level: ConsentLevel | None, *, sql: bool) -> CatalogView:
    """A loaded catalog as a view."""
    metrics = [metric for metric in catalog.metrics.values() if level is None or explain_metric(metric, level).sent]
    used = {name for metric in metrics if metric.sql is not None for name in metric.sql.queries}
    queries = [query for query in catalog.queries.values() if query.name in used and _is_run(query, level)]
    return CatalogView(
        product=catalog.product,
        field_list_version=catalog.field_list_version,
        consent="all" if level is None else level.value,
        metrics=tuple(_metric(metric) for metric in metrics),
        statements=tuple(statement_row(query) for query in queries) if sql else None,
        estimates=tuple(EstimateText(name, text) for name, text in catalog.estimates.items()) if sql else None,
    )


def check_catalog() -> CatalogCheckView:
    """Whether every field of every product is classified, as the build checks. Raises CatalogError with every fault."""
    counts, faults = check_all()
    if faults:
        raise CatalogError(
            "The catalog is not complete.", faults, do="Install the agent again; its files were changed."
        )
    return CatalogCheckView(counts)


def _is_run(query: SqlQuery, level: ConsentLevel | None) -> bool:
    return level is None or query.consent is not ConsentLevel.EXTENDED or level is ConsentLevel.EXTENDED


def statement_row(query: SqlQuery) -> StatementRow:
    """One question to the database with every text it may be asked in."""
    kinds = (("", query.texts), (RESTRICTED, query.restricted), (AFTER, query.after))
    variants = [(text, dialect, kind) for kind, texts in kinds for dialect, text in texts.items()]
    return StatementRow(
        query=query.name,
        counts=query.counts,
        cost=query.cost,
        consent=query.consent,
        versions=query.versions,
        rows=query.rows,
        every=query.every,
        texts=tuple(
            StatementText(file_name(query.name, "", kind), dialect, kind == RESTRICTED, kind == AFTER, text)
            for text, dialect, kind in variants
        ),
        estimated_from=query.estimate.table if query.estimate is not None else None,
        planned=tuple(
            PlannedText(f"{query.name}.sql", one.column, dialect, text)
            for one in query.planned
            for dialect, text in one.texts.items()
        ),
    )


def _metric(metric: Metric) -> MetricRow:
    threshold = metric.threshold
    return MetricRow(
        name=metric.name,
        description=metric.description,
        source=metric.source,
        where=declared_sources()[metric.source].where,
        type=metric.type,
        category=metric.category,
        consent=metric.consent,
        data_type=metric.data_type,
        unit=metric.unit,
        kind=metric.kind,
        cost=metric.cost,
        versions=metric.versions,
        reference=metric.reference,
        read_from=read_places(metric),
        bindings={binding.KEY: binding.facts() for binding in metric.bindings},
        threshold=None if threshold is None else ThresholdRow(threshold.warn, threshold.limit, threshold.source),
        attributes=(*figures_of(metric.kind), "unit", "samples", "expected", "failed", *metric.attributes),
        attribute_rules=_rules(metric.attributes),
        tags=_rules(metric.tags),
    )


def _rules(rules: Mapping[str, TagRule]) -> dict[str, FieldRule]:
    return {name: FieldRule(rule.basic, rule.extended, rule.data_type) for name, rule in rules.items()}


def read_places(metric: Metric) -> tuple[str, ...]:
    """Where it is read, in the words of its source."""
    places = tuple(place for binding in metric.bindings for place in binding.read_from())
    return places or (declared_sources()[metric.source].where,)
