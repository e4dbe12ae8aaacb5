"""A real nginx between the agent and the receiver: what it answers of its own accord costs no key and no batch."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest

from agent.delivery.http import open_client
from agent.delivery.push import PushOutcome, PushPace, PushReport, push_waiting
from agent.net.cloud import CloudClient
from agent.store import Store, delivery_state, outbox
from agent.store.outbox import BatchState
from tests.support.batches import SEALED_AT, batch
from tests.support.between import nginx
from tests.support.cloud import KEY, Receiver

ONCE = PushPace(retry_for_s=0.0, first_wait_s=0.01, longest_wait_s=0.05, pace_s=0.0)
PASS = "proxy_pass https://127.0.0.1:{port}; proxy_ssl_verify off;"
WALLS = {
    "denied": (403, "location / { deny all; }"),
    "sign-in": (401, "location / { return 401; }"),
    "no-such-page": (404, "location / { return 404; }"),
    "gone": (410, "location / { return 410; }"),
    "bad-request": (400, "location / { return 400; }"),
    "json": (403, 'location / { default_type application/json; return 403 \'{"error":"forbidden"}\'; }'),
    "portal": (200, "location / { default_type text/html; return 200 '<html>Welcome</html>'; }"),
    "body-limit": (413, "client_max_body_size 1; location / { " + PASS + " }"),
}


def push(store: Store, client: CloudClient) -> PushReport:
    """One run that tries each batch once."""
    return push_waiting(
        store,
        client,
        KEY,
        clock=lambda: SEALED_AT,
        stopping=threading.Event(),
        split=lambda _batch, _now: [],
        destination="localhost",
        permits=lambda _batch: True,
        pace=ONCE,
    )


@pytest.mark.parametrize("wall", WALLS)
def test_a_wall_costs_neither_key_nor_batch_and_heals_by_itself(
    wall: str,
    store: Store,
    cloud: Receiver,
) -> None:
    """Nothing is held or set aside; the words name who answered; the moment the way is free, the batch arrives."""
    status, lines = WALLS[wall]
    with store.transaction() as connection:
        outbox.put(connection, batch())
    with nginx(lines.replace("{port}", str(cloud.port)), tls=cloud.folder / "server.pem") as port:
        settings = replace(cloud.settings, endpoint=f"https://localhost:{port}")
        with open_client(settings) as client:
            report = push(store, client)
    assert report.outcome is PushOutcome.DEFERRED
    assert report.problem is not None
    if wall != "no-such-page":
        assert f"something between here and the cloud answered {status}, not the cloud" in report.problem.why
    assert str(status) in report.problem.why
    assert delivery_state.load(store).hold == ""
    assert [row.state for row in outbox.rows(store)] == [BatchState.WAITING]
    with nginx(f"location / {{ {PASS.replace('{port}', str(cloud.port))} }}", tls=cloud.folder / "server.pem") as port:
        settings = replace(cloud.settings, endpoint=f"https://localhost:{port}")
        with open_client(settings) as client:
            assert push(store, client).acknowledged == 1
