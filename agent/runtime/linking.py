"""`link`, `unlink` and `consent` from the settings on: which folder, which store, which cloud, in which order.

In:   the settings, and what a person is asked for as functions: they are called when their turn has come, so that
nobody pastes a key before it is certain that there is a cloud to take it, or before consent is given.
Out:  what was done. Every act has its row in the audit table, which is opened before the first act.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from agent import __version__
from agent.catalog import Catalog, load_catalog
from agent.errors import AgentError
from agent.link.clone import adopt_machine, read_machine_id
from agent.link.consent_text import consent_text, field_counts
from agent.link.flow import (
    LinkFolder,
    check_can_link,
    link_folder_of,
    linked_record,
    prove_key,
    revoke,
    set_consent,
    stage_key,
)
from agent.link.handshake import LinkAnswer, LinkRequest, look_at_link
from agent.link.record import LinkRecord, fingerprint_of, read_link, remove_link
from agent.model import Consent, ConsentLevel, Scalar
from agent.net.cloud import CloudClient
from agent.product.instance.identity import read_instance
from agent.runtime.pipeline import product_version
from agent.settings import Mode, Secret, Settings
from agent.store import Store, audit
from agent.store.consents import note_given
from agent.store.database import open_store
from agent.store.timeline import reckon
from agent.system.clock import Clock

AgreeToLevel = Callable[[str], ConsentLevel]  # shown what leaves, says the level that was agreed to
GiveKey = Callable[[], Secret]


@dataclass(frozen=True, slots=True)
class KeyFacts:
    """What the cloud says of a pasted key that was not stored."""

    answer: LinkAnswer
    fingerprint: str


@dataclass(frozen=True, slots=True)
class Unlinked:
    """What `unlink` did. `known_to_cloud` is None when the cloud was not asked; `removed` are the files."""

    known_to_cloud: bool | None
    removed: tuple[Path, ...]


@dataclass(frozen=True, slots=True)
class ConsentChange:
    """The consent that held before and the one that holds now."""

    before: Consent
    now: Consent


def link(settings: Settings, agree: AgreeToLevel, give_key: GiveKey, clock: Clock) -> LinkRecord:
    """Link with a pasted key. Raises what `prove_key` raises; the key then waits, or was refused and is gone."""
    with _linking(settings) as (folder, store, client):
        catalog = load_catalog(settings.instance.product)
        screen = consent_text(field_counts(catalog), endpoint=_endpoint(settings), location=settings.cloud.location)
        # Consent before the key: nobody pastes one, which the cloud shows once, before knowing what it is for.
        consent = give_consent(folder, store, clock, agree(screen), catalog.field_list_version)
        stage_key(folder, give_key(), consent, clock.now().wall)
        return _prove(settings, folder, store, client, clock)


def resume_link(settings: Settings, clock: Clock) -> LinkRecord:
    """Link with the key that was pasted before, when the cloud could not be reached."""
    with _linking(settings) as (folder, store, client):
        return _prove(settings, folder, store, client, clock)


def look_at_key(settings: Settings, give_key: GiveKey) -> KeyFacts:
    """What a pasted key is for; nothing is stored or linked."""
    with open_cloud(settings) as client:
        key = give_key()
        return KeyFacts(look_at_link(client, key), fingerprint_of(key))


def unlink(settings: Settings, confirm: Callable[[], None], clock: Clock, *, local: bool) -> Unlinked:
    """End the link in the cloud (not with `local`) and remove it here.

    Raises what `revoke` raises; then nothing is removed.
    """
    folder = link_folder_for(settings)
    with _audit(settings) as store:
        confirm()
        known: bool | None = None
        if not local:
            with open_cloud(settings) as client:
                known = revoke(folder, client)
        # Only after the cloud has said that the link is ended, or it would stay valid over there without anybody
        # knowing its key.
        removed = remove_link(settings.link_dir)
        _note(store, clock, "link.removed", way="local" if local else "cloud and local", known_to_cloud=known)
    return Unlinked(known, tuple(removed))


def change_consent(settings: Settings, level: ConsentLevel, agree: AgreeToLevel, clock: Clock) -> ConsentChange:
    """Store another level for the link in force; only more than before is asked for. Nothing is transmitted.

    Raises NotLinked.
    """
    folder = link_folder_for(settings)
    record = linked_record(folder)
    catalog = load_catalog(settings.instance.product)
    with _audit(settings) as store:
        if not record.consent.level.allows(level) and level is not ConsentLevel.NONE:
            agree(consent_text(field_counts(catalog), endpoint=record.endpoint, location=record.location or None))
        given = give_consent(folder, store, clock, level, catalog.field_list_version)
        old, new = set_consent(folder, given)
        _note(
            store,
            clock,
            "consent.set",
            old=old.level.value,
            new=new.level.value,
            field_list_version=new.field_list_version,
        )
    return ConsentChange(old, new)


def link_folder_for(settings: Settings) -> LinkFolder:
    """Where this instance's link lies. Raises ConfigError when `init` has not been run."""
    facts = read_instance(settings.link_dir)
    return link_folder_of(settings.link_dir, settings.agent.state_dir, facts.instance_id)


@contextmanager
def open_cloud(settings: Settings) -> Iterator[CloudClient]:
    """The one HTTPS client; raises ConfigError in offline mode or without an endpoint, before anything is connected."""
    from agent.delivery.http import open_client  # h11 and ssl: `consent show` does without

    check_can_link(settings.cloud.endpoint, offline=settings.agent.mode is Mode.OFFLINE)
    with open_client(settings.cloud) as client:
        yield client


@contextmanager
def _linking(settings: Settings) -> Iterator[tuple[LinkFolder, Store, CloudClient]]:
    folder = link_folder_for(settings)
    with _audit(settings) as store, open_cloud(settings) as client:
        yield folder, store, client


@contextmanager
def _audit(settings: Settings) -> Iterator[Store]:
    """The store, opened before the first act so that no act stays without its row."""
    store = open_store(settings.agent.state_dir)
    try:
        yield store
    finally:
        store.close()


def _prove(settings: Settings, folder: LinkFolder, store: Store, client: CloudClient, clock: Clock) -> LinkRecord:
    request_for = _request_for(settings, folder.instance_id, load_catalog(settings.instance.product))
    try:
        record = prove_key(folder, client, request_for, _endpoint(settings), clock.now().wall)
    except AgentError as error:
        _note(store, clock, "link.failed", endpoint=_endpoint(settings), reason=type(error).__name__)
        raise
    if machine_id := read_machine_id():
        # Linking by hand is how an owner says that this machine is meant to go on.
        adopt_machine(store, machine_id)
    _note(
        store,
        clock,
        "link.made",
        endpoint=record.endpoint,
        organisation=record.organisation,
        link_id=record.link_id,
        key=record.key_fingerprint,
        consent=record.consent.level.value,
        field_list_version=record.consent.field_list_version,
    )
    return record


def give_consent(
    folder: LinkFolder, store: Store, clock: Clock, level: ConsentLevel, field_list_version: str
) -> Consent:
    """The consent given now. Since which tick it holds is noted before it can take effect anywhere."""
    moment = clock.now()
    record = read_link(folder.link_dir, owners=folder.owners)
    instant = reckon(store, moment).label
    if record is not None and record.consent.granted_at is not None:
        # Each consent of a stretch is named by an instant of its own, also where the clock was set back.
        instant = max(record.consent.granted_at + timedelta(milliseconds=1), instant)
    note_given(store, instant, moment)
    return Consent(level, field_list_version, instant)


def _label(store: Store, clock: Clock) -> datetime:
    """The present instant as a tick would be labelled, so that acts and hours agree."""
    return reckon(store, clock.now()).label


def _request_for(settings: Settings, instance_id: str, catalog: Catalog) -> Callable[[Consent], LinkRequest]:
    store = open_store(settings.agent.state_dir, read_only=True)
    try:
        version = product_version(store, catalog)
    finally:
        store.close()

    def build(consent: Consent) -> LinkRequest:
        return LinkRequest(
            instance_id=instance_id,
            product_type=settings.instance.product.value,
            product_version=version,
            agent_version=__version__,
            consent=consent,
            location=settings.cloud.location,
        )

    return build


def _endpoint(settings: Settings) -> str:
    return settings.cloud.endpoint or ""


def _note(store: Store, clock: Clock, event: str, **detail: Scalar) -> None:
    """Write who did what into the audit table; never a secret."""
    audit.record(store, _label(store, clock), audit.current_actor(), event, detail)
