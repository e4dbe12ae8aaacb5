"""What `link`, `unlink` and `consent` share: where the link lies, the client, the audit row, the questions."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import typer

from agent.errors import UsageError
from agent.model import ConsentLevel
from agent.system.clock import utc_now

if TYPE_CHECKING:
    from agent.link.flow import LinkFolder
    from agent.model import Scalar
    from agent.net.cloud import CloudClient
    from agent.settings import Settings
    from agent.store import Store

LEVELS = (ConsentLevel.BASIC, ConsentLevel.EXTENDED)


def link_folder_for(settings: Settings) -> LinkFolder:
    """Where this instance's link lies; raises when `init` has not been run."""
    from agent.link.flow import link_folder_of
    from agent.product.instance.identity import read_instance

    facts = read_instance(settings.link_dir)
    return link_folder_of(settings.link_dir, settings.agent.state_dir, facts.instance_id)


@contextmanager
def open_cloud(settings: Settings) -> Iterator[CloudClient]:
    """The one HTTPS client; raises ConfigError in offline mode or without an endpoint, before anything is connected."""
    from agent.delivery.http import open_client
    from agent.link.flow import check_can_link
    from agent.settings import Mode

    check_can_link(settings.cloud.endpoint, offline=settings.agent.mode is Mode.OFFLINE)
    with open_client(settings.cloud) as client:
        yield client


@contextmanager
def open_audit(settings: Settings) -> Iterator[Store]:
    """The store, opened before the first act so that no act stays without its row."""
    from agent.store.database import open_store

    store = open_store(settings.agent.state_dir)
    try:
        yield store
    finally:
        store.close()


def note(store: Store, event: str, **detail: Scalar) -> None:
    """Write who did what into the audit table; never a secret."""
    from agent.store.audit import current_actor, record

    record(store, utc_now(), current_actor(), event, detail)


def at_terminal() -> bool:
    """Whether a person can be asked."""
    return sys.stdin.isatty()


def parse_level(text: str, allowed: tuple[ConsentLevel, ...] = LEVELS) -> ConsentLevel:
    """The consent level of an option; the text is not repeated, as it may be a misplaced key."""
    for level in allowed:
        if text.strip().lower() == level.value:
            return level
    raise UsageError(
        "That is not a consent level.",
        why=f"There are: {', '.join(level.value for level in allowed)}.",
        do="See what each one means: portfolio-agent link --help",
    )


def agree(question: str, *, yes: bool) -> None:
    """Ask at a terminal unless `--yes` was given; raises UsageError for anything but yes."""
    if yes or not at_terminal():
        return
    if not typer.confirm(question, default=False, err=True):
        raise UsageError("Nothing was changed.", why="The question was not answered with yes.")
