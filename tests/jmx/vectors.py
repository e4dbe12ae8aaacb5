"""The captured bytes in data/vectors (README there), and how what they decode to is written in expected.json."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from agent.jmx.errors import RemoteFailure
from agent.jmx.nodes import Node
from agent.jmx.plan import declared_attributes
from agent.jmx.replies import Result, read_return
from agent.jmx.serial import StreamReader
from agent.jmx.values import Opaque, value_of

VECTORS = Path(__file__).parent / "data" / "vectors"
EXPECTED: dict[str, Any] = json.loads((VECTORS / "expected.json").read_text())
CALLS = sorted(path.name.removesuffix(".rep.bin") for path in VECTORS.glob("*.rep.bin"))
SESSIONS = sorted(path.stem for path in VECTORS.glob("*.bin") if not path.stem.endswith((".req", ".rep")))


def request(name: str) -> bytes:
    return (VECTORS / f"{name}.req.bin").read_bytes()


def reply(name: str) -> bytes:
    return (VECTORS / f"{name}.rep.bin").read_bytes()


def records(name: str) -> Iterator[tuple[str, bytes]]:
    """The (C or S, bytes) of a session."""
    raw = (VECTORS / f"{name}.bin").read_bytes()
    at = 0
    while at < len(raw):
        size = int.from_bytes(raw[at + 1 : at + 5], "big")
        yield chr(raw[at]), raw[at + 5 : at + 5 + size]
        at += 5 + size


def result_of(name: str) -> Result:
    return Result.BOOLEAN if name == "registered" else Result.OBJECT


def decode(name: str, raw: bytes) -> object:
    """What the client makes of a reply; a RemoteFailure is returned, all else is raised."""
    reader = StreamReader(raw)
    answer = read_return(reader, result_of(name))
    assert reader.at == len(raw)
    return answer.failure or convert(name, answer.value)


def convert(name: str, node: Node) -> object:
    return declared_attributes(node) if name == "timer-info" else value_of(node)


def plain(value: object) -> object:
    """A decoded value in the words of expected.json."""
    if isinstance(value, RemoteFailure):
        return {"$JMXError": str(value), "causes": [list(cause) for cause in value.causes]}
    if isinstance(value, Opaque):
        return {"$Opaque": repr(value)}
    if isinstance(value, float) and not math.isfinite(value):
        return {"$float": str(value)}
    if isinstance(value, bytes):
        return {"$bytes": value.hex()}
    if isinstance(value, datetime):
        return {"$datetime": str(value)}
    if isinstance(value, Decimal):
        return {"$Decimal": str(value)}
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    return [plain(item) for item in value] if isinstance(value, list) else value
