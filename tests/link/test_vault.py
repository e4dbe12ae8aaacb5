"""The sealed key: what one side seals the other opens, and nothing else opens."""

from __future__ import annotations

import base64
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.errors import KeyUnreadable
from agent.link.vault import HEADER_BYTES, TAG, associated_data, key_id_of, open_sealed, seal
from agent.settings import Secret
from tests.support.servers import require
from tests.support.vectors import FOLDER, LENGTHS, Vector, load_vectors

MASTER = bytes(range(32))
HERE = associated_data("instance-here")
KEY = "test-key." + "abcdefghij" * 5
KEYS = st.text(alphabet=st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=200)
VECTORS = load_vectors()


def refusal(text: str, master: bytes = MASTER, associated: bytes = HERE) -> KeyUnreadable:
    """The error that opening gives."""
    with pytest.raises(KeyUnreadable) as caught:
        open_sealed(text, master, associated)
    return caught.value


@given(secret=KEYS, master=st.binary(min_size=32, max_size=32), associated=st.binary(max_size=100))
@settings(max_examples=200, deadline=None)
def test_what_is_sealed_opens_again(secret: str, master: bytes, associated: bytes) -> None:
    """Any text of any length opens again with the same master key and associated data."""
    text = seal(Secret(secret), master, associated)
    assert "\n" not in text
    assert open_sealed(text, master, associated).reveal() == secret


def test_salt_and_iv_are_fresh() -> None:
    """Sealing the same key twice gives unrelated blobs: other salt, other IV, other ciphertext."""
    first, second = (base64.b64decode(seal(Secret(KEY), MASTER, HERE)) for _ in range(2))
    assert first[:21] == second[:21]
    assert first[21:37] != second[21:37]
    assert first[37:53] != second[37:53]
    assert first[53:69] != second[53:69]


def test_golden_vectors_are_all_there() -> None:
    """Five vectors are committed, one for each length that matters to padding."""
    assert {vector.name: len(vector.secret) for vector in VECTORS} == LENGTHS


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector.name)
def test_golden_vector_opens(vector: Vector) -> None:
    """A blob sealed by an earlier version opens with this one."""
    assert open_sealed(vector.sealed, vector.master, vector.associated).reveal() == vector.secret


def run_java(folder: Path, vector: Vector, associated: bytes) -> subprocess.CompletedProcess[bytes]:
    """Opens a vector with the JDK alone."""
    files = {"master": vector.master, "sealed": vector.sealed.encode(), "associated": associated}
    for name, content in files.items():
        (folder / name).write_bytes(content)
    command = [str(require("java")), "-Xshare:auto", "-XX:TieredStopAtLevel=1", str(FOLDER / "VaultOpen.java")]
    command += [str(folder / name) for name in files]
    return subprocess.run(command, capture_output=True, timeout=120, check=False)


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector.name)
def test_java_opens_golden_vector(vector: Vector, tmp_path: Path) -> None:
    """Java's own AES/CBC/PKCS5Padding opens what we seal."""
    done = run_java(tmp_path, vector, vector.associated)
    assert done.returncode == 0, done.stderr
    assert done.stdout.decode() == vector.secret


def test_java_refuses_other_associated_data(tmp_path: Path) -> None:
    """The Java program checks the tag too: with another instance's data it refuses."""
    done = run_java(tmp_path, VECTORS[0], b"another instance")
    assert done.returncode == 1
    assert b"authentication failed" in done.stderr
    assert done.stdout == b""


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector.name)
def test_openssl_opens_ciphertext_part(vector: Vector, tmp_path: Path) -> None:
    """The ciphertext part is plain AES-256-CBC: openssl opens it with the derived key and the IV."""
    blob = base64.b64decode(vector.sealed)
    info = f"portfolio-agent/v1/enc/{key_id_of(vector.master)}".encode()
    key = HKDF(algorithm=hashes.SHA256(), length=32, salt=blob[21:37], info=info).derive(vector.master)
    (tmp_path / "ciphertext").write_bytes(blob[HEADER_BYTES:-TAG])
    command = [str(require("openssl")), "enc", "-d", "-aes-256-cbc", "-K", key.hex(), "-iv", blob[37:53].hex()]
    done = subprocess.run([*command, "-in", str(tmp_path / "ciphertext")], capture_output=True, timeout=60, check=True)
    assert done.stdout.decode() == vector.secret


@pytest.mark.fault(93)
def test_every_flipped_bit_is_refused() -> None:
    """A blob with any one bit changed does not open; outside the key id all refusals are the very same words."""
    blob = base64.b64decode(seal(Secret(KEY), MASTER, HERE))
    told = set()
    for position in range(8 * len(blob)):
        changed = bytearray(blob)
        changed[position // 8] ^= 1 << position % 8
        error = refusal(base64.b64encode(changed).decode())
        told.add(error.code if 5 <= position // 8 < 21 else str(error))
    assert told == {"wrong-key", str(refusal("AAAA"))}


@pytest.mark.fault(93)
def test_every_truncation_and_extension_is_refused() -> None:
    """A blob cut anywhere, at either end, or with anything added, does not open."""
    text = seal(Secret(KEY), MASTER, HERE)
    blob = base64.b64decode(text)
    for cut in range(len(blob)):
        assert refusal(base64.b64encode(blob[:cut]).decode()).code == "authentication-failed"
        assert refusal(base64.b64encode(blob[cut + 1 :]).decode()).code == "authentication-failed"
    for cut in range(len(text)):
        assert refusal(text[:cut]).code == "authentication-failed"
    for extra in (b"\0", b"\0" * 16, blob):
        assert refusal(base64.b64encode(blob + extra).decode()).code == "authentication-failed"


@given(
    text=st.text(max_size=400) | st.binary(max_size=300).map(lambda raw: base64.b64encode(b"DCA1\x10" + raw).decode())
)
@settings(max_examples=300, deadline=None)
def test_anything_else_is_refused(text: str) -> None:
    """Whatever stands in the file, opening ends in a refusal and never in another error."""
    refusal(text)


def test_only_one_spelling_opens() -> None:
    """Base64 with spare bits set, blanks or line ends decodes to the same bytes, and is refused all the same."""
    text = seal(Secret(KEY), MASTER, HERE)
    for other in (text + "\n", " " + text, text[:40] + "\n" + text[40:]):
        assert refusal(other).code == "authentication-failed"
    assert text.endswith("=")
    stem = text.rstrip("=")
    spare = stem[:-1] + chr(ord(stem[-1]) + 1) + "=" * (len(text) - len(stem))
    assert base64.b64decode(spare) == base64.b64decode(text)
    assert refusal(spare).code == "authentication-failed"


@pytest.mark.fault(94)
def test_blob_of_another_instance_is_refused() -> None:
    """A blob copied from another instance, or made for another purpose, does not open with the same master key."""
    text = seal(Secret(KEY), MASTER, HERE)
    for other in (associated_data("instance-there"), associated_data("instance-here", "other-use"), b"", HERE + b"\0"):
        assert refusal(text, associated=other).code == "authentication-failed"


def test_another_master_key_is_named_before_the_tag_is_checked() -> None:
    """A blob of another master key is told apart by its key id, with both ids and no part of either key."""
    other = bytes(range(1, 33))
    error = refusal(seal(Secret(KEY), other, HERE))
    assert error.code == "wrong-key"
    assert key_id_of(MASTER) in str(error)
    assert key_id_of(other) in str(error)
    assert other.hex() not in str(error)
    assert "portfolio-agent link" in error.do
