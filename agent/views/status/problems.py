"""What needs a person: each rule looks at the facts and says what, why, what to do, and which exit code it causes.

In:   `Facts`. Out: problems in the order in which they are shown: the link first, then from the tick to the push.
A false "all is well" is the worst this file can do: what is not known to be well is a problem.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import timedelta

from agent.errors import AgentError
from agent.link.record import LinkRecord, key_warning
from agent.model import ConsentLevel, Outcome, Role
from agent.reasons import HUNG, PERMISSION_DENIED
from agent.settings import Mode
from agent.settings.schedule import closes_after_s
from agent.store import reserve
from agent.store.database import LOCK_NAME
from agent.store.source_states import SourceState
from agent.store.timeline import PROBATION_S
from agent.views.status.facts import Facts, StoredFacts
from agent.views.status.view import DEGRADED, NOT_DELIVERING, NOT_LINKED, OK, Problem
from agent.views.words import DO, ago, span

# One code for a script: nothing leaves at all is graver than not being linked, which somebody may have meant.
WORST_FIRST = (NOT_DELIVERING, NOT_LINKED, DEGRADED, OK)
# One tick may be skipped while the product hangs; two in a row are no accident.
LATE_TICK_INTERVALS = 2.5
LATE_PUSH_HOURS = 2
CLOCKS_APART_S = 60.0
FOR_A_PERSON = frozenset({HUNG, PERMISSION_DENIED})
FILE_PERMISSION = "file-permission"
RUN = " Run: "  # in the detail of a failure: what a person can do about it


def exit_code_of(problems: Iterable[Problem]) -> int:
    """0 when nothing needs attention, else the gravest problem's code."""
    codes = {problem.exit_code for problem in problems}
    return next((code for code in WORST_FIRST if code in codes), OK)


def problems_of(facts: Facts) -> Iterator[Problem]:
    """Everything that needs attention."""
    if facts.way is not None:
        yield Problem(facts.way.what, facts.way.why, facts.way.do)
    yield from _link(facts)
    stored = facts.stored
    if stored is None:
        yield Problem(
            "The agent has not run yet.",
            f"There is no store in {facts.settings.agent.state_dir}.",
            "Run: systemctl start portfolio-agent (or, to try it: portfolio-agent run)",
        )
        return
    yield from _clock(stored)
    yield from _ticks(facts, stored)
    yield from _cluster(stored)
    yield from _room(facts, stored)
    yield from _unclosed(facts, stored)
    yield from _sources(facts, stored.sources)
    yield from _delivery(facts, stored)


def _link(facts: Facts) -> Iterator[Problem]:
    record = facts.link
    if isinstance(record, AgentError):
        if facts.way is not None and record.code == FILE_PERMISSION:
            return  # said already, with the command that opens the way to all of it
        yield Problem(record.what, record.why, record.do, NOT_LINKED)
    elif record is not None:
        yield from _key(facts, record)
    elif facts.settings.agent.mode is Mode.LINKED:
        yield Problem(
            "Not linked: nothing is sent.",
            "No security key was given yet; sampling goes on.",
            'Run: portfolio-agent link (or set mode = "offline" and use: portfolio-agent bundle)',
            NOT_LINKED,
        )


def _key(facts: Facts, record: LinkRecord) -> Iterator[Problem]:
    warning = key_warning(record, facts.now)
    if warning:
        expired = record.key_expires_at is not None and record.key_expires_at <= facts.now
        yield Problem(
            warning,
            "Keys are valid for a limited time.",
            "Get a new key from admin.atlassian.com and run: portfolio-agent link. Nothing that waits is lost.",
            NOT_DELIVERING if expired else DEGRADED,
        )


def _ticks(facts: Facts, stored: StoredFacts) -> Iterator[Problem]:
    interval_s = facts.settings.sampling.interval_s
    at = None if stored.last_tick is None else stored.last_tick[0]
    if not facts.running:
        yield Problem(
            "The agent is not running.",
            f"Nobody holds {facts.settings.agent.state_dir / LOCK_NAME}.",
            "Run: systemctl start portfolio-agent; then see: journalctl -u portfolio-agent -n 20",
        )
    elif at is None or (facts.now - at).total_seconds() > LATE_TICK_INTERVALS * interval_s:
        yield Problem(
            "No fresh tick.",
            f"A tick is due every {interval_s:g} s and none was stored lately.",
            "See: journalctl -u portfolio-agent -n 20 (a full disk is the usual cause)",
        )


def _clock(stored: StoredFacts) -> Iterator[Problem]:
    """A clock in doubt: hours wait until it is known which time is right."""
    now, doubt = stored.reckoning, stored.reckoning.doubt
    if doubt is None:
        return
    side = "ahead of" if doubt.apart_ms > 0 else "behind"
    yield Problem(
        f"This machine's clock is {span(abs(doubt.apart_ms) / 1000)} {side} where it should be.",
        f"It says {now.wall:%Y-%m-%d %H:%M} UTC; by the time since the last tick it is "
        f"{now.label:%Y-%m-%d %H:%M} UTC. No hour measured since then is closed or sent, and nothing is lost.",
        "Set the clock right (see: timedatectl). If it is right, do nothing: it is believed when it has kept "
        f"its course for {span(PROBATION_S)}.",
    )


def _cluster(stored: StoredFacts) -> Iterator[Problem]:
    """Who counts for the cluster; the rule of who keeps an hour stands on the database's clock."""
    state = stored.cluster
    if state is not None and state.role is not Role.UNKNOWN and abs(state.ahead_s) > CLOCKS_APART_S:
        side = "ahead of" if state.ahead_s > 0 else "behind"
        yield Problem(
            f"This machine's clock is {abs(state.ahead_s):.0f} s {side} the database's.",
            "Which node keeps an hour of the cluster is told by the database's clock; so far apart, none may.",
            "Let this machine and the database server keep the same time (NTP).",
        )


def _room(facts: Facts, stored: StoredFacts) -> Iterator[Problem]:
    if stored.free_bytes < reserve.TIGHT_BELOW_BYTES or stored.reserve_spent:
        yield Problem(
            "The disk is full: new ticks cannot be stored.",
            f"{stored.free_bytes:,} bytes are free on the file system of {facts.settings.agent.state_dir}.",
            "Free space there. Ticks wait in the agent's memory meanwhile, the last two hours of them.",
        )


def _unclosed(facts: Facts, stored: StoredFacts) -> Iterator[Problem]:
    """Hours that should have been closed long ago: the hourly run fails, and nothing else would tell."""
    settings, hour = facts.settings, stored.oldest_open_hour
    # As long as a run may take by its own settings, and one hour more: earlier would be a false alarm after every
    # outage.
    slack_s = (
        closes_after_s(settings, clustered=stored.cluster is not None)
        + settings.delivery.retry_for_s
        + settings.hour.length_s
    )
    if hour is not None and (facts.now - hour.end).total_seconds() > slack_s:
        yield Problem(
            f"Hours are not closed since {hour.start:%Y-%m-%d %H:%M} UTC.",
            "The hourly run did not do its work.",
            "Run it by hand to see why: portfolio-agent deliver. Nothing measured is lost.",
            NOT_DELIVERING,
        )


def _sources(facts: Facts, states: Iterable[SourceState]) -> Iterator[Problem]:
    """One cause is one problem, however many sources it costs: who is affected stands in its first words."""
    failed: dict[tuple[str, str], list[SourceState]] = {}
    for state in states:
        if facts.way is not None and any(reason == PERMISSION_DENIED for _, reason, _ in state.failures):
            continue
        if state.outcome is Outcome.FAILED:
            failed.setdefault((state.why, state.do), []).append(state)
        else:
            yield from _unread(state)
    for (why, do), affected in failed.items():
        names = ", ".join(state.source for state in affected)
        verb = "gives" if len(affected) == 1 else "give"
        answers = [state.ok_at for state in affected if state.ok_at is not None]
        seen = f"last answered {ago(facts.now, max(answers))}" if answers else "never"
        yield Problem(f"{names} {verb} nothing ({seen}).", why, do)


def _unread(state: SourceState) -> Iterator[Problem]:
    """What a source that answers misses for a reason that a person can mend."""
    told: dict[str, tuple[str, list[str]]] = {}
    for metric, reason, detail in state.failures:
        why, mark, do = detail.partition(DO)
        if not mark and reason in FOR_A_PERSON:
            why, mark, command = detail.partition(RUN)
            do = f"{RUN.strip()} {command}"
        if mark:
            told.setdefault(why, (do, []))[1].append(metric)
    for why, (do, metrics) in told.items():
        more = f" and {len(metrics) - 1} more" if len(metrics) > 1 else ""
        yield Problem(f"{state.source} does not give {metrics[0]}{more}.", why, do)


def _delivery(facts: Facts, stored: StoredFacts) -> Iterator[Problem]:
    if stored.waiting.set_aside:
        yield Problem(
            f"{stored.waiting.set_aside} batches were refused by the cloud and set aside.",
            stored.delivery.last_answer,
            "Report it with the output of: portfolio-agent status --json. Later batches are sent as usual.",
        )
    record = facts.link
    if facts.settings.agent.mode is Mode.OFFLINE or not isinstance(record, LinkRecord):
        return
    if record.consent.level is ConsentLevel.NONE:
        yield Problem(
            "Consent is none: nothing is sent.", "An admin chose so.", "Run: portfolio-agent consent set basic"
        )
        return
    yield from _undelivered(facts, stored)


def _undelivered(facts: Facts, stored: StoredFacts) -> Iterator[Problem]:
    """Healthy needs a confirmed push while something waits: two hours without one is a problem (X1)."""
    state, size = stored.delivery, stored.waiting
    if state.hold:
        yield Problem("The cloud refuses the key; everything is held.", state.hold, state.do, NOT_DELIVERING)
        return
    late = timedelta(hours=LATE_PUSH_HOURS)
    if size.waiting and size.oldest is not None and facts.now - size.oldest > late + timedelta(hours=1):
        yield Problem(
            f"{size.waiting} batches wait since the hour {size.oldest:%Y-%m-%d %H:%M} UTC.",
            state.last_answer or "No push was confirmed yet.",
            state.do or "Run: portfolio-agent deliver",
            NOT_DELIVERING,
        )
    elif state.failing_since is not None and size.waiting:
        yield Problem(
            f"Pushes fail since {state.failing_since:%Y-%m-%d %H:%M} UTC; {size.waiting} batches wait.",
            state.last_answer,
            state.do or "Nothing yet: they are sent again by themselves.",
            NOT_DELIVERING,
        )
