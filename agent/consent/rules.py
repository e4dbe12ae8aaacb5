"""What one value, tag or figure may become under a level: the rules, without any record around them."""

from __future__ import annotations

import math
import unicodedata
from dataclasses import dataclass

from agent.catalog import Catalog, DataType, Metric, TagTreatment
from agent.consent.pseudonym import Pseudonyms
from agent.model import ConsentLevel, Kind, Scalar, Value

TEXT_LIMIT = 200
NUMBERS = frozenset({DataType.COUNT, DataType.MEASUREMENT})
FIGURES = {
    Kind.GAUGE: frozenset({"min", "max", "mean", "last", "p50", "p95"}),
    Kind.COUNTER: frozenset({"delta", "resets", "last"}),
    Kind.INFO: frozenset({"value"}),
}
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
    return text_out(value)


def text_out(text: str) -> str | Kept:
    """The text itself when it is short and has no control or invisible characters."""
    if len(text) > TEXT_LIMIT:
        return Kept(f"the text is longer than {TEXT_LIMIT} characters")
    if any(unicodedata.category(sign)[0] == "C" for sign in text):
        return Kept("the text holds control characters")
    return text


def tag_out(
    metric: Metric, tag: str, value: str, level: ConsentLevel, catalog: Catalog, pseudonyms: Pseudonyms
) -> str | Kept:
    """A tag's value as it may leave under `level`."""
    rule = metric.tags.get(tag)
    if rule is None:
        return Kept("the tag has no rule in the catalog")
    if level is ConsentLevel.NONE:
        return Kept(NOTHING)
    treatment = rule.extended if level is ConsentLevel.EXTENDED else rule.basic
    if treatment is TagTreatment.DROP:
        return Kept(f"the tag is dropped under {level}")
    if treatment is TagTreatment.HASH or (treatment is TagTreatment.KEEP_PUBLIC and not is_public(value, catalog)):
        return pseudonyms.tag(tag, value)
    return text_out(value)


def is_public(app_key: str, catalog: Catalog) -> bool:
    """Whether anyone can get the app with this key, as far as the catalog knows."""
    return app_key.startswith(catalog.public_apps) and not app_key.startswith(catalog.private_apps)
