"""`init`: what was found and written, and what the admin does next."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from agent.product.instance.setup import SetupReport
from agent.settings import Settings
from agent.views.database_login import DatabaseLoginView, read_database_login
from agent.views.render_json import TEXT_ONLY, camel_case


@dataclass(frozen=True, slots=True)
class InitView:
    """What `init` did. `found` has a key for each thing the home told (`sharedHome`), `next` the steps in order."""

    found: Mapping[str, str]
    written: tuple[str, ...]
    next: tuple[str, ...]
    database_login: DatabaseLoginView
    labels: tuple[tuple[str, str], ...] = field(metadata=TEXT_ONLY)


def init_view(report: SetupReport, settings: Settings) -> InitView:
    """What `init` did, and what the database says of the login."""
    found = {camel_case(label.replace(" ", "_").lower()): value for label, value in report.found}
    return InitView(found, report.written, report.next_steps, read_database_login(settings), report.found)


def render_init(view: InitView) -> str:
    """The text of `init`."""
    width = max(len(label) for label, _ in view.labels)
    return "\n".join(
        [
            "Found:",
            *(f"  {label.ljust(width)}  {value}" for label, value in view.labels),
            "Database login:",
            *(f"  {line}" for line in view.database_login.words),
            "Written:",
            *(f"  {line}" for line in view.written),
            "Next:",
            *(f"  {number}. {step}" for number, step in enumerate(view.next, start=1)),
        ]
    )
