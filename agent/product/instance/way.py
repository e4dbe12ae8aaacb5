"""The way to the product's files for the service account: what bars it, and the one command that opens it.

In:   the settings; this process is root and has not become the service account yet. Out: `AccessGaps`, and the words
      that `init`, `status`, `doctor` and `preview` show alike.
"""

from __future__ import annotations

import pwd
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from agent.errors import AgentError
from agent.product.homes.dispatch import read_node
from agent.settings import Settings
from agent.system.access import AccessGaps, access_gaps
from agent.system.account import owner_of


@dataclass(frozen=True, slots=True)
class ClosedWay:
    """The account that is kept out, what keeps it out, and the whole command for root."""

    account: str
    why: str
    command: str

    @property
    def what(self) -> str:
        """What happened, in one sentence."""
        return f"The service account {self.account} may not read the product's files."

    @property
    def do(self) -> str:
        """What to do, as `init` says it too."""
        return f"Run as root (package acl): {self.command}"


def closed_way(settings: Settings) -> ClosedWay | None:
    """What keeps the service account out; None when nothing does, or when this process is not root and cannot ask."""
    owner = owner_of(settings.agent.state_dir)
    if owner is None or owner.uid == 0:
        return None
    instance = settings.instance
    files: list[Path] = []
    with suppress(AgentError, OSError):
        files += read_node(instance.product, instance.home, instance.shared_home).files
    return way_of(access_gaps(owner, files, (instance.home, settings.link_dir)), _name_of(owner.uid))


def way_of(gaps: AccessGaps, account: str) -> ClosedWay | None:
    """The words for these gaps; None when there are none."""
    command = gaps.commands(account)
    if not command:
        return None
    closed = [f"may not enter {_listed(gaps.folders)}"] if gaps.folders else []
    closed += [f"may not read {_listed(gaps.files)}"] if gaps.files else []
    return ClosedWay(account, f"It {' and '.join(closed)}.", command)


def _listed(paths: tuple[Path, ...]) -> str:
    return ", ".join(str(path) for path in paths)


def _name_of(uid: int) -> str:
    with suppress(KeyError):
        return pwd.getpwuid(uid).pw_name
    return str(uid)
