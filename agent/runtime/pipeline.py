"""Opens what the stages need, for the hourly run and for commands: one place that knows how they fit together."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime

from agent import __version__
from agent.batching import seal
from agent.catalog import Catalog, load_catalog
from agent.consent import Door, Leaves, NoPseudonyms, Part, Pseudonyms, Rules
from agent.consent.periods import MeasuredHour, consent_throughout
from agent.link.record import LinkRecord, read_link
from agent.model import Batch, Consent, ConsentLevel, Hour, HourlyAggregate, Identity, NodeId, Value
from agent.product.instance.facts import read_product_facts
from agent.product.instance.identity import InstanceFacts, read_instance
from agent.settings import Mode, Settings
from agent.store import Store, open_store
from agent.store.consents import Marks, consent_marks
from agent.store.hours import ClosedHour, aggregates_of, closed_hours, tick_before_hour
from agent.store.ticks import newest_tick
from agent.system.private_file import trusted_owners

PRODUCT_VERSION = "product.version"  # the info metric of the catalog that names the product's version


@dataclass(frozen=True, slots=True)
class Pipeline:
    """What an hour needs on its way from ticks to batches; opened once a run.

    `consent` is None as long as nothing may be sealed: linked mode without a link. `earlier` are the consents that led
    to it without a break, `marks` since which tick each holds.
    """

    settings: Settings
    catalog: Catalog
    store: Store
    facts: InstanceFacts
    identity: Identity
    pseudonyms: Pseudonyms
    record: LinkRecord | None
    consent: Consent | None
    clustered: bool = False
    earlier: tuple[Consent, ...] = ()
    marks: Marks = field(default_factory=dict)

    @property
    def consents(self) -> tuple[Consent, ...]:
        """All of the unbroken stretch that the consent in force belongs to, oldest first; none without consent."""
        return () if self.consent is None else (*self.earlier, self.consent)

    def with_marks(self, marks: Marks) -> Pipeline:
        """The same with other marks of its consents."""
        return replace(self, marks=marks)

    def consent_throughout(self, item: ClosedHour) -> Consent | None:
        """The consent that all of a closed hour may leave under; None when it stays here."""
        # Without marks nothing asks for numbers, and a store of an older schema has none to tell.
        after = tick_before_hour(self.store, item) if self.marks else 0
        return consent_throughout(self.consents, MeasuredHour(item.hour, after, item.last_tick), self.marks)

    def door(self, level: ConsentLevel | None = None) -> Door:
        """The way out under the consent in force, Basic without a link; under another level only for a preview."""
        return Door(Rules(self.catalog, self.consent_or_basic(level).level, self.pseudonyms))

    def batches(
        self,
        hour: Hour,
        revision: int,
        aggregates: Iterable[HourlyAggregate],
        now: datetime,
        level: ConsentLevel | None = None,
        under: Consent | None = None,
    ) -> list[Batch]:
        """The sealed batches of one hour under `under`, or else the present consent, Basic without a link."""
        consent = self.labelled(under or self.consent_or_basic(level))
        door = Door(Rules(self.catalog, consent.level, self.pseudonyms))
        records = list(door.records(row.row for row in aggregates))
        return seal(records, self.identity, hour, revision, consent, __version__, now)

    def labelled(self, consent: Consent) -> Consent:
        """`consent` as what leaves names it: as agreed, with the field list that is really used.

        After an upgrade link.json still names the list of the day it was agreed on; a batch must not, because its
        entries were let out by the list of today. What was agreed stays in link.json, see `consent show`.
        """
        return replace(consent, field_list_version=self.catalog.field_list_version)

    def consent_or_basic(self, level: ConsentLevel | None = None) -> Consent:
        """The consent in force, Basic without a link; with `level` what it would be under that level."""
        consent = self.consent or basic_consent(self.catalog)
        return consent if level is None else Consent(level, consent.field_list_version, consent.granted_at)


def basic_consent(catalog: Catalog) -> Consent:
    """What holds without a link: ids and counts, for files that an admin carries by hand."""
    return Consent(ConsentLevel.BASIC, catalog.field_list_version)


@contextmanager
def open_pipeline(settings: Settings, *, read_only: bool = False) -> Iterator[Pipeline]:
    """The pipeline over this instance's store; closed on leaving. Raises AgentError for whatever cannot be opened."""
    catalog = load_catalog(settings.instance.product)
    facts = read_instance(settings.link_dir)
    record = read_link(settings.link_dir, owners=trusted_owners(settings.agent.state_dir))
    if record is not None:
        consent: Consent | None = record.consent
    else:
        consent = basic_consent(catalog) if settings.agent.mode is Mode.OFFLINE else None
    pseudonyms = Pseudonyms(facts.pseudonym_key.reveal())
    store = open_store(settings.agent.state_dir, read_only=read_only)
    try:
        product = read_product_facts(settings)
        identity = Identity(
            facts.instance_id,
            NodeId(pseudonyms.node(product.node_name)),
            settings.instance.product.value,
            product_version(store, catalog),
        )
        earlier = record.earlier if record is not None else ()
        clustered, marks = product.clustered, consent_marks(store)
        yield Pipeline(
            settings, catalog, store, facts, identity, pseudonyms, record, consent, clustered, earlier, marks
        )
    finally:
        store.close()


def product_version(store: Store, catalog: Catalog) -> str:
    """The product's version as the agent last read it; empty while it never did, or when it looks like no version.

    It leaves in the head of every batch, beside the entries: so it is asked of the same rules.
    """
    read, metric = info_value(store, PRODUCT_VERSION), catalog.metrics.get(PRODUCT_VERSION)
    if read is None or metric is None:
        return ""
    treated = Rules(catalog, ConsentLevel.BASIC, NoPseudonyms()).treat(metric, Part.FIGURE, "value", read)
    return str(treated.value) if isinstance(treated, Leaves) else ""


def info_value(store: Store, metric: str) -> Value | None:
    """The last known value of an info metric: from the newest tick, else from the newest closed hours."""
    newest = newest_tick(store)
    for sample in newest.samples if newest is not None else ():
        if sample.series.metric == metric:
            return sample.value
    for closed in reversed(closed_hours(store)[-3:]):
        for row in aggregates_of(store, closed.hour, closed.revision):
            if row.series.metric == metric and row.samples:
                return row.figures.get("value")
    return None
