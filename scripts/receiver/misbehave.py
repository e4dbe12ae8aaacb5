"""Ways to misbehave, for tests and demonstrations: everything a network or a broken cloud may do.

`control.json` in the receiver's folder says which, and is read on each request:

    {"mode": "503", "times": 2, "retryAfter": "7", "calls": ["batches"], "maxBytes": 4096}

mode        a status (400 401 403 404 405 409 410 413 415 418 422 429 500 502 503 504) or a name below; absent: behave
times       how often, counted from when the file last changed; absent: always
retryAfter  the Retry-After header of the answer, as it stands
calls       which calls are meant: "batches", "assessments", "link"; absent: all
maxBytes    bodies over this size get 413, whatever the mode

html403 json403 empty403 (any status)                    what a firewall, proxy or gateway on the way answers
html200 empty200 other_id half_ack deep_json redirect    wrong answers, sent properly
slow_headers slow_body bigbody gzipbomb                  answers that do not end, or are too large
reset_before reset_mid lost_ack blackhole                reset before reading; in the middle of the answer; after
                                                         storing, before answering; never answer at all
"""

from __future__ import annotations

import asyncio
import gzip
import json
import re
import socket
import struct
from asyncio import Transport
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from starlette.responses import JSONResponse, Response

from scripts.receiver.storage import CODES

BEFORE_STORING = frozenset({"reset_before", "blackhole"})
PROPER = frozenset({"html200", "empty200", "other_id", "half_ack", "deep_json", "redirect", "bigbody", "gzipbomb"})
BELOW_HTTP = frozenset({"slow_headers", "slow_body", "reset_before", "reset_mid", "lost_ack", "blackhole"})
PAGE = re.compile(r"(html|json|empty)([0-9]{3})")
BIG_BYTES = 8 * 1024 * 1024
DRIP_S = 0.2


@dataclass(frozen=True, slots=True)
class Misbehaviour:
    """What to do wrong with one request; an empty mode is to behave."""

    mode: str = ""
    retry_after: str | None = None
    max_bytes: int | None = None

    @property
    def status(self) -> int | None:
        """The status to answer with, when the mode is one."""
        return int(self.mode) if self.mode.isdigit() else None


class Control:
    """Reads control.json and counts how often it was obeyed."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._text = ""
        self._obeyed = 0

    def next(self, call: str) -> Misbehaviour:
        """How to misbehave on this request to `call`."""
        text = self._path.read_text("utf-8") if self._path.exists() else ""
        if text != self._text:
            self._text, self._obeyed = text, 0
        orders: dict[str, Any] = json.loads(text) if text.strip() else {}
        limit = orders.get("maxBytes")
        meant = call in orders.get("calls", [call]) and self._obeyed < orders.get("times", 1 << 30)
        mode = str(orders.get("mode", "")) if meant else ""
        if mode and not (mode.isdigit() or mode in PROPER | BELOW_HTTP or PAGE.fullmatch(mode)):
            raise ValueError(f"control.json: unknown mode {mode!r}")
        self._obeyed += bool(mode)
        return Misbehaviour(mode, orders.get("retryAfter"), limit)


def wrong_answer(order: Misbehaviour, item_id: str, digest: str) -> Response | None:
    """The answer of a mode that is sent properly, or None for the modes that need the connection itself."""
    headers = {} if order.retry_after is None else {"Retry-After": order.retry_after}
    if order.status is not None:
        about_link = order.status == 409 and not item_id
        said = {
            "code": "location-differs" if about_link else CODES.get(order.status, "other"),
            "error": f"told to answer {order.status}",
        }
        return JSONResponse({**said, **({"batchId": item_id} if item_id else {})}, order.status, headers=headers)
    if (page := PAGE.fullmatch(order.mode)) and order.mode not in PROPER:
        return _of_a_stranger(page[1], int(page[2]), headers)
    true_answer = json.dumps({"batchId": item_id, "sha256": digest, "state": "stored"})
    makers: dict[str, Callable[[], Response]] = {
        "html200": lambda: Response("<html><body>Welcome, please log in</body></html>", media_type="text/html"),
        "empty200": lambda: Response(b"", media_type="application/json"),
        "other_id": lambda: JSONResponse({"batchId": "00000000-0000-5000-8000-000000000000", "sha256": digest}),
        "half_ack": lambda: Response(true_answer[: len(true_answer) // 2], media_type="application/json"),
        "deep_json": lambda: Response("[" * 200_000 + "]" * 200_000, media_type="application/json"),
        "redirect": lambda: Response(status_code=307, headers={"Location": "https://elsewhere.example.com/"}),
        "bigbody": lambda: Response(true_answer + " " * BIG_BYTES, media_type="application/json"),
        "gzipbomb": lambda: Response(
            gzip.compress(true_answer.encode() + b" " * BIG_BYTES * 4),
            media_type="application/json",
            headers={"Content-Encoding": "gzip"},
        ),
    }
    maker = makers.get(order.mode)
    return maker() if maker else None


def _of_a_stranger(kind: str, status: int, headers: dict[str, str]) -> Response:
    """What a firewall, a proxy or a gateway on the way answers in the cloud's place."""
    if kind == "json":
        return JSONResponse({"error": "Forbidden", "message": "blocked", "status": status}, status, headers=headers)
    if kind == "html":
        return Response("<html><body>Blocked by policy</body></html>", status, headers, "text/html")
    return Response(b"", status, headers)


@dataclass(slots=True)
class Connections:
    """The transports of the open connections by the client's address, for modes below HTTP."""

    open: dict[tuple[str, int], Transport] = field(default_factory=dict)

    async def break_off(self, client: tuple[str, int], order: Misbehaviour, item_id: str, digest: str) -> None:
        """Do what no HTTP framework does: reset, drip, or say nothing; returns when the connection is gone."""
        transport = self.open[client]
        answer = json.dumps({"batchId": item_id, "sha256": digest}).encode()
        head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(answer)
        if order.mode == "reset_mid":
            transport.write(head + answer[: len(answer) // 2])
            await asyncio.sleep(DRIP_S)
        if order.mode in ("reset_before", "reset_mid", "lost_ack"):
            reset(transport)
            return
        dripping = {"slow_headers": head, "slow_body": answer, "blackhole": b""}[order.mode]
        if order.mode == "slow_body":
            transport.write(head)
        # The last byte is never sent: the client's own deadline has to end this.
        for byte in dripping[:-1]:
            if transport.is_closing():
                return
            transport.write(bytes([byte]))
            await asyncio.sleep(DRIP_S)
        while not transport.is_closing():
            await asyncio.sleep(DRIP_S)


def reset(transport: Transport) -> None:
    """Close with a TCP reset, as a crashed peer or a firewall does."""
    raw = transport.get_extra_info("socket")
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()
