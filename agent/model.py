"""The glossary: one word per idea, the values that travel from source to batch.

    Sample ──▶ Tick ──▶ HourlyAggregate ──▶ ConsentedRecord ──▶ Batch

What is read, and where that is written down:

*instance*          one product install, on one or more *nodes*
*home*              the product's folders: local of each node, shared by all; what we store beside the product is there
*metric*            one entry of the catalog: a name, what it is read by, its unit, kind and consent level
*compiled catalog*  all entries and statements in the form that is loaded; bound to the hash of what it was made from
*statement*         one question to the product's database, in PostgreSQL's dialect; the others are made of it
*twin*              a statement written by hand for one dialect or for views, with the reason why it cannot be made
*source*            something that is read on each tick (jmx, guardrails, host)
*source folder*     all of one source: how it is read, its words, its declaration; found by looking, listed nowhere
*declaration*       what a source folder says of itself: names, order, when it is on, whether a cluster has it once
*binding*           where one entry is read, in the words of its source: a bean, a column, a folder
*threshold*         the published numbers of a guardrail; *threshold status* is where its last count stands to them

From a reading to an hour:

*reading*           all that a source gave in one tick, with what it learnt; that counts when the reading is accepted
*sample*            one value of a series; *failure* is what is missing, with a reason, and never a zero
*series*            one metric of one source with its tags: what a sample is a value of
*epoch*             changes when the counters of a source begin again at zero
*tick*              one round over all sources; durable before it counts
*checkpoint*        how far a stream was read, durable with the tick that read it
*moment*            what the clocks of this machine said at once: wall clock, seconds since the boot, which boot
*line*              the last label and the seconds since: what the wall clock must say if nobody set it
*doubt*             the time while wall clock and line disagree and nobody can know which is right
*label*             the instant a tick stands under: the wall clock's, and the line's while that is in doubt
*number*            the store's own count of ticks: the only order there is
*turn*              whether this node counts for its cluster at a tick; *hold* is one unbroken time with the lock
*hour*              the aggregation window [start, end) in UTC; one hour unless a demo shortens it
*revision*          an hour closed once more, since ticks of it came late; the newest counts
*watermark*         the number up to which every tick was counted in a closed hour; nothing beyond it is deleted
*snapshot*          what each watched list held at the end of an hour; the next one is compared with it, for *events*
*loss*              something gone without being meant to, by reason and count; what consent keeps is none

From an hour to what leaves:

*row*               what asks to leave: figures of one series at one instant, of an hour or assessment; unfiltered
*pseudonym*         a keyed hash in a name's place; the series, sample or row says so: *hashed*
*rules*             what a field may become under a level; asked to store, to leave, to explain and to forget
*leaves*, *stays*   what consent lets out of a field, and why it does not; *withheld* is the list of what stayed
*second net*        what must never leave, looked for in every text that the rules would let out
*door*              the one place where rows become consented records
*entry*             one line of a batch: metricName, type, timestamp, attributes, tags
*batch*             sealed bytes with a stable id; what is pushed and what a bundle holds
*outbox*            the batches on disk; *ledger* the row of each request that carried one; *audit* who did which *act*
*link*              the confirmed security key, and to whom; *candidate key* one that was pasted and is not proved
*view*              what a command shows, as a type; text and JSON are two renderings of it

All instants are aware UTC datetimes, all durations seconds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import NewType, Protocol

InstanceId = NewType("InstanceId", str)
NodeId = NewType("NodeId", str)
BatchId = NewType("BatchId", str)

Value = int | float | str | bool
Scalar = int | float | str | bool | None


class EntryType(StrEnum):
    """The five types an entry may have (source document, "Data collection")."""

    JMX_METRIC = "JMX_METRIC"
    GUARDRAILS = "GUARDRAILS"
    APP_USAGE = "APP_USAGE"
    SYSTEM_EVENT = "SYSTEM_EVENT"
    SYSTEM_METRIC = "SYSTEM_METRIC"


class Category(StrEnum):
    """The five categories of shared data (source document, "Categories of data shared")."""

    INSTANCE = "instance-metadata"
    CONFIGURATION = "configuration-and-usage"
    APPS = "apps-and-integrations"
    OPERATIONAL = "operational-and-performance"
    CLIENT = "browser-and-client-side"


class ConsentLevel(StrEnum):
    """What the owner allows to leave: nothing, ids and counts, or also some names."""

    NONE = "none"
    BASIC = "basic"
    EXTENDED = "extended"

    def allows(self, needed: ConsentLevel) -> bool:
        """Whether a field that needs `needed` may leave under this level; NONE as need means never."""
        order = (ConsentLevel.NONE, ConsentLevel.BASIC, ConsentLevel.EXTENDED)
        return needed is not ConsentLevel.NONE and order.index(self) >= order.index(needed)


class Kind(StrEnum):
    """How a series is reduced to an hour."""

    GAUGE = "gauge"
    COUNTER = "counter"
    INFO = "info"
    EVENT = "event"


class Outcome(StrEnum):
    """What became of one source in one tick."""

    OK = "ok"
    PARTIAL = "partial"
    FAILED = "failed"
    NOT_DUE = "not-due"


class Role(StrEnum):
    """What this node is to its cluster: it counts for all, another one does, or nobody could tell."""

    COUNTING = "counting"
    STANDBY = "standby"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class ClusterTurn:
    """Who counts for the cluster, as of one tick.

    `session` is one unbroken hold of the cluster's lock, "" unless this node counts. `since_s` and `seen_s` are Unix
    seconds **by the database's clock**, the one clock all nodes share: when the hold was first and last confirmed.
    `ahead_s` is how far this machine's clock is ahead of it.
    """

    role: Role
    session: str = ""
    since_s: float = 0.0
    seen_s: float = 0.0
    ahead_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Moment:
    """What the clocks said at once. The wall clock gives labels and may be set at any moment; it never gives order.

    `steady_s` are seconds since the boot, suspend included: they only go forward, and two of one `boot_id` can be
    compared, also between processes. `boot_id` is "" where the kernel does not tell.
    """

    wall: datetime
    steady_s: float
    boot_id: str


@dataclass(frozen=True, slots=True)
class Hour:
    """A half-open aggregation window [start, start + length_s) in UTC; one hour in production."""

    start: datetime
    length_s: int = 3600

    @property
    def end(self) -> datetime:
        """The first instant after the window."""
        return self.start + timedelta(seconds=self.length_s)


def hour_of(instant: datetime, length_s: int = 3600) -> Hour:
    """The hour that holds `instant`; windows are aligned to the Unix epoch, so to UTC hours."""
    epoch_s = int(instant.timestamp() // length_s) * length_s
    return Hour(datetime.fromtimestamp(epoch_s, UTC), length_s)


@dataclass(frozen=True, slots=True)
class Series:
    """What a sample is a value of: a catalog metric with the tags of this very occurrence.

    `metric` is the name of a catalog entry; unit, category and consent stand there and only there.
    `tags` are sorted (key, value) pairs as read, before consent. `hashed` are the sorted names of those tags whose
    value is a pseudonym already: what was read may look like one, so the look decides nothing.
    """

    source: str
    metric: str
    tags: tuple[tuple[str, str], ...] = ()
    hashed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Sample:
    """One value of one series; its instant is the tick's. Non-finite numbers never become samples.

    `attributes` are further facts about this value that may leave with it (`method = estimate`). `hashed` are the
    sorted names of attributes that are pseudonyms already; "value" stands for the value itself.
    """

    series: Series
    value: Value
    attributes: tuple[tuple[str, Value], ...] = ()
    hashed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Failure:
    """Something a source did not get: `reason` is a code that may leave, `detail` stays on this machine.

    `quoted` are the parts of `detail`, as (first, behind the last) character, that were read from outside and may
    hold any name: they are shown by `sample` and never stored.
    """

    metric: str
    reason: str
    detail: str = ""
    quoted: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class SourceReport:
    """What became of one source in one tick; `do` tells the admin what mends it."""

    source: str
    outcome: Outcome
    samples: int = 0
    failures: tuple[Failure, ...] = ()
    took_s: float = 0.0
    why: str = ""
    do: str = ""


def nothing_learnt() -> None:
    """What a source does with an accepted reading that taught it nothing."""


@dataclass(frozen=True, slots=True)
class Reading:
    """All a source gave in one tick.

    **What a reading learnt counts only when the reading was accepted.** `commit` makes it count: that a list was read
    in this hour, that a table is absent, how far a log was read, which bean to leave alone. The sampler calls it, in
    its own thread and while the source's thread rests, for a reading that came in time. One that comes too late is
    thrown away whole, and the source goes on as if it had not been read. Until `commit` a source therefore changes
    nothing but caches of what is so anyway (a connection, a plan of beans).
    Two things count at once, accepted or not, because they protect others and claim nothing: what a query cost (one
    that outlives its tick must not run again in each tick) and what refused a login (failed logins lock accounts).

    `epoch` changes when the source's counters start again from zero (a JVM's start time).
    `costs_s` are the seconds each query took, where a source asks several; they stay here.
    `checkpoint` is how far a source that reads a stream has come; it becomes durable with the tick, in one
    transaction, and the source goes on from it after a crash. Empty: nothing to remember.
    """

    samples: tuple[Sample, ...]
    failures: tuple[Failure, ...] = ()
    epoch: str = ""
    costs_s: Mapping[str, float] = field(default_factory=dict)
    checkpoint: str = ""
    commit: Callable[[], None] = field(default=nothing_learnt, compare=False)


class Source(Protocol):
    """One thing that is read on each tick; opened once, kept, mends its own connection at the next read.

    Never called from two threads at once. Every reason of a Failure is a code of `agent.catalog.reasons`.
    """

    name: str

    def read(self, deadline_s: float) -> Reading:
        """What the source gives within `deadline_s` seconds; what is missing is a Failure, never a zero.

        What it learns by it waits in the reading's `commit`, see there.
        Raises SourceError, with a reason that may leave, when it gave nothing at all.
        """

    def close(self) -> None:
        """Let go of connections and children; reading again opens them again."""


@dataclass(frozen=True, slots=True)
class Tick:
    """One round over all sources, as stored. `taken_at` labels it; order is the store's own number.

    `moment` is what the clocks said when it was begun; the store makes the label of it (`agent.store.timeline`). A tick
    without one keeps the label it has. `turn` is set in a cluster, and only on its way into the store.
    """

    taken_at: datetime
    samples: tuple[Sample, ...]
    reports: tuple[SourceReport, ...]
    epochs: Mapping[str, str] = field(default_factory=dict)
    number: int = 0
    checkpoints: Mapping[str, str] = field(default_factory=dict)
    turn: ClusterTurn | None = None
    moment: Moment | None = None

    def seconds_after(self, earlier: Tick) -> float:
        """How long after `earlier` it was taken: by the seconds since the boot, by the labels across boots.

        A clock that was set in between changes the labels, and not how long it was.
        """
        now, then = self.moment, earlier.moment
        if now is not None and then is not None and now.boot_id and now.boot_id == then.boot_id:
            return now.steady_s - then.steady_s
        return (self.taken_at - earlier.taken_at).total_seconds()


@dataclass(frozen=True, slots=True)
class HourlyAggregate:
    """One series over one hour, unfiltered: `figures` are the entry's attributes before consent.

    gauge: min max mean last p50 p95; counter: delta resets last; info: value;
    event: count observed_from observed_to, where samples and expected are the number of times it was noticed.
    All: samples, expected, failed (a mapping reason -> ticks). `expected` is how many ticks should have given a value:
    every tick the hour should have had; of what is asked more rarely, the ticks that were taken and asked it.
    `hashed` are figures that are pseudonyms already.
    """

    series: Series
    hour: Hour
    figures: Mapping[str, Value | None]
    samples: int
    expected: int
    failed: Mapping[str, int]
    hashed: tuple[str, ...] = ()

    @property
    def row(self) -> Row:
        """The same as the door takes it: what asks to leave at the hour's start."""
        counts = Counts(self.samples, self.expected, self.failed)
        return Row(self.series, self.hour.start, self.figures, self.hashed, counts)


@dataclass(frozen=True, slots=True)
class Counts:
    """How complete an hourly row is: ticks that gave a value, ticks there should have been, failures by reason."""

    samples: int
    expected: int
    failed: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Row:
    """What asks to leave: the figures of one series at one instant, unfiltered, of an hour or of an assessment.

    `figures` are the entry's attributes before consent; `hashed` names those that are pseudonyms already. `counts` are
    there in a row that sums up ticks.
    """

    series: Series
    timestamp: datetime
    figures: Mapping[str, Value | None]
    hashed: tuple[str, ...] = ()
    counts: Counts | None = None


@dataclass(frozen=True, slots=True)
class ConsentedRecord:
    """One entry that may leave. Built in `consent/filter.py` and nowhere else; a test reads the tree for it."""

    metric_name: str
    type: EntryType
    timestamp: datetime
    attributes: Mapping[str, Scalar | Mapping[str, int]]
    tags: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Withheld:
    """A field, tag or metric that consent kept here, and the rule that kept it."""

    metric: str
    field: str
    rule: str


@dataclass(frozen=True, slots=True)
class Consent:
    """What the owner agreed to and when; `field_list_version` names the catalog it was agreed on."""

    level: ConsentLevel
    field_list_version: str
    granted_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Identity:
    """Who the figures are about, as far as it may leave: ids are keyed hashes or random, never host names."""

    instance_id: InstanceId
    node_id: NodeId
    product_type: str
    product_version: str


@dataclass(frozen=True, slots=True)
class Batch:
    """Sealed once: the id is derived from the content, the bytes never change, retries send the same ones."""

    id: BatchId
    hour: Hour
    revision: int
    part: str
    consent: Consent
    sha256: str
    body: bytes
    entries: int
    sealed_at: datetime
