"""The catalogs of all products as one page for people: `docs/what-we-collect.md` is made of nothing else.

In:   the catalog files. Out: Markdown, the same bytes for the same catalogs, so that a test can tell a stale page.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Iterator
from importlib import resources
from importlib.resources.abc import Traversable
from itertools import groupby
from pathlib import Path

from agent.catalog.compiled import COMMON, load_catalog, products
from agent.catalog.declaration import declared_sources
from agent.catalog.model import Catalog, Metric
from agent.model import Category, ConsentLevel, EntryType

HEAD = """\
# What we collect

Made from the catalog files by `scripts/docs`; do not edit it. The same with every statement in full:
`portfolio-agent catalog show --sql`. Nothing that is not listed here is read from a product or leaves the building.

Every row leaves as hourly figures: a gauge as min, max, mean, last, p50 and p95; a counter as its increase, resets and
last value; an info as its value. *Consent* says from which level on a row leaves: `basic`, `extended`, or `none` (read
here, never leaves). A tag is kept, hashed under this instance's own key, or dropped, as said for each level.
"""
NOT_COLLECTED = "not_collected.toml"
CONSENT_WORDS = {ConsentLevel.NONE: "none", ConsentLevel.BASIC: "basic", ConsentLevel.EXTENDED: "extended"}


def render_document(root: Path | None = None) -> str:
    """The whole page; raises CatalogError when a catalog has a fault."""
    catalogs = {product: load_catalog(product, root) for product in products(root)}
    first = next(iter(catalogs.values()))
    shared = {name for name in first.metrics if all(_same(name, first, catalog) for catalog in catalogs.values())}
    lines = [HEAD, *_summary(catalogs, shared), *_sources(catalogs)]
    lines += _product(
        "Common to all products", first, [first.metrics[name] for name in first.metrics if name in shared]
    )
    for product, catalog in catalogs.items():
        own = [metric for name, metric in catalog.metrics.items() if name not in shared]
        lines += _product(product.capitalize(), catalog, own)
    lines += _not_collected(resources.files("agent.catalog") if root is None else root)
    return "\n".join(lines) + "\n"


def _same(name: str, one: Catalog, other: Catalog) -> bool:
    """Whether both have this entry from the same place; products may share a name and differ in where it is read."""
    metric = one.metrics[name]
    queries = metric.sql.queries if metric.sql is not None else ()
    return metric == other.metrics.get(name) and all(one.queries[query] == other.queries[query] for query in queries)


def _not_collected(root: Traversable | Path) -> Iterator[str]:
    """What is looked for in vain, from a file of its own; a folder of catalogs without one has no such chapter."""
    file = root / NOT_COLLECTED
    if not file.is_file():
        return
    yield "\n## Not collected\n"
    yield "| what | products | why | instead |"
    yield "|---|---|---|---|"
    for item in tomllib.loads(file.read_text(encoding="utf-8"))["item"]:
        yield f"| {item['what']} | {', '.join(item['products'])} | {item['why']} | {item['instead']} |"


def _summary(catalogs: dict[str, Catalog], shared: set[str]) -> Iterator[str]:
    yield "| product | " + " | ".join(EntryType) + " | field list |"
    yield "|---|" + "---:|" * len(EntryType) + "---|"
    first = next(iter(catalogs.values()))
    rows = [(COMMON, [first.metrics[name] for name in sorted(shared)], "")]
    rows += [
        (
            product,
            [metric for name, metric in catalog.metrics.items() if name not in shared],
            catalog.field_list_version,
        )
        for product, catalog in catalogs.items()
    ]
    for name, metrics, version in rows:
        counts = (str(sum(metric.type is kind for metric in metrics)) for kind in EntryType)
        yield f"| {name} | {' | '.join(counts)} | {version} |"


def _sources(catalogs: dict[str, Catalog]) -> Iterator[str]:
    """A map of the sources: where each looks, which node of a cluster reads it, how many entries each product has."""
    yield "\n## Sources\n"
    yield "| source | looks at | in a cluster | code | " + " | ".join(catalogs) + " |"
    yield "|---|---|---|---|" + "---:|" * len(catalogs)
    for name, source in declared_sources().items():
        who = "one node for all" if source.declaration.once_per_cluster else "each node"
        code = source.package.replace(".", "/")
        counts = (str(len(catalog.of_source(name))) for catalog in catalogs.values())
        yield f"| `{name}` | {source.where} | {who} | `{code}/` | {' | '.join(counts)} |"


def _product(title: str, catalog: Catalog, metrics: Iterable[Metric]) -> Iterator[str]:
    yield f"\n## {title}"
    types, categories = list(EntryType), list(Category)

    def place(metric: Metric) -> tuple[int, int]:
        return types.index(metric.type), categories.index(metric.category)

    for (kind, category), group in groupby(sorted(metrics, key=place), key=place):
        yield f"\n### {types[kind]}, {categories[category]}\n"
        yield "| name | what | consent | data | unit, kind | read from | tags (basic, extended) |"
        yield "|---|---|---|---|---|---|---|"
        yield from (_row(metric, catalog) for metric in group)


def _row(metric: Metric, catalog: Catalog) -> str:
    tags = "; ".join(f"{name}: {rule.basic}, {rule.extended}" for name, rule in metric.tags.items())
    what = f"{metric.description} {_reference(metric.reference)}"
    if metric.versions:
        what += f" ({metric.versions})"
    cells = (
        f"`{metric.name}`",
        what,
        CONSENT_WORDS[metric.consent],
        str(metric.data_type),
        f"{metric.unit}, {metric.kind}",
        "; ".join(_places(metric, catalog)),
        tags or "none",
    )
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _reference(text: str) -> str:
    """A page as a link, what was observed as words."""
    return f"[source]({text})" if text.startswith("https://") else f"({text})"


def _places(metric: Metric, catalog: Catalog) -> Iterator[str]:
    """Where it is read, in the words of its source."""
    counts = {name: query.counts for name, query in catalog.queries.items()}
    for binding in metric.bindings:
        yield from binding.read_from_on_page(counts)
    if not metric.bindings:
        yield declared_sources()[metric.source].declaration.page or metric.source
