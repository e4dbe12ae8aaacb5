"""What lies on this machine: host figures, the store with its lock and disk, the link with its files and key."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterator
from datetime import datetime

from agent.errors import AgentError, SourceError
from agent.product.instance.way import ClosedWay
from agent.settings import Mode, Settings
from agent.system.access import SERVICE_ACCOUNT, account_name
from agent.views.doctor.checks import Area, Check, State, failed_by

ENOUGH_FREE_BYTES = 64 * 1024 * 1024


def examine_account(way: ClosedWay | None) -> Check:
    """As whom all this is judged: what root may read says nothing of the service."""
    account = account_name() or f"uid {os.geteuid()}"
    if way is not None:
        return Check(Area.ACCOUNT, "files", State.FAILED, way.what, way.why, way.do, "permission-denied")
    if account == SERVICE_ACCOUNT:
        return Check(Area.ACCOUNT, "files", State.OK, f"Judged as the service account {account}.")
    if os.geteuid() == 0:
        return Check(Area.ACCOUNT, "files", State.OK, "Judged as root: the state folder is not another account's.")
    text = f"Judged as {account}; the service account may see it otherwise."
    return Check(Area.ACCOUNT, "files", State.OK, text, do="Better: run it as root, which then acts as that account.")


def examine_host(settings: Settings, _now: datetime, limit_s: float) -> Iterator[Check]:
    """The host source, read once."""
    if not settings.host.enabled:
        yield Check(Area.HOST, "host", State.SKIPPED, "Switched off: [host] enabled = false.")
        return
    from agent.catalog import load_catalog
    from agent.reasons import HARMLESS
    from agent.sources.registry import open_source

    source = open_source("host", settings, load_catalog(settings.instance.product.value))
    try:
        reading = source.read(limit_s)
    except SourceError as error:
        yield failed_by(Area.HOST, "figures", error)
        return
    finally:
        source.close()
    missing = sorted({failure.metric for failure in reading.failures if failure.reason not in HARMLESS})
    text = f"{len(reading.samples)} figures read"
    if missing:
        do = f"See why each is missing: portfolio-agent explain {missing[0]} --now"
        text = f"{text}, without {', '.join(missing)}."
        yield Check(Area.HOST, "figures", State.FAILED, text, do=do, code="not-present")
    else:
        yield Check(Area.HOST, "figures", State.OK, f"{text}.")


def examine_store(settings: Settings, _now: datetime, _limit_s: float) -> Iterator[Check]:
    """Who runs, how much room there is, and whether the file is whole."""
    from agent.store import InstanceLock
    from agent.store.database import FILE_NAME, open_store
    from agent.store.reserve import free_bytes

    folder = settings.agent.state_dir
    running = InstanceLock.is_held(folder)
    yield Check(Area.STORE, "lock", State.OK, "An agent runs." if running else "No agent runs at the moment.")
    try:
        free = free_bytes(folder)
    except OSError as error:
        text = f"{folder} cannot be used."
        do = f"Make it, for the service account alone (mode 0700): install -d -m 0700 {folder}"
        yield Check(Area.STORE, "disk", State.FAILED, text, f"{error.strerror}.", do, "folder")
        return
    room = f"{free / 1024**2:,.0f} MiB free in {folder}."
    if free < ENOUGH_FREE_BYTES:
        do = "Make room on that file system: nothing can be stored when it is full."
        yield Check(Area.STORE, "disk", State.FAILED, room, "Less than 64 MiB.", do, "disk-full")
    else:
        yield Check(Area.STORE, "disk", State.OK, room)
    if not (folder / FILE_NAME).exists():
        yield Check(Area.STORE, "integrity", State.SKIPPED, "There is no store yet: the agent has not run.")
        return
    try:
        with contextlib.closing(open_store(folder, read_only=True)) as store:
            rows = [str(row[0]) for row in store.execute("PRAGMA quick_check(3)")]
    except sqlite3.DatabaseError:
        rows = ["the file is no database"]
    except AgentError as error:
        yield failed_by(Area.STORE, "integrity", error)
        return
    if rows == ["ok"]:
        yield Check(Area.STORE, "integrity", State.OK, "quick_check finds the store whole.")
    else:
        do = f"Stop the agent, keep a copy of {folder / FILE_NAME}, remove it, and start the agent: a new one is made."
        yield Check(
            Area.STORE, "integrity", State.FAILED, "The store is damaged.", "; ".join(rows)[:200], do, "damaged"
        )


def examine_link(settings: Settings, now: datetime, _limit_s: float) -> Iterator[Check]:
    """Files and owners, that the stored key can be opened (it is not shown and not sent), and when it ends."""
    from agent.link.record import key_warning, read_link, reveal_key
    from agent.product.instance.identity import read_instance
    from agent.system.private_file import trusted_owners

    owners = trusted_owners(settings.agent.state_dir)
    try:
        instance = read_instance(settings.link_dir)
        record = read_link(settings.link_dir, owners=owners)
    except AgentError as error:
        yield failed_by(Area.LINK, "files", error)
        return
    yield Check(
        Area.LINK, "files", State.OK, f"{settings.link_dir} belongs to us alone; instance {instance.instance_id}."
    )
    if record is None:
        offline = settings.agent.mode is Mode.OFFLINE
        text = "Offline: bundles are Basic." if offline else "Not linked yet; to link: portfolio-agent link"
        yield Check(Area.LINK, "key", State.SKIPPED, text)
        return
    try:
        reveal_key(record, settings.link_dir, instance.instance_id, owners=owners)
    except AgentError as error:
        yield failed_by(Area.LINK, "key", error)
        return
    yield Check(Area.LINK, "key", State.OK, f"The stored key (id {record.key_fingerprint}) can be opened.")
    warning = key_warning(record, now)
    ended = record.key_expires_at is not None and record.key_expires_at <= now
    do = "Get a new key from admin.atlassian.com and run: portfolio-agent link"
    if warning:
        state, code = (State.FAILED, "key-ended") if ended else (State.OK, "")
        yield Check(Area.LINK, "expiry", state, warning, do=do, code=code)
    else:
        ends = (
            "the cloud named no end" if record.key_expires_at is None else f"{record.key_expires_at:%Y-%m-%d %H:%M} UTC"
        )
        yield Check(Area.LINK, "expiry", State.OK, f"The key ends: {ends}.")
