"""Root is put aside: whoever runs the agent works as the owner of the state folder.

`sudo portfolio-agent deliver` must not leave files behind that the service cannot open, and needs no right of root.
Only `init`, `link`, `unlink` and `consent set` stay root, since they write into the product's shared home.
"""

from __future__ import annotations

import os
import pwd
import stat
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Account:
    """An account of this machine, as numbers: whom new files are given to, or whose rights are asked."""

    uid: int
    gid: int


def owner_of(folder: Path) -> Account | None:
    """The owner of the state folder when this process is root and the folder is there; else None."""
    if os.geteuid() != 0:
        return None
    try:
        facts = folder.lstat()
    except OSError:
        return None
    return Account(facts.st_uid, facts.st_gid) if stat.S_ISDIR(facts.st_mode) else None


def act_as_owner(state_dir: Path) -> None:
    """Become the owner of the state folder when this process is root and the folder belongs to someone else.

    For good: the process cannot become root again. A folder that does not exist yet, or is root's, changes nothing.
    """
    if os.geteuid() != 0:
        return
    try:
        facts = state_dir.lstat()
    except OSError:
        return  # opening the store tells what is wrong with it
    if facts.st_uid == 0:
        return
    try:
        name = pwd.getpwuid(facts.st_uid).pw_name
    except KeyError:
        os.setgroups([])  # an account without a name has no further groups
    else:
        os.initgroups(name, facts.st_gid)
    # The group before the user: afterwards there is no right left to change it.
    os.setgid(facts.st_gid)
    os.setuid(facts.st_uid)
