"""The calls of `config/cloud-api.yaml` as an ASGI application."""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from scripts.receiver.misbehave import BEFORE_STORING, Connections, Control, Misbehaviour, wrong_answer
from scripts.receiver.screen import paragraph
from scripts.receiver.storage import Folder, Refused

ITEM_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
Say = Callable[[str], None]


def make_app(folder: Folder, connections: Connections, say: Say) -> Starlette:
    """The application over one folder; `say` gets a paragraph for each body that arrives."""
    control = Control(folder.path / "control.json")
    calls = _Calls(folder, connections, control, say)
    return Starlette(
        routes=[
            Route("/v1/link", calls.link, methods=["GET", "POST", "DELETE"]),
            Route("/v1/batches/{id}", calls.put("batches"), methods=["PUT"]),
            Route("/v1/assessments/{id}", calls.put("assessments"), methods=["PUT"]),
        ]
    )


class _Broken(Response):
    """The connection was broken off below HTTP: there is nothing to send any more."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        return


class _Calls:
    def __init__(self, folder: Folder, connections: Connections, control: Control, say: Say) -> None:
        self.folder = folder
        self.connections = connections
        self.control = control
        self.say = say

    async def link(self, request: Request) -> Response:
        """GET, POST and DELETE /v1/link."""
        order = self.control.next("link")
        broken = await self._misbehave(request, order, "link", "", "")
        if broken is not None:
            return broken
        try:
            key = self.folder.accepted_key(request.headers.get("authorization", ""))
            if request.method == "POST":
                answer = self.folder.link(key, _object(await request.body()))
            elif request.method == "DELETE":
                self.folder.unlink(key)
                answer = {"state": "unlinked"}
            else:
                answer = self.folder.link_state(key)
        except Refused as refused:
            return self._refuse(request, "link", refused)
        self._log(request, "link", 200, key=key)
        return JSONResponse(answer)

    def put(self, kind: str) -> Callable[[Request], Awaitable[Response]]:
        """PUT /v1/batches/{id} or /v1/assessments/{id}."""

        async def put_one(request: Request) -> Response:
            item_id = request.path_params["id"]
            digest = request.headers.get("content-sha256", "")
            order = self.control.next(kind)
            facts = {"id": item_id, "sha256": digest}
            if order.mode in BEFORE_STORING:
                return await self._break_off(request, order, kind, item_id, digest)
            try:
                key = self.folder.accepted_key(request.headers.get("authorization", ""))
                if not ITEM_ID.fullmatch(item_id):
                    raise Refused(400, "the id is not a UUID")
                if request.headers.get("content-encoding", "") != "gzip":
                    raise Refused(415, "the body must be gzip")
                body = await request.body()
                if order.max_bytes is not None and len(body) > order.max_bytes:
                    raise Refused(413, f"at most {order.max_bytes} bytes")
                if order.mode and order.mode != "lost_ack":
                    broken = await self._misbehave(request, order, kind, item_id, digest)
                    if broken is not None:
                        return broken
                document, new = self.folder.store(kind, item_id, body, digest)
            except Refused as refused:
                return self._refuse(request, kind, refused, **facts)
            except ClientDisconnect:
                self._log(request, kind, 0, **facts, note="the client went away")
                return _Broken()
            self.say(paragraph(kind, document, len(body), new=new))
            if order.mode == "lost_ack":
                return await self._break_off(request, order, kind, item_id, digest, key=key, stored=new)
            status = 202 if new else 200
            self._log(request, kind, status, **facts, key=key, stored=new, size=len(body))
            name = "batchId" if kind == "batches" else "assessmentId"
            return JSONResponse({name: item_id, "sha256": digest.lower(), "state": "stored"}, status)

        return put_one

    async def _misbehave(
        self, request: Request, order: Misbehaviour, call: str, item_id: str, digest: str
    ) -> Response | None:
        if not order.mode:
            return None
        answer = wrong_answer(order, item_id, digest)
        if answer is None:
            return await self._break_off(request, order, call, item_id, digest)
        self._log(request, call, answer.status_code, id=item_id, sha256=digest, mode=order.mode)
        return answer

    async def _break_off(
        self, request: Request, order: Misbehaviour, call: str, item_id: str, digest: str, **facts: Any
    ) -> Response:
        self._log(request, call, 0, id=item_id, sha256=digest, mode=order.mode, **facts)
        client = request.client
        assert client is not None  # the server listens on TCP only
        await self.connections.break_off((client.host, client.port), order, item_id, digest)
        return _Broken()

    def _refuse(self, request: Request, call: str, refused: Refused, **facts: Any) -> Response:
        named = {} if call == "link" else {"batchId" if call == "batches" else "assessmentId": facts["id"]}
        self._log(request, call, refused.status, error=refused.answer["error"], **facts)
        self.say(f"refused {request.method} {request.url.path}: {refused.status} {refused.answer['error']}")
        # The id makes it an answer to this very request, which nothing on the way could give.
        return JSONResponse({**named, **refused.answer}, refused.status)

    def _log(self, request: Request, call: str, status: int, **facts: Any) -> None:
        self.folder.log({"method": request.method, "call": call, "status": status, **facts})


def _object(body: bytes) -> dict[str, Any]:
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        raise Refused(400, "the body is not JSON") from None
    if not isinstance(document, dict):
        raise Refused(400, "the body is not an object")
    return document
