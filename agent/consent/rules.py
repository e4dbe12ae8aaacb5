"""The one set of rules: what a metric, a series, a field of it may become under a level, or why it stays here.

In:   the catalog, the level, the instance's pseudonyms; then metrics, series, samples and rows, one at a time.
Out:  `Leaves` (the value, and whether it is a pseudonym) or `Stays` (the rule, in words for the owner).
Four ask: the door (`filter`), what is stored (`conceal`), what is said (`explain`), what is forgotten
(`runtime/hourly/forget`). None of them walks over tags or fields itself.
What is a pseudonym already says so itself (`hashed`, in the model) and is never hashed again; what only looks like one
is a name. While the key of the pseudonyms is away, what would need it raises KeyAway.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from urllib.parse import urlsplit

from agent.catalog import Catalog, DataType, Metric, TagRule, TagTreatment
from agent.catalog.field_list import FIGURES
from agent.consent import second_net
from agent.model import ConsentLevel, Kind, Sample, Series, Value
from agent.pseudonym import Pseudonyms

# What is longer is no name but a text, and a text may say anything.
TEXT_LIMIT = 200
REMEMBERED_SERIES = 20_000  # more means that names come and go, so start again
NUMBERS = frozenset({DataType.COUNT, DataType.MEASUREMENT})
VALUE = "value"  # what `Sample.hashed` and an explanation call the value itself
# The figure that a single value has the rules of.
VALUE_FIGURES = {Kind.GAUGE: "last", Kind.COUNTER: "last", Kind.INFO: VALUE, Kind.EVENT: "count"}
# Set by the door itself; a figure of the same name could otherwise speak for it.
OWN_ATTRIBUTES = frozenset({"unit", "samples", "expected", "failed"})
INSTANTS = frozenset({"observed_from", "observed_to"})
INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", re.ASCII)
PSEUDONYM = re.compile(r"[hn]-[0-9a-f]{16}", re.ASCII)
APP_TAG = "pluginKey"


class Part(StrEnum):
    """Which part of a series or of its value a field is."""

    TAG = "tag"
    FIGURE = "figure"
    ATTRIBUTE = "attribute"


@dataclass(frozen=True, slots=True)
class Leaves:
    """What a field becomes; `hashed`: it is a pseudonym."""

    value: Value
    hashed: bool = False


@dataclass(frozen=True, slots=True)
class Stays:
    """Why something stays here, in words for the owner."""

    rule: str


NO_ENTRY = Stays("it is not in the catalog")
NO_SUCH_SOURCE = Stays("another source gave it than the catalog says")
NEVER = Stays("the catalog says: read, never leaves")
NOTHING = Stays("no consent is given")


@dataclass(frozen=True, slots=True)
class TreatedSeries:
    """What a series becomes: decided once, for all its samples and hours.

    `series` is as it leaves, the very same object when nothing of it changed (`same`); `stays` are the tags it loses,
    each with its rule.
    """

    metric: Metric
    series: Series
    same: bool
    stays: tuple[tuple[str, str], ...] = ()

    @property
    def fewer(self) -> bool:
        """Whether it lost a tag, so that it may have become equal to another one."""
        return bool(self.stays)


@dataclass(slots=True)
class TreatedFields:
    """What the fields of one value or row become: those that leave, which of them are pseudonyms, those that stay.

    A figure without a value (nothing was read) stays None.
    """

    leaves: dict[str, Value | None] = field(default_factory=dict)
    hashed: list[str] = field(default_factory=list)
    stays: dict[str, str] = field(default_factory=dict)


class Rules:
    """What holds under one level, on one instance, with one catalog."""

    def __init__(self, catalog: Catalog, level: ConsentLevel, pseudonyms: Pseudonyms) -> None:
        self.catalog, self.level, self.pseudonyms = catalog, level, pseudonyms
        self._series: dict[tuple[object, ...], TreatedSeries | Stays] = {}

    def entry(self, name: str) -> Metric | Stays:
        """The catalog entry `name` when something of it may leave, else why not."""
        metric = self.catalog.metrics.get(name)
        if metric is None:
            return NO_ENTRY
        return metric_stays(metric, self.level) or metric

    def series(self, series: Series) -> TreatedSeries | Stays:
        """What `series` becomes, or why nothing of it leaves.

        Decided once a series and then looked up: a tick or an hour brings thousands of the same ones. The names in
        the key, not the series itself: hashing three texts costs a third of hashing the dataclass.
        """
        key = (series.metric, series.tags, series.hashed, series.source)
        known = self._series.get(key)
        if known is None:
            if len(self._series) >= REMEMBERED_SERIES:
                self._series.clear()
            known = self._series[key] = self._decided(series)
        return known

    @property
    def remembered(self) -> int:
        """How many series are decided and not forgotten yet."""
        return len(self._series)

    def value(self, metric: Metric, sample: Sample) -> TreatedFields:
        """What the value of `sample` (under the name of its figure) and its attributes become."""
        figure = VALUE_FIGURES[metric.kind]
        hashed = {figure if name == VALUE else name for name in sample.hashed} if sample.hashed else ()
        done = TreatedFields()
        self._add(done, metric, sample.series, ((figure, sample.value),), FIGURES[metric.kind], hashed)
        self._add(done, metric, sample.series, sample.attributes, frozenset(), hashed)
        return done

    def row(
        self, metric: Metric, series: Series, figures: Mapping[str, Value | None], hashed: Collection[str]
    ) -> TreatedFields:
        """What the figures of a row become, the attributes among them; `series` is as it was read or stored."""
        done = TreatedFields()
        self._add(done, metric, series, figures.items(), FIGURES[metric.kind], hashed)
        return done

    def treat(
        self, metric: Metric, part: Part, name: str, value: Value, *, hashed: bool = False, of: Series | None = None
    ) -> Leaves | Stays:
        """What one field becomes: the one decision. `hashed`: it is a pseudonym already; `of`: the tags beside it.

        The metric itself must have been allowed (`entry`). Raises KeyAway.
        """
        if part is Part.FIGURE:
            return self._figure(metric, name, value, hashed)
        rule = (metric.tags if part is Part.TAG else metric.attributes).get(name)
        if rule is None and part is Part.TAG:
            return Stays("the tag has no rule in the catalog")
        if rule is None or (part is Part.ATTRIBUTE and name in OWN_ATTRIBUTES | FIGURES[metric.kind]):
            return Stays(f"it is not on the list for a {metric.kind}")
        treatment = self._treatment(rule, str(value), of, part)
        if isinstance(treatment, Stays):
            return treatment
        # Mark and look together: a value that only says it is a pseudonym is hashed, and one that only looks like one
        # too. Apps may be named after our pseudonyms.
        if hashed and PSEUDONYM.fullmatch(str(value)):
            return Leaves(value, hashed=True)
        if part is Part.TAG:
            # A tag tells series apart: what may not be seen is hashed whole, never cut, or two would become one.
            text = str(value)
            if treatment is TagTreatment.KEEP and rule.data_type is not DataType.HASH:
                kept = _text(text, rule.data_type, rule.shape, cut=False)
                if isinstance(kept, Leaves):
                    return kept
            return Leaves(self.pseudonyms.tag(name, text), hashed=True)
        if treatment is TagTreatment.HASH:
            return Leaves(self.pseudonyms.of(f"attribute:{name}", str(value)), hashed=True)
        return self._value(metric, value, rule.data_type, rule.shape)

    def _decided(self, series: Series) -> TreatedSeries | Stays:
        metric = self.entry(series.metric)
        if isinstance(metric, Stays):
            return metric
        # Another source's values were never weighed when this entry's rules were written.
        if series.source != metric.source:
            return NO_SUCH_SOURCE
        tags: list[tuple[str, str]] = []
        hashed: list[str] = []
        stays: list[tuple[str, str]] = []
        for name, text in series.tags:
            treated = self.treat(metric, Part.TAG, name, text, hashed=name in series.hashed, of=series)
            if isinstance(treated, Stays):
                stays.append((name, treated.rule))
            else:
                tags.append((name, str(treated.value)))
                hashed += [name] if treated.hashed else []
        become = Series(series.source, series.metric, tuple(tags), tuple(hashed))
        same = become == series
        return TreatedSeries(metric, series if same else become, same, tuple(stays))

    def _add(
        self,
        done: TreatedFields,
        metric: Metric,
        series: Series,
        fields: Iterable[tuple[str, Value | None]],
        own: frozenset[str],
        hashed: Collection[str],
    ) -> None:
        """Treat `fields` one by one; those named in `own` are figures, the others attributes."""
        for name, value in fields:
            figure = name in own
            # Most of an hour: a number in the place of a figure. `treat` says the same and takes five times as long.
            if value is None or (figure and (type(value) is int or (type(value) is float and math.isfinite(value)))):
                done.leaves[name] = value
                continue
            part = Part.FIGURE if figure else Part.ATTRIBUTE
            treated = self.treat(metric, part, name, value, hashed=name in hashed, of=series)
            if isinstance(treated, Stays):
                done.stays[name] = treated.rule
            else:
                done.leaves[name] = treated.value
                if treated.hashed:
                    done.hashed.append(name)

    def _figure(self, metric: Metric, name: str, value: Value, hashed: bool) -> Leaves | Stays:
        if name not in FIGURES[metric.kind]:
            return Stays(f"it is not on the list for a {metric.kind}")
        if hashed and metric.data_type is DataType.HASH and PSEUDONYM.fullmatch(str(value)):
            return Leaves(value, hashed=True)
        if name in INSTANTS:
            return self._value(metric, value, DataType.INSTANT, "")
        return self._value(metric, value, metric.data_type, metric.shape)

    def _value(self, metric: Metric, value: Value, data_type: DataType, shape: str) -> Leaves | Stays:
        """Numbers as they are; text only where the type is one of text, with its shape and past the second net."""
        if isinstance(value, bool | int):
            return Leaves(value)
        if isinstance(value, float):
            return Leaves(value) if math.isfinite(value) else Stays("it is not a finite number")
        if data_type is DataType.HASH:
            return Leaves(self.pseudonyms.of(f"metric:{metric.name}", value), hashed=True)
        return _text(value, data_type, shape, cut=data_type is DataType.NAME)

    def _treatment(self, rule: TagRule, text: str, of: Series | None, part: Part) -> TagTreatment | Stays:
        """KEEP or HASH, or why it stays."""
        if self.level is ConsentLevel.NONE:
            return NOTHING
        treatment = rule.extended if self.level is ConsentLevel.EXTENDED else rule.basic
        if treatment is TagTreatment.KEEP_PUBLIC:
            return TagTreatment.KEEP if self.catalog.is_public(text) else TagTreatment.HASH
        if treatment is TagTreatment.WITH_PUBLIC_APP:
            # A hashed app is not a public one, whatever its pseudonym looks like.
            public = of is not None and APP_TAG not in of.hashed
            public = public and self.catalog.is_public(dict(of.tags).get(APP_TAG, "") if of is not None else "")
            return TagTreatment.KEEP if public else Stays(f"under {self.level} it leaves for public apps only")
        return Stays(f"the {part} is dropped under {self.level}") if treatment is TagTreatment.DROP else treatment


def metric_stays(metric: Metric, level: ConsentLevel) -> Stays | None:
    """Why entries of this metric stay under `level`; None when they may leave."""
    # Before the level is looked at: there is none that opens this.
    if metric.consent is ConsentLevel.NONE:
        return NEVER
    if level is ConsentLevel.NONE:
        return NOTHING
    if not level.allows(metric.consent):
        return Stays(f"it needs consent {metric.consent}, given is {level}")
    return None


def _text(text: str, data_type: DataType, shape: str, *, cut: bool) -> Leaves | Stays:
    """The text itself, short, clean, of its shape and with nothing in it that must never leave.

    With `cut` what must not leave is taken out of it: what is left of a name is still worth reading. Of an identifier,
    a version or a state it is not, and half of an address could be taken for a whole one: those stay.
    """
    # The order is part of it: length and control signs first, so that the net's patterns only ever see short, printable
    # text; the shape last, since it also holds for what the net has left of a name.
    if data_type in NUMBERS:
        return Stays(f"text is not allowed in a {data_type}")
    if len(text) > TEXT_LIMIT:
        return Stays(f"the text is longer than {TEXT_LIMIT} characters")
    if not text.isprintable() and any(unicodedata.category(sign)[0] == "C" for sign in text):
        return Stays("the text holds control characters")
    if data_type is DataType.INSTANT:
        return Leaves(text) if INSTANT.fullmatch(text) else Stays("it is no instant")
    if data_type is DataType.URL and not _is_bare_url(text):
        return Stays("the address holds more than scheme, host and path")
    found = second_net.search(text, data_type)
    if found is not None:
        if not cut:
            return Stays(f"it holds what looks like {found.what}")
        text = found.without
    if shape and re.fullmatch(shape, text, re.ASCII) is None:
        return Stays(f"it does not look like a {data_type}")
    return Leaves(text)


def _is_bare_url(text: str) -> bool:
    """Whether an address has no user, password, query or fragment, which may hold secrets or names."""
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname) and not set("@?#") & set(text)
