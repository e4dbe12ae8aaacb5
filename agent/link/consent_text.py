"""The screen a person reads before agreeing: what leaves under each level, what never does, where to, how to withdraw.

In:  how many fields of each category the catalog lets out under each level. Out: plain text, 80 columns.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from agent.catalog.model import Catalog
from agent.model import Category, ConsentLevel


@dataclass(frozen=True, slots=True)
class FieldCount:
    """Metrics of one category: under Basic, and how many more under Extended."""

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
    """How many metrics of each category may leave under Basic, and how many more under Extended."""

    def counted(category: Category, level: ConsentLevel) -> int:
        needs: Iterable[ConsentLevel] = (m.consent for m in catalog.metrics.values() if m.category is category)
        return sum(1 for need in needs if need is level)

    return {
        category: FieldCount(counted(category, ConsentLevel.BASIC), counted(category, ConsentLevel.EXTENDED))
        for category in Category
    }


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
        f"  - project keys, names of fields, spaces, schemas and apps of your own ({_metrics(added)} more)",
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
