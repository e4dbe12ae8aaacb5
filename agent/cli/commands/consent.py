"""`consent show` and `consent set`: what the owner allows to leave."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from agent.cli.linking import agree, link_folder_for, note, open_audit, parse_level
from agent.cli.options import DEFAULT_CONFIG, AsJson, ConfigPath, print_json
from agent.model import Consent, ConsentLevel
from agent.system.clock import utc_now

commands = typer.Typer(
    name="consent", help="Show or change what may leave this host.", no_args_is_help=True, rich_markup_mode=None
)

MEANING = {
    ConsentLevel.NONE: "nothing is sent; sampling goes on here",
    ConsentLevel.BASIC: "identifiers, counts and measurements, no names",
    ConsentLevel.EXTENDED: "Basic, and keys and names of projects, fields, spaces and own apps",
}


@commands.command("show")
def show(config: ConfigPath = DEFAULT_CONFIG, as_json: AsJson = False) -> None:
    """Show the consent in force, since when, and for which field list.

    Exit codes: 0 ok, 4 not linked, 10 configuration, 11 the link cannot be read.

    Example: portfolio-agent consent show --json
    """
    from agent.catalog import load_catalog
    from agent.link.flow import linked_record
    from agent.settings.load import load_settings

    settings = load_settings(config)
    consent = linked_record(link_folder_for(settings)).consent
    present = load_catalog(settings.instance.product).field_list_version
    if as_json:
        print_json({**_facts(consent), "presentFieldListVersion": present})
        return
    since = f"{consent.granted_at:%Y-%m-%d %H:%M} UTC" if consent.granted_at else "an unknown time"
    typer.echo(f"{consent.level.value}: {MEANING[consent.level]}; since {since}.")
    if consent.field_list_version != present:
        typer.echo(
            f"The field list has changed since ({consent.field_list_version or 'unknown'}, now {present}). "
            "See it: portfolio-agent catalog show"
        )


@commands.command("set")
def set_level(
    level: Annotated[str, typer.Argument(help="none, basic or extended.", metavar="LEVEL")],
    config: ConfigPath = DEFAULT_CONFIG,
    as_json: AsJson = False,
    yes: Annotated[bool, typer.Option("--yes", help="Agree without being asked.")] = False,
) -> None:
    """Change what may leave. Needs a link; the change itself is told to nobody.

    Exit codes: 0 changed, 2 no such level or not agreed, 4 not linked, 10 configuration, 11 the link cannot be read,
    12 store.

    Example: portfolio-agent consent set basic
    """
    from agent.catalog import load_catalog
    from agent.link.consent_text import consent_text, field_counts
    from agent.link.flow import linked_record, set_consent
    from agent.settings.load import load_settings

    wanted = parse_level(level, tuple(ConsentLevel))
    settings = load_settings(config)
    folder = link_folder_for(settings)
    record = linked_record(folder)
    catalog = load_catalog(settings.instance.product)
    with open_audit(settings) as store:
        if not record.consent.level.allows(wanted) and wanted is not ConsentLevel.NONE:
            text = consent_text(field_counts(catalog), endpoint=record.endpoint, location=record.location or None)
            typer.echo(text + "\n", err=True)
            agree(f"Agree that {wanted.value} data leaves as said above?", yes=yes)
        old, new = set_consent(folder, wanted, catalog.field_list_version, utc_now())
        note(store, "consent.set", old=old.level.value, new=new.level.value, field_list_version=new.field_list_version)
    if as_json:
        print_json({**_facts(new), "before": old.level.value})
        return
    typer.echo(f"Consent is now {new.level.value} (was {old.level.value}): {MEANING[new.level]}.")
    typer.echo(_consequence(old.level, new.level))


def _facts(consent: Consent) -> dict[str, Any]:
    return {
        "level": consent.level.value,
        "fieldListVersion": consent.field_list_version,
        "grantedAt": consent.granted_at,
    }


def _consequence(old: ConsentLevel, new: ConsentLevel) -> str:
    if new is ConsentLevel.NONE:
        return "Nothing was told to the cloud. What waits is kept here; to end the link: portfolio-agent unlink"
    if old is not new and old.allows(new):
        return "What waits to be sent is filtered again under the new level before the next push."
    return "It holds for hours closed from now on."


def register(app: typer.Typer) -> None:
    """Add the group."""
    app.add_typer(commands)
