"""The consent level in force, for the sources: names are read under Extended only.

In:   link.json, looked at each time and read again only when the file is another one or was changed.
Out:  its level; Basic when there is no link or it cannot be read, never more than was agreed.
"""

from __future__ import annotations

import os

from agent.errors import AgentError
from agent.link.record import link_path, read_link
from agent.model import ConsentLevel
from agent.settings import Settings
from agent.system.private_file import trusted_owners

Stamp = tuple[int, int, int, int]


class ConsentInForce:
    """Call it for the level now. Several sources may call it at once: what is kept is replaced as a whole."""

    def __init__(self, settings: Settings) -> None:
        self._link_dir = settings.link_dir
        self._state_dir = settings.agent.state_dir
        self._known: tuple[Stamp | None, ConsentLevel] = (None, ConsentLevel.BASIC)

    def __call__(self) -> ConsentLevel:
        """The level of the link; Basic without one."""
        try:
            facts = os.stat(link_path(self._link_dir), follow_symlinks=False)
        except OSError:
            return ConsentLevel.BASIC
        # Inode and size beside the times: where the clock was set, two versions may have the same one.
        stamp = (facts.st_ino, facts.st_mtime_ns, facts.st_ctime_ns, facts.st_size)
        known, level = self._known
        if stamp != known:
            level = self._read()
            self._known = (stamp, level)
        return level

    def _read(self) -> ConsentLevel:
        try:
            record = read_link(self._link_dir, owners=trusted_owners(self._state_dir))
        except (AgentError, OSError):
            return ConsentLevel.BASIC
        return ConsentLevel.BASIC if record is None else record.consent.level
