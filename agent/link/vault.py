"""The stored security key: AES-256-CBC with PKCS#7, encrypt-then-MAC, readable by Java's AES/CBC/PKCS5Padding.

In:  a Secret, the 32 bytes of the master key, and associated data (whose key this is and what for).
Out: one line of base64 over

    "DCA1" · 1 byte length + key id · salt 16 · IV 16 · ciphertext (n x 16, n >= 1) · tag 32

The key id is the first 16 hex digits of SHA-256(master). HKDF-SHA256(master, salt, info) gives two keys, with info
`portfolio-agent/v1/enc/`+id and `portfolio-agent/v1/mac/`+id. The tag is HMAC-SHA256 over header (magic to IV),
the 4-byte big-endian length of the associated data, the associated data, and the ciphertext.

Nothing is decrypted before the tag is right. A blob made with another master key is named as such, because the key id
is public; every other fault is one and the same refusal, whatever was changed.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets
import struct
from dataclasses import dataclass

from cryptography.hazmat.primitives import hashes, padding
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from agent.errors import KeyUnreadable
from agent.settings import Secret

MAGIC = b"DCA1"
MASTER_BYTES = 32
BLOCK = 16
TAG = 32
KEY_ID_DIGITS = 16
HEADER_BYTES = len(MAGIC) + 1 + KEY_ID_DIGITS + 2 * BLOCK
LIMIT = 16 * 1024  # characters of a sealed text; a key has at most 4096
PURPOSE = "link-key"


@dataclass(frozen=True, slots=True)
class _Blob:
    key_id: bytes
    header: bytes
    salt: bytes
    iv: bytes
    ciphertext: bytes
    tag: bytes


def seal(secret: Secret, master: bytes, associated: bytes) -> str:
    """The secret as one line of base64 that only this master key with this associated data opens; fresh salt and IV."""
    # Fresh for each sealing, never counted or fixed: under CBC a repeated IV shows which two keys begin alike.
    return _seal(secret, master, associated, secrets.token_bytes(BLOCK), secrets.token_bytes(BLOCK))


def open_sealed(text: str, master: bytes, associated: bytes) -> Secret:
    """The secret inside `text`.

    Raises KeyUnreadable: `wrong-key` when another master key sealed it, `authentication-failed` for everything else.
    """
    blob = _parse(text)
    if blob is None:
        raise _refusal()
    key_id = key_id_of(master)
    if blob.key_id != key_id.encode("ascii"):
        raise KeyUnreadable(
            "The stored security key was sealed with another master key.",
            why=f"It names master key {_shown(blob.key_id)}, the master key here is {key_id}.",
            do="Put back the master key file that belongs to it, from the same backup as link.json (as a systemd "
            "credential it is read at start only: systemctl restart portfolio-agent), or paste a new key: "
            "portfolio-agent link",
            code="wrong-key",
        )
    encryption_key, mac_key = _derive(master, blob.salt, key_id)
    # Before anything is decrypted: who could see whether the padding was right could read the key byte by byte. And in
    # a time that does not tell how much of the tag was right.
    if not hmac.compare_digest(_tag(mac_key, blob.header, associated, blob.ciphertext), blob.tag):
        raise _refusal()
    decryptor = Cipher(algorithms.AES256(encryption_key), modes.CBC(blob.iv)).decryptor()
    unpadder = padding.PKCS7(8 * BLOCK).unpadder()
    try:
        padded = decryptor.update(blob.ciphertext) + decryptor.finalize()
        return Secret((unpadder.update(padded) + unpadder.finalize()).decode("utf-8"))
    except ValueError:
        # A right tag over wrong padding or wrong UTF-8 means that someone with the master key made it: still refused.
        raise _refusal() from None


def associated_data(instance_id: str, purpose: str = PURPOSE) -> bytes:
    """What binds a sealed key to one instance and one use."""
    return f"{instance_id}\n{purpose}".encode()


def key_id_of(master: bytes) -> str:
    """The public name of a master key: 16 hex digits."""
    return hashlib.sha256(master).hexdigest()[:KEY_ID_DIGITS]


def _seal(secret: Secret, master: bytes, associated: bytes, salt: bytes, iv: bytes) -> str:
    if len(master) != MASTER_BYTES:
        raise ValueError("a master key has 32 bytes")
    key_id = key_id_of(master)
    header = MAGIC + bytes([len(key_id)]) + key_id.encode("ascii") + salt + iv
    encryption_key, mac_key = _derive(master, salt, key_id)
    # What Java calls PKCS5Padding, where blocks have 16 bytes.
    padder = padding.PKCS7(8 * BLOCK).padder()
    padded = padder.update(secret.reveal().encode("utf-8")) + padder.finalize()
    encryptor = Cipher(algorithms.AES256(encryption_key), modes.CBC(iv)).encryptor()
    ciphertext = encryptor.update(padded) + encryptor.finalize()
    blob = header + ciphertext + _tag(mac_key, header, associated, ciphertext)
    return base64.b64encode(blob).decode("ascii")


def _parse(text: str) -> _Blob | None:
    if len(text) > LIMIT:
        return None
    try:
        raw = base64.b64decode(text.encode("ascii"), validate=True)
    except (UnicodeEncodeError, binascii.Error):
        return None
    if base64.b64encode(raw).decode("ascii") != text:
        return None  # base64 has spare bits at its end: only the one canonical spelling is ours
    size = len(raw) - HEADER_BYTES - TAG
    if size < BLOCK or size % BLOCK or raw[: len(MAGIC)] != MAGIC or raw[len(MAGIC)] != KEY_ID_DIGITS:
        return None
    at = len(MAGIC) + 1
    return _Blob(
        key_id=raw[at : at + KEY_ID_DIGITS],
        header=raw[:HEADER_BYTES],
        salt=raw[at + KEY_ID_DIGITS : at + KEY_ID_DIGITS + BLOCK],
        iv=raw[HEADER_BYTES - BLOCK : HEADER_BYTES],
        ciphertext=raw[HEADER_BYTES:-TAG],
        tag=raw[-TAG:],
    )


def _derive(master: bytes, salt: bytes, key_id: str) -> tuple[bytes, bytes]:
    def one(use: str) -> bytes:
        info = f"portfolio-agent/v1/{use}/{key_id}".encode("ascii")
        return HKDF(algorithm=hashes.SHA256(), length=32, salt=salt, info=info).derive(master)

    # Two keys and never the same one for both uses.
    return one("enc"), one("mac")


def _tag(mac_key: bytes, header: bytes, associated: bytes, ciphertext: bytes) -> bytes:
    # The length of the associated data is covered as well: else bytes could move from its end to the ciphertext's
    # beginning.
    return hmac.digest(mac_key, header + struct.pack(">I", len(associated)) + associated + ciphertext, "sha256")


def _shown(key_id: bytes) -> str:
    text = key_id.decode("ascii", "replace")
    return text if text.isalnum() else "(damaged)"


def _refusal() -> KeyUnreadable:
    return KeyUnreadable(
        "The stored security key cannot be opened: authentication failed.",
        why="link.json was changed or damaged after the key was stored.",
        do="Put back link.json from a backup, or paste a new key: portfolio-agent link",
        code="authentication-failed",
    )
