"""The words of `status`: what is, then what fails and what to do.

In: a `Health`, already read. Out: text for a terminal; what came from outside is shown without control characters.
"""

from __future__ import annotations

from agent.catalog.reasons import CUT, HARMLESS, NOT_PRESENT, QUARANTINED
from agent.log import printable
from agent.model import Outcome, Role
from agent.settings import DatabaseLogin, Mode
from agent.views.guardrails import OPTIMAL, guardrail_rows
from agent.views.health import Health, ago

CLUSTER_WORDS = {
    Role.COUNTING.value: "this node counts for the cluster",
    Role.STANDBY.value: "another node counts for the cluster; this one takes over when it stops",
    Role.UNKNOWN.value: "not known who counts: the database could not be asked",
}
LEFT_OUT = frozenset({QUARANTINED, CUT})
MOST_LEFT_OUT = 5


def render_health(health: Health) -> str:
    """The text of `status`: what is, then what fails and what to do."""
    lines = [f"Portfolio Agent {health.version} beside {health.product}, mode {health.mode}", ""]
    lines += [f"  {label:<14}{text}" for label, text in _rows(health)]
    if health.problems:
        lines += ["", "What needs attention:"]
        for number, problem in enumerate(health.problems, 1):
            lines.append(f"  {number}. {printable(problem.what)}")
            lines += [f"     Why: {printable(problem.why)}"] if problem.why else []
            lines += [f"     Do:  {printable(problem.do)}"] if problem.do else []
    else:
        near = any(item["level"] != OPTIMAL for item in health.guardrails)
        lines += ["", "The agent is well; the guardrails above are the product's." if near else "All is well."]
    return "\n".join(lines)


def _rows(health: Health) -> list[tuple[str, str]]:
    rows = [("Agent", "running" if health.running else "NOT running"), ("Link", _link_text(health))]
    if health.link.get("state") == "linked":
        rows.append(("Key", _key_text(health)))
    if health.last_tick is None:
        rows.append(("Last tick", "none yet"))
    else:
        when = f"{health.last_tick:%Y-%m-%d %H:%M:%S} UTC, {ago(health.now, health.last_tick)}"
        rows.append(("Last tick", f"{when}: {health.samples} samples"))
    for source in health.sources:
        text = f"{source['outcome']} since {source['since']:%Y-%m-%d %H:%M} UTC, {source['samples']} samples"
        absent = sum(item["reason"] == NOT_PRESENT for item in source["failures"])
        # What the product does not have is normal, and often long: `status --json` and `sample` name each.
        more = f"; {absent} it does not have" if absent else ""
        rows.append((f"  {source['name']}", f"{text}, {source['tookS']:g} s{more}"))
        missing = [item for item in source["failures"] if item["metric"] and item["reason"] not in HARMLESS]
        if missing and source["outcome"] != Outcome.FAILED.value:
            first = ", ".join(f"{item['metric']} ({item['reason']})" for item in missing[:3])
            more = f" and {len(missing) - 3} more" if len(missing) > 3 else ""
            rows.append(("", f"  without: {printable(first)}{more}"))
        # what was left out on purpose is named with its bean: nobody would look for it otherwise
        for item in [item for item in source["failures"] if item["reason"] in LEFT_OUT][:MOST_LEFT_OUT]:
            rows.append(("", f"  {item['reason']}: {printable(item['detail'])}"))
    if health.cluster:
        rows.append(("Cluster", CLUSTER_WORDS[health.cluster]))
    if health.database_login == DatabaseLogin.PRODUCT:
        rows.append(("Database", "the product's own login, in read-only sessions; doctor says what it could do"))
        rows.append(("", '  a read-only account: config/database, then [database] login = "own"'))
    if health.last_hour is not None:
        hour = health.last_hour
        rows.append(("Last hour", f"{hour['start']:%Y-%m-%d %H:%M} UTC, {hour['ticks']} of {hour['expected']} ticks"))
    if health.mode == Mode.LINKED.value:
        push = "none yet" if health.last_push is None else f"{health.last_push:%Y-%m-%d %H:%M:%S} UTC"
        rows.append(("Confirmed", f"{push} (last push that the cloud acknowledged)"))
        rows.append(("Waiting", f"{health.waiting['batches']} batches, {health.waiting['bytes']:,} bytes"))
    rows += guardrail_rows(health.guardrails, health.slow_queries)
    for loss in health.losses:
        rows.append(("Lost", f"{loss['count']} x {loss['reason']}, last {loss['last']:%Y-%m-%d %H:%M} UTC"))
    return rows


def _key_text(health: Health) -> str:
    ends = health.link["keyEnds"]
    if ends is None:
        return f"id {health.link['keyId']}, the cloud named no end"
    days = max((ends - health.now).days, 0)
    return f"id {health.link['keyId']}, ends {ends:%Y-%m-%d %H:%M} UTC, {days} days left"


def _link_text(health: Health) -> str:
    link = health.link
    if link["state"] != "linked":
        return "offline: nothing is ever sent" if health.mode == Mode.OFFLINE.value else str(link["state"])
    since = link["consentSince"]
    agreed = f" since {since:%Y-%m-%d}" if since is not None else ""
    place = f", data in {printable(link['location'])}" if link["location"] else ""
    return (
        f"{printable(link['organisation'])} at {printable(link['endpoint'])}{place}; consent {link['consent']}{agreed}"
    )
