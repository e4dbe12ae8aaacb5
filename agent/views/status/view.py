"""What `status` shows, as types: for text and for JSON the same."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Literal

from agent.model import ConsentLevel, Outcome, Role
from agent.settings import DatabaseLogin, Mode
from agent.store.thresholds import ThresholdStatus

OK, DEGRADED, NOT_DELIVERING, NOT_LINKED = 0, 1, 3, 4


class NoLink(StrEnum):
    """Why there is no link to speak of."""

    UNREADABLE = "unreadable"
    NOT_LINKED = "not linked"


@dataclass(frozen=True, slots=True)
class LinkAbsent:
    """No link, or one that cannot be read."""

    state: NoLink


@dataclass(frozen=True, slots=True)
class LinkPresent:
    """The link in force; `key_id` is the key's fingerprint."""

    state: Literal["linked"] = field(default="linked", kw_only=True)
    organisation: str
    endpoint: str
    location: str
    consent: ConsentLevel
    consent_since: datetime | None
    key_ends: datetime | None
    key_id: str


@dataclass(frozen=True, slots=True)
class FailureRow:
    """Something a source did not get: which metric ("" for all), a stable word, and what a person may want to know."""

    metric: str
    reason: str
    detail: str


@dataclass(frozen=True, slots=True)
class SourceStatus:
    """One source as of its last tick; `last_answer` is when it last gave something."""

    name: str
    outcome: Outcome
    since: datetime
    samples: int
    took_s: float
    last_answer: datetime | None
    failures: tuple[FailureRow, ...]


@dataclass(frozen=True, slots=True)
class LastHour:
    """The newest closed hour: how many ticks it has of how many it could have."""

    start: datetime
    ticks: int
    expected: int


@dataclass(frozen=True, slots=True)
class Waiting:
    """What waits for the cloud, and how many batches the cloud refused for good."""

    batches: int = 0
    bytes: int = 0
    oldest_hour: datetime | None = None
    set_aside: int = 0


@dataclass(frozen=True, slots=True)
class SlowQuery:
    """A query that may not run on each tick; `ended`: its last run took too long and was ended."""

    metric: str
    query: str
    every_s: float
    took_s: float
    last_run: datetime
    ended: bool
    estimated: bool


@dataclass(frozen=True, slots=True)
class LossRow:
    """Something that was lost without being meant to."""

    reason: str
    count: int
    first: datetime
    last: datetime


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that needs a person: what, why, what to do, and the exit code it causes."""

    what: str
    why: str
    do: str
    exit_code: int = DEGRADED


@dataclass(frozen=True, slots=True)
class StatusView:
    """Everything `status` knows; null is "never" or "not there".

    `lacks`: which tables or columns this version of the product does not have, in a sentence, "" for none.
    `exit_code` is that of the gravest problem, 0 without one.
    """

    now: datetime
    product: str
    mode: Mode
    version: str
    running: bool
    link: LinkAbsent | LinkPresent
    last_tick: datetime | None = None
    samples: int = 0
    interval_s: float = 0.0
    sources: tuple[SourceStatus, ...] = ()
    cluster: Role | None = None
    database_login: DatabaseLogin | None = None
    last_hour: LastHour | None = None
    last_push: datetime | None = None
    last_answer: str = ""
    waiting: Waiting = Waiting()
    guardrails: tuple[ThresholdStatus, ...] = ()
    slow_queries: tuple[SlowQuery, ...] = ()
    losses: tuple[LossRow, ...] = ()
    lacks: str = ""
    problems: tuple[Problem, ...] = ()
    exit_code: int = OK
