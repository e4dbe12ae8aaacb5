"""The catalog as a document for scripts and as text for people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from agent.catalog import Catalog, Metric, SqlQuery, TagRule, declared_sources
from agent.catalog.queries import RESTRICTED, file_name
from agent.consent.explain import explain_metric, figures_of
from agent.model import ConsentLevel

LEAVES = {"none": "never, it stays on this machine", "extended": "extended only"}


def as_document(catalog: Catalog, level: ConsentLevel | None, *, sql: bool) -> dict[str, Any]:
    """Everything the catalog says, or only what may leave under `level`; `sql` adds the statements' text."""
    metrics = [metric for metric in catalog.metrics.values() if level is None or explain_metric(metric, level).sent]
    used = {name for metric in metrics if metric.sql is not None for name in metric.sql.queries}
    document: dict[str, Any] = {
        "product": catalog.product,
        "fieldListVersion": catalog.field_list_version,
        "consent": "all" if level is None else str(level),
        "metrics": [_metric(metric) for metric in metrics],
    }
    if sql:
        queries = [query for query in catalog.queries.values() if query.name in used and _is_run(query, level)]
        document["statements"] = [_statement(query) for query in queries]
        document["estimates"] = dict(catalog.estimates)
    return document


def _is_run(query: SqlQuery, level: ConsentLevel | None) -> bool:
    return level is None or query.consent is not ConsentLevel.EXTENDED or level is ConsentLevel.EXTENDED


def _statement(query: SqlQuery) -> dict[str, Any]:
    return {
        "query": query.name,
        "counts": query.counts,
        "cost": query.cost,
        "consent": str(query.consent),
        "versions": query.versions,
        "rows": query.rows,
        "every": str(query.every),
        "sql": {dialect or "any": text for dialect, text in query.texts.items()}
        | {f"restricted {dialect}".rstrip(): text for dialect, text in query.restricted.items()},
        "estimatedFrom": query.estimate.table if query.estimate is not None else None,
        "planned": {
            f"{planned.column} {dialect}".rstrip(): text
            for planned in query.planned
            for dialect, text in planned.texts.items()
        },
    }


def _metric(metric: Metric) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "name": metric.name,
        "description": metric.description,
        "source": metric.source,
        "type": str(metric.type),
        "category": str(metric.category),
        "consent": str(metric.consent),
        "dataType": str(metric.data_type),
        "unit": metric.unit,
        "kind": str(metric.kind),
        "cost": metric.cost,
        "versions": metric.versions,
        "reference": metric.reference,
        "readFrom": _read_from(metric),
        "attributes": [*figures_of(metric.kind), "unit", "samples", "expected", "failed", *metric.attributes],
        "attributeRules": _rules(metric.attributes),
        "tags": _rules(metric.tags),
    }
    entry |= {binding.KEY: binding.facts() for binding in metric.bindings}
    if metric.threshold is not None:
        threshold = metric.threshold
        entry["threshold"] = {"warn": threshold.warn, "limit": threshold.limit, "source": threshold.source}
    return entry


def _rules(rules: Mapping[str, TagRule]) -> dict[str, dict[str, str]]:
    return {
        name: {"basic": str(rule.basic), "extended": str(rule.extended), "dataType": str(rule.data_type)}
        for name, rule in rules.items()
    }


def as_text(document: dict[str, Any]) -> str:
    """The document for a person: one block for each metric, grouped by source, then the statements."""
    entries = document["metrics"]
    lines = [
        f"{document['product']}: {len(entries)} metrics "
        f"(consent: {document['consent']}, field list {document['fieldListVersion']})",
    ]
    for source in dict.fromkeys(entry["source"] for entry in entries):
        own = [entry for entry in entries if entry["source"] == source]
        lines += ["", f"== {source}: {declared_sources()[source].where} ({len(own)})"]
        for entry in own:
            lines += ["", *_block(entry)]
    for statement in document.get("statements", ()):
        lines += ["", *_statement_lines(statement)]
    for name, text in document.get("estimates", {}).items():
        lines += ["", f"== estimates/{name}.sql: about how many rows the table :wanted has", text]
    return "\n".join(lines)


def _block(entry: dict[str, Any]) -> list[str]:
    """One metric."""
    lines = [
        f"{entry['name']}  [{entry['unit']}, {entry['kind']}]  {entry['description']}",
        f"    leaves under: {LEAVES.get(entry['consent'], entry['consent'])}   "
        f"data: {entry['dataType']}, {entry['category']}, {entry['type']}",
    ]
    lines += [f"    read from:    {place}" for place in entry["readFrom"]]
    if "threshold" in entry:
        threshold = entry["threshold"]
        warn = "" if threshold["warn"] is None else f"warning at {threshold['warn']:,}, "
        lines.append(f"    threshold:    {warn}limit {threshold['limit']:,} ({threshold['source']})")
    for word, rules in (("tag", entry["tags"]), ("attribute", entry["attributeRules"])):
        lines += [
            f"    {word} {name}: basic {rule['basic']}, extended {rule['extended']} ({rule['dataType']})"
            for name, rule in rules.items()
        ]
    versions = f"; {entry['versions']}" if entry["versions"] else ""
    return [*lines, f"    cost {entry['cost']}{versions}; fact from {entry['reference']}"]


def _statement_lines(statement: dict[str, Any]) -> list[str]:
    """One statement with its variants, each under the name of its file."""
    facts = [f"cost {statement['cost']}", statement["versions"]]
    if statement["rows"] > 1:
        how_often = {"hour": "once an hour", "tick": "at each tick"}[statement["every"]]
        facts.append(f"at most {statement['rows']} rows, {how_often}")
    if statement["consent"] == ConsentLevel.EXTENDED:
        facts.append("run under consent extended only")
    lines = [f"== {statement['query']}.sql: {statement['counts']}", f"   {'; '.join(facts)}"]
    for variant, text in statement["sql"].items():
        restricted, _, dialect = ("", "", variant) if not variant.startswith(RESTRICTED) else variant.partition(" ")
        name = file_name(statement["query"], "" if dialect == "any" else dialect, restricted=bool(restricted))
        note = " -- where the account may not read the table itself" if restricted else ""
        lines += [f"-- {name}{note}", text]
    if statement["estimatedFrom"] is not None:
        lines.append(
            f"-- when it takes too long: the database's own estimate of {statement['estimatedFrom']} stands in"
        )
    for variant, text in statement["planned"].items():
        column, _, dialect = variant.partition(" ")
        name = file_name(f"{statement['query']}.{column}", dialect)
        lines += [f"-- estimates/{name} -- when it takes too long: explained, never run", text]
    return lines


def _read_from(metric: Metric) -> list[str]:
    """Where it is read, in the words of its source."""
    places = [place for binding in metric.bindings for place in binding.read_from()]
    return places or [declared_sources()[metric.source].where]
