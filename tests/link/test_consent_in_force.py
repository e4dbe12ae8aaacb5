"""The consent level as the sources see it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from agent.link.consent_in_force import ConsentInForce
from agent.link.record import link_path, save_record
from agent.model import Consent, ConsentLevel
from agent.settings import AgentSettings, InstanceSettings, ProductType, Settings
from tests.link.test_record import make_link, make_link_folder


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings whose link folder is where `make_link_folder` puts it."""
    instance = InstanceSettings(ProductType.JIRA, tmp_path, tmp_path / "home")
    return Settings(instance, agent=AgentSettings(state_dir=tmp_path / "state"))


def test_no_link_is_basic(settings: Settings) -> None:
    """An instance that is not linked is read as under Basic."""
    assert ConsentInForce(settings)() is ConsentLevel.BASIC


def test_level_follows_the_file(tmp_path: Path, settings: Settings) -> None:
    """Each change of link.json counts at the next call: linked, lowered, raised, removed."""
    folder = make_link_folder(tmp_path)
    level = ConsentInForce(settings)
    assert level() is ConsentLevel.BASIC
    record = make_link(folder)
    assert level() is ConsentLevel.EXTENDED
    for wanted in (ConsentLevel.BASIC, ConsentLevel.EXTENDED, ConsentLevel.NONE):
        changed = replace(record, consent=Consent(wanted, "fields-1", record.consent.granted_at))
        save_record(folder.link_dir, changed, owner=folder.owner, owners=folder.owners)
        assert level() is wanted
    link_path(folder.link_dir).unlink()
    assert level() is ConsentLevel.BASIC


def test_file_that_cannot_be_believed_is_basic(tmp_path: Path, settings: Settings) -> None:
    """A damaged file, or one that others may write to, never gives more than Basic."""
    folder = make_link_folder(tmp_path)
    make_link(folder)
    level = ConsentInForce(settings)
    assert level() is ConsentLevel.EXTENDED
    path = link_path(folder.link_dir)
    path.chmod(0o666)
    assert level() is ConsentLevel.BASIC
    path.chmod(0o600)
    assert level() is ConsentLevel.EXTENDED
    path.write_text("{}")
    assert level() is ConsentLevel.BASIC
