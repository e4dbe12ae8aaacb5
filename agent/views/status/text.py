"""The words of `status`: what is, then what fails and what to do.

In: a `StatusView`, already read. Out: text for a terminal; what came from outside is shown without control characters.
"""

from __future__ import annotations

from collections.abc import Iterator
from textwrap import wrap

from agent.log import printable
from agent.model import Outcome, Role
from agent.reasons import CUT, HARMLESS, NOT_PRESENT, PASSED_OVER, QUARANTINED
from agent.settings import DatabaseLogin, Mode
from agent.views.status.guardrails import OPTIMAL, guardrail_rows
from agent.views.status.view import LastHour, LinkPresent, SourceStatus, StatusView
from agent.views.words import ago, three_facts, wrapped

CLUSTER_WORDS = {
    Role.COUNTING: "this node counts for the cluster",
    Role.STANDBY: "another node counts for the cluster; this one takes over when it stops",
    Role.UNKNOWN: "not known who counts: the database could not be asked",
}
LEFT_OUT = frozenset({QUARANTINED, CUT, PASSED_OVER})
MOST_LEFT_OUT = 5
ROOM = 64  # columns beside the labels, in 80
Row = tuple[str, str]


def render_status(view: StatusView) -> str:
    """The text of `status`: what is, then what fails and what to do."""
    lines = [f"Portfolio Agent {view.version} beside {view.product}, mode {view.mode}", ""]
    for label, text in _rows(view):
        lines += wrapped(f"  {label:<14}", text)
    if view.problems:
        lines += ["", "What needs attention:"]
        for number, problem in enumerate(view.problems, 1):
            lines += three_facts(f"  {number}. ", problem.what, problem.why, problem.do)
    else:
        near = any(item.level != OPTIMAL for item in view.guardrails)
        lines += ["", "The agent is well; the guardrails above are the product's." if near else "All is well."]
    return "\n".join(lines)


def _rows(view: StatusView) -> Iterator[Row]:
    yield "Agent", "running" if view.running else "NOT running"
    yield "Link", _link_text(view)
    if isinstance(view.link, LinkPresent):
        yield "Key", _key_text(view, view.link)
    yield "Last tick", _tick_text(view)
    for source in view.sources:
        yield from _source_rows(source)
    if view.cluster is not None:
        yield "Cluster", CLUSTER_WORDS[view.cluster]
    if view.database_login is DatabaseLogin.PRODUCT:
        yield "Database", "the product's own login, in read-only sessions; doctor says what it could do"
        yield "", '  a read-only account: config/database, then [database] login = "own"'
    if view.last_hour is not None:
        yield "Last hour", _hour_text(view.last_hour)
    if view.mode is Mode.LINKED:
        push = "none yet" if view.last_push is None else f"{view.last_push:%Y-%m-%d %H:%M:%S} UTC"
        yield "Confirmed", f"{push} (last push that the cloud acknowledged)"
        yield "Waiting", f"{view.waiting.batches} batches, {view.waiting.bytes:,} bytes"
    yield from guardrail_rows(view.guardrails, view.slow_queries)
    if view.lacks:
        first, *rest = wrap(printable(view.lacks), ROOM, break_long_words=False, break_on_hyphens=False)
        yield "Not there", first
        yield from (("", line) for line in rest)
    for loss in view.losses:
        yield "Lost", f"{loss.count} x {loss.reason}, last {loss.last:%Y-%m-%d %H:%M} UTC"


def _tick_text(view: StatusView) -> str:
    if view.last_tick is None:
        return "none yet"
    return f"{view.last_tick:%Y-%m-%d %H:%M:%S} UTC, {ago(view.now, view.last_tick)}: {view.samples} samples"


def _source_rows(source: SourceStatus) -> Iterator[Row]:
    absent = sum(item.reason == NOT_PRESENT for item in source.failures)
    # What the product does not have is normal, and often long: `status --json` and `sample` name each.
    more = f"; {absent} it does not have" if absent else ""
    text = f"{source.outcome} since {source.since:%Y-%m-%d %H:%M} UTC, {source.samples} samples"
    yield f"  {source.name}", f"{text}, {source.took_s:g} s{more}"
    missing = [item for item in source.failures if item.metric and item.reason not in HARMLESS]
    if missing and source.outcome is not Outcome.FAILED:
        first = ", ".join(f"{item.metric} ({item.reason})" for item in missing[:3])
        more = f" and {len(missing) - 3} more" if len(missing) > 3 else ""
        yield "", f"  without: {printable(first)}{more}"
    # what was left out on purpose is named with its bean: nobody would look for it otherwise
    for item in [item for item in source.failures if item.reason in LEFT_OUT][:MOST_LEFT_OUT]:
        yield "", f"  {item.reason}: {printable(item.detail)}"


def _hour_text(hour: LastHour) -> str:
    return f"{hour.start:%Y-%m-%d %H:%M} UTC, {hour.ticks} of {hour.expected} ticks"


def _key_text(view: StatusView, link: LinkPresent) -> str:
    ends = link.key_ends
    if ends is None:
        return f"id {link.key_id}, the cloud named no end"
    days = max((ends - view.now).days, 0)
    return f"id {link.key_id}, ends {ends:%Y-%m-%d %H:%M} UTC, {days} days left"


def _link_text(view: StatusView) -> str:
    link = view.link
    if not isinstance(link, LinkPresent):
        return "offline: nothing is ever sent" if view.mode is Mode.OFFLINE else link.state.value
    since = link.consent_since
    agreed = f" since {since:%Y-%m-%d}" if since is not None else ""
    place = f", data in {printable(link.location)}" if link.location else ""
    return f"{printable(link.organisation)} at {printable(link.endpoint)}{place}; consent {link.consent}{agreed}"
