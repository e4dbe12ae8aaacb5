"""What may be read and what may leave, as data: the words of the catalog files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from agent.model import Category, ConsentLevel, EntryType, Kind


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


class TagTreatment(StrEnum):
    """What happens to a tag's value on its way out."""

    KEEP = "keep"
    HASH = "hash"
    DROP = "drop"
    KEEP_PUBLIC = "keep-public"  # an app key: kept when `public_apps.toml` names it, else hashed


@dataclass(frozen=True, slots=True)
class TagRule:
    """How one tag leaves under each level. A tag without a rule never leaves."""

    basic: TagTreatment
    extended: TagTreatment
    data_type: DataType


@dataclass(frozen=True, slots=True)
class JmxBinding:
    """Where a JMX metric is read: an ObjectName or pattern, an attribute, for CompositeData a key of it.

    `or_beans` are other names of the same thing (Tomcat's domain differs by product): all that exist are read.
    `tags` maps ObjectName key properties to tag names; other key properties are not kept.
    `excluding` are patterns of beans that must never be read. `absent` is the number by which the bean says that it
    does not know (-1 for a maximum that is not set): such a value is no sample.
    """

    bean: str
    attribute: str
    key: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    excluding: tuple[str, ...] = ()
    or_beans: tuple[str, ...] = ()
    absent: float | None = None


@dataclass(frozen=True, slots=True)
class SqlBinding:
    """Where a guardrail is read: a named `.sql` file (dialect variants beside it) and a column of its one row."""

    query: str
    column: str


class NullMeans(StrEnum):
    """What a NULL in a guardrail's column stands for; the header of the `.sql` file says it."""

    NOT_PRESENT = "not-present"
    ZERO = "zero"


@dataclass(frozen=True, slots=True)
class SqlQuery:
    """One read-only statement with one row of named numbers: its text by dialect, "" for every other dialect."""

    name: str
    texts: Mapping[str, str]
    counts: str
    cost: str
    versions: str
    null_means: NullMeans = NullMeans.NOT_PRESENT

    def text(self, dialect: str) -> str | None:
        """The statement for `dialect`; None when this query has none for it."""
        return self.texts.get(dialect, self.texts.get(""))


@dataclass(frozen=True, slots=True)
class Metric:
    """One catalog entry. `consent` NONE means: read, never leaves.

    `cost`: S any time, M hourly at a million rows, L only within a budget. `versions`: the product versions it fits,
    in words, "" for all.
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
    attributes: Mapping[str, DataType] = field(default_factory=dict)
    jmx: JmxBinding | None = None
    sql: SqlBinding | None = None


# Sources that answer the same on every node: read once for all.
CLUSTER_SOURCES = frozenset({"guardrails"})


def is_cluster_wide(metric: Metric) -> bool:
    """Whether a cluster has this once; what tells the product's version is every node's own affair."""
    return metric.source in CLUSTER_SOURCES and metric.category is not Category.INSTANCE


@dataclass(frozen=True, slots=True)
class Catalog:
    """Every metric of one product by name, and the version of the field list an owner consents to.

    `public_apps` and `private_apps` are prefixes of app keys: public ones may leave as they are, unless a private
    prefix (the name space of tutorials, so of home-made apps) fits too.
    """

    product: str
    metrics: Mapping[str, Metric]
    field_list_version: str
    queries: Mapping[str, SqlQuery] = field(default_factory=dict)
    public_apps: tuple[str, ...] = ()
    private_apps: tuple[str, ...] = ()

    def of_source(self, source: str) -> tuple[Metric, ...]:
        """The entries that `source` reads, in the order of the files."""
        return tuple(metric for metric in self.metrics.values() if metric.source == source)
