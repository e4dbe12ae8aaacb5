"""The instance's own identity: a random id and a pseudonym key in the shared home, the same for every node.

    <shared home>/portfolio-agent/               0700
        instance.json                            0600  {"formatVersion": 1, "instanceId": "..."}
        keys/pseudonym.key                       0400  32 random bytes

Both are made once and then only read; two nodes that start at the same moment end with the same files, also on NFS:
a file is written beside and given its name by a hard link, which fails when the name is taken.
"""

from __future__ import annotations

import json
import os
import secrets
import stat
import uuid
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from agent.errors import ConfigError
from agent.model import InstanceId
from agent.settings import SecretBytes
from agent.system.access import barred
from agent.system.account import Account
from agent.system.atomic import make_private_folder, remove_leftovers, write_whole
from agent.system.careful import Flaw, Unfit, read_checked
from agent.system.private_file import trusted_owners

KEY_BYTES = 32
SIZE_LIMIT_BYTES = 16 * 1024
FORMAT_VERSION = 1


@dataclass(frozen=True, slots=True)
class InstanceFacts:
    """The id that leaves with every batch, and the key under which node and other names become pseudonyms."""

    instance_id: InstanceId
    pseudonym_key: SecretBytes


def ensure_instance(link_dir: Path, owner: Account | None = None) -> InstanceFacts:
    """The instance's identity, made when it is absent and reused when it is there.

    Raises ConfigError when the shared home cannot be written or holds something else under these names.
    """
    try:
        _ensure_folder(link_dir, owner)
        _ensure_folder(link_dir / "keys", owner)
        document = json.dumps({"formatVersion": FORMAT_VERSION, "instanceId": str(uuid.uuid4())}) + "\n"
        # The id before the key, and neither ever over what is there: with another key every name of the instance would
        # change, and the cloud would see new apps and new nodes.
        _create(_id_file(link_dir), document.encode("ascii"), 0o600, owner)
        _create(_key_file(link_dir), secrets.token_bytes(KEY_BYTES), 0o400, owner)
    except OSError as error:
        raise ConfigError(
            f"The agent's folder {link_dir} cannot be made.",
            why=f"{error.strerror} (uid {os.geteuid()}).",
            do=f"Run the command as root, or: install -d -m 0700 -o portfolio-agent {link_dir}",
        ) from None
    return read_instance(link_dir)


def read_instance(link_dir: Path) -> InstanceFacts:
    """The instance's identity; raises ConfigError when it is absent, damaged or not private."""
    id_file, key_file = _id_file(link_dir), _key_file(link_dir)
    owners = trusted_owners(link_dir)
    document = _read(id_file, owners)
    key = _read(key_file, owners)
    try:
        values = json.loads(document)
        if values["formatVersion"] != FORMAT_VERSION:
            raise _damaged(id_file, "It was written by a newer agent.")
        instance_id = str(uuid.UUID(values["instanceId"]))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise _damaged(id_file, "It does not hold an instance id.") from None
    if len(key) != KEY_BYTES:
        raise _damaged(key_file, f"It is {len(key)} bytes long in place of {KEY_BYTES}.")
    return InstanceFacts(InstanceId(instance_id), SecretBytes(key))


def pseudonym_key_path(link_dir: Path) -> Path:
    """Where the key of the pseudonyms lies."""
    return _key_file(link_dir)


def _id_file(link_dir: Path) -> Path:
    return link_dir / "instance.json"


def _key_file(link_dir: Path) -> Path:
    return link_dir / "keys" / "pseudonym.key"


def _ensure_folder(folder: Path, owner: Account | None) -> None:
    make_private_folder(folder, owner)
    facts = folder.lstat()
    if not stat.S_ISDIR(facts.st_mode):
        raise _damaged(folder, "It is not a folder of its own.")
    if facts.st_mode & 0o077:
        raise ConfigError(
            f"Others may enter the agent's folder {folder} (mode {stat.S_IMODE(facts.st_mode):04o}).",
            why="The link and its keys lie there.",
            do=f"Run: chmod 0700 {folder}",
        )


def _create(path: Path, content: bytes, mode: int, owner: Account | None) -> None:
    """Write `path` unless it is there; an existing file is never touched."""
    remove_leftovers(path.parent, lambda name: name == path.name)
    if os.path.lexists(path):
        return
    with suppress(FileExistsError):  # another node was quicker; its file counts
        write_whole(path, content, mode=mode, owner=owner, replace=False)


def _read(path: Path, owners: frozenset[int]) -> bytes:
    try:
        return read_checked(path, limit=SIZE_LIMIT_BYTES, owners=owners, may_be_empty=True)
    except FileNotFoundError:
        raise ConfigError(
            f"The instance has no identity: {path} is missing.",
            why="The agent was not set up for this shared home, or it is not mounted.",
            do="Mount the shared home. If it is mounted, run: portfolio-agent init --force --home DIR   (it writes the "
            "configuration anew: keep a copy)",
        ) from None
    except Unfit as unfit:
        if isinstance(unfit.error, PermissionError):
            words = barred(path, own=True)
            raise ConfigError(f"{path} cannot be read.", why=words.why, do=words.do) from None
        if unfit.flaw is Flaw.MODE:
            why = (
                f"Others may read or change it (mode {unfit.mode:04o}); whoever read it can tell what hashes stand for."
            )
            raise ConfigError(f"{path} cannot be used.", why=why, do=f"Run: chmod 0600 {path}") from None
        raise _damaged(path, _why(unfit)) from None


def _why(unfit: Unfit) -> str:
    if unfit.flaw is Flaw.OWNER:
        return f"It belongs to uid {unfit.uid}, this process runs as uid {os.geteuid()}."
    if unfit.flaw is Flaw.NAMES:
        return f"It has {unfit.names} names (hard links)."
    if unfit.flaw is Flaw.SIZE:
        return f"It is larger than {SIZE_LIMIT_BYTES:,} bytes."
    if unfit.flaw is Flaw.KIND:
        return f"It is {unfit.kind}, not a file."
    return f"It cannot be opened: {unfit.error.strerror} (uid {os.geteuid()})."


def _damaged(path: Path, why: str) -> ConfigError:
    return ConfigError(
        f"{path} cannot be used.",
        why=why,
        do=f"Restore it from a backup, or see who changed it: ls -l {path.parent}",
    )
