"""The catalog as a document for scripts and as text for people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from agent.catalog import Catalog, Metric, SqlQuery, TagRule
from agent.catalog.model import RESTRICTED, file_name
from agent.consent.explain import explain_metric, figures_of
from agent.model import ConsentLevel

# Where each source looks, in a sysadmin's words; what is not named here looks at the machine.
WHERE = {
    "jmx": "the product's JVM, over JMX",
    "guardrails": "the product's database, one row each",
    "apps": "the product's database, one row an app",
    "flags": "the product's database, one row a flag",
    "links": "the product's database, one row a link",
    "nodes": "the product's database, one row a node",
    "home": "the product's own files",
    "folders": "folders of the product's homes",
    "clientside": "the product's access and apdex logs, line by line; no line is kept",
    "events": "comparing what was read with what was read before",
}
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
        "attributes": [*figures_of(metric.kind), "unit", "samples", "expected", "failed", *metric.attributes],
        "attributeRules": _rules(metric.attributes),
        "tags": _rules(metric.tags),
    }
    if metric.jmx is not None:
        entry["jmx"] = {
            "beans": [metric.jmx.bean, *metric.jmx.or_beans],
            "attribute": metric.jmx.attribute + (f".{metric.jmx.key}" if metric.jmx.key else ""),
            "excluding": list(metric.jmx.excluding),
            "merge": None if metric.jmx.merge is None else str(metric.jmx.merge),
        }
    if metric.sql is not None:
        entry["sql"] = {
            "query": metric.sql.query,
            "column": metric.sql.column,
            "count": metric.sql.count,
            "also": list(metric.sql.queries[1:]),
        }
    if metric.rest is not None:
        entry["rest"] = {"column": "number of apps" if metric.rest.count else metric.rest.column}
    if metric.folder is not None:
        entry["folder"] = {
            "places": [f"{place.home}:{place.path}" for place in metric.folder.places],
            "figure": str(metric.folder.figure),
            "files": list(metric.folder.files),
            "without": list(metric.folder.without),
        }
    if metric.home is not None:
        entry["home"] = str(metric.home)
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
        lines += ["", f"== {source}: {WHERE.get(source, 'this machine')} ({len(own)})"]
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
    lines += [f"    read from:    {place}" for place in _places(entry)]
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
    """One statement as it is said to each database; "for any" stands for those without words of their own."""
    facts = [f"cost {statement['cost']}", statement["versions"]]
    if statement["rows"] > 1:
        how_often = {"hour": "once an hour", "tick": "at each tick"}[statement["every"]]
        facts.append(f"at most {statement['rows']} rows, {how_often}")
    if statement["consent"] == ConsentLevel.EXTENDED:
        facts.append("run under consent extended only")
    lines = [f"== {statement['query']}.sql: {statement['counts']}", f"   {'; '.join(facts)}"]
    for variant, text in statement["sql"].items():
        restricted, _, dialect = ("", "", variant) if not variant.startswith(RESTRICTED) else variant.partition(" ")
        name = file_name(statement["query"], "", restricted=bool(restricted))
        note = " -- where the account may not read the table itself" if restricted else ""
        lines += [f"-- {name} for {dialect or 'any'}{note}", text]
    if statement["estimatedFrom"] is not None:
        lines.append(
            f"-- when it takes too long: the database's own estimate of {statement['estimatedFrom']} stands in"
        )
    for variant, text in statement["planned"].items():
        column, _, dialect = variant.partition(" ")
        name = f"{statement['query']}.sql, column {column}, for {dialect or 'any'}"
        lines += [f"-- {name} -- when it takes too long: explained, never run", text]
    return lines


def _places(entry: dict[str, Any]) -> list[str]:
    if "jmx" in entry:
        jmx = entry["jmx"]
        never = [f"never {pattern}" for pattern in jmx["excluding"]]
        merged = [f"several become one: {jmx['merge']}"] if jmx["merge"] else []
        return [f"MBean {bean} {jmx['attribute']}" for bean in jmx["beans"]] + merged + never
    rest = [f"the app manager over REST ([apps] rest_url), {entry['rest']['column']}"] if "rest" in entry else []
    if "sql" in entry:
        further = [f"{name}.sql" for name in entry["sql"]["also"]]
        column = "the number of rows" if entry["sql"]["count"] else f"column {entry['sql']['column']}"
        return [f"{entry['sql']['query']}.sql, {column}", *further, *rest]
    if rest:
        return rest
    if "folder" in entry:
        folder = entry["folder"]
        only = f" of {', '.join(folder['files'])}" if folder["files"] else ""
        without = f", without {', '.join(folder['without'])}" if folder["without"] else ""
        return [f"{place} of the product's homes: {folder['figure']}{only}{without}" for place in folder["places"]]
    if "home" in entry:
        return [f"the product's own files: {entry['home']}"]
    return [WHERE.get(entry["source"], "this machine")]
