"""Who did what: linked, unlinked, consent changed, bundle written. Rows are added and never changed.

In:  an event and its facts, which must hold no secret. Out: the same, oldest first.
"""

from __future__ import annotations

import json
import os
import pwd
import re
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from agent.model import Scalar
from agent.store.database import Store, from_ms, to_ms

_ACCOUNT = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.@-]{0,63}")


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One act: when, who, what, with which facts."""

    number: int
    at: datetime
    actor: str
    event: str
    detail: Mapping[str, Scalar]


def record(store: Store, now: datetime, actor: str, event: str, detail: Mapping[str, Scalar]) -> None:
    """Add one row; durable on return."""
    with store.transaction() as connection:
        add(connection, now, actor, event, detail)


def add(connection: sqlite3.Connection, now: datetime, actor: str, event: str, detail: Mapping[str, Scalar]) -> None:
    """Add one row; part of the caller's transaction."""
    connection.execute(
        "INSERT INTO audit (at_ms, actor, event, detail) VALUES (?, ?, ?, ?)",
        (to_ms(now), actor, event, json.dumps(dict(detail), sort_keys=True, allow_nan=False)),
    )


def entries(store: Store) -> tuple[AuditEntry, ...]:
    """All rows, oldest first."""
    rows = store.execute("SELECT number, at_ms, actor, event, detail FROM audit ORDER BY number")
    return tuple(
        AuditEntry(row["number"], from_ms(row["at_ms"]), row["actor"], row["event"], json.loads(row["detail"]))
        for row in rows
    )


def current_actor(environ: Mapping[str, str] = os.environ) -> str:
    """The account this process acts for, with the person behind sudo when there is one: `root (sudo: alex)`."""
    uid = os.getuid()
    try:
        account = pwd.getpwuid(uid).pw_name
    except KeyError:
        account = f"uid {uid}"
    person = environ.get("SUDO_USER", "")
    # SUDO_USER is only as true as the environment; sudo sets it, and root may set anything anyway.
    return f"{account} (sudo: {person})" if uid == 0 and _ACCOUNT.fullmatch(person) else account
