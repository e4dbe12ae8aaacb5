"""Pushing to a real receiver over real TLS: every answer, every broken connection, nothing lost, nothing twice."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest

from agent.batching import open_document, split
from agent.delivery.http import CloudConnection, open_client
from agent.delivery.push import PushOutcome, PushPace, PushReport, push_waiting
from agent.errors import ConsentChanged, KeyRejected, KeyUnreadable, PushDeferred
from agent.model import Batch
from agent.settings import CloudSettings, Secret
from agent.store import Store, delivery_state, ledger, open_store, outbox, reserve
from agent.store.outbox import BatchState
from tests.support.batches import SEALED_AT, batch, hour, noisy
from tests.support.cloud import KEY, ROOT, Receiver, receiver, wait_until
from tests.support.servers import require_root
from tests.support.stopwatch import Stopwatch

NOW = SEALED_AT
ONCE = PushPace(retry_for_s=0.0, first_wait_s=0.01, longest_wait_s=0.05, pace_s=0.0)
PATIENT = PushPace(retry_for_s=20.0, first_wait_s=0.01, longest_wait_s=0.05, pace_s=0.0)


@pytest.fixture
def client(cloud: Receiver) -> Iterator[CloudConnection]:
    with cloud.client() as opened:
        yield opened


def put(store: Store, *batches: Batch) -> None:
    with store.transaction() as connection:
        for one in batches:
            outbox.put(connection, one)


def push(
    store: Store,
    client: CloudConnection,
    *,
    pace: PushPace = ONCE,
    key: Secret = KEY,
    now: datetime = NOW,
    stopping: threading.Event | None = None,
) -> PushReport:
    return push_waiting(
        store,
        client,
        key,
        clock=lambda: now,
        stopping=stopping or threading.Event(),
        split=split,
        destination=client.host,
        permits=lambda batch: True,
        pace=pace,
    )


def states(store: Store) -> list[BatchState]:
    return [row.state for row in outbox.rows(store)]


def test_delivers_oldest_first_and_says_so(store: Store, cloud: Receiver, client: CloudConnection) -> None:
    """All that waits arrives byte for byte, oldest hour first; outbox, ledger and state agree on it."""
    put(store, batch(2), batch(0), batch(1))
    report = push(store, client)
    assert (report.outcome, report.acknowledged, report.requests) == (PushOutcome.DELIVERED, 3, 3)
    assert [line["id"] for line in cloud.log()] == [batch(number).id for number in range(3)]
    assert all(cloud.body(batch(number).id) == batch(number).body for number in range(3))
    assert states(store) == [BatchState.ACKNOWLEDGED] * 3
    assert [(row.way, row.destination, row.answer) for row in ledger.rows(store)] == [
        ("push", "localhost", "202 acknowledged")
    ] * 3
    state = delivery_state.load(store)
    assert (state.last_success, state.hold, state.failing_since) == (NOW, "", None)
    assert push(store, client).outcome is PushOutcome.NOTHING_WAITED


# What an answer makes of a batch, once: the same rows as agent/delivery/answers.py, seen from outside.
KEPT = [
    *["html200", "empty200", "other_id", "half_ack", "deep_json", "redirect", "bigbody", "gzipbomb"],
    *["reset_before", "reset_mid", "404", "405", "407", "408", "415", "418", "429"],
    *["500", "502", "503", "504"],
    # Whoever answers in the receiver's place: its word on key and batch is worth nothing.
    *[f"{kind}{status}" for kind in ("html", "json", "empty") for status in (400, 401, 403, 409, 410, 413, 422)],
]


@pytest.mark.fault(82)
@pytest.mark.parametrize("mode", KEPT)
def test_anything_but_an_acknowledgement_keeps_the_batch(
    mode: str, store: Store, cloud: Receiver, client: CloudConnection
) -> None:
    """An answer without the batch's own id and hash removes nothing; the next try sends the same bytes (Q2)."""
    put(store, batch())
    cloud.control(mode=mode)
    report = push(store, client)
    assert (report.outcome, report.acknowledged) == (PushOutcome.DEFERRED, 0)
    assert states(store) == [BatchState.WAITING]
    assert isinstance(report.problem, PushDeferred)
    assert report.problem.why
    assert report.problem.do
    assert delivery_state.load(store).failing_since == NOW
    assert len(ledger.rows(store)) == 1, "data left, so the ledger has it"
    cloud.control()
    assert push(store, client).acknowledged == 1
    assert cloud.body(batch().id) == batch().body


@pytest.mark.fault(80)
@pytest.mark.parametrize("mode", ["slow_headers", "slow_body", "blackhole"])
def test_deadline_covers_the_whole_request(mode: str, store: Store, cloud: Receiver) -> None:
    """An answer that drips, or never comes, costs at most the total deadline (G8, Q16)."""
    put(store, batch())
    cloud.control(mode=mode)
    with cloud.client(request_s=1.0) as client:
        watch = Stopwatch()
        report = push(store, client)
    assert watch.elapsed_s < 2.5
    assert report.outcome is PushOutcome.DEFERRED
    assert report.problem is not None
    assert "within 1 s" in report.problem.why
    assert states(store) == [BatchState.WAITING]


@pytest.mark.fault(79)
@pytest.mark.fault(81)
def test_lost_acknowledgement_repeats_the_same_bytes(store: Store, cloud: Receiver, client: CloudConnection) -> None:
    """Stored there, answer lost: the next try carries the same id and bytes, and the effect is once (Q14, G3)."""
    put(store, batch())
    cloud.control(mode="lost_ack", times=1)
    report = push(store, client, pace=PATIENT)
    assert (report.acknowledged, report.requests) == (1, 2)
    assert [(line["id"], line["sha256"], line["stored"]) for line in cloud.log()] == [
        (batch().id, batch().sha256, True), (batch().id, batch().sha256, False),
    ]  # fmt: skip


@pytest.mark.fault(76)
@pytest.mark.parametrize("mode", ["401", "403", "410"])
def test_refused_key_holds_everything(mode: str, store: Store, cloud: Receiver, client: CloudConnection) -> None:
    """A refused key stops all sending until the key changes, but for one probe an hour (Q13, G6)."""
    put(store, batch(0), batch(1))
    cloud.control(mode=mode)
    report = push(store, client)
    assert (report.outcome, report.requests) == (PushOutcome.HELD, 1)
    assert isinstance(report.problem, KeyRejected)
    assert "portfolio-agent link" in report.problem.do
    assert push(store, client, now=NOW + timedelta(minutes=59)).requests == 0
    assert push(store, client, now=NOW + timedelta(minutes=59)).outcome is PushOutcome.HELD
    assert push(store, client, now=NOW + timedelta(minutes=61)).requests == 1
    assert states(store) == [BatchState.WAITING] * 2
    state = delivery_state.load(store)
    assert state.hold.startswith(mode)
    assert f"told to answer {mode}" in state.hold
    assert state.hold_since == NOW


def test_new_key_ends_the_hold_at_once(store: Store, cloud: Receiver, client: CloudConnection) -> None:
    """After linking again nothing waits for the next probe, and nothing was lost meanwhile (fault 91)."""
    put(store, batch(0), batch(1))
    assert push(store, client, key=Secret("an-old-key-that-has-ended-0000")).outcome is PushOutcome.HELD
    assert push(store, client).acknowledged == 2
    assert delivery_state.load(store).hold == ""


def test_key_of_wrong_shape_sends_nothing(store: Store, cloud: Receiver, client: CloudConnection) -> None:
    """A key that no header can carry ends the run before anything left: no request, no ledger row."""
    put(store, batch())
    with pytest.raises(KeyUnreadable):
        push(store, client, key=Secret("not a key"))
    assert cloud.log() == []
    assert ledger.rows(store) == []
    assert states(store) == [BatchState.WAITING]


@pytest.mark.fault(78)
def test_too_large_is_split_until_it_fits(store: Store, cloud: Receiver, client: CloudConnection) -> None:
    """413 halves the batch under new ids, again if need be; every entry arrives exactly once."""
    whole = batch(entries=400)
    put(store, whole, batch(1))
    cloud.control(maxBytes=len(whole.body) // 3)
    report = push(store, client)
    assert report.outcome is PushOutcome.DELIVERED
    assert report.split >= 3
    names = [
        entry["metricName"] for batch_id in cloud.stored() for entry in open_document(cloud.body(batch_id))["entries"]
    ]
    expected = [f"metric.{number:04d}" for number in range(400)] + [f"metric.{number:04d}" for number in range(3)]
    assert sorted(names) == sorted(expected)
    assert BatchState.WAITING not in states(store)


def test_single_entry_too_large_is_set_aside(store: Store, cloud: Receiver, client: CloudConnection) -> None:
    """What cannot be split further is set aside, and the next batch goes on."""
    put(store, batch(0, entries=1), batch(1, entries=1))
    cloud.control(mode="413", times=1)
    report = push(store, client)
    assert (report.set_aside, report.acknowledged) == (1, 1)
    assert states(store) == [BatchState.SET_ASIDE, BatchState.ACKNOWLEDGED]


@pytest.mark.fault(75)
@pytest.mark.parametrize("mode", ["400", "422"])
def test_poison_is_set_aside_after_three_refusals(
    mode: str, store: Store, cloud: Receiver, client: CloudConnection
) -> None:
    """A batch the receiver cannot read is tried in three runs, never blocks the next, and is kept (Q13)."""
    put(store, batch(0), batch(1))
    for number in range(3):
        cloud.control(mode=mode, times=1, run=number)
        report = push(store, client)
        assert (report.refused, report.set_aside) == ((1, 0) if number < 2 else (0, 1))
    assert states(store) == [BatchState.SET_ASIDE, BatchState.ACKNOWLEDGED]
    assert outbox.load(store, batch(0).id) == batch(0), "for a person to look at"
    cloud.control()
    assert push(store, client).requests == 0


@pytest.mark.fault(73)
def test_retry_after_within_the_run_is_waited_for(store: Store, cloud: Receiver, client: CloudConnection) -> None:
    """Two seconds asked for are two seconds waited, however short the own backoff is."""
    put(store, batch())
    cloud.control(mode="429", times=1, retryAfter="2")
    began = time.monotonic()
    assert push(store, client, pace=PATIENT).acknowledged == 1
    assert time.monotonic() - began >= 2.0


@pytest.mark.fault(73)
@pytest.mark.parametrize("form", ["seconds", "date"])
def test_long_retry_after_outlives_the_run(form: str, store: Store, cloud: Receiver, client: CloudConnection) -> None:
    """Asked to wait longer than this run may last, the run ends at once and the next ones obey."""
    put(store, batch())
    asked = "1200" if form == "seconds" else format_datetime(NOW + timedelta(seconds=1200), usegmt=True)
    cloud.control(mode="503", retryAfter=asked)
    report = push(store, client, pace=PATIENT)
    assert (report.outcome, report.requests) == (PushOutcome.DEFERRED, 1)
    cloud.control()
    assert push(store, client, now=NOW + timedelta(seconds=1190)).requests == 0
    assert push(store, client, now=NOW + timedelta(seconds=1210)).acknowledged == 1
    assert delivery_state.load(store).not_before is None


def test_wait_stored_under_a_wrong_clock_is_ignored(store: Store, client: CloudConnection) -> None:
    """A wait that lies absurdly far ahead was stored while the clock was wrong; it does not stop delivery for ever."""
    put(store, batch())
    with store.transaction() as connection:
        delivery_state.save(connection, delivery_state.DeliveryState(not_before=NOW + timedelta(days=400)))
    assert push(store, client).acknowledged == 1


def test_same_id_other_bytes_is_set_aside_loudly(store: Store, cloud: Receiver, client: CloudConnection) -> None:
    """409 with the own id and another hash: set aside, said, and the next batch goes on."""
    put(store, batch(0), batch(1))
    (cloud.folder / "batches" / f"{batch(0).id}.json.gz").write_bytes(b"something else")
    report = push(store, client)
    assert (report.set_aside, report.acknowledged) == (1, 1)
    assert report.problem is not None
    assert "other bytes under this id" in report.problem.why
    assert states(store) == [BatchState.SET_ASIDE, BatchState.ACKNOWLEDGED]


@pytest.mark.fault(72)
def test_mixed_faults_heal_within_the_run(store: Store, cloud: Receiver, client: CloudConnection) -> None:
    """Three 500s in a row are ridden out by backoff; every batch arrives once."""
    put(store, *[batch(number) for number in range(5)])
    cloud.control(mode="500", times=3)
    report = push(store, client, pace=PATIENT)
    assert (report.outcome, report.acknowledged, report.requests) == (PushOutcome.DELIVERED, 5, 8)
    assert cloud.stored() == {batch(number).id for number in range(5)}


def test_two_weeks_offline_all_arrive_once_oldest_first(store: Store, cloud: Receiver, client: CloudConnection) -> None:
    """After 14 days without the cloud every hour arrives, oldest first, none twice (Q1, G4)."""
    batches = [batch(number) for number in range(14 * 24)]
    put(store, *reversed(batches))
    cloud.control(mode="503")
    for day in range(14):
        assert push(store, client, now=NOW + timedelta(days=day)).outcome is PushOutcome.DEFERRED
    failed = len(cloud.log())
    cloud.control()
    report = push(store, client, now=NOW + timedelta(days=14))
    assert (report.outcome, report.acknowledged) == (PushOutcome.DELIVERED, 14 * 24)
    assert [line["id"] for line in cloud.log()[failed:]] == [one.id for one in batches]


@pytest.mark.fault(71)
def test_receiver_killed_in_the_middle(store: Store, tmp_path: Path) -> None:
    """The receiver dies between two batches and comes back: all arrive, none is stored under two bodies."""
    with receiver(tmp_path / "receiver") as cloud:
        put(store, *[batch(number) for number in range(6)])
        restarted = threading.Event()

        def kill_and_restart() -> None:
            wait_until(lambda: len(cloud.log()) >= 2)
            cloud.kill()
            cloud.start()
            restarted.set()

        helper = threading.Thread(target=kill_and_restart)
        helper.start()
        with cloud.client() as client:
            report = push(store, client, pace=PushPace(30.0, 0.05, 0.2, pace_s=0.1))
        helper.join()
        assert restarted.is_set()
        assert report.acknowledged == 6
        assert cloud.stored() == {batch(number).id for number in range(6)}


def test_nothing_left_leaves_no_ledger_row(store: Store, tmp_path: Path) -> None:
    """A refused connection carried no data: the ledger stays empty, the batch waits."""
    ca_file = Path("/etc/ssl/certs/ca-certificates.crt")
    settings = CloudSettings(endpoint="https://localhost:1", ca_file=ca_file if ca_file.exists() else None)
    put(store, batch())
    with open_client(settings) as client:
        report = push(store, client)
    assert report.problem is not None
    assert "refused" in report.problem.why
    assert ledger.rows(store) == []
    assert states(store) == [BatchState.WAITING]


PUSHER = """
    import sys, threading
    from datetime import UTC, datetime
    from pathlib import Path
    from agent.batching import split
    from agent.delivery.http import open_client
    from agent.delivery.push import push_waiting
    from agent.settings import CloudSettings
    from agent.store import open_store
    from tests.support.cloud import KEY
    port, ca, state = sys.argv[1:]
    client = open_client(CloudSettings(endpoint=f"https://localhost:{port}", ca_file=Path(ca)))
    push_waiting(open_store(Path(state)), client, KEY, clock=lambda: datetime.now(UTC), stopping=threading.Event(),
                 split=split, destination=client.host, permits=lambda batch: True)
"""


@pytest.mark.fault(3)
def test_killed_between_request_and_answer(store: Store, cloud: Receiver, client: CloudConnection) -> None:
    """kill -9 after the body left and before the answer: the ledger shows it, and the same bytes go again."""
    put(store, batch())
    cloud.control(mode="blackhole")
    arguments = [str(cloud.port), str(cloud.folder / "ca.pem"), str(store.folder)]
    process = subprocess.Popen([sys.executable, "-c", textwrap.dedent(PUSHER), *arguments], cwd=ROOT)
    try:
        wait_until(lambda: len(cloud.log()) == 1)
    finally:
        os.kill(process.pid, signal.SIGKILL)
        process.wait(10)
    assert [row.answer for row in ledger.rows(store)] == [ledger.NO_ANSWER]
    cloud.control()
    assert push(store, client).acknowledged == 1
    assert {(line["id"], line["sha256"]) for line in cloud.log()} == {(batch().id, batch().sha256)}


def test_stop_during_backoff_answers_at_once(store: Store, cloud: Receiver, client: CloudConnection) -> None:
    """A stop while waiting for the next try ends the run at once; nothing is lost (G10)."""
    put(store, batch())
    cloud.control(mode="503", retryAfter="15")
    stopping = threading.Event()
    timer = threading.Timer(0.5, stopping.set)
    timer.start()
    watch = Stopwatch()
    report = push(store, client, pace=PATIENT, stopping=stopping)
    timer.join()
    assert watch.elapsed_s < 5
    assert report.outcome is PushOutcome.STOPPED
    assert states(store) == [BatchState.WAITING]


def test_abort_ends_a_request_in_flight(store: Store, cloud: Receiver, client: CloudConnection) -> None:
    """A stop while the receiver is silent does not wait for the request's deadline (G10)."""
    put(store, batch())
    cloud.control(mode="blackhole")
    stopping = threading.Event()

    def stop() -> None:
        wait_until(lambda: len(cloud.log()) == 1)
        stopping.set()
        client.abort()

    helper = threading.Thread(target=stop)
    helper.start()
    watch = Stopwatch()
    report = push(store, client, pace=PATIENT, stopping=stopping)
    helper.join()
    assert watch.elapsed_s < 5
    assert report.outcome is PushOutcome.STOPPED
    assert states(store) == [BatchState.WAITING]


def test_pace_is_kept_while_draining(store: Store, cloud: Receiver, client: CloudConnection) -> None:
    """A backlog drains at no more than the agreed requests a second (G5)."""
    put(store, *[batch(number) for number in range(4)])
    began = time.monotonic()
    assert push(store, client, pace=PushPace(pace_s=0.3)).acknowledged == 4
    assert time.monotonic() - began >= 0.9


def test_default_pace_is_the_promise() -> None:
    """The defaults are the promised figures: at most one request a second, first wait 5 s, longest 15 minutes."""
    assert PushPace() == PushPace(retry_for_s=900.0, first_wait_s=5.0, longest_wait_s=900.0, pace_s=1.0)


def fill(folder: Path) -> None:
    """Leave not a byte free."""
    with (folder / "filler").open("wb", buffering=0) as filler, contextlib.suppress(OSError):
        while True:
            filler.write(b"\0" * 4096)


@pytest.mark.fault(14)
def test_full_disk_still_drains(tmp_path: Path, cloud: Receiver, client: CloudConnection) -> None:
    """On a full file system what waits is still sent and marked, and its room is given back (Q3)."""
    require_root()
    mount = tmp_path / "small"
    mount.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(mount)], check=True)
    try:
        (mount / "state").mkdir(mode=0o700)
        store = open_store(mount / "state")
        put(store, *[noisy(number) for number in range(20)])
        assert reserve.keep(store.folder)
        store.scrub()
        fill(mount)
        report = push(store, client)
        assert (report.outcome, report.acknowledged) == (PushOutcome.DELIVERED, 20)
        assert outbox.size(store).held_bytes == 0, "on a full disk delivered bodies are not kept for bundles"
        (mount / "filler").unlink()
        put(store, batch(30))
        assert push(store, client).acknowledged == 1
        assert (store.folder / reserve.FILE_NAME).exists(), "taken back when there is room again"
        store.close()
    finally:
        subprocess.run(["umount", str(mount)], check=True)


def test_key_is_in_no_file_of_the_state_folder(store: Store, cloud: Receiver, client: CloudConnection) -> None:
    """Outbox, ledger and state never hold the key."""
    put(store, batch())
    cloud.control(mode="401")
    push(store, client)
    cloud.control()
    push(store, client, now=NOW + timedelta(hours=2))
    for path in store.folder.iterdir():
        assert KEY.reveal().encode() not in path.read_bytes()
    assert KEY.reveal() not in json.dumps(cloud.log())


def test_hour_is_the_first_key_of_order(store: Store) -> None:
    """Two nodes' worth of parts of one hour stay together."""
    put(store, batch(1), batch(0, entries=2), batch(0))
    assert [one.hour for one in outbox.waiting(store)] == [hour(0), hour(0), hour(1)]


def test_store_opened_elsewhere_sees_the_state(store: Store, cloud: Receiver, client: CloudConnection) -> None:
    """`status` reads hold and last answer from the store alone."""
    put(store, batch())
    cloud.control(mode="403")
    push(store, client)
    other = open_store(store.folder, read_only=True)
    assert delivery_state.load(other).hold.startswith("403")
    other.close()


def test_consent_is_asked_before_each_request(store: Store, cloud: Receiver, client: CloudConnection) -> None:
    """When consent no longer allows what waits, the run ends before the next request and nothing of it leaves."""
    put(store, batch(0), batch(1))
    answers = iter([True, False])
    with pytest.raises(ConsentChanged):
        push_waiting(
            store,
            client,
            KEY,
            clock=lambda: SEALED_AT,
            stopping=threading.Event(),
            split=split,
            destination=client.host,
            permits=lambda one: next(answers),
        )
    assert len(cloud.log()) == 1
    assert states(store) == [BatchState.ACKNOWLEDGED, BatchState.WAITING]
    assert len(ledger.rows(store)) == 1
