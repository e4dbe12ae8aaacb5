"""The calls about a link over real TLS, and what untrusted answers can and cannot do."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.errors import AgentError, ConfigError, KeyRejected, NotDelivering, PushDeferred
from agent.link.answer_text import SAID_LIMIT, forms_of, said
from agent.link.handshake import LinkRequest, link_instance, look_at_link, unlink_instance
from agent.model import Consent, ConsentLevel
from agent.net.answer import HttpAnswer
from agent.settings import Secret
from tests.support.cloud import KEY, Receiver, receiver
from tests.support.outcome import outcome_of

NOW = datetime.now(UTC)
CONSENT = Consent(ConsentLevel.BASIC, "fields-1", datetime(2026, 11, 22, 12, tzinfo=UTC))
REQUEST = LinkRequest("instance-1", "jira", "10.3.2", "0.1.0", CONSENT, "eu", "a1b2c3")
GOOD: Mapping[str, Any] = {
    "linkId": "link-1",
    "organisation": "Example Organisation",
    "keyExpiresAt": (NOW + timedelta(days=30)).isoformat(),
    "dataLocation": "eu",
    "limits": {"maxBatchBytes": 1000},
}


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Receiver]:
    """A running reference receiver."""
    with receiver(tmp_path_factory.mktemp("receiver")) as running:
        yield running


class Scripted:
    """A cloud that answers what it was told to, and remembers what it was asked."""

    def __init__(self, *answers: HttpAnswer) -> None:
        self.answers = list(answers)
        self.asked: list[tuple[str, str]] = []

    def request(
        self,
        method: str,
        path: str,
        *,
        key: Secret | None,
        body: bytes | None = None,
        headers: Mapping[str, str] = {},
    ) -> HttpAnswer:
        """The next answer."""
        self.asked.append((method, path))
        return self.answers.pop(0)


def answering(status: int, body: bytes | Mapping[str, Any] = b"", **headers: str) -> Scripted:
    """A cloud with one answer."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Scripted(HttpAnswer(status, content, {name.replace("_", "-"): text for name, text in headers.items()}))


def test_link_look_unlink_over_tls(cloud: Receiver) -> None:
    """Linking tells the organisation and the key's end; looking tells the same; unlinking ends it, once."""
    cloud.control()
    with cloud.client() as client:
        assert look_at_link(client, KEY).link_id == ""
        answer = link_instance(client, KEY, REQUEST, datetime.now(UTC))
        assert answer.organisation == "Example Organisation"
        assert answer.location == "eu"
        assert answer.limits == {"maxBatchBytes": 16 * 1024 * 1024}
        assert answer.key_expires_at is not None
        assert timedelta(days=29) < answer.key_expires_at - datetime.now(UTC) <= timedelta(days=30)
        assert look_at_link(client, KEY) == answer
        assert unlink_instance(client, KEY) is True
        assert unlink_instance(client, KEY) is False


def test_request_holds_what_was_said_and_nothing_else(cloud: Receiver) -> None:
    """The request names instance, product, version, consent and location; no host, no user, no key."""
    cloud.control()
    with cloud.client() as client:
        link_instance(client, KEY, REQUEST, datetime.now(UTC))
    (link,) = json.loads((cloud.folder / "links.json").read_text()).values()
    assert link["request"] == {
        "agentVersion": "0.1.0",
        "consent": {"fieldListVersion": "fields-1", "grantedAt": "2026-11-22T12:00:00Z", "level": "basic"},
        "dataLocation": "eu",
        "instanceId": "instance-1",
        "product": {"type": "jira", "version": "10.3.2"},
        "serverIdHash": "a1b2c3",
    }


def test_unknown_key_is_rejected(cloud: Receiver) -> None:
    """A key the cloud does not know is rejected, with the way to a new one."""
    cloud.control()
    with cloud.client() as client, pytest.raises(KeyRejected) as caught:
        link_instance(client, Secret("unknown-key-0123456789abcdef"), REQUEST, NOW)
    assert caught.value.exit_code == 11
    assert "new key" in caught.value.do
    assert "unknown-key-0123456789abcdef" not in str(caught.value)


def test_other_data_location_is_a_configuration_error(cloud: Receiver) -> None:
    """When the organisation keeps its data elsewhere than pinned, nothing is linked and both ways out are told."""
    cloud.control()
    with cloud.client() as client:
        unlink_instance(client, KEY)
        with pytest.raises(ConfigError) as caught:
            link_instance(client, KEY, replace(REQUEST, location="us"), datetime.now(UTC))
        assert look_at_link(client, KEY).link_id == ""
    assert "asked for: us" in caught.value.what
    assert "[cloud] location" in caught.value.do


@pytest.mark.parametrize(
    ("mode", "error"),
    [
        ("401", KeyRejected),
        ("403", KeyRejected),
        ("410", KeyRejected),
        ("409", ConfigError),
        ("400", NotDelivering),
        ("404", NotDelivering),
        ("422", NotDelivering),
        ("429", PushDeferred),
        ("500", PushDeferred),
        ("502", PushDeferred),
        ("503", PushDeferred),
        ("redirect", NotDelivering),
        ("html200", NotDelivering),
        ("empty200", NotDelivering),
        ("other_id", NotDelivering),
        ("half_ack", NotDelivering),
        ("deep_json", NotDelivering),
        ("bigbody", NotDelivering),
        ("gzipbomb", NotDelivering),
        ("reset_before", PushDeferred),
        ("reset_mid", PushDeferred),
    ],
)
def test_each_wrong_answer_has_its_error(cloud: Receiver, mode: str, error: type[AgentError]) -> None:
    """Whatever the cloud does wrong, linking ends in the error that says what happens next; never in a link."""
    cloud.control(mode=mode, retryAfter="7", calls=["link"])
    with cloud.client() as client, pytest.raises(error) as caught:
        link_instance(client, KEY, REQUEST, datetime.now(UTC))
    assert caught.value.do
    assert not any(form in str(caught.value) for form in forms_of(KEY))
    if mode in ("429", "503"):
        assert isinstance(caught.value, PushDeferred)
        assert caught.value.wait_s == 7


STRANGERS = [
    f"{kind}{status}" for kind in ("html", "json", "empty") for status in (400, 401, 403, 404, 409, 410, 413, 422)
]


@pytest.mark.parametrize("mode", STRANGERS)
def test_a_strangers_answer_is_no_word_on_the_key(cloud: Receiver, mode: str) -> None:
    """A firewall, proxy or gateway that answers in the cloud's place rejects no key, and is named with its status."""
    cloud.control(mode=mode, calls=["link"])
    for ask in (lambda client: link_instance(client, KEY, REQUEST, datetime.now(UTC)), lambda c: look_at_link(c, KEY)):
        with cloud.client() as client, pytest.raises(NotDelivering) as caught:
            ask(client)
        assert not isinstance(caught.value, KeyRejected)
        assert f"omething between here and the cloud answered {mode[-3:]}" in caught.value.why
        assert "firewall" in caught.value.do


@pytest.mark.parametrize("mode", [*STRANGERS, "html200", "empty200", "html204", "other_id"])
def test_a_strangers_answer_ends_no_link(cloud: Receiver, mode: str) -> None:
    """Only the cloud's own word says that a link is gone: believed from others, the key would stay valid over there."""
    cloud.control(mode=mode, calls=["link"])
    with cloud.client() as client, pytest.raises(NotDelivering):
        unlink_instance(client, KEY)


def test_location_that_differs_in_the_answer_is_undone() -> None:
    """A cloud that says 200 but keeps the data elsewhere is told to end the link again, and linking fails."""
    client = Scripted(
        HttpAnswer(200, json.dumps({**GOOD, "dataLocation": "us"}).encode(), {}),
        HttpAnswer(200, b'{"state": "unlinked"}', {"content-type": "application/json"}),
    )
    with pytest.raises(ConfigError):
        link_instance(client, KEY, REQUEST, NOW)
    assert client.asked == [("POST", "/v1/link"), ("DELETE", "/v1/link")]


def test_key_that_ended_by_our_clock_points_at_the_clock() -> None:
    """A key that seems to have ended may mean a wrong clock: both times are told, and how to check."""
    answer = {**GOOD, "keyExpiresAt": (NOW - timedelta(days=400)).isoformat()}
    with pytest.raises(NotDelivering) as caught:
        link_instance(answering(200, answer, date="Sun, 01 Nov 2026 10:00:00 GMT"), KEY, REQUEST, NOW)
    assert "2026-11-01T10:00:00Z" in caught.value.why
    assert "timedatectl" in caught.value.do


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=300),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=12), inner, max_size=3),
    max_leaves=8,
)


@given(name=st.sampled_from(sorted(GOOD)), value=JSON)
def test_answer_with_any_field_replaced_is_taken_or_refused(name: str, value: Any) -> None:
    """Any value in any field gives a checked answer or one of our errors; texts stay short and printable."""
    client = answering(200, {**GOOD, name: value})
    client.answers.append(HttpAnswer(204, b"", {}))
    result = outcome_of(lambda: link_instance(client, KEY, REQUEST, NOW), AgentError)
    if isinstance(result, AgentError):
        assert len(str(result)) < 2000
        assert all(char.isprintable() or char == "\n" for char in str(result))
        return
    assert result.link_id
    assert result.link_id.isprintable()
    assert result.organisation.isprintable()
    assert result.location == "eu"
    assert all(limit > 0 for limit in result.limits.values())


def test_unknown_fields_of_the_answer_are_dropped() -> None:
    """An answer can only say who and until when: consent, endpoint, interval or code in it have no effect."""
    extra = {
        "consent": {"level": "extended"},
        "endpoint": "https://elsewhere.example.com",
        "run": "rm",
        "limits": {"x": 1},
    }
    answer = link_instance(answering(200, {**GOOD, **extra}), KEY, REQUEST, NOW)
    assert answer.limits == {}
    assert not hasattr(answer, "consent")


@pytest.mark.parametrize("status", [500, 400, 401, 409, 200])
def test_answer_that_repeats_the_key_is_not_shown(status: int) -> None:
    """A cloud that echoes the header, in any usual form, does not get the key into our message."""
    for form in forms_of(KEY):
        body = f"debug: Authorization={form}!".encode()
        with pytest.raises(AgentError) as caught:
            link_instance(answering(status, body), KEY, REQUEST, NOW)
        assert form not in str(caught.value)
        assert "not shown" in str(caught.value)


def test_answer_text_is_one_short_escaped_line() -> None:
    """What a message quotes of an answer is at most 200 characters of one line without control or bidi characters."""
    text = said(HttpAnswer(500, "first\nsecond \x1b[31mred \u202eback\u2066 \xff ".encode() + b"x" * 999, {}), KEY)
    assert text.startswith("first second \\u001b[31mred \\u202eback\\u2066")
    assert len(text) == SAID_LIMIT
    assert text.isprintable()


@pytest.mark.parametrize("header", ["", "soon", "-1", "1e9", "999999999999", "Wed, 21 Oct 2026 07:28:00 GMT", "\u0663"])
def test_odd_retry_after_is_no_wait(header: str) -> None:
    """Only a plain number of seconds is a wait; anything else leaves the waiting to us."""
    with pytest.raises(PushDeferred) as caught:
        link_instance(answering(503, retry_after=header), KEY, REQUEST, NOW)
    assert caught.value.wait_s is None


def test_cloud_that_is_away_is_deferred(tmp_path: Path) -> None:
    """With nothing listening linking is deferred."""
    with receiver(tmp_path / "cloud") as running:
        client = running.client()
    with client, pytest.raises(PushDeferred):
        link_instance(client, KEY, REQUEST, NOW)
