"""What one value, tag or figure may become under a level: the rules, without any record around them."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from agent.catalog import Catalog, DataType, Metric, TagRule, TagTreatment
from agent.consent.pseudonym import Pseudonyms
from agent.model import ConsentLevel, Kind, Scalar, Value

TEXT_LIMIT = 200
NUMBERS = frozenset({DataType.COUNT, DataType.MEASUREMENT})
FIGURES = {
    Kind.GAUGE: frozenset({"min", "max", "mean", "last", "p50", "p95"}),
    Kind.COUNTER: frozenset({"delta", "resets", "last"}),
    Kind.INFO: frozenset({"value"}),
    Kind.EVENT: frozenset({"count", "observed_from", "observed_to"}),
}
INSTANTS = frozenset({"observed_from", "observed_to"})
INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", re.ASCII)
NO_ENTRY = "it is not in the catalog"
NEVER = "the catalog says: read, never leaves"
NOTHING = "no consent is given"


@dataclass(frozen=True, slots=True)
class Kept:
    """Why something stays here, in words for the owner."""

    rule: str


def metric_rule(metric: Metric | None, level: ConsentLevel) -> Kept | None:
    """None when entries of this metric may leave under `level`."""
    if metric is None:
        return Kept(NO_ENTRY)
    if metric.consent is ConsentLevel.NONE:
        return Kept(NEVER)
    if level is ConsentLevel.NONE:
        return Kept(NOTHING)
    if not level.allows(metric.consent):
        return Kept(f"it needs consent {metric.consent}, given is {level}")
    return None


def figure_type(metric: Metric, figure: str) -> DataType | None:
    """What a figure of this metric holds; None for one that its kind does not have."""
    if figure not in FIGURES[metric.kind]:
        return None
    return DataType.INSTANT if figure in INSTANTS else metric.data_type


def attribute_out(
    metric: Metric,
    attribute: str,
    value: Value,
    tags: Mapping[str, str],
    level: ConsentLevel,
    catalog: Catalog,
    pseudonyms: Pseudonyms,
) -> Scalar | Kept:
    """A further attribute's value as it may leave under `level`; `tags` are those of its series, as read."""
    rule = metric.attributes.get(attribute)
    if rule is None:
        return Kept(f"it is not on the list for a {metric.kind}")
    kept = _treated(rule, str(value), tags, level, catalog, "attribute")
    if isinstance(kept, Kept):
        return kept
    if kept is TagTreatment.HASH:
        return pseudonyms.of(f"attribute:{attribute}", str(value))
    return value_out(value, rule.data_type, f"metric:{metric.name}", pseudonyms)


def _treated(
    rule: TagRule, value: str, tags: Mapping[str, str], level: ConsentLevel, catalog: Catalog, word: str
) -> TagTreatment | Kept:
    """KEEP or HASH, or why it stays."""
    if level is ConsentLevel.NONE:
        return Kept(NOTHING)
    treatment = rule.extended if level is ConsentLevel.EXTENDED else rule.basic
    if treatment is TagTreatment.KEEP_PUBLIC:
        return TagTreatment.KEEP if catalog.is_public(value) else TagTreatment.HASH
    if treatment is TagTreatment.WITH_PUBLIC_APP:
        public = catalog.is_public(tags.get("pluginKey", ""))
        return TagTreatment.KEEP if public else Kept(f"under {level} it leaves for public apps only")
    return Kept(f"the {word} is dropped under {level}") if treatment is TagTreatment.DROP else treatment


def value_out(value: Value, data_type: DataType, purpose: str, pseudonyms: Pseudonyms) -> Scalar | Kept:
    """The value as it may leave for a field of `data_type`: text only where the type is one of text."""
    if isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else Kept("it is not a finite number")
    if data_type in NUMBERS:
        return Kept(f"text is not allowed in a {data_type}")
    if data_type is DataType.HASH:
        return pseudonyms.of(purpose, value)
    if data_type is DataType.INSTANT and not INSTANT.fullmatch(value):
        return Kept("it is no instant")
    if data_type is DataType.URL and not _bare_url(value):
        return Kept("the address holds more than scheme, host and path")
    return text_out(value)


def _bare_url(text: str) -> bool:
    """Whether an address has no user, password, query or fragment, which may hold secrets or names."""
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname) and not set("@?#") & set(text)


def text_out(text: str) -> str | Kept:
    """The text itself when it is short and has no control or invisible characters."""
    if len(text) > TEXT_LIMIT:
        return Kept(f"the text is longer than {TEXT_LIMIT} characters")
    if any(unicodedata.category(sign)[0] == "C" for sign in text):
        return Kept("the text holds control characters")
    return text


def tag_out(
    metric: Metric, tag: str, tags: Mapping[str, str], level: ConsentLevel, catalog: Catalog, pseudonyms: Pseudonyms
) -> str | Kept:
    """The value of one of a series' `tags` as it may leave under `level`."""
    rule = metric.tags.get(tag)
    if rule is None:
        return Kept("the tag has no rule in the catalog")
    treatment = _treated(rule, tags[tag], tags, level, catalog, "tag")
    if isinstance(treatment, Kept):
        return treatment
    return pseudonyms.tag(tag, tags[tag]) if treatment is TagTreatment.HASH else text_out(tags[tag])
