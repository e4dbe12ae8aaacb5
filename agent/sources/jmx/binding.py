"""Which MBean, attribute and key an entry reads, and which key properties become its tags."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

from agent.catalog.binding import Binding, Fact, Merge
from agent.catalog.declaration import SourceDeclaration
from agent.catalog.model import Metric
from agent.catalog.reader import Reader

if TYPE_CHECKING:
    from agent.settings import Settings

KEYS = ("bean", "or_beans", "attribute", "or_attributes", "key", "tags", "excluding", "absent", "merge")


@dataclass(frozen=True, slots=True)
class JmxBinding(Binding):
    """Where a JMX metric is read: an ObjectName or pattern, an attribute, for CompositeData a key of it.

    `or_beans` are other names of the same thing (Tomcat's domain differs by product): all that exist are read.
    `or_attributes` are older names of the same attribute: the first that a bean has speaks.
    `tags` maps ObjectName key properties to tag names; other key properties are not kept.
    `excluding` are patterns of beans that must never be read. `absent` is the number by which the bean says that it
    does not know (-1 for a maximum that is not set): such a value is no sample. `merge` says what becomes of beans that
    these tags do not tell apart, because what tells them apart must not be kept (a query, a path).
    """

    KEY: ClassVar[str] = "jmx"

    bean: str
    attribute: str
    key: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    excluding: tuple[str, ...] = ()
    or_beans: tuple[str, ...] = ()
    absent: float | None = None
    merge: Merge | None = None
    or_attributes: tuple[str, ...] = ()

    @classmethod
    def parse(cls, entry: Reader) -> JmxBinding:
        """Bean and attribute; the rest as far as the entry has it."""
        jmx = entry.inside(cls.KEY)
        jmx.only(KEYS)
        tags = jmx.table.get("tags", {})
        if not isinstance(tags, dict) or not all(isinstance(tag, str) for tag in tags.values()):
            jmx.fault("tags", "must map key properties of the ObjectName to tag names")
            tags = {}
        return cls(
            bean=jmx.text("bean", required=True),
            attribute=jmx.text("attribute", required=True),
            key=jmx.text("key") or None,
            tags=tags,
            excluding=jmx.texts("excluding"),
            or_beans=jmx.texts("or_beans"),
            absent=jmx.number("absent"),
            merge=Merge(jmx.choice("merge", Merge)) if "merge" in jmx.table else None,
            or_attributes=jmx.texts("or_attributes"),
        )

    def tag_names(self) -> frozenset[str]:
        """The tags that key properties become."""
        return frozenset(self.tags.values())

    def merging(self) -> Merge | None:
        """As the entry says."""
        return self.merge

    @property
    def beans(self) -> tuple[str, ...]:
        """Every name or pattern that is read."""
        return (self.bean, *self.or_beans)

    @property
    def attributes(self) -> tuple[str, ...]:
        """Every name of the attribute, the newest first."""
        return (self.attribute, *self.or_attributes)

    @property
    def whole_attribute(self) -> str:
        """The attribute with the key of its CompositeData, as people write it."""
        return " or ".join(self.attributes) + (f".{self.key}" if self.key else "")

    def read_from(self) -> tuple[str, ...]:
        """Each bean, what becomes of several, and what is never read."""
        merged = (f"several become one: {self.merge}",) if self.merge else ()
        never = tuple(f"never {pattern}" for pattern in self.excluding)
        return (*(f"MBean {bean} {self.whole_attribute}" for bean in self.beans), *merged, *never)

    def read_from_on_page(self, counts: Mapping[str, str]) -> Iterator[str]:
        """Each bean."""
        yield from (f"MBean `{bean}` `{self.whole_attribute}`" for bean in self.beans)

    def facts(self) -> Mapping[str, Fact]:
        """Beans, attribute, what is never read, what is merged."""
        return {
            "beans": self.beans,
            "attribute": self.whole_attribute,
            "excluding": self.excluding,
            "merge": None if self.merge is None else str(self.merge),
        }


def _is_on(settings: Settings, entries: tuple[Metric, ...]) -> bool:
    return settings.jmx.enabled


DECLARATION = SourceDeclaration(
    names={"jmx": "the product's JVM, over JMX"},
    order=40,
    bindings=(JmxBinding,),
    is_on=_is_on,
    switch="[jmx] enabled = true",
)
