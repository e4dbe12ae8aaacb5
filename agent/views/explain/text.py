"""The words of `explain`, for a terminal of 80 columns.

In: an `ExplainView`. Out: text: what it is, its last values, why there is none, the last hours, how it is read.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime

from agent.log import printable
from agent.model import ConsentLevel, Scalar
from agent.views.catalog import StatementRow
from agent.views.explain.view import ExplainView, HourRow, ValueRow
from agent.views.words import ago, span, with_command, wrapped

MOST_SERIES = 10  # on paper; --json has all
FIGURES = ("delta", "min", "mean", "p50", "p95", "max", "last", "value")  # in this order; others after them
NOT_SHOWN = frozenset({"unit", "method", "every_s", "as_of"})


def render_explanation(view: ExplainView) -> str:
    """The text of `explain`."""
    lines = [view.metric, *wrapped("  ", view.description)] if view.description else [view.metric]
    lines += ["", *_what(view), "", *_values(view)]
    if view.missing is not None:
        lines += ["", *_missing(view)]
    if view.hours:
        lines += ["", *_hours(view)]
    for statement in view.statements:
        lines += ["", *_statement(statement, view.dialect)]
    return "\n".join(lines)


def _what(view: ExplainView) -> Iterator[str]:
    yield from wrapped("  Read from     ", f"{view.source}: {view.where}")
    for place in view.read_from:
        yield from wrapped("                ", place)
    yield from wrapped(
        "  Class         ", f"{view.data_type}, {view.category}, {view.type}; {view.kind} in {view.unit}"
    )
    yield from wrapped("  Leaves under  ", f"{view.consent}; in force is {view.consent_in_force}")
    if view.versions:
        yield from wrapped("  Versions      ", view.versions)
    yield from wrapped("  Fact from     ", view.reference)
    if view.threshold is not None:
        warn = "" if view.threshold.warn is None else f"warning at {_number(view.threshold.warn)}, "
        state = "" if view.threshold_state is None else f"{view.threshold_state}: "
        yield from wrapped("  Threshold     ", f"{state}{warn}limit {_number(view.threshold.limit)}")
    if view.cost is not None:
        cost = view.cost
        about = "; meanwhile the database's estimate" if cost.estimated else ""
        text = f"last run took {cost.took_s:.2g} s; at most every {span(cost.every_s)}{about}"
        yield from wrapped("  Cost          ", text)


def _values(view: ExplainView) -> Iterator[str]:
    if not view.values:
        yield "Last value: none"
        return
    one = "Last value" if len(view.values) == 1 else f"Last values of {len(view.values)} series"
    first = view.values[0]
    place = "read just now, not stored" if first.tick is None else f"tick {first.tick}, {ago(view.now, first.at)}"
    yield f"{one}, {_instant(first.at)} ({place})"
    for row in view.values[:MOST_SERIES]:
        yield from _value(row, view.unit)
    if len(view.values) > MOST_SERIES:
        yield f"  and {len(view.values) - MOST_SERIES} more: --json has all"


def _value(row: ValueRow, unit: str) -> Iterator[str]:
    yield from wrapped("  ", f"{_number(row.value)}{'' if unit == '1' else ' ' + unit}{_tags(row.tags)}")
    facts = ", ".join(f"{name} = {_number(fact)}" for name, fact in row.attributes.items())
    if facts:
        yield from wrapped("    with ", facts)
    if not row.sent:
        yield from wrapped("    ", f"stays here: {row.rule}")
        return
    hashed = f"; only as keyed hash: {', '.join(row.hashed)}" if row.hashed else ""
    kept = f"; without {', '.join(name.removeprefix('tags.') for name in row.kept)}" if row.kept else ""
    yield from wrapped("    ", f"leaves with its hour{hashed}{kept}")


def _missing(view: ExplainView) -> Iterator[str]:
    missing = view.missing
    assert missing is not None  # noqa: S101 - the caller asked
    head = "Now it is missing" if view.values else "There is none"
    yield from wrapped(f"{head}: ", f"{missing.what} ({missing.reason})")
    if missing.why:
        yield from wrapped("  Why: ", missing.why)
    if missing.do:
        yield from with_command("  Do:  ", missing.do)


def _hours(view: ExplainView) -> Iterator[str]:
    yield "Last hours (UTC)"
    series = list(dict.fromkeys(_tags(row.tags) for row in view.hours))
    for tags in series[:MOST_SERIES]:
        if tags:
            yield from wrapped("  ", tags.strip())
        for row in view.hours:
            if _tags(row.tags) == tags:
                yield from _hour(row)
    if len(series) > MOST_SERIES:
        yield f"  and {len(series) - MOST_SERIES} more series: --json has all"


def _hour(row: HourRow) -> Iterator[str]:
    known = [name for name in FIGURES if name in row.figures]
    known += [name for name in row.figures if name not in FIGURES and name not in NOT_SHOWN]
    figures = ", ".join(f"{name} {_number(row.figures[name])}" for name in known) or "no value"
    failed = "".join(f", {count} {reason}" for reason, count in row.failed.items())
    corrected = f", revision {row.revision}" if row.revision else ""
    counted = f"{row.samples} of {row.expected} samples{failed}{corrected}"
    yield from wrapped(f"  {row.start:%m-%d %H:%M}  ", f"{figures} ({counted})")


def _statement(statement: StatementRow, dialect: str) -> Iterator[str]:
    """The text that is asked here; every one where the address does not tell the dialect."""
    own = [text for text in statement.texts if text.dialect == dialect]
    texts = own or [text for text in statement.texts if not text.dialect] or statement.texts
    under = ", under Extended only" if statement.consent is ConsentLevel.EXTENDED else ""
    for text in texts:
        where = ", where the table itself may not be read" if text.restricted else ""
        where = ", where this version keeps it in another table" if text.after else where
        yield f"Statement {text.file}{under}{where}"
        yield from (f"    {line}" for line in text.sql.splitlines())


def _tags(tags: Mapping[str, str]) -> str:
    return "".join(f"  {name}={printable(text)}" for name, text in tags.items())


def _instant(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S} UTC"


def _number(value: Scalar) -> str:
    if isinstance(value, bool) or value is None or isinstance(value, str):
        return printable(str(value))
    return f"{value:,}" if isinstance(value, int) else f"{value:,.6g}"
