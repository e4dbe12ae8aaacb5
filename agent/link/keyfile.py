"""The master key: 32 random bytes in a file of its own in the shared home, or a systemd credential.

In:  the link folder. Out: the 32 bytes, never printed, never in the configuration.
Key and lock in one backup protect nothing; what is gained is against a stolen database, outbox or bundle.
"""

from __future__ import annotations

import base64
import binascii
import os
import secrets
from collections.abc import Collection, Mapping
from pathlib import Path

from agent.errors import KeyUnreadable
from agent.system.account import Account
from agent.system.atomic import remove_leftovers
from agent.system.deadline import DEADLINE_S
from agent.system.private_file import create_private, make_folder, read_private

HEADER = b"portfolio-agent master key 1"
MASTER_BYTES = 32
LIMIT = 4096
CREDENTIAL = "portfolio-agent.master"
# systemd hands a credential to an unprivileged service as root's file with a group entry (0440) on its own ramfs.
CREDENTIAL_LAX_BITS = 0o037


def key_folder(link_dir: Path) -> Path:
    """Where key files lie, apart from the ciphertext."""
    return link_dir / "keys"


def master_path(link_dir: Path) -> Path:
    """The master key file of this link."""
    return key_folder(link_dir) / "master.key"


def load_master(
    link_dir: Path,
    *,
    owners: Collection[int] = (),
    environ: Mapping[str, str] = os.environ,
    deadline_s: float = DEADLINE_S,
) -> bytes:
    """The master key, from the systemd credential when the service has one, else from the file.

    Raises KeyUnreadable with `key-missing`, or with what is wrong with the file.
    """
    # A credential is read at start and stays as it was: after a rotation the service must be restarted to see the new
    # key.
    path = _credential(environ)
    lax_bits = CREDENTIAL_LAX_BITS
    if path is None:
        path, lax_bits = master_path(link_dir), 0o077
    content = read_private(path, limit=LIMIT, owners=owners, lax_bits=lax_bits, deadline_s=deadline_s)
    if content is None:
        raise KeyUnreadable(
            f"The master key file {path} is missing.",
            why="Without it the stored security key cannot be opened.",
            do=f"See whether the shared home is mounted: findmnt -T {link_dir.parent}; put the file back from a "
            "backup, or paste a new key: portfolio-agent link",
            code="key-missing",
        )
    return _parse(path, content)


def ensure_master(link_dir: Path, *, owner: Account | None, owners: Collection[int] = ()) -> bytes:
    """The master key, made when there is none: 0400, durable, never over an existing file."""
    path = master_path(link_dir)
    remove_leftovers(path.parent, lambda name: name == path.name)  # of a `link` that was killed while it made the key
    if _credential(os.environ) is None and read_private(path, limit=LIMIT, owners=owners) is None:
        make_folder(key_folder(link_dir), owner)
        # Written under a name of its own and linked into place: of two nodes that link at once one wins, and both read
        # its file.
        master = secrets.token_bytes(MASTER_BYTES)
        create_private(path, HEADER + b"\n" + base64.b64encode(master) + b"\n", mode=0o400, owner=owner)
    return load_master(link_dir, owners=owners)


def _credential(environ: Mapping[str, str]) -> Path | None:
    folder = environ.get("CREDENTIALS_DIRECTORY", "")
    path = Path(folder) / CREDENTIAL
    return path if folder.startswith("/") and path.exists() else None


def _parse(path: Path, content: bytes) -> bytes:
    master = content
    if len(content) != MASTER_BYTES or content.startswith(HEADER):
        header, _, coded = content.partition(b"\n")
        try:
            master = base64.b64decode(coded.strip(), validate=True) if header.strip() == HEADER else b""
        except binascii.Error:
            master = b""
    # Equal bytes are what a power cut leaves; 32 printable ones are a pass phrase (chance for random bytes: 1e-14).
    if len(master) != MASTER_BYTES or len(set(master)) == 1 or all(32 <= octet < 127 for octet in master):
        raise KeyUnreadable(
            f"{path} holds no master key ({len(content)} bytes).",
            why=f"It must hold {MASTER_BYTES} random bytes, or the line '{HEADER.decode()}' and those bytes in base64.",
            do=f"Put it back from a backup, or: rm {path}; portfolio-agent link",
            code="key-malformed",
        )
    return master
