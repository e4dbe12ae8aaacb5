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


@dataclass(frozen=True, slots=True)
class TagRule:
    """How one tag leaves under each level. A tag without a rule never leaves."""

    basic: TagTreatment
    extended: TagTreatment
    data_type: DataType


@dataclass(frozen=True, slots=True)
class JmxBinding:
    """Where a JMX metric is read: an ObjectName or pattern, an attribute, for CompositeData a key of it.

    `tags` maps ObjectName key properties to tag names; other key properties are not kept.
    """

    bean: str
    attribute: str
    key: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    excluding: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SqlBinding:
    """Where a guardrail is read: a named `.sql` file (dialect variants beside it) and a column of its one row."""

    query: str
    column: str


@dataclass(frozen=True, slots=True)
class Metric:
    """One catalog entry. `consent` NONE means: read, never leaves."""

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
    tags: Mapping[str, TagRule] = field(default_factory=dict)
    attributes: Mapping[str, DataType] = field(default_factory=dict)
    jmx: JmxBinding | None = None
    sql: SqlBinding | None = None


@dataclass(frozen=True, slots=True)
class Catalog:
    """Every metric of one product by name, and the version of the field list an owner consents to."""

    product: str
    metrics: Mapping[str, Metric]
    field_list_version: str
