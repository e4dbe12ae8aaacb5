"""`init`: what was found and written, what is left to do, and what the admin does next."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from agent.product.instance.left import LeftToDo
from agent.product.instance.setup import NextStep, SetupReport
from agent.settings import Settings
from agent.views.database_login import DatabaseLoginView, read_database_login
from agent.views.render_json import TEXT_ONLY, camel_case

WIDTH = 80


@dataclass(frozen=True, slots=True)
class InitView:
    """What `init` did. `found` has a key for each thing the home told (`sharedHome`), `next` the steps in order.

    `left_to_do` keeps a part from working until it is done.
    """

    found: Mapping[str, str]
    written: tuple[str, ...]
    left_to_do: tuple[LeftToDo, ...]
    next: tuple[str, ...]
    database_login: DatabaseLoginView
    labels: tuple[tuple[str, str], ...] = field(metadata=TEXT_ONLY)
    steps: tuple[NextStep, ...] = field(metadata=TEXT_ONLY)

    @property
    def exit_code(self) -> int:
        """0, or 1 while something is left to do."""
        return int(bool(self.left_to_do))


def init_view(report: SetupReport, settings: Settings) -> InitView:
    """What `init` did, and what the database says of the login."""
    found = {camel_case(label.replace(" ", "_").lower()): value for label, value in report.found}
    login = read_database_login(settings)
    return InitView(
        found, report.written, report.left, tuple(map(str, report.next_steps)), login, report.found, report.next_steps
    )


def render_init(view: InitView) -> str:
    """The text of `init`; commands stand whole, however long, so that they can be copied."""
    width = max(len(label) for label, _ in view.labels)
    lines = ["Found:"]
    for label, value in view.labels:
        lines.extend(_wrapped(value, f"  {label.ljust(width)}  "))
    if view.database_login.asked or not view.left_to_do:  # else what is left to do says it, with what mends it
        lines.append("Database login:")
        for line in view.database_login.words:
            lines.extend(_wrapped(line, "  "))
    lines += ["Written:", *(f"  {line}" for line in view.written)]
    if view.left_to_do:
        lines.append("Left to do:")
        for number, item in enumerate(view.left_to_do, start=1):
            lines.extend(_left(number, item))
    lines.append("Next:")
    for number, step in enumerate(view.steps, start=1):
        lines.extend(_step(number, step))
    return "\n".join(lines)


def _left(number: int, item: LeftToDo) -> Iterator[str]:
    yield from _wrapped(item.what, f"  {number}. ")
    yield from _wrapped(item.why, "     Why: ")
    yield from _wrapped(item.do, "     Do: ")
    yield from (f"       {command}" for command in item.commands)


def _step(number: int, step: NextStep) -> Iterator[str]:
    whole = f"  {number}. {step}"
    if len(whole) <= WIDTH:
        yield whole
    else:
        yield from _wrapped(step.words, f"  {number}. ")
        yield from filter(None, (f"       {step.command}".rstrip(),))


def _wrapped(text: str, start: str) -> list[str]:
    return textwrap.wrap(
        text,
        WIDTH,
        initial_indent=start,
        subsequent_indent=" " * len(start),
        break_long_words=False,
        break_on_hyphens=False,
    ) or [start.rstrip()]
