"""Whether an account can reach what it must read: asked of the kernel, as that account.

In:   files and folders of the product, and the account (`access_gaps`, needs root); or a path that was just refused to
      this process (`barred`). Out: what bars the way, with the commands that open it: everywhere the same words.
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

SERVICE_ACCOUNT = "portfolio-agent"  # what scripts/install makes


@dataclass(frozen=True, slots=True)
class AccessGaps:
    """What the account may not pass (folders) or read (files); all of it, not only the first on the way."""

    folders: tuple[Path, ...]
    files: tuple[Path, ...]

    def commands(self, account: str) -> str:
        """What root runs to open exactly this, or an empty text when nothing bars the way."""
        grants = (("x", self.folders), ("r", self.files))
        return " && ".join(_grant(account, right, paths) for right, paths in grants if paths)


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


@dataclass(frozen=True, slots=True)
class Barred:
    """A path this process may not read: in words for a person, and the whole command that root runs to open it."""

    why: str
    do: str


def barred(path: Path, *, own: bool = False) -> Barred:
    """Why `path` was refused with "permission denied". `own`: a file of the agent's, which may not be there yet and is
    readable for the account once its folders can be entered.
    """
    account = account_name()
    who = f"The account {account} (uid {os.geteuid()})" if account else f"uid {os.geteuid()}"
    # Behind the first folder that cannot be entered nothing can be seen: all from there on is opened.
    parents = list(reversed(path.parents))
    first = next((number for number, parent in enumerate(parents) if not os.access(parent, os.X_OK)), len(parents))
    closed, shut = parents[first:], path if first == len(parents) else parents[first]
    verb = "read" if shut == path else "enter"
    why = f"{who} may not {verb} {shut}" + ("." if shut == path else f", so it cannot read {path}.")
    if account != SERVICE_ACCOUNT and _exists(SERVICE_ACCOUNT):
        # Whoever looks in by hand needs no rights on the product's files; the service account has them.
        return Barred(why, "Run the command as root: it then reads as the service account does.")
    name = account or str(os.geteuid())
    commands = [_grant(name, "x", closed)] if closed else []
    commands += [] if own and closed else [_grant(name, "rX", [path])]
    return Barred(why, "Run as root (package acl): " + " && ".join(commands))


def _exists(account: str) -> bool:
    try:
        pwd.getpwnam(account)
    except KeyError:
        return False
    return True


def account_name() -> str:
    """The name of the account this process runs as; "" for one without."""
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return ""


def _grant(account: str, right: str, paths: Iterable[Path]) -> str:
    return f"setfacl -m u:{account}:{right} " + " ".join(shlex.quote(str(path)) for path in paths)
