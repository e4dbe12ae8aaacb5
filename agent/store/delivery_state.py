"""What the next delivery run and `status` must know about the last one; kept in table `meta`, light to read."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from agent.store.database import Store, from_ms, to_ms
from agent.store.meta import meta, set_meta

META_KEY = "delivery"


@dataclass(frozen=True, slots=True)
class DeliveryState:
    """`hold` says why everything is held (empty: nothing is held); `hold_key` is the id of the key that was refused.

    `not_before`: the receiver asked not to be called earlier. `failing_since`: first try after the last success.
    All texts are words for a person, free of control characters.
    """

    hold: str = ""
    hold_key: str = ""
    hold_since: datetime | None = None
    next_probe: datetime | None = None
    not_before: datetime | None = None
    last_success: datetime | None = None
    last_answer: str = ""
    last_answer_at: datetime | None = None
    failing_since: datetime | None = None
    do: str = ""


_INSTANTS = ("hold_since", "next_probe", "not_before", "last_success", "last_answer_at", "failing_since")


def load(store: Store) -> DeliveryState:
    """The stored state; the initial one when no run has ended yet or what is stored cannot be read."""
    text = meta(store, META_KEY)
    if text is None:
        return DeliveryState()
    try:
        fields: dict[str, Any] = json.loads(text)
        for name in _INSTANTS:
            fields[name] = None if fields.get(name) is None else from_ms(fields[name])
        return DeliveryState(**fields)
    except (ValueError, TypeError, AttributeError):
        return DeliveryState()


def save(connection: sqlite3.Connection, state: DeliveryState) -> None:
    """Store the state; part of the caller's transaction."""
    fields: dict[str, Any] = {name: getattr(state, name) for name in DeliveryState.__slots__}
    for name in _INSTANTS:
        fields[name] = None if fields[name] is None else to_ms(fields[name])
    set_meta(connection, META_KEY, json.dumps(fields, sort_keys=True))


def note_problem(store: Store, why: str, do: str, at: datetime) -> None:
    """Remember what kept a run from sending anything, and since when; a hold stays as it is."""
    state = load(store)
    fresh = replace(state, last_answer=why, last_answer_at=at, failing_since=state.failing_since or at, do=do)
    with store.transaction() as connection:
        save(connection, fresh)
