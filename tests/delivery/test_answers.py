"""What an answer means: the table itself."""

from __future__ import annotations

import json
from datetime import timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.delivery.answers import Action, judge, proves, retry_after_s, said
from agent.net.answer import HttpAnswer
from agent.net.refusal import CODES
from tests.support.batches import SEALED_AT, batch
from tests.support.cloud import KEY

OURS = {"batchId": batch().id, "sha256": batch().sha256}


def answer(status: int, body: object = None, **headers: str) -> HttpAnswer:
    return HttpAnswer(status, b"" if body is None else json.dumps(body).encode(), headers)


@pytest.mark.parametrize("status", [200, 201, 202, 409])
def test_own_id_and_hash_is_an_acknowledgement(status: int) -> None:
    """Only an answer that names the id and the hash of these very bytes acknowledges them, also as a duplicate."""
    assert judge(answer(status, OURS), batch(), SEALED_AT).action is Action.ACKNOWLEDGE


@pytest.mark.parametrize("status", [200, 201, 202])
@pytest.mark.parametrize(
    "body",
    [None, "text", [], {}, {"batchId": batch().id}, {**OURS, "batchId": "x"}, {**OURS, "sha256": "x"}, {"batchId": 1}],
)
def test_success_without_proof_means_wait(status: int, body: object) -> None:
    """A success that does not prove what arrived removes nothing."""
    assert judge(answer(status, body), batch(), SEALED_AT).action is Action.WAIT


def refusal(status: int, batch_id: str = batch().id, code: str = "", **headers: str) -> HttpAnswer:
    """The receiver's own refusal."""
    body = {"code": code or min(CODES[status]), "error": "no", "batchId": batch_id}
    return HttpAnswer(status, json.dumps(body).encode(), {"content-type": "application/json; charset=utf-8", **headers})


def action(answer: HttpAnswer) -> Action:
    """What push is told to do."""
    return judge(answer, batch(), SEALED_AT).action


def test_conflict_that_names_the_batch_sets_it_aside() -> None:
    """409 with the own id and another hash is about this batch; without the id it is not."""
    assert action(refusal(409, code="other-bytes")) is Action.SET_ASIDE
    assert action(refusal(409, "another", code="other-bytes")) is Action.WAIT
    assert action(answer(409, {"error": "conflict"})) is Action.WAIT


@pytest.mark.parametrize(
    ("status", "wanted"),
    [
        (400, Action.REFUSE),
        (401, Action.HOLD),
        (403, Action.HOLD),
        (410, Action.HOLD),
        (413, Action.SPLIT),
        (422, Action.REFUSE),
    ],
)
def test_only_the_receivers_own_refusal_counts(status: int, wanted: Action) -> None:
    """Content type, code and the batch's own id: with one of them missing or wrong it is somebody else's answer."""
    own = refusal(status)
    assert action(own) is wanted
    whole = json.loads(own.body)
    others = [
        HttpAnswer(status, own.body, {}),
        HttpAnswer(status, own.body, {"content-type": "text/html"}),
        HttpAnswer(status, own.body[:-1], own.headers),
        HttpAnswer(status, own.body + b" " * 70_000, own.headers),
        HttpAnswer(status, b"", own.headers),
        HttpAnswer(status, b"[" * 50_000, own.headers),
        *[HttpAnswer(status, json.dumps({**whole, name: 1}).encode(), own.headers) for name in whole],
        *[HttpAnswer(status, json.dumps({**whole, name: "x"}).encode(), own.headers) for name in ("code", "batchId")],
        *[
            HttpAnswer(status, json.dumps({key: whole[key] for key in whole if key != name}).encode(), own.headers)
            for name in whole
        ],
    ]
    for other in others:
        meaning = judge(other, batch(), SEALED_AT)
        assert meaning.action is Action.WAIT
        assert f"something between here and the cloud answered {status}, not the cloud" in meaning.why
        assert "firewall" in meaning.do


@given(status=st.integers(100, 999), body=st.binary(max_size=60))
def test_no_answer_of_others_can_do_anything_but_wait(status: int, body: bytes) -> None:
    """Whatever comes back without the receiver's code and the batch's id means wait."""
    meaning = judge(HttpAnswer(status, body, {"content-type": "application/json"}), batch(), SEALED_AT)
    assert meaning.action is Action.WAIT
    assert meaning.why.startswith(str(status)) or str(status) in meaning.why


@pytest.mark.fault(82)
def test_deeply_nested_answer_is_no_proof() -> None:
    """An answer nested 200,000 deep ends in `no`, not in a crash."""
    assert not proves(b"[" * 200_000, batch())


@pytest.mark.fault(73)
@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        ("", None),
        ("7", 7.0),
        (" 7 ", 7.0),
        ("0", 0.0),
        ("-5", None),
        ("7.5", None),
        ("99999999999999999999", 3600.0),
        ("9" * 400, 3600.0),
        ("²", None),
        ("soon", None),
        ("Sun, 99 Nov 2026 99:99:99 GMT", None),
        (format_datetime(SEALED_AT + timedelta(seconds=90), usegmt=True), 89.0),
        (format_datetime(SEALED_AT - timedelta(days=90), usegmt=True), 0.0),
        (format_datetime(SEALED_AT + timedelta(days=90), usegmt=True), 3600.0),
    ],
)
def test_retry_after_in_both_forms(value: str | None, seconds: float | None) -> None:
    """Seconds or date, between 0 and one hour; anything else counts as not said."""
    assert retry_after_s(value, SEALED_AT + timedelta(seconds=1)) == seconds


@given(st.text(max_size=60))
def test_retry_after_never_fails(value: str) -> None:
    """No header value breaks the run."""
    found = retry_after_s(value, SEALED_AT)
    assert found is None or 0 <= found <= 3600


@pytest.mark.fault(104)
@given(st.binary(max_size=2000))
def test_what_is_shown_is_one_safe_line(body: bytes) -> None:
    """What may be shown of an answer is short and printable: no line break, no escape sequence."""
    text = said(body, KEY)
    assert len(text) <= 200
    assert text.isprintable()


@given(before=st.integers(0, 400))
def test_echoed_key_is_not_shown(before: int) -> None:
    """An answer that repeats the key does not bring it into log, ledger or status, wherever it is cut."""
    text = said(b"." * before + KEY.reveal().encode() + b"!", KEY)
    assert KEY.reveal()[:12] not in text
