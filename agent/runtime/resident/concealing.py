"""Hands the consent rules to the sampling stage: each tick is concealed before it is stored.

In:   ticks as read. Out: ticks that may be stored.
The key of the pseudonyms and the level lie in the shared home. They are looked up in a thread of their own: while the
home hangs or is gone, the rules of Basic hold under the key last read; without any key, names are left out.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable

from agent.catalog import Catalog
from agent.consent import Concealer, NoPseudonyms, Pseudonyms
from agent.errors import AgentError
from agent.log import log, logger
from agent.model import ConsentLevel, Tick
from agent.product.instance.identity import pseudonym_key_path, read_instance
from agent.settings import Settings

LOG = logger("names")
WAIT_S = 2.0  # for the shared home; then the tick goes on without it

Stamp = tuple[int, int, int]


class TickConcealer:
    """Call it with each tick before it is stored, from one thread."""

    def __init__(
        self, settings: Settings, catalog: Catalog, level: Callable[[], ConsentLevel], *, wait_s: float = WAIT_S
    ) -> None:
        self._wait_s = wait_s
        self._link_dir = settings.link_dir
        self._read_level = level
        self._concealer = Concealer(catalog)
        self._pseudonyms: Pseudonyms | None = None
        self._without = NoPseudonyms()
        self._level = ConsentLevel.BASIC
        self._stamp: Stamp | None = None
        self._looking: threading.Thread | None = None
        self._was_away = False

    def __call__(self, tick: Tick) -> Tick:
        """The tick as it may be stored."""
        level = self._level if self._look() else ConsentLevel.BASIC
        pseudonyms = self._pseudonyms
        if pseudonyms is None and not self._was_away:
            log(
                LOG,
                logging.WARNING,
                "names.not_stored",
                why="The key of the pseudonyms cannot be read, and names are not stored plain.",
                do=f"Mount the shared home; see: ls -l {pseudonym_key_path(self._link_dir)}",
            )
        elif pseudonyms is not None and self._was_away:
            log(LOG, logging.INFO, "names.stored_again")
        self._was_away = pseudonyms is None
        return self._concealer.conceal(tick, level, pseudonyms or self._without)

    def _look(self) -> bool:
        """Read level and key, if the shared home answers in time; one look at a time."""
        if self._looking is None or not self._looking.is_alive():
            self._looking = threading.Thread(target=self._read, name="shared-home", daemon=True)
            self._looking.start()
        self._looking.join(self._wait_s)
        return not self._looking.is_alive()

    def _read(self) -> None:
        self._level = self._read_level()
        try:
            facts = os.stat(pseudonym_key_path(self._link_dir), follow_symlinks=False)
            stamp = (facts.st_ino, facts.st_mtime_ns, facts.st_size)
            if stamp != self._stamp or self._pseudonyms is None:
                self._pseudonyms = Pseudonyms(read_instance(self._link_dir).pseudonym_key.reveal())
                self._stamp = stamp
        except (AgentError, OSError):
            return  # the key last read stays good: it never changes while an instance lives
