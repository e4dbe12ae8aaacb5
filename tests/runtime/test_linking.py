"""The order in which linking asks and does: nobody pastes a key in vain, no act stays without its row."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

import pytest

from agent.errors import ConfigError, KeyRejected, NotLinked, PushDeferred, UsageError
from agent.link.record import read_record
from agent.model import ConsentLevel, Moment
from agent.runtime import linking
from agent.settings import Secret
from agent.store import audit, open_store
from tests.support.clock import moment_at
from tests.support.cloud import KEY, Receiver, receiver
from tests.support.site import Agent, make_site

BEGAN = datetime(2026, 11, 22, 19, 0, tzinfo=UTC)


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Receiver]:
    """A running reference receiver."""
    with receiver(tmp_path_factory.mktemp("receiver")) as running:
        yield running


@pytest.fixture
def agent(tmp_path: Path, cloud: Receiver) -> Agent:
    """An agent that is not linked; the receiver behaves."""
    cloud.control()
    return make_site(tmp_path, cloud=f'endpoint = "{cloud.settings.endpoint}"\nca_file = "{cloud.settings.ca_file}"')


class Person:
    """Who is asked, and in which order."""

    def __init__(self, level: ConsentLevel = ConsentLevel.BASIC, key: Secret = KEY) -> None:
        self.asked: list[str] = []
        self._level, self._key = level, key
        self._seconds = count()

    def agree(self, screen: str) -> ConsentLevel:
        assert "NEVER, under either level" in screen
        self.asked.append("consent")
        return self._level

    def give_key(self) -> Secret:
        self.asked.append("key")
        return self._key

    def now(self) -> Moment:
        """A second later each time it is asked."""
        return moment_at(BEGAN + timedelta(seconds=next(self._seconds)))


def link(agent: Agent, person: Person) -> None:
    linking.link(agent.settings, person.agree, person.give_key, person)


def audited(agent: Agent) -> list[str]:
    store = open_store(agent.settings.agent.state_dir, read_only=True)
    try:
        return [row.event for row in audit.entries(store)]
    finally:
        store.close()


def test_consent_first_then_the_key(agent: Agent) -> None:
    """Consent is given before the key is asked for, and holds since it was given."""
    person = Person()
    link(agent, person)
    assert person.asked == ["consent", "key"]
    record = read_record(agent.settings.link_dir)
    assert record is not None
    assert record.consent.granted_at == BEGAN
    assert audited(agent) == ["link.made"]


@pytest.mark.parametrize("text", ["", 'mode = "offline"'])
def test_without_a_cloud_nobody_is_asked(tmp_path: Path, text: str) -> None:
    """No endpoint, or offline: refused before any question."""
    agent = make_site(tmp_path, mode="offline" if text else "linked")
    person = Person()
    with pytest.raises(ConfigError):
        link(agent, person)
    with pytest.raises(ConfigError):
        linking.look_at_key(agent.settings, person.give_key)
    assert person.asked == []


def test_who_does_not_agree_gives_no_key(agent: Agent) -> None:
    """A question that was not answered with yes ends it: no key, no file, no row."""
    person = Person()

    def refuse(_screen: str) -> ConsentLevel:
        raise UsageError("Nothing was changed.")

    with pytest.raises(UsageError):
        linking.link(agent.settings, refuse, person.give_key, person)
    assert (person.asked, read_record(agent.settings.link_dir), audited(agent)) == ([], None, [])


def test_a_refused_key_has_its_row(agent: Agent) -> None:
    """What failed is in the audit as well."""
    with pytest.raises(KeyRejected):
        link(agent, Person(key=Secret("unknown-key-0123456789abcdef")))
    assert audited(agent) == ["link.failed"]


def test_a_cloud_that_is_away_keeps_the_key_for_later(agent: Agent, cloud: Receiver) -> None:
    """The pasted key waits; resuming asks nobody anything."""
    cloud.control(mode="503", calls=["link"], times=1)
    person = Person(ConsentLevel.EXTENDED)
    with pytest.raises(PushDeferred):
        link(agent, person)
    assert linking.resume_link(agent.settings, person).consent.level is ConsentLevel.EXTENDED
    assert person.asked == ["consent", "key"]
    assert audited(agent) == ["link.failed", "link.made"]


def test_only_more_is_asked_for(agent: Agent) -> None:
    """Less consent needs no agreement, more needs it; each change has its row."""
    link(agent, Person(ConsentLevel.EXTENDED))
    person = Person()
    change = linking.change_consent(agent.settings, ConsentLevel.BASIC, person.agree, person)
    assert (change.before.level, change.now.level, person.asked) == (ConsentLevel.EXTENDED, ConsentLevel.BASIC, [])
    linking.change_consent(agent.settings, ConsentLevel.EXTENDED, person.agree, person)
    linking.change_consent(agent.settings, ConsentLevel.NONE, person.agree, person)
    assert person.asked == ["consent"]
    assert audited(agent) == ["link.made", "consent.set", "consent.set", "consent.set"]


def test_unlinking_is_confirmed_first(agent: Agent) -> None:
    """Whoever does not confirm keeps the link; locally nobody is asked over the network."""
    link(agent, Person())

    def refuse() -> None:
        raise UsageError("Nothing was changed.")

    with pytest.raises(UsageError):
        linking.unlink(agent.settings, refuse, Person(), local=False)
    assert read_record(agent.settings.link_dir) is not None
    done = linking.unlink(agent.settings, lambda: None, Person(), local=True)
    assert done.known_to_cloud is None
    assert done.removed
    assert read_record(agent.settings.link_dir) is None
    with pytest.raises(NotLinked):
        linking.unlink(agent.settings, lambda: None, Person(), local=False)


def test_looking_at_a_key_stores_nothing(agent: Agent) -> None:
    """Whose key it is, and no file for it."""
    facts = linking.look_at_key(agent.settings, Person().give_key)
    assert facts.answer.organisation == "Example Organisation"
    assert len(facts.fingerprint) == 8
    assert read_record(agent.settings.link_dir) is None
