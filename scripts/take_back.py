"""Takes back what the service's account was given beside its own folders, before the account goes.

In:   the account, the agent's configurations, the folders they name.
Out:  no entry of the account in an access list there, no file of its own; exit 0. Where that is not certain: exit 3,
      the reasons on standard output, and the account has to stay, since the next one made gets its number.
A subtree that the account never could enter is looked at two levels deep only: attachments are millions of files.
Standard library alone, and no package of the agent: it runs from the folder of wheels as well. Needs root.
"""

from __future__ import annotations

import argparse
import errno
import os
import pwd
import re
import shutil
import stat
import struct
import sys
import time
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

LISTS = ("system.posix_acl_access", "system.posix_acl_default")
VERSION = 2  # of the extended attribute, linux/posix_acl_xattr.h
USER_OBJ, USER, GROUP_OBJ, GROUP, MASK, OTHER = 0x01, 0x02, 0x04, 0x08, 0x10, 0x20
ENTRY = struct.Struct("<HHI")
BY_NAME_DEPTH = 2  # looked at even where the account cannot enter
BUDGET_S = 900.0  # nobody waits longer for a share that answers slowly; then the account stays
SYSTEM = frozenset(map(Path, ("/", "/bin", "/dev", "/etc", "/home", "/lib", "/proc", "/run", "/sys", "/usr", "/var")))
STORE = "agent.sqlite3"
OWN_FOLDER = "portfolio-agent"  # below the shared home
NOTHING_THERE = {errno.ENODATA, errno.EOPNOTSUPP, errno.ENOENT, errno.ENOTDIR}


@dataclass(frozen=True, slots=True)
class Identity:
    """The account as the file system knows it."""

    uid: int
    gid: int
    groups: frozenset[int]

    def named_by(self, tag: int, number: int) -> bool:
        """Whether an entry of an access list is this account's or its own group's."""
        return (tag == USER and number == self.uid) or (tag == GROUP and number == self.gid)


@dataclass(slots=True)
class Outcome:
    """What was done, and why something may be left."""

    entries: int = 0
    handed_over: int = 0
    removed: list[Path] = field(default_factory=list)
    left: list[str] = field(default_factory=list)


def without(raw: bytes, who: Identity) -> bytes | None:
    """The access list without the account's entries; None when it has none.

    The mask never widens: what others could do effectively stays, and not more. With no named entry left there is no
    mask, and the group's rights are what the mask left of them.
    """
    if len(raw) < 4 or struct.unpack_from("<I", raw)[0] != VERSION:
        return None
    entries = list(ENTRY.iter_unpack(raw[4:]))
    kept = [entry for entry in entries if not who.named_by(entry[0], entry[2])]
    if len(kept) == len(entries):
        return None
    mask = next((right for tag, right, _ in kept if tag == MASK), 7)
    if any(tag in (USER, GROUP) for tag, _, _ in kept):
        needed = 0
        for tag, right, _ in kept:
            needed |= right if tag in (USER, GROUP_OBJ, GROUP) else 0
        kept = [(tag, mask & needed if tag == MASK else right, number) for tag, right, number in kept]
    else:
        kept = [
            (tag, right & mask if tag == GROUP_OBJ else right, number) for tag, right, number in kept if tag != MASK
        ]
    return struct.pack("<I", VERSION) + b"".join(ENTRY.pack(*entry) for entry in kept)


def is_base(raw: bytes) -> bool:
    """Whether a list says no more than three rights: as a default list it is then taken away."""
    return all(tag in (USER_OBJ, GROUP_OBJ, OTHER) for tag, _, _ in ENTRY.iter_unpack(raw[4:]))


def texts(value: object) -> Iterator[str]:
    """Every text in a parsed configuration."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for inner in value.values():
            yield from texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from texts(inner)


class Sweep:
    """One pass over the places; `outcome` says how it went."""

    def __init__(self, who: Identity, spared: Path | None, end_s: float) -> None:
        self.who = who
        self.spared = spared
        self.end_s = end_s
        self.outcome = Outcome()
        self._seen: set[tuple[int, int]] = set()

    def clear(self, path: Path) -> bool:
        """Take the account's entries and ownership off one path; whether the account could pass through it before."""
        try:
            facts = path.lstat()
        except OSError as error:
            if error.errno not in NOTHING_THERE:
                self._left(path, error)
            return False
        if stat.S_ISLNK(facts.st_mode):
            return False
        named = False
        for name in LISTS if stat.S_ISDIR(facts.st_mode) else LISTS[:1]:
            try:
                raw = os.getxattr(path, name, follow_symlinks=False)
                rest = without(raw, self.who)
                if rest is None:
                    continue
                named = True
                if name == LISTS[1] and is_base(rest):
                    os.removexattr(path, name, follow_symlinks=False)
                else:
                    os.setxattr(path, name, rest, follow_symlinks=False)
                self.outcome.entries += 1
            except OSError as error:
                if error.errno not in NOTHING_THERE:
                    self._left(path, error)
        owned = facts.st_uid == self.who.uid or facts.st_gid == self.who.gid
        if owned:
            try:
                own_group = facts.st_gid == self.who.gid
                os.chown(
                    path,
                    0 if facts.st_uid == self.who.uid else -1,
                    0 if own_group else -1,
                    follow_symlinks=False,
                )
                self.outcome.handed_over += 1
            except OSError as error:
                self._left(path, error)
        by_group = facts.st_gid in self.who.groups and facts.st_mode & stat.S_IXGRP
        return bool(named or owned or by_group or facts.st_mode & stat.S_IXOTH)

    def tree(self, top: Path) -> None:
        """A folder and what lies below it, as deep as the account could reach."""
        waiting = [(top, 0)]
        while waiting:
            folder, depth = waiting.pop()
            if self.spared is not None and folder.is_relative_to(self.spared):
                continue
            if time.monotonic() > self.end_s:
                self.outcome.left.append(f"{top} is so large that not all of it was looked at")
                return
            entered = self.clear(folder)
            try:
                here = folder.stat()
            except OSError:
                continue
            if (here.st_dev, here.st_ino) in self._seen or not (entered or depth < BY_NAME_DEPTH):
                continue
            self._seen.add((here.st_dev, here.st_ino))
            try:
                with os.scandir(folder) as inside:
                    for item in inside:
                        if item.is_dir(follow_symlinks=False):
                            waiting.append((Path(item.path), depth + 1))
                        elif item.is_symlink() and depth == 0 and item.is_dir():
                            # `setfacl -R /opt/product/logs` follows the link that it was given.
                            target = Path(item.path).resolve()
                            self.parents(target)
                            waiting.append((target, depth + 1))
                        else:
                            self.clear(Path(item.path))
            except OSError as error:
                if error.errno not in NOTHING_THERE:
                    self._left(folder, error)

    def parents(self, path: Path) -> None:
        """The folders on the way to a path: `init` asks for the right to pass through each."""
        for folder in path.parents:
            if self.spared is None or not folder.is_relative_to(self.spared):
                self.clear(folder)

    def remove(self, folder: Path) -> None:
        """A folder of the agent's own, wholly."""
        if folder.is_symlink() or not folder.is_dir():
            return
        shutil.rmtree(folder, onerror=lambda _, path, caught: self._left(Path(path), caught[1]))
        self.outcome.removed.append(folder)

    def _left(self, path: Path, error: BaseException) -> None:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        self.outcome.left.append(f"{path}: {reason}")


def server_log_folders(install: Path) -> Iterator[Path]:
    """Absolute log folders in Tomcat's server.xml."""
    try:
        text = (install / "conf" / "server.xml").read_text("utf-8", "replace")
    except OSError:
        return
    yield from (Path(found) for found in re.findall(r"""directory=["'](/[^"'$]+)["']""", text))


def places_of(configs: Iterable[Path], outcome: Outcome) -> tuple[list[Path], list[Path]]:
    """Every absolute path that the configurations name, and the folders among them that are the agent's own."""
    named: list[Path] = []
    own: list[Path] = []
    for config in configs:
        try:
            table = tomllib.loads(config.read_text("utf-8"))
        except (OSError, ValueError) as error:
            outcome.left.append(f"{config} cannot be read ({type(error).__name__}), so the folders in it are not known")
            continue
        named += [Path(text) for text in texts(table) if text.startswith("/") and "\n" not in text]
        instance = table.get("instance", {})
        if isinstance(instance, dict) and isinstance(shared := instance.get("shared_home"), str):
            own.append(Path(shared) / OWN_FOLDER)
        agent = table.get("agent", {})
        if isinstance(agent, dict) and isinstance(state := agent.get("state_dir"), str):
            own += [Path(state)] if (Path(state) / STORE).is_file() else []
    for path in list(named):
        named += server_log_folders(path)
    return [path for path in dict.fromkeys(named) if path not in SYSTEM], list(dict.fromkeys(own))


def take_back(who: Identity, configs: list[Path], also: list[Path], spared: Path | None, budget_s: float) -> Outcome:
    """All of it; `spared` is a shared home that other nodes go on with."""
    sweep = Sweep(who, spared, time.monotonic() + budget_s)
    places, own = places_of(configs, sweep.outcome)
    for folder in own:
        if spared is None or not folder.is_relative_to(spared):
            sweep.remove(folder)
    for path in [*places, *also]:
        if spared is not None and path.is_relative_to(spared):
            # A share is the same file system for all nodes; what leads to it is this node's own.
            sweep.parents(spared)
            continue
        resolved = path.resolve()
        for one in dict.fromkeys((path, resolved)):
            sweep.parents(one)
        sweep.tree(resolved) if resolved.is_dir() else sweep.clear(resolved)
    if spared is not None:
        sweep.outcome.left.append(f"{spared} stays as it is for the other nodes, with the account's rights in it")
    return sweep.outcome


def main() -> int:
    """The command line of scripts/uninstall."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--account", required=True)
    parser.add_argument("--spare", type=Path, help="a shared home that other nodes go on with")
    parser.add_argument("--also", type=Path, action="append", default=[], help="one more folder to look through")
    parser.add_argument("--seconds", type=float, default=BUDGET_S, help="after that the rest is not looked at")
    parser.add_argument("config", type=Path, nargs="*")
    wishes = parser.parse_args()
    account = pwd.getpwnam(wishes.account)
    groups = frozenset(os.getgrouplist(account.pw_name, account.pw_gid))
    who = Identity(account.pw_uid, account.pw_gid, groups)
    outcome = take_back(who, wishes.config, wishes.also, wishes.spare, wishes.seconds)
    for folder in outcome.removed:
        print(f"removed {folder}", file=sys.stderr)
    if outcome.entries:
        print(f"taken back: {outcome.entries} access lists named {account.pw_name}", file=sys.stderr)
    if outcome.handed_over:
        print(f"handed to root: {outcome.handed_over} files of {account.pw_name}", file=sys.stderr)
    print("\n".join(outcome.left), end="\n" if outcome.left else "")
    return 3 if outcome.left else 0


if __name__ == "__main__":
    sys.exit(main())
