"""What `explain` shows, as types."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from agent.catalog import DataType, ThresholdState
from agent.model import Category, ConsentLevel, EntryType, Kind, Scalar
from agent.views.catalog import StatementRow, ThresholdRow

DEGRADED = 1


@dataclass(frozen=True, slots=True)
class ValueRow:
    """The last value of one series, as it is stored here: names that consent hashes are hashed already.

    `tick` is the store's number, null for a value read just now. `sent` says whether it would leave under the consent
    in force, `rule` why or why not; `hashed` and `kept` as `sample` has them.
    """

    tags: Mapping[str, str]
    value: Scalar
    attributes: Mapping[str, Scalar]
    at: datetime
    tick: int | None
    sent: bool
    rule: str
    hashed: tuple[str, ...]
    kept: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class HourRow:
    """One closed hour of one series: its figures, how many samples of how many, what the others failed of."""

    tags: Mapping[str, str]
    start: datetime
    end: datetime
    revision: int
    figures: Mapping[str, Scalar]
    samples: int
    expected: int
    failed: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class MissingFacts:
    """Why there is no value: a stable word, what it means, what the source said, what to do ("" for nothing to do)."""

    reason: str
    what: str
    why: str
    do: str


@dataclass(frozen=True, slots=True)
class CostFacts:
    """What the statement took when it ran last, and how often it may run at most; `due` is the next time."""

    last_run: datetime
    took_s: float
    every_s: float
    due: datetime
    estimated: bool


@dataclass(frozen=True, slots=True)
class ExplainView:
    """All that is known of one metric here. `missing` is null when its newest tick (or reading) has it.

    `values` are the newest of each series, `hours` the newest closed hours of those series. `statements` are the
    texts that may be run, of which `dialect` is this site's ("" when the database's address cannot be read).
    """

    metric: str
    description: str
    product: str
    type: EntryType
    category: Category
    consent: ConsentLevel
    consent_in_force: ConsentLevel
    data_type: DataType
    unit: str
    kind: Kind
    source: str
    where: str
    read_from: tuple[str, ...]
    reference: str
    versions: str
    now: datetime
    values: tuple[ValueRow, ...]
    missing: MissingFacts | None
    hours: tuple[HourRow, ...]
    threshold: ThresholdRow | None
    threshold_state: ThresholdState | None
    cost: CostFacts | None
    dialect: str
    statements: tuple[StatementRow, ...]

    @property
    def exit_code(self) -> int:
        """1 when there is no value now."""
        return DEGRADED if self.missing is not None else 0
