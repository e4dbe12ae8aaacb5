"""config/cloud-api.yaml, the reference receiver and the agent say the same."""

from __future__ import annotations

import ast
import gzip
import hashlib
import json
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from agent.batching import open_document
from agent.delivery.answers import ACTIONS
from agent.delivery.http import CloudConnection
from agent.settings import Secret
from scripts.receiver.app import make_app
from scripts.receiver.misbehave import Connections
from scripts.receiver.storage import Folder
from tests.support.batches import batch
from tests.support.cloud import KEY, ROOT, Receiver, receiver

CONTRACT: dict[str, Any] = yaml.safe_load((ROOT / "config" / "cloud-api.yaml").read_text("utf-8"))
LINK_REQUEST = {
    "instanceId": "i-1",
    "product": {"type": "jira", "version": "10.3.1"},
    "agentVersion": "1.0.0",
    "consent": {"level": "basic", "fieldListVersion": "1"},
    "dataLocation": "eu",
}


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Receiver]:
    with receiver(tmp_path_factory.mktemp("receiver"), "--max-bytes", "100000") as running:
        yield running


@pytest.fixture
def client(cloud: Receiver) -> Iterator[CloudConnection]:
    cloud.control()
    with cloud.client() as opened:
        yield opened


def resolved(node: dict[str, Any]) -> dict[str, Any]:
    """What a `$ref` points to."""
    while "$ref" in node:
        target: Any = CONTRACT
        for step in node["$ref"].removeprefix("#/").split("/"):
            target = target[step]
        node = target
    return node


def matches(value: Any, schema: dict[str, Any], where: str = "answer") -> None:
    """Check the parts of JSON Schema that the contract uses."""
    schema = resolved(schema)
    if "const" in schema:
        assert value == schema["const"], where
    if "enum" in schema:
        assert value in schema["enum"], where
    kinds = {"object": dict, "array": list, "string": str, "integer": int, "null": type(None)}
    if "type" in schema:
        names = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
        assert isinstance(value, tuple(kinds[name] for name in names)), where
    if isinstance(value, dict):
        assert set(schema.get("required", ())) <= value.keys(), where
        known = schema.get("properties", {})
        if schema.get("additionalProperties") is False:
            assert value.keys() <= known.keys(), where
        for name in value.keys() & known.keys():
            matches(value[name], known[name], f"{where}.{name}")
    if isinstance(value, list):
        for number, item in enumerate(value):
            matches(item, schema.get("items", {}), f"{where}[{number}]")


def ask(client: CloudConnection, method: str, path: str, template: str, **request: Any) -> tuple[int, Any]:
    """Ask, and check that status and body are what the contract says for this call."""
    answer = client.request(method, path, key=request.pop("key", KEY), **request)
    responses = CONTRACT["paths"][template][method.lower()]["responses"]
    assert str(answer.status) in responses, f"{method} {path} answered {answer.status}"
    content = resolved(responses[str(answer.status)])["content"]["application/json"]
    body = json.loads(answer.body)
    matches(body, content["schema"])
    return answer.status, body


def put(
    client: CloudConnection, item_id: str, body: bytes, *, kind: str = "batches", **headers: str
) -> tuple[int, Any]:
    sent = {"Content-Encoding": "gzip", "Content-SHA256": hashlib.sha256(body).hexdigest(), **headers}
    return ask(client, "PUT", f"/v1/{kind}/{item_id}", f"/v1/{kind}/{{id}}", body=body, headers=sent)


def test_same_paths_and_methods(tmp_path: Path) -> None:
    """The receiver serves exactly the paths and methods of the contract."""
    app = make_app(Folder(tmp_path, location="eu", max_bytes=1), Connections(), print)
    served = {route.path: route.methods - {"HEAD"} for route in app.routes}  # type: ignore[attr-defined]  # Route
    written = {
        path: {name.upper() for name in item if name in ("get", "post", "put", "delete")}
        for path, item in CONTRACT["paths"].items()
    }
    assert served == written


def test_every_status_of_a_delivery_has_a_meaning_for_the_agent() -> None:
    """Each status the contract lists for a batch is a success or a row of the agent's table."""
    for path in ("/v1/batches/{id}", "/v1/assessments/{id}"):
        listed = {int(status) for status in CONTRACT["paths"][path]["put"]["responses"]}
        assert listed - {200, 202} <= ACTIONS.keys()


def test_link_life(client: CloudConnection) -> None:
    """Link, look, unlink, each as the contract says; a pinned location that differs links nothing."""
    request = {"headers": {"Content-Type": "application/json"}}
    elsewhere = json.dumps({**LINK_REQUEST, "dataLocation": "us"}).encode()
    assert ask(client, "GET", "/v1/link", "/v1/link")[1]["linkId"] == ""
    assert ask(client, "POST", "/v1/link", "/v1/link", body=elsewhere, **request)[0] == 409
    assert ask(client, "POST", "/v1/link", "/v1/link", body=b"not json", **request)[0] == 400
    status, link = ask(client, "POST", "/v1/link", "/v1/link", body=json.dumps(LINK_REQUEST).encode(), **request)
    assert (status, link["dataLocation"]) == (200, "eu")
    assert ask(client, "GET", "/v1/link", "/v1/link")[1] == link
    assert ask(client, "DELETE", "/v1/link", "/v1/link")[0] == 200
    assert ask(client, "DELETE", "/v1/link", "/v1/link")[0] == 404
    assert ask(client, "GET", "/v1/link", "/v1/link", key=Secret("not-a-known-key-0123456789"))[0] == 401


def test_sealed_batch_is_what_the_contract_describes() -> None:
    """A batch of the agent matches the schema, field by field, and has no other."""
    matches(open_document(batch().body), CONTRACT["components"]["schemas"]["Batch"])


def test_batch_answers(client: CloudConnection, cloud: Receiver) -> None:
    """New, again, other bytes, wrong hash, wrong id, not gzip, too large: each its own status."""
    one = batch(1)
    assert put(client, one.id, one.body) == (202, {"batchId": one.id, "sha256": one.sha256, "state": "stored"})
    assert put(client, one.id, one.body)[0] == 200
    other = gzip.compress(json.dumps({"batchId": one.id}).encode())
    status, answer = put(client, one.id, other)
    assert (status, answer["batchId"], answer["sha256"]) == (409, one.id, one.sha256)
    assert put(client, batch(2).id, one.body)[0] == 422
    assert put(client, batch(2).id, batch(2).body, **{"Content-SHA256": "0" * 64})[0] == 400
    assert put(client, batch(2).id, b"not gzip")[0] == 400
    assert put(client, batch(2).id, gzip.compress(b"[]"))[0] == 400
    assert put(client, batch(2).id, batch(2).body, **{"Content-Encoding": "identity"})[0] == 415
    assert put(client, batch(2).id, b"x" * 100_001)[0] == 413
    assert cloud.stored() == {one.id}
    assert cloud.body(one.id) == one.body


def test_assessment_answers(client: CloudConnection) -> None:
    """An assessment file follows the same rules under its own id."""
    item_id = str(uuid.uuid5(uuid.NAMESPACE_URL, "https://example.com"))
    body = gzip.compress(json.dumps({"assessmentId": item_id}).encode())
    assert put(client, item_id, body, kind="assessments")[0] == 202
    assert put(client, item_id, body, kind="assessments")[0] == 200


@pytest.mark.parametrize("mode", ["401", "403", "410", "413", "400", "422", "429", "503"])
def test_misbehaviour_stays_within_the_contract(mode: str, client: CloudConnection, cloud: Receiver) -> None:
    """The statuses a test can order are ones the contract lists, in the contract's form."""
    cloud.control(mode=mode, retryAfter="7")
    assert put(client, batch(3).id, batch(3).body)[0] == int(mode)


def test_receiver_survives_a_restart(tmp_path: Path) -> None:
    """After a kill it knows its batches, its links and its CA."""
    with receiver(tmp_path) as running:
        ca = (tmp_path / "ca.pem").read_bytes()
        with running.client() as client:
            assert put(client, batch().id, batch().body)[0] == 202
        running.kill()
        running.start()
        assert (tmp_path / "ca.pem").read_bytes() == ca
        with running.client() as client:
            assert put(client, batch().id, batch().body)[0] == 200


def test_prints_what_arrives(tmp_path: Path) -> None:
    """With --print a person reads id, window, consent, entries by type and the first entry."""
    with receiver(tmp_path, "--print") as running:
        with running.client() as client:
            put(client, batch().id, batch().body)
        assert running.process is not None
        assert running.process.stdout is not None
        text = "".join(running.process.stdout.readline() for _ in range(3))
    assert f"received batch {batch().id}" in text
    assert "consent basic" in text
    assert "2026-11-22T19:00:00Z to 2026-11-22T20:00:00Z" in text
    assert "3 JMX_METRIC" in text
    assert '"metricName": "metric.0000"' in text


def test_key_is_never_logged(cloud: Receiver, client: CloudConnection) -> None:
    """The receiver's log names keys by their hash only."""
    put(client, batch(4).id, batch(4).body)
    assert KEY.reveal() not in (cloud.folder / "log.jsonl").read_text()


def test_receiver_and_agent_share_no_code() -> None:
    """Neither imports the other: what they agree on is the contract."""
    for folder, foreign in ((ROOT / "scripts" / "receiver", "agent"), (ROOT / "agent", "scripts")):
        for path in folder.rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
                names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
                assert not [name for name in names if name.split(".")[0] == foreign], path
