"""What may be read and what may leave, as data: the words of the catalog files."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import cache
from typing import TypeVar

from agent.catalog.binding import Binding, Merge, SqlBinding
from agent.model import Category, ConsentLevel, EntryType, Kind

DIALECTS = ("postgresql", "mysql", "oracle", "sqlserver", "sqlite")
RESTRICTED = "restricted"
AFTER = "after"
PUBLIC_APPS = ":public_apps"  # the one parameter a statement may have: the keys of public apps that were found
APP_KEY = r"[A-Za-z0-9._\-]{1,200}"  # what people type into a key's place is no key
# What may stand behind an entry of `public_apps.toml`: the version of an OSGi bundle; in the place of *, a language.
BUNDLE_VERSION = r"(?:-\d[\d.]{0,40})?"
LANGUAGE = "[a-z]{2}_[A-Z]{2}"

SITE_WARNS = 0.9  # of the limit: where Jira's safeguards begin to alert

B = TypeVar("B", bound=Binding)
OfKind = type[B]  # `Metric.type` hides the built-in name in that class


class DataType(StrEnum):
    """What a field holds, for the security officer who reads the list (source document, "Examples of data shared")."""

    COUNT = "count"
    MEASUREMENT = "measurement"
    TECHNICAL_ID = "technical-id"
    VERSION = "version"
    URL = "url"
    HASH = "hash"
    STATE = "state"
    NAME = "name"
    INSTANT = "instant"


class TagTreatment(StrEnum):
    """What happens to a tag's value on its way out."""

    KEEP = "keep"
    HASH = "hash"
    DROP = "drop"
    KEEP_PUBLIC = "keep-public"  # an app key: kept when `public_apps.toml` names it, else hashed
    WITH_PUBLIC_APP = "with-public-app"  # kept when the tag pluginKey beside it is of a public app, else dropped


def file_name(name: str, dialect: str, kind: str = "") -> str:
    """The name of the file that holds this variant of a statement, or would hold it."""
    return ".".join([name, *([kind] if kind else []), *([dialect] if dialect else []), "sql"])


@dataclass(frozen=True, slots=True)
class TagRule:
    """How one tag or attribute leaves under each level. Without a rule it never leaves.

    `shape` is a regular expression for the whole text, "" for any: what is to be kept must look like this.
    """

    basic: TagTreatment
    extended: TagTreatment
    data_type: DataType
    shape: str = ""


class ThresholdState(StrEnum):
    """Where a figure stands against its threshold, in the words Atlassian uses for its guardrails."""

    OPTIMAL = "optimal"
    APPROACHING = "approaching"
    EXCEEDING = "exceeding"


@dataclass(frozen=True, slots=True)
class Threshold:
    """Published numbers and their page. `warn` None: only a limit is published, so nothing approaches it.

    `limit_from` is the metric that tells the limit an admin has set in its place.
    """

    limit: float
    source: str
    warn: float | None = None
    limit_from: str = ""

    def of_the_site(self, limit: float | None) -> Threshold | None:
        """With the limit that this site has set; None when it has switched it off (below 0). None: as published."""
        if limit is None:
            return self
        return None if limit < 0 else replace(self, limit=limit, warn=None if self.warn is None else limit * SITE_WARNS)

    def state(self, value: float) -> ThresholdState:
        """From `warn` on it is approaching, above `limit` it is exceeding."""
        if value > self.limit:
            return ThresholdState.EXCEEDING
        return ThresholdState.APPROACHING if self.warn is not None and value >= self.warn else ThresholdState.OPTIMAL


class Every(StrEnum):
    """How often a statement that gives rows is asked."""

    TICK = "tick"
    HOUR = "hour"


class Unpack(StrEnum):
    """What one stored text of many values becomes: names of flags, apps with their states, licences by application."""

    FLAGS = "flags"
    STATES = "states"
    LICENCES = "licences"

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that take the text's place in the row."""
        return _UNPACKED[self]


# Of a licence all else is dropped while it is decoded: `agent.product.instance.licence`.
_UNPACKED: Mapping[Unpack, tuple[str, ...]] = {
    Unpack.FLAGS: ("flag",),
    Unpack.STATES: ("app", "state"),
    Unpack.LICENCES: (
        *("application", "sen", "kind", "users", "user_limit", "expires", "maintenance_ends"),
        *("evaluation", "data_center"),
    ),
}


class NullMeans(StrEnum):
    """What a NULL in a guardrail's column stands for; the header of the `.sql` file says it."""

    NOT_PRESENT = "not-present"
    ZERO = "zero"


@dataclass(frozen=True, slots=True)
class Estimate:
    """What stands in for a count that takes too long: the database's own idea of a table's rows, for one column."""

    table: str
    column: str


@dataclass(frozen=True, slots=True)
class Planned:
    """What stands in for a count with a condition: the rows a planner expects of a statement on one table.

    `texts` are by dialect, "" for every other one. They are explained and never run.
    """

    table: str
    column: str
    texts: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Until:
    """Up to when a statement holds: until the product has this table with all of these columns (small letters).

    A table is never chosen by its name alone: products have tables of one name and other columns. `build` is the first
    build number that may have it, for an account that sees views of the tables only and so may not see it; None where
    the statement of before does no harm there.
    """

    table: str
    columns: tuple[str, ...]
    build: int | None = None


@dataclass(frozen=True, slots=True)
class SqlQuery:
    """One read-only statement: its text by dialect, "" for every other dialect.

    `consent` EXTENDED: it reads names and is run under that level only. `rows`: the most rows that are taken.
    `every`: whether it is asked at each tick or once an hour (statements that give rows). `unpack`: a column whose
    text holds many values, each of which becomes a row.
    `restricted` are texts for an account that may not read the table itself, only a filtered view of it.
    `product_login`: it is asked with the product's own login only, and no role script grants what it reads.
    `until` says when it holds no longer because the product moved what it reads; `after` are the texts from then on,
    empty where the new place is not known: then it is not asked. `reads` are its tables with the columns it reads.
    """

    name: str
    texts: Mapping[str, str]
    counts: str
    cost: str
    versions: str
    null_means: NullMeans = NullMeans.NOT_PRESENT
    estimate: Estimate | None = None
    restricted: Mapping[str, str] = field(default_factory=dict)
    consent: ConsentLevel = ConsentLevel.BASIC
    rows: int = 1
    every: Every = Every.TICK
    unpack: tuple[str, Unpack] | None = None
    planned: tuple[Planned, ...] = ()
    product_login: bool = False
    until: Until | None = None
    after: Mapping[str, str] = field(default_factory=dict)
    reads: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def estimated_columns(self) -> frozenset[str]:
        """The columns for which an estimate may stand in."""
        whole = (self.estimate.column,) if self.estimate is not None else ()
        return frozenset((*whole, *(planned.column for planned in self.planned)))

    @property
    def of_public_apps(self) -> bool:
        """Whether it asks for named apps only, by the parameter of that name."""
        return any(PUBLIC_APPS in text for text in self.texts.values())

    def text(self, dialect: str) -> str | None:
        """The statement for `dialect`; None when this query has none for it."""
        return self.texts.get(dialect, self.texts.get(""))

    def restricted_text(self, dialect: str) -> str | None:
        """The statement over filtered views for `dialect`; None when there is none."""
        return self.restricted.get(dialect, self.restricted.get(""))


@dataclass(frozen=True, slots=True)
class Metric:
    """One catalog entry. `consent` NONE means: read, never leaves. `shape` is what a text value must look like.

    `cost`: S any time, M hourly at a million rows, L only within a budget, XL once a day at most. `versions`: the
    product versions it fits, in words, "" for all. `bindings` say where it is read, in the words of its source.
    `cluster_wide`: a cluster has this once, so one node reads it for all. `local_index`: it tells of the product's own
    index, which is not used where the product searches in OpenSearch.
    """

    name: str
    source: str
    type: EntryType
    category: Category
    consent: ConsentLevel
    data_type: DataType
    unit: str
    kind: Kind
    reference: str
    description: str = ""
    cost: str = "S"
    versions: str = ""
    tags: Mapping[str, TagRule] = field(default_factory=dict)
    attributes: Mapping[str, TagRule] = field(default_factory=dict)
    bindings: tuple[Binding, ...] = ()
    threshold: Threshold | None = None
    shape: str = ""
    cluster_wide: bool = False
    local_index: bool = False

    def bound(self, kind: OfKind[B]) -> B | None:
        """Where it is read in that way; None when it is not."""
        return next((binding for binding in self.bindings if isinstance(binding, kind)), None)

    @property
    def sql(self) -> SqlBinding | None:
        """The statement it is read by, if any."""
        return self.bound(SqlBinding)

    @property
    def merge(self) -> Merge | None:
        """What becomes of several values that are one series; None when they are ambiguous."""
        return next((how for binding in self.bindings if (how := binding.merging()) is not None), None)


@dataclass(frozen=True, slots=True)
class Catalog:
    """Every metric of one product by name, and the version of the field list an owner consents to.

    `public_apps` and `private_apps` are app keys: name spaces where they end in a dot, whole keys otherwise, * a
    language. Public ones may leave as they are, unless a private one (tutorials, so home-made apps) fits too.
    `estimates` are, by dialect, the statements that give the database's own idea of the rows of the table `:wanted`,
    and since when it thinks so; for an account that sees views only, `DIALECT.restricted`. `columns` are, by dialect,
    the statements that tell which of the tables `:wanted` there are and what columns they have.
    """

    product: str
    metrics: Mapping[str, Metric]
    field_list_version: str
    queries: Mapping[str, SqlQuery] = field(default_factory=dict)
    public_apps: tuple[str, ...] = ()
    private_apps: tuple[str, ...] = ()
    estimates: Mapping[str, str] = field(default_factory=dict)
    columns: Mapping[str, str] = field(default_factory=dict)

    def of_source(self, source: str) -> tuple[Metric, ...]:
        """The entries that `source` reads, in the order of the files."""
        return tuple(metric for metric in self.metrics.values() if metric.source == source)

    def is_public(self, app_key: str) -> bool:
        """Whether anyone can get the app with this key, as far as the catalog knows."""
        public, private = _any_of(self.public_apps), _any_of(self.private_apps)
        return public.fullmatch(app_key) is not None and private.fullmatch(app_key) is None


@cache
def _any_of(entries: tuple[str, ...]) -> re.Pattern[str]:
    """What fits one of these entries of `public_apps.toml`."""
    forms = ((re.escape(entry.removesuffix("*")), entry[-1:]) for entry in entries)
    behind = {".": APP_KEY, "*": LANGUAGE}
    words = "|".join(words + behind.get(end, BUNDLE_VERSION) for words, end in forms)
    return re.compile(words or "(?!)", re.ASCII)
