"""One installed agent for tests of commands: configuration, shared home, state folder."""

from __future__ import annotations

import os
import pty
import select
import sys
import time
from pathlib import Path

from agent.link.record import LinkRecord, read_link
from agent.product.instance.identity import ensure_instance, read_instance
from agent.store.audit import AuditEntry, entries
from agent.store.database import open_store
from tests.support.cloud import ROOT, Receiver
from tests.support.command import Finished, run_here

WAIT_S = 30.0


class Installation:
    """An agent beside a Jira home; commands run as the service would run them, with debug logging."""

    def __init__(self, root: Path, cloud: Receiver | None = None, *, mode: str = "linked", location: str = "") -> None:
        self.root = root
        self.shared_home = root / "shared"
        self.state_dir = root / "state"
        self.link_dir = self.shared_home / "portfolio-agent"
        self.config = root / "agent.toml"
        for folder in (root / "home", self.shared_home, self.state_dir):
            folder.mkdir(mode=0o700, parents=True)
        ensure_instance(self.link_dir)
        lines = [
            "[instance]",
            'product = "jira"',
            f'home = "{root / "home"}"',
            f'shared_home = "{self.shared_home}"',
            "[agent]",
            f'mode = "{mode}"',
            f'state_dir = "{self.state_dir}"',
            'log_level = "debug"',
        ]
        if cloud is not None:
            lines += ["[cloud]", f'endpoint = "{cloud.settings.endpoint}"', f'ca_file = "{cloud.settings.ca_file}"']
            lines += [f'location = "{location}"'] if location else []
        self.config.write_text("\n".join(lines) + "\n")

    def words(self, *arguments: str) -> list[str]:
        """The arguments; the configuration goes where the subcommand's options begin."""
        words = [word for word in arguments if not word.startswith("-")]
        count = 2 if words[:1] == ["consent"] else 1
        return [*arguments[:count], "--config", str(self.config), *arguments[count:]]

    def command(self, *arguments: str) -> list[str]:
        """The command line of a process of its own."""
        return [sys.executable, "-m", "agent.cli", *self.words(*arguments)]

    def run(self, *arguments: str, given: str = "") -> Finished:
        """Run a command in this process, with text on standard input."""
        return run_here(*self.words(*arguments), given=given)

    def type(self, *arguments: str, answers: list[tuple[str, str]]) -> Finished:
        """Run a command at a terminal: wait for each question, then type its answer."""
        pid, terminal = pty.fork()
        if pid == 0:
            os.chdir(ROOT)
            command = self.command(*arguments)
            os.execv(command[0], command)  # noqa: S606  # a fixed list, no shell wanted
        shown = b""
        ends = time.monotonic() + WAIT_S
        todo = list(answers)
        while time.monotonic() < ends:
            if select.select([terminal], [], [], 0.2)[0]:
                try:
                    piece = os.read(terminal, 65536)
                except OSError:  # Linux says EIO when the other side is closed
                    break
                if not piece:
                    break
                shown += piece
            if todo and todo[0][0].encode() in shown:
                os.write(terminal, todo.pop(0)[1].encode() + b"\n")
        status = os.waitpid(pid, 0)[1]
        os.close(terminal)
        assert not todo, shown.decode()
        return Finished(os.waitstatus_to_exitcode(status), shown.decode())

    @property
    def link(self) -> LinkRecord | None:
        """The link in force."""
        return read_link(self.link_dir)

    @property
    def instance_id(self) -> str:
        """The instance's id."""
        return read_instance(self.link_dir).instance_id

    def audit(self) -> tuple[AuditEntry, ...]:
        """The audit rows."""
        store = open_store(self.state_dir, read_only=True)
        try:
            return entries(store)
        finally:
            store.close()

    def files(self) -> list[Path]:
        """Every file of this installation."""
        return [path for path in self.root.rglob("*") if path.is_file()]
