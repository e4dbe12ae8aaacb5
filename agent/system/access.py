"""Whether the service account can reach what it must read: asked of the kernel, as that account.

In:   files and folders of the product, and the account. Out: those that bar the way, with the commands that open it.
Modes alone would not tell: access lists and further groups count as well. Only root can ask for somebody else.
"""

from __future__ import annotations

import json
import os
import pwd
import shlex
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from agent.system.account import Account


@dataclass(frozen=True, slots=True)
class AccessGaps:
    """What the account may not pass (folders) or read (files); all of it, not only the first on the way."""

    folders: tuple[Path, ...]
    files: tuple[Path, ...]

    def commands(self, account: str) -> str:
        """What root runs to open exactly this, or an empty text when nothing bars the way."""
        grants = (("x", self.folders), ("r", self.files))
        return " && ".join(
            f"setfacl -m u:{account}:{right} " + " ".join(shlex.quote(str(path)) for path in paths)
            for right, paths in grants
            if paths
        )


def access_gaps(owner: Account, files: Iterable[Path], folders: Iterable[Path]) -> AccessGaps:
    """What keeps `owner` from reading `files` and from passing through `folders`; what is missing is left out.

    Needs root. Each folder on the way is asked on its own, so that one answer names all of them.
    """
    files = [path for path in files if path.is_file()]
    passed = {parent: None for path in (*files, *folders) for parent in reversed((path / "-").parents)}
    asked = [(path, os.X_OK) for path in passed if path.is_dir()] + [(path, os.R_OK) for path in files]
    handles = [os.open(path, os.O_PATH | os.O_CLOEXEC) for path, _ in asked]
    try:
        allowed = _ask_as(owner, [(handle, mode) for handle, (_, mode) in zip(handles, asked, strict=True)])
    finally:
        for handle in handles:
            os.close(handle)
    refused = [asked[number] for number, yes in enumerate(allowed) if not yes]
    return AccessGaps(
        tuple(path for path, mode in refused if mode == os.X_OK),
        tuple(path for path, mode in refused if mode == os.R_OK),
    )


def _ask_as(owner: Account, asked: list[tuple[int, int]]) -> list[bool]:
    """access(2) on each descriptor, in a child that has become the account for good."""
    reading, writing = os.pipe2(os.O_CLOEXEC)
    # In a child: who has become another account cannot come back.
    child = os.fork()
    if child == 0:
        code = 1
        try:
            _become(owner)
            # Through /proc a descriptor is judged by itself: the folders above it are other questions.
            answers = [os.access(f"/proc/self/fd/{handle}", mode) for handle, mode in asked]
            os.write(writing, json.dumps(answers).encode("ascii"))
            code = 0
        finally:
            os._exit(code)
    os.close(writing)
    with open(reading, "rb") as stream:
        answer = stream.read()
    os.waitpid(child, 0)
    # A child that could not become the account has nothing to tell: no advice is better than a wrong one.
    return list(json.loads(answer)) if answer else [True] * len(asked)


def _become(owner: Account) -> None:
    try:
        os.initgroups(pwd.getpwuid(owner.uid).pw_name, owner.gid)
    except KeyError:
        os.setgroups([])  # an account without a name has no further groups
    os.setgid(owner.gid)
    os.setuid(owner.uid)
