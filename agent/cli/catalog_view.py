"""The catalog as a document for scripts and as text for people."""

from __future__ import annotations

from typing import Any

from agent.catalog import Catalog, Metric
from agent.consent.explain import explain_metric, figures_of
from agent.model import ConsentLevel


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
        document["statements"] = [
            {
                "query": query.name,
                "counts": query.counts,
                "cost": query.cost,
                "consent": str(query.consent),
                "versions": query.versions,
                "sql": {dialect or "any": text for dialect, text in query.texts.items()}
                | {f"restricted {dialect}".rstrip(): text for dialect, text in query.restricted.items()},
                "estimatedFrom": query.estimate.table if query.estimate is not None else None,
            }
            for query in catalog.queries.values()
            if query.name in used
        ]
        document["estimates"] = dict(catalog.estimates)
    return document


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
        "attributes": [*figures_of(metric.kind), "unit", "samples", "expected", "failed", *metric.attributes],
        "tags": {
            name: {"basic": str(rule.basic), "extended": str(rule.extended), "dataType": str(rule.data_type)}
            for name, rule in metric.tags.items()
        },
    }
    if metric.jmx is not None:
        entry["jmx"] = {
            "beans": [metric.jmx.bean, *metric.jmx.or_beans],
            "attribute": metric.jmx.attribute + (f".{metric.jmx.key}" if metric.jmx.key else ""),
            "excluding": list(metric.jmx.excluding),
            "merge": None if metric.jmx.merge is None else str(metric.jmx.merge),
        }
    if metric.sql is not None:
        column = "number of rows" if metric.sql.count else metric.sql.column
        entry["sql"] = {"query": metric.sql.query, "column": column, "also": list(metric.sql.queries[1:])}
    if metric.rest is not None:
        entry["rest"] = {"column": "number of apps" if metric.rest.count else metric.rest.column}
    if metric.folder is not None:
        entry["folder"] = {
            "places": [f"{place.home}:{place.path}" for place in metric.folder.places],
            "figure": str(metric.folder.figure),
        }
    if metric.threshold is not None:
        threshold = metric.threshold
        entry["threshold"] = {"warn": threshold.warn, "limit": threshold.limit, "source": threshold.source}
    return entry


def as_text(document: dict[str, Any]) -> str:
    """The document for a person: one block for each metric, grouped by source."""
    lines = [
        f"{document['product']}: {len(document['metrics'])} metrics "
        f"(consent: {document['consent']}, field list {document['fieldListVersion']})",
    ]
    source = ""
    for entry in document["metrics"]:
        if entry["source"] != source:
            source = entry["source"]
            lines += ["", f"== {source}"]
        lines.append("")
        lines.append(f"{entry['name']}  [{entry['unit']}, {entry['kind']}]  {entry['description']}")
        lines.append(f"    leaves under: {entry['consent']}   data: {entry['dataType']}, {entry['category']}")
        lines += [f"    read from:    {place}" for place in _places(entry)]
        if "threshold" in entry:
            threshold = entry["threshold"]
            warn = "" if threshold["warn"] is None else f"warning at {threshold['warn']:,}, "
            lines.append(f"    threshold:    {warn}limit {threshold['limit']:,} ({threshold['source']})")
        lines += [
            f"    tag {name}: basic {rule['basic']}, extended {rule['extended']} ({rule['dataType']})"
            for name, rule in entry["tags"].items()
        ]
    for statement in document.get("statements", ()):
        for dialect, text in statement["sql"].items():
            lines += ["", f"== {statement['query']} ({dialect}): {statement['counts']}; cost {statement['cost']}", text]
        if statement["estimatedFrom"] is not None:
            lines.append(f"-- too slow: the database's own estimate of {statement['estimatedFrom']} stands in")
    for dialect, text in document.get("estimates", {}).items():
        lines += ["", f"== estimate ({dialect}): about how many rows a table has", text]
    return "\n".join(lines)


def _places(entry: dict[str, Any]) -> list[str]:
    if "jmx" in entry:
        never = [f"never {pattern}" for pattern in entry["jmx"]["excluding"]]
        return [f"{bean} {entry['jmx']['attribute']}" for bean in entry["jmx"]["beans"]] + never
    rest = [f"app manager over REST ([apps] rest_url), {entry['rest']['column']}"] if "rest" in entry else []
    if "sql" in entry:
        further = [f"{name}.sql" for name in entry["sql"]["also"]]
        return [f"{entry['sql']['query']}.sql, column {entry['sql']['column']}", *further, *rest]
    if rest:
        return rest
    if "folder" in entry:
        return [f"{place} below the product's home, {entry['folder']['figure']}" for place in entry["folder"]["places"]]
    return ["comparing what was read"] if entry["source"] == "events" else ["this machine"]
