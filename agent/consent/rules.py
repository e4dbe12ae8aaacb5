"""What one value, tag or figure may become under a level: the rules, without any record around them.

The one place that decides, both for what leaves (`filter`) and for what is stored (`conceal`). What is a pseudonym
already says so itself (`hashed`, in the model) and is never hashed again; what only looks like one is a name.
"""

from __future__ import annotations

import math
import re
import unicodedata
from dataclasses import dataclass
from urllib.parse import urlsplit

from agent.catalog import Catalog, DataType, Metric, TagRule, TagTreatment
from agent.model import ConsentLevel, Kind, Scalar, Series, Value
from agent.pseudonym import Pseudonyms

TEXT_LIMIT = 200
NUMBERS = frozenset({DataType.COUNT, DataType.MEASUREMENT})
FIGURES = {
    Kind.GAUGE: frozenset({"min", "max", "mean", "last", "p50", "p95"}),
    Kind.COUNTER: frozenset({"delta", "resets", "last"}),
    Kind.INFO: frozenset({"value"}),
    Kind.EVENT: frozenset({"count", "observed_from", "observed_to"}),
}
VALUE = "value"  # what `Sample.hashed` calls the value itself
VALUE_FIGURES = {Kind.GAUGE: "last", Kind.COUNTER: "last", Kind.INFO: VALUE, Kind.EVENT: "count"}
INSTANTS = frozenset({"observed_from", "observed_to"})
INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", re.ASCII)
PSEUDONYM = re.compile(r"[hn]-[0-9a-f]{16}", re.ASCII)
APP_TAG = "pluginKey"
NO_ENTRY = "it is not in the catalog"
NEVER = "the catalog says: read, never leaves"
NOTHING = "no consent is given"


@dataclass(frozen=True, slots=True)
class Kept:
    """Why something stays here, in words for the owner."""

    rule: str


@dataclass(frozen=True, slots=True)
class Given:
    """What a field becomes; `hashed`: it is a pseudonym."""

    value: Scalar
    hashed: bool = False


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


def tag_out(
    metric: Metric, tag: str, series: Series, level: ConsentLevel, catalog: Catalog, pseudonyms: Pseudonyms
) -> Given | Kept:
    """What one of the tags of `series` becomes under `level`."""
    rule = metric.tags.get(tag)
    if rule is None:
        return Kept("the tag has no rule in the catalog")
    text = dict(series.tags)[tag]
    hashed = tag in series.hashed and PSEUDONYM.fullmatch(text) is not None
    treatment = _treated(rule, text, series, level, catalog, "tag")
    if isinstance(treatment, Kept):
        return treatment
    if hashed:
        return Given(text, hashed=True)
    if treatment is TagTreatment.HASH or not _has_shape(rule.shape, text):
        return Given(pseudonyms.tag(tag, text), hashed=True)
    return _given(text_out(text))


def attribute_out(
    metric: Metric,
    attribute: str,
    value: Value,
    series: Series,
    hashed: bool,
    level: ConsentLevel,
    catalog: Catalog,
    pseudonyms: Pseudonyms,
) -> Given | Kept:
    """What a further attribute of a value of `series` becomes under `level`; `hashed`: it is a pseudonym already."""
    rule = metric.attributes.get(attribute)
    if rule is None:
        return Kept(f"it is not on the list for a {metric.kind}")
    treatment = _treated(rule, str(value), series, level, catalog, "attribute")
    if isinstance(treatment, Kept):
        return treatment
    if hashed and PSEUDONYM.fullmatch(str(value)):
        return Given(value, hashed=True)
    if treatment is TagTreatment.HASH:
        return Given(pseudonyms.of(f"attribute:{attribute}", str(value)), hashed=True)
    return _value_out(value, rule.data_type, rule.shape, f"metric:{metric.name}", pseudonyms)


def figure_out(metric: Metric, figure: str, value: Value, hashed: bool, pseudonyms: Pseudonyms) -> Given | Kept | None:
    """What a figure of this metric becomes under any level that lets the metric out; None: its kind has no such one."""
    if figure not in FIGURES[metric.kind]:
        return None
    if hashed and PSEUDONYM.fullmatch(str(value)) and metric.data_type is DataType.HASH:
        return Given(value, hashed=True)
    if figure in INSTANTS:
        return _value_out(value, DataType.INSTANT, "", f"metric:{metric.name}", pseudonyms)
    return _value_out(value, metric.data_type, metric.shape, f"metric:{metric.name}", pseudonyms)


def _treated(
    rule: TagRule, text: str, series: Series, level: ConsentLevel, catalog: Catalog, word: str
) -> TagTreatment | Kept:
    """KEEP or HASH, or why it stays."""
    if level is ConsentLevel.NONE:
        return Kept(NOTHING)
    treatment = rule.extended if level is ConsentLevel.EXTENDED else rule.basic
    if treatment is TagTreatment.KEEP_PUBLIC:
        return TagTreatment.KEEP if catalog.is_public(text) else TagTreatment.HASH
    if treatment is TagTreatment.WITH_PUBLIC_APP:
        app = "" if APP_TAG in series.hashed else dict(series.tags).get(APP_TAG, "")
        public = catalog.is_public(app)
        return TagTreatment.KEEP if public else Kept(f"under {level} it leaves for public apps only")
    return Kept(f"the {word} is dropped under {level}") if treatment is TagTreatment.DROP else treatment


def _value_out(value: Value, data_type: DataType, shape: str, purpose: str, pseudonyms: Pseudonyms) -> Given | Kept:
    """What a value becomes in a field of `data_type`: text only where the type is one of text, and has its shape."""
    if isinstance(value, bool | int):
        return Given(value)
    if isinstance(value, float):
        return Given(value) if math.isfinite(value) else Kept("it is not a finite number")
    if data_type in NUMBERS:
        return Kept(f"text is not allowed in a {data_type}")
    if data_type is DataType.HASH:
        return Given(pseudonyms.of(purpose, value), hashed=True)
    if data_type is DataType.INSTANT and not INSTANT.fullmatch(value):
        return Kept("it is no instant")
    if data_type is DataType.URL and not _bare_url(value):
        return Kept("the address holds more than scheme, host and path")
    if not _has_shape(shape, value):
        return Kept(f"it does not look like a {data_type}")
    return _given(text_out(value))


def _given(text: str | Kept) -> Given | Kept:
    return text if isinstance(text, Kept) else Given(text)


def _has_shape(shape: str, text: str) -> bool:
    return not shape or re.fullmatch(shape, text, re.ASCII) is not None


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
