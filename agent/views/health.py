"""What `status` tells: read from the store and the link, without asking the product or the cloud.

In:   settings, the store opened read-only, the link record. Out: one `Health`, as text or JSON.
Light on purpose (no SQLAlchemy, no HTTP): it must answer in 150 ms and also when the daemon is dead.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from agent import __version__
from agent.catalog.reasons import HUNG, PERMISSION_DENIED
from agent.errors import AgentError
from agent.link.record import LinkRecord, key_warning, read_link
from agent.model import ConsentLevel, Moment, Outcome, Role
from agent.settings import Mode, Settings
from agent.settings.schedule import closes_after_s
from agent.store import InstanceLock, Store, delivery_state, open_store, outbox, reserve
from agent.store.cluster import cluster_state
from agent.store.database import FILE_NAME, LOCK_NAME
from agent.store.delivery_state import DeliveryState
from agent.store.hours import closed_hours, uncounted
from agent.store.losses import Loss, losses
from agent.store.source_states import SourceState, source_states
from agent.store.ticks import last_tick
from agent.store.timeline import PROBATION_S, Reckoning, reckon
from agent.system.private_file import trusted_owners
from agent.views.guardrails import guardrails_against_thresholds, slow_queries

OK, DEGRADED, NOT_DELIVERING, NOT_LINKED = 0, 1, 3, 4
WORST_FIRST = (NOT_DELIVERING, NOT_LINKED, DEGRADED, OK)
LATE_TICK_INTERVALS = 2.5
LATE_PUSH_HOURS = 2
CLOCKS_APART_S = 60.0
FOR_A_PERSON = frozenset({HUNG, PERMISSION_DENIED})
RUN = " Run: "  # in the detail of a failure: what a person can do about it


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that needs a person: what, why, what to do, and the exit code it causes."""

    what: str
    why: str
    do: str
    exit_code: int = DEGRADED


@dataclass(slots=True)
class Health:
    """Everything `status` knows; instants are aware UTC or None for "never"."""

    now: datetime
    product: str
    mode: str
    version: str = __version__
    running: bool = False
    link: dict[str, Any] = field(default_factory=dict)
    last_tick: datetime | None = None
    samples: int = 0
    interval_s: float = 0.0
    sources: list[dict[str, Any]] = field(default_factory=list)
    cluster: str = ""
    database_login: str = ""
    last_hour: dict[str, Any] | None = None
    last_push: datetime | None = None
    last_answer: str = ""
    waiting: dict[str, Any] = field(default_factory=dict)
    guardrails: list[dict[str, Any]] = field(default_factory=list)
    slow_queries: list[dict[str, Any]] = field(default_factory=list)
    losses: list[dict[str, Any]] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)

    @property
    def exit_code(self) -> int:
        """0 when nothing needs attention, else the gravest problem's code."""
        codes = {problem.exit_code for problem in self.problems}
        return next((code for code in WORST_FIRST if code in codes), OK)

    def to_json(self) -> dict[str, Any]:
        """The same facts for scripts."""
        answer = {name: _plain(getattr(self, name)) for name in self.__slots__}
        answer["exitCode"] = self.exit_code
        return answer


def read_health(settings: Settings, moment: Moment) -> Health:
    """The state of the agent beside this instance. Raises StoreError when the store cannot be read.

    What is old is told by the line of the ticks, not by a clock that was just set; see `agent.store.timeline`.
    """
    health = Health(moment.wall, settings.instance.product.value, settings.agent.mode.value)
    health.running = InstanceLock.is_held(settings.agent.state_dir)
    health.interval_s = settings.sampling.interval_s
    if settings.database.enabled:
        health.database_login = settings.database.login.value
    record = _read_link(settings, health)
    if not (settings.agent.state_dir / FILE_NAME).exists():
        _never_ran(health, settings)
        return health
    store = open_store(settings.agent.state_dir, read_only=True)
    try:
        now = reckon(store, moment)
        health.now = now.label
        _clock(health, now)
        _sampling(health, settings, store)
        _delivering(health, settings, store, record)
        health.guardrails = guardrails_against_thresholds(store)
        health.slow_queries = slow_queries(store, settings.sampling.interval_s)
        for loss in losses(store):
            _lost(health, loss)
    finally:
        store.close()
    return health


def _never_ran(health: Health, settings: Settings) -> None:
    health.waiting = {"batches": 0, "bytes": 0, "oldestHour": None, "setAside": 0}
    health.problems.append(
        Problem(
            "The agent has not run yet.",
            f"There is no store in {settings.agent.state_dir}.",
            "Run: systemctl start portfolio-agent (or, to try it: portfolio-agent run)",
        )
    )


def _read_link(settings: Settings, health: Health) -> LinkRecord | None:
    try:
        record = read_link(settings.link_dir, owners=trusted_owners(settings.agent.state_dir))
    except AgentError as error:
        health.link = {"state": "unreadable"}
        health.problems.append(Problem(error.what, error.why, error.do, NOT_LINKED))
        return None
    if record is None:
        health.link = {"state": "not linked"}
        if settings.agent.mode is Mode.LINKED:
            health.problems.append(
                Problem(
                    "Not linked: nothing is sent.",
                    "No security key was given yet; sampling goes on.",
                    'Run: portfolio-agent link (or set mode = "offline" and use: portfolio-agent bundle)',
                    NOT_LINKED,
                )
            )
        return None
    health.link = {
        "state": "linked",
        "organisation": record.organisation,
        "endpoint": record.endpoint,
        "location": record.location,
        "consent": record.consent.level.value,
        "consentSince": record.consent.granted_at,
        "keyEnds": record.key_expires_at,
        "keyId": record.key_fingerprint,
    }
    warning = key_warning(record, health.now)
    if warning:
        expired = record.key_expires_at is not None and record.key_expires_at <= health.now
        health.problems.append(
            Problem(
                warning,
                "Keys are valid for a limited time.",
                "Get a new key from admin.atlassian.com and run: portfolio-agent link. Nothing that waits is lost.",
                NOT_DELIVERING if expired else DEGRADED,
            )
        )
    return record


def _sampling(health: Health, settings: Settings, store: Store) -> None:
    found = last_tick(store)
    if found is not None:
        health.last_tick, health.samples = found
    late_s = LATE_TICK_INTERVALS * settings.sampling.interval_s
    if not health.running:
        health.problems.append(
            Problem(
                "The agent is not running.",
                f"Nobody holds {settings.agent.state_dir / LOCK_NAME}.",
                "Run: systemctl start portfolio-agent; then see: journalctl -u portfolio-agent -n 20",
            )
        )
    elif health.last_tick is None or (health.now - health.last_tick).total_seconds() > late_s:
        health.problems.append(
            Problem(
                "No fresh tick.",
                f"A tick is due every {settings.sampling.interval_s:g} s and none was stored lately.",
                "See: journalctl -u portfolio-agent -n 20 (a full disk is the usual cause)",
            )
        )
    _cluster(health, store)
    _room(health, settings)
    _unclosed(health, settings, store)
    for state in source_states(store):
        _source(health, state)
    hours = closed_hours(store)
    if hours:
        last = hours[-1]
        health.last_hour = {
            "start": last.hour.start,
            "ticks": last.ticks,
            "expected": max(round(last.hour.length_s / settings.sampling.interval_s), 1),
        }


def _clock(health: Health, now: Reckoning) -> None:
    """A clock in doubt: hours wait until it is known which time is right."""
    if now.doubt is None:
        return
    side = "ahead of" if now.doubt.apart_ms > 0 else "behind"
    health.problems.append(
        Problem(
            f"This machine's clock is {_span(abs(now.doubt.apart_ms) / 1000)} {side} where it should be.",
            f"It says {now.wall:%Y-%m-%d %H:%M} UTC; by the time since the last tick it is "
            f"{now.label:%Y-%m-%d %H:%M} UTC. No hour measured since then is closed or sent, and nothing is lost.",
            "Set the clock right (see: timedatectl). If it is right, do nothing: it is believed when it has kept "
            f"its course for {_span(PROBATION_S)}.",
        )
    )


def _cluster(health: Health, store: Store) -> None:
    """Who counts for the cluster; the rule of who keeps an hour stands on the database's clock."""
    state = cluster_state(store)
    if state is None:
        return
    health.cluster = state.role.value
    if state.role is not Role.UNKNOWN and abs(state.ahead_s) > CLOCKS_APART_S:
        side = "ahead of" if state.ahead_s > 0 else "behind"
        health.problems.append(
            Problem(
                f"This machine's clock is {abs(state.ahead_s):.0f} s {side} the database's.",
                "Which node keeps an hour of the cluster is told by the database's clock; so far apart, none may.",
                "Let this machine and the database server keep the same time (NTP).",
            )
        )


def _room(health: Health, settings: Settings) -> None:
    """A full disk, asked of the file system itself: what cannot be written cannot be read from the store."""
    folder = settings.agent.state_dir
    free = reserve.free_bytes(folder)
    if free < reserve.TIGHT_BELOW_BYTES or reserve.spent(folder):
        health.problems.append(
            Problem(
                "The disk is full: new ticks cannot be stored.",
                f"{free:,} bytes are free on the file system of {folder}.",
                "Free space there. Ticks wait in the agent's memory meanwhile, the last two hours of them.",
            )
        )


def _unclosed(health: Health, settings: Settings, store: Store) -> None:
    """Hours that should have been closed long ago: the hourly run fails, and nothing else would tell."""
    slack_s = (
        closes_after_s(settings, clustered=bool(health.cluster))
        + settings.delivery.retry_for_s
        + settings.hour.length_s
    )
    ends = [item.hour for item in uncounted(store, settings.hour.length_s).hours if item.vouched]
    oldest = min(ends, key=lambda hour: hour.start, default=None)
    if oldest is not None and (health.now - oldest.end).total_seconds() > slack_s:
        health.problems.append(
            Problem(
                f"Hours are not closed since {oldest.start:%Y-%m-%d %H:%M} UTC.",
                "The hourly run did not do its work.",
                "Run it by hand to see why: portfolio-agent deliver. Nothing measured is lost.",
                NOT_DELIVERING,
            )
        )


def _source(health: Health, state: SourceState) -> None:
    health.sources.append(
        {
            "name": state.source,
            "outcome": state.outcome.value,
            "since": state.since,
            "samples": state.samples,
            "tookS": round(state.took_s, 3),
            "lastAnswer": state.ok_at,
            "failures": [
                {"metric": metric, "reason": reason, "detail": detail} for metric, reason, detail in state.failures
            ],
        }
    )
    if state.outcome is Outcome.FAILED:
        seen = "never" if state.ok_at is None else f"last answered {ago(health.now, state.ok_at)}"
        health.problems.append(Problem(f"{state.source} gives nothing ({seen}).", state.why, state.do, DEGRADED))
        return
    told = {detail: metric for metric, reason, detail in state.failures if reason in FOR_A_PERSON and RUN in detail}
    for detail, metric in told.items():
        why, _, command = detail.partition(RUN)
        health.problems.append(Problem(f"{state.source} does not give {metric}.", why, f"{RUN.strip()} {command}"))


def _delivering(health: Health, settings: Settings, store: Store, record: LinkRecord | None) -> None:
    size = outbox.size(store)
    health.waiting = {
        "batches": size.waiting,
        "bytes": size.waiting_bytes,
        "oldestHour": size.oldest,
        "setAside": size.set_aside,
    }
    state = delivery_state.load(store)
    health.last_push, health.last_answer = state.last_success, state.last_answer
    if size.set_aside:
        health.problems.append(
            Problem(
                f"{size.set_aside} batches were refused by the cloud and set aside.",
                state.last_answer,
                "Report it with the output of: portfolio-agent status --json. Later batches are sent as usual.",
            )
        )
    if settings.agent.mode is Mode.OFFLINE or record is None:
        return
    if record.consent.level is ConsentLevel.NONE:
        health.problems.append(
            Problem("Consent is none: nothing is sent.", "An admin chose so.", "Run: portfolio-agent consent set basic")
        )
        return
    _undelivered(health, state, size)


def _undelivered(health: Health, state: DeliveryState, size: outbox.OutboxSize) -> None:
    """Healthy needs a confirmed push while something waits: two hours without one is a problem (X1)."""
    if state.hold:
        health.problems.append(Problem("The cloud refuses the key; everything is held.", state.hold, state.do, 3))
        return
    late = timedelta(hours=LATE_PUSH_HOURS)
    if size.waiting and size.oldest is not None and health.now - size.oldest > late + timedelta(hours=1):
        health.problems.append(
            Problem(
                f"{size.waiting} batches wait since the hour {size.oldest:%Y-%m-%d %H:%M} UTC.",
                state.last_answer or "No push was confirmed yet.",
                state.do or "Run: portfolio-agent deliver",
                NOT_DELIVERING,
            )
        )
    elif state.failing_since is not None and size.waiting:
        health.problems.append(
            Problem(
                f"Pushes fail since {state.failing_since:%Y-%m-%d %H:%M} UTC; {size.waiting} batches wait.",
                state.last_answer,
                state.do or "Nothing yet: they are sent again by themselves.",
                NOT_DELIVERING,
            )
        )


def _lost(health: Health, loss: Loss) -> None:
    health.losses.append({"reason": loss.reason, "count": loss.count, "first": loss.first_at, "last": loss.last_at})


def ago(now: datetime, then: datetime) -> str:
    """How long ago, in the largest fitting unit."""
    return f"{_span(max((now - then).total_seconds(), 0.0))} ago"


def _span(seconds: float) -> str:
    """How long, in the largest fitting unit."""
    for length_s, unit in ((86400, "days"), (3600, "hours"), (60, "minutes")):
        if seconds >= 2 * length_s:
            return f"{int(seconds // length_s)} {unit}"
    return f"{int(seconds)} s"


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    if isinstance(value, Problem):
        return _plain(asdict(value))
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value
