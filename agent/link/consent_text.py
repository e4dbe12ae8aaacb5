"""The screen a person reads before agreeing: what leaves under each level, what never does, where to, how to withdraw.

In:  how many metrics of each category the catalog lets out under each level. Out: plain text, 80 columns.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from agent.catalog.model import Catalog
from agent.model import Category, ConsentLevel


@dataclass(frozen=True, slots=True)
class FieldCount:
    """Metrics of one category: that leave under Basic, and that are new or say more under Extended."""

    basic: int
    added: int


_WORDS: Mapping[Category, tuple[str, str]] = {
    Category.INSTANCE: ("Instance", "product type and version, license and server identifiers"),
    Category.CONFIGURATION: ("Configuration and usage", "counts of projects, issues, users, fields; internal IDs"),
    Category.APPS: ("Apps and integrations", "public apps by key and version; apps of your own as a hash"),
    Category.OPERATIONAL: ("Operation and performance", "memory, threads, database and request figures"),
    Category.CLIENT: ("Browser and client side", "response times and error rates, added up"),
}


def field_counts(catalog: Catalog) -> dict[Category, FieldCount]:
    """How many metrics of each category leave under Basic, and how many are new or say more under Extended."""
    counts = {category: FieldCount(0, 0) for category in Category}
    for metric in catalog.metrics.values():
        basic = ConsentLevel.BASIC.allows(metric.consent)
        rules = (*metric.tags.values(), *metric.attributes.values())
        names = any(rule.basic is not rule.extended for rule in rules)
        added = ConsentLevel.EXTENDED.allows(metric.consent) and (not basic or names)
        before = counts[metric.category]
        counts[metric.category] = FieldCount(before.basic + basic, before.added + added)
    return counts


def consent_text(counts: Mapping[Category, FieldCount], *, endpoint: str, location: str | None) -> str:
    """The whole screen, without the question."""
    lines = ["What leaves this host once it is linked", "", "BASIC: identifiers, counts and measurements, no names."]
    for category, (title, words) in _WORDS.items():
        count = counts.get(category, FieldCount(0, 0))
        lines.append(f"  - {title} ({_metrics(count.basic)}):")
        lines.append(f"      {words}")
    added = sum(count.added for count in counts.values())
    lines += [
        "",
        "EXTENDED: all of Basic, and also keys and names that people gave:",
        "  - project keys; names of fields, spaces, schemas and apps of your own",
        f"    ({_metrics(added)} new or with such a name)",
        "",
        "NEVER, under either level: user names, display names, e-mail addresses,",
        "  content of issues or pages, comments, attachments, passwords, log text.",
        "  A field that is not in the catalog cannot leave.",
        "",
        f"Where to:     {endpoint}",
        f"Kept in:      {location or 'where your organisation keeps it (agent.toml pins none)'}",
        "See it first: portfolio-agent preview        the exact bytes, nothing is sent",
        "              portfolio-agent catalog show   each field and its level",
        "Less later:   portfolio-agent consent set basic",
        "Stop sending: portfolio-agent consent set none   nothing is told to anyone",
        "Disconnect:   portfolio-agent unlink",
    ]
    return "\n".join(lines)


def _metrics(count: int) -> str:
    return f"{count} metric{'' if count == 1 else 's'}"
