"""The words of `catalog show` and `catalog check`.

In: a `CatalogView`. Out: text: one block for each metric, grouped by source, then the statements.
"""

from __future__ import annotations

from collections.abc import Iterator

from agent.catalog import Every
from agent.model import ConsentLevel
from agent.views.catalog import CatalogCheckView, CatalogView, MetricRow, StatementRow

LEAVES = {ConsentLevel.NONE: "never, it stays on this machine", ConsentLevel.EXTENDED: "extended only"}
HOW_OFTEN = {Every.HOUR: "once an hour", Every.TICK: "at each tick"}


def render_catalog(view: CatalogView) -> str:
    """The text of `catalog show`."""
    lines = [
        f"{view.product}: {len(view.metrics)} metrics (consent: {view.consent}, field list {view.field_list_version})"
    ]
    for source in dict.fromkeys(metric.source for metric in view.metrics):
        own = [metric for metric in view.metrics if metric.source == source]
        lines += ["", f"== {source}: {own[0].where} ({len(own)})"]
        for metric in own:
            lines += ["", *_block(metric)]
    for statement in view.statements or ():
        lines += ["", *_statement_lines(statement)]
    for estimate in view.estimates or ():
        lines += ["", f"== estimates/{estimate.variant}.sql: about how many rows the table :wanted has", estimate.sql]
    return "\n".join(lines)


def render_catalog_check(view: CatalogCheckView) -> str:
    """The text of `catalog check`."""
    return "\n".join(f"{name}: {count} metrics, every field classified" for name, count in view.metrics.items())


def _block(metric: MetricRow) -> Iterator[str]:
    """One metric."""
    yield f"{metric.name}  [{metric.unit}, {metric.kind}]  {metric.description}"
    yield (
        f"    leaves under: {LEAVES.get(metric.consent, metric.consent)}   "
        f"data: {metric.data_type}, {metric.category}, {metric.type}"
    )
    yield from (f"    read from:    {place}" for place in metric.read_from)
    if (threshold := metric.threshold) is not None:
        warn = "" if threshold.warn is None else f"warning at {threshold.warn:,}, "
        yield f"    threshold:    {warn}limit {threshold.limit:,} ({threshold.source})"
    for word, rules in (("tag", metric.tags), ("attribute", metric.attribute_rules)):
        for name, rule in rules.items():
            yield f"    {word} {name}: basic {rule.basic}, extended {rule.extended} ({rule.data_type})"
    versions = f"; {metric.versions}" if metric.versions else ""
    yield f"    cost {metric.cost}{versions}; fact from {metric.reference}"


def _statement_lines(statement: StatementRow) -> Iterator[str]:
    """One statement as it is said to each database; "for any" stands for those without words of their own."""
    facts = [f"cost {statement.cost}", statement.versions]
    if statement.rows > 1:
        facts.append(f"at most {statement.rows} rows, {HOW_OFTEN[statement.every]}")
    if statement.consent is ConsentLevel.EXTENDED:
        facts.append("run under consent extended only")
    yield f"== {statement.query}.sql: {statement.counts}"
    yield f"   {'; '.join(facts)}"
    for text in statement.texts:
        note = " -- where the account may not read the table itself" if text.restricted else ""
        note = " -- where this version keeps it in another table" if text.after else note
        yield f"-- {text.file} for {text.dialect or 'any'}{note}"
        yield text.sql
    if statement.estimated_from is not None:
        yield f"-- when it takes too long: the database's own estimate of {statement.estimated_from} stands in"
    for planned in statement.planned:
        where = f"{planned.file}, column {planned.column}, for {planned.dialect or 'any'}"
        yield f"-- {where} -- when it takes too long: explained, never run"
        yield planned.sql
