"""What arrived, as files that survive a kill: bodies byte for byte, one log line a request, who is linked."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import zlib
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

KEY_VALID_FOR = timedelta(days=30)
LARGEST_DOCUMENT = 64 * 1024 * 1024


CODES = {
    400: "unreadable",
    401: "key-rejected",
    403: "key-rejected",
    404: "no-link",
    409: "other-bytes",
    410: "link-ended",
    413: "too-large",
    415: "wrong-form",
    422: "not-accepted",
    429: "later",
    503: "later",
}


class Refused(Exception):
    """The request is answered with `status`, its code and `error`."""

    def __init__(self, status: int, error: str, **facts: str) -> None:
        super().__init__(error)
        self.status = status
        self.answer = {"code": CODES.get(status, "other"), "error": error, **facts}


class Folder:
    """The receiver's memory: everything is read from and written to files, so a restart forgets nothing."""

    def __init__(self, path: Path, *, location: str, max_bytes: int) -> None:
        self.path = path
        self.location = location
        self.max_bytes = max_bytes
        for name in ("batches", "assessments"):
            (path / name).mkdir(parents=True, exist_ok=True)

    def accepted_key(self, header: str) -> str:
        """The id of the bearer key in an Authorization header; Refused (401) when it is not in keys.txt."""
        scheme, _, key = header.partition(" ")
        keys_file = self.path / "keys.txt"
        known = keys_file.read_text("utf-8").split() if keys_file.exists() else []
        if scheme.lower() != "bearer" or key not in known:
            raise Refused(401, "the security key is not known")
        return key_id(key)

    def link(self, key: str, request: dict[str, Any]) -> dict[str, Any]:
        """Remember who linked with this key; Refused (409) when another data location is wanted."""
        wanted = request.get("dataLocation")
        if wanted is not None and wanted != self.location:
            raise Refused(
                409,
                f"the organisation keeps its data in {self.location}",
                code="location-differs",
                dataLocation=self.location,
            )
        links = self._links()
        known = links.get(key)
        linked_at = known["linkedAt"] if known else _now()
        links[key] = {"linkedAt": linked_at, "request": request}
        self._write("links.json", json.dumps(links, indent=1).encode())
        return self.link_state(key)

    def link_state(self, key: str) -> dict[str, Any]:
        """What GET and POST /v1/link answer; `linkId` is empty while nobody linked with this key."""
        known = self._links().get(key)
        linked_at = datetime.fromisoformat(known["linkedAt"]) if known else datetime.now(UTC)
        return {
            "linkId": f"link-{key}" if known else "",
            "organisation": "Example Organisation",
            "keyExpiresAt": (linked_at + KEY_VALID_FOR).isoformat(timespec="seconds").replace("+00:00", "Z"),
            "dataLocation": self.location,
            "limits": {"maxBatchBytes": self.max_bytes},
        }

    def unlink(self, key: str) -> None:
        """Forget the link; Refused (404) when there is none."""
        links = self._links()
        if links.pop(key, None) is None:
            raise Refused(404, "there is no link with this key")
        self._write("links.json", json.dumps(links, indent=1).encode())

    def store(self, kind: str, item_id: str, body: bytes, digest: str) -> tuple[dict[str, Any], bool]:
        """Keep one body under its id: (document, whether it is new). Refused: 400 unreadable, 409 other bytes, 413."""
        if len(body) > self.max_bytes:
            raise Refused(413, f"at most {self.max_bytes} bytes")
        actual = hashlib.sha256(body).hexdigest()
        if actual != digest.lower():
            raise Refused(400, "Content-SHA256 is not the hash of the body")
        document = _unpacked(body)
        if document.get("batchId" if kind == "batches" else "assessmentId") != item_id:
            raise Refused(422, "the document names another id than the address")
        name = f"{kind}/{item_id}.json.gz"
        existing = self.path / name
        if existing.exists():
            held = hashlib.sha256(existing.read_bytes()).hexdigest()
            if held != actual:
                raise Refused(409, "another body was stored under this id", batchId=item_id, sha256=held)
            return document, False
        self._write(name, body)
        return document, True

    def log(self, line: dict[str, Any]) -> None:
        """Append one line and sync it."""
        text = json.dumps({"at": _now(), **line}, separators=(",", ":")) + "\n"
        handle = os.open(self.path / "log.jsonl", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            os.write(handle, text.encode())
            os.fsync(handle)
        finally:
            os.close(handle)

    def _links(self) -> dict[str, Any]:
        path = self.path / "links.json"
        links: dict[str, Any] = json.loads(path.read_bytes()) if path.exists() else {}
        return links

    def _write(self, name: str, content: bytes) -> None:
        path = self.path / name
        beside = path.with_name(f".{path.name}.partial")
        with beside.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def key_id(key: str) -> str:
    """What may be logged of a key."""
    return hashlib.sha256(key.encode()).hexdigest()[:8]


def _unpacked(body: bytes) -> dict[str, Any]:
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(body)) as packed:
            text = packed.read(LARGEST_DOCUMENT + 1)
        if len(text) > LARGEST_DOCUMENT:
            raise Refused(413, "the document is too large")
        document = json.loads(text)
    except (OSError, EOFError, zlib.error, ValueError, RecursionError):
        raise Refused(400, "the body is not gzip of JSON") from None
    if not isinstance(document, dict):
        raise Refused(400, "the document is not an object")
    return document


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
