"""`consent show` and `consent set`: what the owner allows to leave, since when, and what a change brings."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from agent.catalog import load_catalog
from agent.link.flow import linked_record
from agent.model import ConsentLevel
from agent.runtime.linking import ConsentChange, link_folder_for
from agent.settings import Settings

MEANING = {
    ConsentLevel.NONE: "nothing is sent; sampling goes on here",
    ConsentLevel.BASIC: "identifiers, counts and measurements, no names",
    ConsentLevel.EXTENDED: "Basic, and keys and names of projects, fields, spaces and own apps",
}


@dataclass(frozen=True, slots=True)
class ConsentShowView:
    """The consent in force; the field list it was given for, and the one of this agent."""

    level: ConsentLevel
    field_list_version: str
    granted_at: datetime | None
    present_field_list_version: str


@dataclass(frozen=True, slots=True)
class ConsentSetView:
    """The consent that holds from now on, and the level before."""

    level: ConsentLevel
    field_list_version: str
    granted_at: datetime | None
    before: ConsentLevel


def read_consent(settings: Settings) -> ConsentShowView:
    """The consent in force. Raises NotLinked."""
    consent = linked_record(link_folder_for(settings)).consent
    present = load_catalog(settings.instance.product).field_list_version
    return ConsentShowView(consent.level, consent.field_list_version, consent.granted_at, present)


def render_consent(view: ConsentShowView) -> str:
    """The text of `consent show`."""
    since = f"{view.granted_at:%Y-%m-%d %H:%M} UTC" if view.granted_at else "an unknown time"
    lines = [f"{view.level}: {MEANING[view.level]}; since {since}."]
    if view.field_list_version != view.present_field_list_version:
        lines.append(
            f"The field list has changed since ({view.field_list_version or 'unknown'}, "
            f"now {view.present_field_list_version}). See it: portfolio-agent catalog show"
        )
    return "\n".join(lines)


def consent_set_view(change: ConsentChange) -> ConsentSetView:
    """A change that was made."""
    now = change.now
    return ConsentSetView(now.level, now.field_list_version, now.granted_at, change.before.level)


def render_consent_set(view: ConsentSetView) -> str:
    """The text of `consent set`."""
    return f"Consent is now {view.level} (was {view.before}): {MEANING[view.level]}.\n{_consequence(view)}"


def _consequence(view: ConsentSetView) -> str:
    if view.level is ConsentLevel.NONE:
        return "Nothing was told to the cloud. What waits is kept here; to end the link: portfolio-agent unlink"
    if view.before is not view.level and view.before.allows(view.level):
        return "What waits to be sent is filtered again under the new level before the next push."
    return "It holds for hours closed from now on."
