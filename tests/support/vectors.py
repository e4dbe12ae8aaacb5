"""The golden vectors of the sealed key: fixed test keys, salts and IVs; `python -m tests.support.vectors` writes them.

They were opened by a Java program and by openssl when they were made; a change of any byte is a change of the format.
"""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parent.parent / "link" / "data"
LENGTHS = {"shortest": 20, "one-under": 31, "whole-blocks": 32, "one-over": 33, "longest": 4096}
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._~+/=-"


@dataclass(frozen=True)
class Vector:
    """One sealed key with all that is needed to open it."""

    name: str
    master: bytes
    associated: bytes
    secret: str
    sealed: str


def load_vectors() -> list[Vector]:
    """All committed vectors, by name."""
    return [_load(path) for path in sorted(FOLDER.glob("vector-*.json"))]


def _load(path: Path) -> Vector:
    document = json.loads(path.read_text("utf-8"))
    return Vector(
        name=document["name"],
        master=base64.b64decode(document["master"]),
        associated=document["associated"].encode("utf-8"),
        secret=document["secret"],
        sealed=document["sealed"],
    )


def _write() -> None:
    from agent.link.vault import _seal, associated_data
    from agent.settings import Secret

    for name, length in LENGTHS.items():
        seed = hashlib.sha512(f"test vector {name}".encode()).digest()
        master, salt, iv = seed[:32], seed[32:48], seed[48:64]
        secret = (ALPHABET * 70)[:length]
        associated = associated_data(f"test-instance-{name}")
        document = {
            "name": name,
            "master": base64.b64encode(master).decode("ascii"),
            "associated": associated.decode("utf-8"),
            "secret": secret,
            "sealed": _seal(Secret(secret), master, associated, salt, iv),
        }
        (FOLDER / f"vector-{name}.json").write_text(json.dumps(document, indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    _write()
