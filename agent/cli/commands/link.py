"""`link`: a pasted security key becomes the link of this instance."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from agent.cli.linking import agree, at_terminal, link_folder_for, note, open_audit, open_cloud, parse_level
from agent.cli.options import DEFAULT_CONFIG, AsJson, ConfigPath, print_json
from agent.errors import AgentError, UsageError
from agent.system.clock import utc_now

if TYPE_CHECKING:
    from agent.catalog import Catalog
    from agent.link.handshake import LinkAnswer, LinkRequest
    from agent.link.record import LinkRecord
    from agent.model import Consent
    from agent.settings import Secret, Settings


def link(
    context: typer.Context,
    config: ConfigPath = DEFAULT_CONFIG,
    as_json: AsJson = False,
    consent: Annotated[
        str | None, typer.Option("--consent", help="What may leave: basic or extended.", metavar="LEVEL")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Agree without being asked.")] = False,
    show: Annotated[
        bool, typer.Option("--show", help="Only show what the key is for (organisation, end); store nothing.")
    ] = False,
    resume: Annotated[
        bool, typer.Option("--resume", help="Try the key of the last run again, after the cloud could not be reached.")
    ] = False,
) -> None:
    """Link this instance to the cloud with a pasted security key.

    Shows what will leave, asks for consent, reads the key without showing it, and proves it with the cloud before an
    older key is dropped. The key comes by prompt or on standard input, never as an argument.

    Exit codes: 0 linked, 2 not a key or not agreed, 3 the cloud did not answer, 10 configuration, 11 key refused,
    12 store.

    Example: portfolio-agent link --consent basic < key.txt
    """
    from agent.link.paste import refuse_arguments
    from agent.settings.load import load_settings

    refuse_arguments(context.args)
    settings = load_settings(config)
    if show:
        _show(settings, as_json=as_json)
        return
    record = _link(settings, consent, yes=yes, resume=resume)
    if as_json:
        print_json(_facts(record))
    else:
        typer.echo(_words(record))


def _link(settings: Settings, level: str | None, *, yes: bool, resume: bool) -> LinkRecord:
    from agent.catalog import load_catalog
    from agent.link.clone import adopt_machine, read_machine_id
    from agent.link.flow import prove_key, stage_key

    folder = link_folder_for(settings)
    catalog = load_catalog(settings.instance.product)
    with open_audit(settings) as store, open_cloud(settings) as client:
        if not resume:
            consent = _agreed(settings, catalog, level, yes=yes)
            stage_key(folder, _read_key(), consent, utc_now())
        try:
            record = prove_key(
                folder, client, _request_for(settings, folder.instance_id), _endpoint(settings), utc_now()
            )
        except AgentError as error:
            note(store, "link.failed", endpoint=_endpoint(settings), reason=type(error).__name__)
            raise
        if machine_id := read_machine_id():
            adopt_machine(store, machine_id)
        note(
            store,
            "link.made",
            endpoint=record.endpoint,
            organisation=record.organisation,
            link_id=record.link_id,
            key=record.key_fingerprint,
            consent=record.consent.level.value,
            field_list_version=record.consent.field_list_version,
        )
    return record


def _agreed(settings: Settings, catalog: Catalog, level: str | None, *, yes: bool) -> Consent:
    from agent.link.consent_text import consent_text, field_counts
    from agent.model import Consent

    if level is None and not at_terminal():
        raise UsageError(
            "Without a terminal nobody can be asked what may leave.",
            why="Linking needs consent, and it is never assumed.",
            do="Say it: portfolio-agent link --consent basic < FILE",
        )
    chosen = None if level is None else parse_level(level)
    text = consent_text(field_counts(catalog), endpoint=_endpoint(settings), location=settings.cloud.location)
    typer.echo(text + "\n", err=True)
    if chosen is None:
        chosen = parse_level(typer.prompt("Consent to which level (basic or extended)?", err=True))
    agree(f"Agree that {chosen.value} data leaves as said above?", yes=yes)
    return Consent(chosen, catalog.field_list_version, utc_now())


def _read_key() -> Secret:
    from getpass import getpass

    from agent.link.paste import describe, read_prompt, read_stream

    key = read_prompt(getpass) if at_terminal() else read_stream(sys.stdin.buffer)
    typer.echo(f"Key read: {describe(key)}.", err=True)
    return key


def _request_for(settings: Settings, instance_id: str) -> Any:
    from agent import __version__
    from agent.catalog import load_catalog
    from agent.link.handshake import LinkRequest
    from agent.runtime.pipeline import product_version
    from agent.store.database import open_store

    store = open_store(settings.agent.state_dir, read_only=True)
    try:
        version = product_version(store, load_catalog(settings.instance.product))
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


def _show(settings: Settings, *, as_json: bool) -> None:
    from agent.link.handshake import look_at_link
    from agent.link.record import fingerprint_of

    with open_cloud(settings) as client:
        key = _read_key()
        answer = look_at_link(client, key)
    facts = {**_answer_facts(answer), "keyFingerprint": fingerprint_of(key), "stored": False}
    if as_json:
        print_json(facts)
        return
    for name, value in facts.items():
        typer.echo(f"{name:<16}{value if value not in (None, '') else '-'}")
    typer.echo("Nothing was stored. To link: portfolio-agent link")


def _answer_facts(answer: LinkAnswer) -> dict[str, Any]:
    return {
        "organisation": answer.organisation,
        "linkId": answer.link_id,
        "dataLocation": answer.location,
        "keyExpiresAt": answer.key_expires_at,
        "limits": dict(answer.limits),
    }


def _facts(record: LinkRecord) -> dict[str, Any]:
    return {
        "organisation": record.organisation,
        "linkId": record.link_id,
        "endpoint": record.endpoint,
        "dataLocation": record.location,
        "keyFingerprint": record.key_fingerprint,
        "keyExpiresAt": record.key_expires_at,
        "consent": record.consent.level.value,
        "fieldListVersion": record.consent.field_list_version,
    }


def _words(record: LinkRecord) -> str:
    ends = record.key_expires_at
    return "\n".join(
        [
            f"Linked to {record.organisation or '(an organisation without a name)'} at {record.endpoint}.",
            f"  Consent: {record.consent.level.value}. Data location: {record.location or 'not named by the cloud'}.",
            f"  Key {record.key_fingerprint} ends "
            + (f"{ends:%Y-%m-%d %H:%M} UTC." if ends else "when the cloud says."),
            "What happens next: the service samples, closes each hour and pushes it; nothing needs to be restarted.",
            "  Look ahead: portfolio-agent preview.  See how it goes: portfolio-agent status.",
            "  Not your organisation? portfolio-agent unlink.  Now clear your clipboard.",
        ]
    )


def register(app: typer.Typer) -> None:
    """Add the command; unknown arguments are let in: our refusal does not repeat them, the parser's would."""
    app.command(
        short_help="Connect to the cloud with a pasted security key.",
        context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
    )(link)
