"""`link`, `unlink` and `consent` against a real TLS server, at a terminal (a real process) and in scripts."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.link.keyfile import master_path
from agent.link.record import link_path, read_record
from agent.model import ConsentLevel
from tests.support.cloud import KEY, Receiver, receiver
from tests.support.command import run_here
from tests.support.linking import Installation

TEXT = KEY.reveal()
PROMPT = "Security key (hidden"


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Receiver]:
    """A running reference receiver."""
    with receiver(tmp_path_factory.mktemp("receiver")) as running:
        yield running


@pytest.fixture
def agent(tmp_path: Path, cloud: Receiver) -> Installation:
    """A fresh installation; the receiver behaves."""
    cloud.control()
    (cloud.folder / "links.json").unlink(missing_ok=True)
    return Installation(tmp_path / "host", cloud)


def test_link_from_standard_input(agent: Installation) -> None:
    """A script links with the key on standard input: consent text on standard error, facts on standard output."""
    done = agent.run("link", "--consent", "basic", "--json", given=TEXT + "\n")
    assert done.code == 0, done.text
    assert done.json["organisation"] == "Example Organisation"
    assert done.json["consent"] == "basic"
    assert "NEVER, under either level" in done.err
    assert TEXT not in done.text
    record = agent.link
    assert record is not None
    assert record.consent.level is ConsentLevel.BASIC
    assert record.instance_id == agent.instance_id
    assert record.consent.field_list_version
    (row,) = agent.audit()
    assert row.event == "link.made"
    assert row.actor
    assert row.detail["key"] == record.key_fingerprint


def test_link_at_a_terminal_hides_the_key(agent: Installation) -> None:
    """At a terminal the level is asked, agreement is asked, and the key is read without showing it."""
    answers = [("basic or extended", "extended"), ("Agree that", "y"), (PROMPT, TEXT)]
    done = agent.type("link", answers=answers)
    assert done.code == 0, done.text
    assert TEXT not in done.text
    assert f"ending in …{TEXT[-4:]}" in done.text
    assert "What happens next" in done.text
    assert agent.link is not None
    assert agent.link.consent.level is ConsentLevel.EXTENDED


def test_disagreeing_changes_nothing(agent: Installation, cloud: Receiver) -> None:
    """Whoever does not agree is not asked for the key; nothing is stored or sent."""
    requests = len(cloud.log())
    done = agent.type("link", "--consent", "basic", answers=[("Agree that", "n")])
    assert done.code == 2
    assert PROMPT not in done.text
    assert read_record(agent.link_dir) is None
    assert len(cloud.log()) == requests


def test_consent_is_never_assumed(agent: Installation) -> None:
    """Without a terminal and without --consent nothing is linked."""
    done = agent.run("link", "--yes", given=TEXT)
    assert done.code == 2
    assert "--consent basic" in done.err
    assert agent.link is None


@pytest.mark.parametrize(
    "arguments",
    [(TEXT,), ("--key", TEXT), (f"--key={TEXT}",), ("--consent", TEXT), ("--consent", "basic", TEXT)],
)
def test_key_as_argument_is_refused_and_not_repeated(agent: Installation, arguments: tuple[str, ...]) -> None:
    """A key on the command line is refused with exit 2; it is not repeated, not used, not stored."""
    done = agent.run("link", *arguments, given=TEXT)
    assert done.code == 2
    assert TEXT not in done.text
    assert agent.link is None
    if arguments[0] != "--consent":
        assert "make a new one in the cloud" in done.err


def test_show_stores_nothing(agent: Installation, cloud: Receiver) -> None:
    """`--show` tells organisation, end and fingerprint of a pasted key; nothing is stored or linked."""
    done = agent.run("link", "--show", "--json", given=TEXT)
    assert done.code == 0, done.text
    assert done.json["organisation"] == "Example Organisation"
    assert done.json["keyExpiresAt"]
    assert len(done.json["keyFingerprint"]) == 8
    assert TEXT not in done.text
    assert read_record(agent.link_dir) is None
    assert not master_path(agent.link_dir).exists()
    assert not (cloud.folder / "links.json").exists()


def test_wrong_key_is_exit_11(agent: Installation) -> None:
    """A key the cloud refuses: exit 11, what to do, an audit row, no link, no second traceback."""
    done = agent.run("link", "--consent", "basic", given="unknown-key-0123456789abcdef")
    assert done.code == 11
    assert "Make a new key" in done.err
    assert "Traceback" not in done.text
    assert agent.link is None
    assert [(row.event, row.detail["reason"]) for row in agent.audit()] == [("link.failed", "KeyRejected")]


def test_cloud_away_then_resume(agent: Installation, cloud: Receiver) -> None:
    """With the cloud down linking is exit 3 and keeps the key; `--resume` links without pasting again."""
    cloud.control(mode="503", calls=["link"])
    done = agent.run("link", "--consent", "extended", given=TEXT)
    assert done.code == 3
    assert "--resume" in done.err
    waiting = agent.run("unlink", "--yes")
    assert waiting.code == 4
    assert "--resume" in waiting.err
    cloud.control()
    again = agent.run("link", "--resume", "--json")
    assert again.code == 0, again.text
    assert again.json["consent"] == "extended"


def test_other_location_is_exit_10(tmp_path: Path, cloud: Receiver) -> None:
    """A pinned data location that differs from the organisation's is a configuration error, and nothing is linked."""
    cloud.control()
    agent = Installation(tmp_path / "host", cloud, location="us")
    done = agent.run("link", "--consent", "basic", given=TEXT)
    assert done.code == 10
    assert "location" in done.err
    assert agent.link is None


def test_offline_mode_makes_no_connection(tmp_path: Path, cloud: Receiver) -> None:
    """In offline mode linking is refused without a single request, before the key is read."""
    agent = Installation(tmp_path / "host", cloud, mode="offline")
    requests = len(cloud.log())
    done = agent.run("link", "--consent", "basic", given=TEXT)
    assert done.code == 10
    assert "offline" in done.err
    assert len(cloud.log()) == requests


def test_instance_without_identity_is_told(agent: Installation) -> None:
    """Before `init` linking says what is missing."""
    (agent.link_dir / "instance.json").unlink()
    done = agent.run("link", "--consent", "basic", given=TEXT)
    assert done.code == 10
    assert "portfolio-agent init" in done.err


def link(agent: Installation, level: str = "extended") -> None:
    """Link this installation."""
    done = agent.run("link", "--consent", level, given=TEXT)
    assert done.code == 0, done.text


def test_unlink_revokes_and_leaves_no_file(agent: Installation, cloud: Receiver) -> None:
    """`unlink` ends the link in the cloud, removes link.json and master key, and says what becomes of what waits."""
    link(agent)
    done = agent.run("unlink", "--yes")
    assert done.code == 0, done.text
    assert "Revoked in the cloud" in done.out
    assert "not sent without a new link" in done.out
    assert json.loads((cloud.folder / "links.json").read_text()) == {}
    left = sorted(str(path.relative_to(agent.link_dir)) for path in agent.link_dir.rglob("*") if path.is_file())
    assert left == ["instance.json", "keys/pseudonym.key"]
    assert agent.audit()[-1].event == "link.removed"
    assert agent.run("unlink", "--yes").code == 4


def test_unlink_without_cloud_keeps_all_until_local(agent: Installation, cloud: Receiver) -> None:
    """With the cloud away nothing is removed; `--local` removes without a request and tells how to revoke by hand."""
    link(agent)
    cloud.control(mode="503", calls=["link"])
    done = agent.run("unlink", "--yes")
    assert done.code == 3
    assert "--local" in done.err
    assert agent.link is not None
    requests = len(cloud.log())
    done = agent.run("unlink", "--local", "--yes")
    assert done.code == 0
    assert "Revoke it by hand" in done.out
    assert len(cloud.log()) == requests
    assert not link_path(agent.link_dir).exists()
    assert not master_path(agent.link_dir).exists()


def test_unlink_asks_at_a_terminal(agent: Installation) -> None:
    """At a terminal unlinking asks first; no means nothing happens."""
    link(agent)
    done = agent.type("unlink", answers=[("End the link?", "n")])
    assert done.code == 2
    assert agent.link is not None


@pytest.mark.parametrize("words", [("unlink",), ("unlink", "--local"), ("consent", "set", "extended")])
def test_without_a_terminal_it_needs_yes(agent: Installation, cloud: Receiver, words: tuple[str, ...]) -> None:
    """What ends the link or lets more out is refused when nobody can be asked, and nothing of it is done."""
    link(agent, "basic")
    requests = len(cloud.log())
    for given in ("", "y\n"):
        done = agent.run(*words, given=given)
        assert done.code == 2
        assert "--yes" in done.err
    assert len(cloud.log()) == requests
    assert agent.link is not None
    assert agent.link.consent.level is ConsentLevel.BASIC


def test_unlink_with_lost_master_key_names_the_way_on(agent: Installation) -> None:
    """When the key cannot be opened it cannot be revoked: exit 11; `--local` still removes everything."""
    link(agent)
    master_path(agent.link_dir).unlink()
    done = agent.run("unlink", "--yes")
    assert done.code == 11
    assert "key-missing" in done.err
    assert "--local" in done.err
    assert agent.run("unlink", "--local", "--yes").code == 0
    assert agent.link is None


def test_consent_show_and_set(agent: Installation, cloud: Receiver) -> None:
    """Consent is shown, lowered without a question, withdrawn, all without a request; each change is in the audit."""
    assert agent.run("consent", "show").code == 4
    assert agent.run("consent", "set", "basic").code == 4
    link(agent, "extended")
    requests = len(cloud.log())
    assert agent.run("consent", "show", "--json").json["level"] == "extended"
    lowered = agent.run("consent", "set", "basic")
    assert "filtered again" in lowered.out
    withdrawn = agent.run("consent", "set", "none")
    assert "Nothing was told to the cloud" in withdrawn.out
    assert agent.run("consent", "show").out.startswith("none: nothing is sent")
    assert agent.run("consent", "set", "everything").code == 2
    assert agent.link is not None
    assert agent.link.consent.level is ConsentLevel.NONE
    assert len(cloud.log()) == requests
    changes = [(row.detail["old"], row.detail["new"]) for row in agent.audit() if row.event == "consent.set"]
    assert changes == [("extended", "basic"), ("basic", "none")]


def test_raised_consent_shows_the_screen_and_asks(agent: Installation) -> None:
    """Raising consent shows again what leaves and asks; no leaves it as it was."""
    link(agent, "basic")
    refused = agent.type("consent", "set", "extended", answers=[("Agree that extended", "n")])
    assert refused.code == 2
    assert "NEVER, under either level" in refused.text
    assert agent.run("consent", "show", "--json").json["level"] == "basic"
    agreed = agent.type("consent", "set", "extended", answers=[("Agree that extended", "y")])
    assert agreed.code == 0
    assert agent.run("consent", "show", "--json").json["level"] == "extended"


@pytest.mark.parametrize("command", [("link",), ("unlink",), ("consent", "show"), ("consent", "set")])
def test_help_has_exit_codes_and_example(command: tuple[str, ...]) -> None:
    """Each command's help ends with its exit codes and an example."""
    done = run_here(*command, "--help")
    assert done.code == 0
    assert "Exit codes:" in done.out
    assert f"Example: portfolio-agent {' '.join(command)}" in done.out
