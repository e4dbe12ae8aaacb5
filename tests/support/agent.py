"""The whole agent beside a demo product: configured by `init`, linked, run as the real daemon, ended by its id.

    with running_agent(tmp_path, cloud) as agent:
        agent.link()
        agent.start()

Only intervals are shortened in the configuration that `init` wrote. Waiting is on a condition with a deadline
(`wait_until`); every process is started in a session of its own, so that what it leaves behind can be found.
"""

from __future__ import annotations

import dataclasses
import gzip
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil

from agent.settings import Settings
from agent.settings.load import load_settings
from agent.store import Store, open_store
from scripts.demo_product.database import DemoDatabase, free_port, sqlite_database
from scripts.demo_product.home import write_home
from scripts.demo_product.rows import fill
from scripts.demo_product.run import set_key
from tests.support.cloud import KEY, ROOT, Receiver, wait_until

ISSUES = 40
SHORT = {
    "sampling.interval": "1s",
    "sampling.deadline": "800ms",
    "hour.length": "3s",
    "hour.close_after": "0s",
    "delivery.retry_for": "1s",
    "delivery.first_wait": "50ms",
    "delivery.longest_wait": "200ms",
}


class RunningAgent:
    """One agent on disk and, after `start`, its daemon."""

    def __init__(self, folder: Path, database: DemoDatabase, jmx_port: int) -> None:
        self.folder = folder
        self.database = database
        self.jmx_port = jmx_port
        self.python = sys.executable
        self.config = folder / "agent.toml"
        self.state = folder / "state"
        self.log_file = folder / "daemon.log"
        self.home = write_home(folder, database, jmx_port)
        self.shared_home = folder / "shared"
        self.link_dir = self.shared_home / "portfolio-agent"
        self.daemon: subprocess.Popen[bytes] | None = None
        self.prefix: Sequence[str] = ()  # what to start the daemon under (strace, unshare)
        self._sessions: list[int] = []

    @property
    def settings(self) -> Settings:
        """The configuration as it stands in the file."""
        return load_settings(self.config)

    def init(self, *options: str) -> None:
        """Write the configuration with the real `init`; JMX is off until `configure` says otherwise."""
        wishes = ["--home", self.home, "--install", self.folder / "install", "--state-dir", self.state]
        done = self.run("init", *map(str, wishes), "--jmx-host", "127.0.0.1", *options)
        assert done.returncode == 0, done.stderr

    def configure(self, **values: str | bool | int) -> None:
        """Set keys of the file, written `section__key="text"`."""
        self.jmx_port = int(values.get("jmx__port", self.jmx_port))
        text = self.config.read_text()
        for name, value in values.items():
            section, key = name.split("__")
            text = set_key(text, section, key, json.dumps(value))
        self.config.write_text(text)

    def run(self, *arguments: str, given: str = "") -> subprocess.CompletedProcess[str]:
        """One command of the agent with text on standard input."""
        command = [self.python, "-m", "agent.cli", *arguments, "--config", str(self.config)]
        return subprocess.run(command, cwd=ROOT, input=given, capture_output=True, text=True, check=False, timeout=60)

    def link(self, level: str = "basic", key: str = KEY.reveal()) -> None:
        """Link with the key on standard input."""
        done = self.run("link", "--consent", level, "--yes", given=key + "\n")
        assert done.returncode == 0, done.stderr

    def status(self) -> dict[str, Any]:
        """What `status` says; its exit code is the one in the answer."""
        done = self.run("status", "--json")
        answer: dict[str, Any] = json.loads(done.stdout)
        assert answer["exitCode"] == done.returncode
        return answer

    def problem(self, words: str) -> dict[str, Any] | None:
        """The problem of `status` whose text holds these words; each problem says what to do."""
        problems: list[dict[str, Any]] = self.status()["problems"]
        assert all(problem["what"] and problem["do"] for problem in problems), problems
        return next((one for one in problems if words in f"{one['what']} {one['why']}"), None)

    def start(self, *, ticks: int = 1) -> None:
        """Start the daemon and wait until it stored as many ticks since."""
        with self.log_file.open("ab") as log:
            self.daemon = subprocess.Popen(
                [*self.prefix, self.python, "-m", "agent.cli", "run", "--config", str(self.config)],
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._sessions.append(self.daemon.pid)
        if ticks:
            self.wait_ticks(ticks)

    def wait_ticks(self, more: int = 1, seconds: float = 30.0) -> None:
        """Wait for so many further stored ticks."""
        before = len(self.stored_ticks())
        self.wait(lambda: len(self.stored_ticks()) >= before + more, seconds)

    def wait(self, condition: Callable[[], Any], seconds: float = 30.0) -> None:
        """Wait for something the daemon does; fails with the end of its log, at once when the daemon has ended."""

        def met() -> bool:
            if condition():
                return True
            assert self.daemon is None or self.daemon.poll() is None, self.log_text()[-3000:]
            return False

        try:
            wait_until(met, seconds)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.log_text()[-3000:]}") from None

    def stop(self, seconds: float = 10.0) -> int:
        """SIGTERM; the exit code, within `seconds`."""
        assert self.daemon is not None
        self.daemon.terminate()
        code = self.daemon.wait(seconds)
        self.daemon = None
        return code

    def kill(self) -> None:
        """SIGKILL, as the kernel does when memory is short."""
        assert self.daemon is not None
        self.daemon.kill()
        self.daemon.wait(10)
        self.daemon = None

    def processes(self) -> list[psutil.Process]:
        """Every live process of the daemons started here, themselves and their children."""
        found = []
        jmxquery = f":{self.jmx_port}/jmxrmi"
        for process in psutil.process_iter():
            try:
                # A child may begin a session of its own, as jmxquery's Java does: then its command names our port.
                ours = os.getsid(process.pid) in self._sessions or any(
                    word == str(self.config) or jmxquery in word for word in process.cmdline()
                )
                if ours and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(process)
            except (psutil.Error, ProcessLookupError):
                continue
        return found

    def log_text(self) -> str:
        """Everything the daemon and its children wrote."""
        return self.log_file.read_text("utf-8", "replace") if self.log_file.exists() else ""

    def log_lines(self, event: str = "") -> list[dict[str, Any]]:
        """The log's events, all or those of one name."""
        lines = []
        for text in self.log_text().splitlines(keepends=True):
            if text.startswith("{") and text.endswith("\n"):
                line = json.loads(text)
                if not event or line["event"] == event:
                    lines.append(line)
        return lines

    def stored_ticks(self) -> list[int]:
        """The numbers of the ticks that the daemon said are stored."""
        return [line["number"] for line in self.log_lines("tick.finished") if line["stored"]]

    @contextmanager
    def store(self) -> Iterator[Store]:
        """The store, to read."""
        store = open_store(self.state, read_only=True)
        try:
            yield store
        finally:
            store.close()

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        """Rows of the store."""
        with self.store() as store:
            return [tuple(row) for row in store.execute(sql)]

    def end(self) -> None:
        """End what still runs, by id."""
        for process in self.processes():
            try:
                process.kill()
            except psutil.NoSuchProcess:
                continue
        if self.daemon is not None:
            self.daemon.wait(10)


def arrived(cloud: Receiver) -> list[dict[str, Any]]:
    """The documents at the receiver in the order they first arrived."""
    ids = [line["id"] for line in cloud.log() if line["call"] == "batches" and line.get("stored")]
    return [json.loads(gzip.decompress(cloud.body(batch_id))) for batch_id in ids]


@contextmanager
def running_agent(
    folder: Path,
    cloud: Receiver | None = None,
    *,
    database: DemoDatabase | None = None,
    offline: bool = False,
    password: str = "",
    python: str = sys.executable,
    **values: str | bool | int,
) -> Iterator[RunningAgent]:
    """An agent beside a Jira home with few issues, JMX off, an "hour" of 3 s; its processes end with the block."""
    if database is None:
        database = sqlite_database(folder)
        fill(database, ISSUES)
    if password:
        database = dataclasses.replace(database, password=password)
    agent = RunningAgent(folder, database, free_port())
    agent.python = python
    options = ["--offline"] if offline else []
    if cloud is not None:
        options += ["--cloud-endpoint", f"https://localhost:{cloud.port}", "--cloud-ca", str(cloud.folder / "ca.pem")]
    agent.init(*options)
    short: dict[str, str | bool | int] = {name.replace(".", "__"): text for name, text in SHORT.items()}
    agent.configure(**{"jmx__enabled": False, **short, **values})
    try:
        yield agent
    finally:
        agent.end()
