"""A private MariaDB server for tests: Debian's own programs, a free loopback port, gone when the session ends."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.once import one_a_session

PACKAGE = "mariadb-server"
START_S = 60.0


@dataclass(frozen=True, slots=True)
class MariaDbServer:
    """A running server; statements as its administrator go through the socket in `folder`."""

    host: str
    port: int
    folder: Path

    def execute(self, *statements: str) -> None:
        """Run statements as administrator."""
        import pymysql

        with pymysql.connect(unix_socket=str(self.folder / "socket"), user="root", autocommit=True) as connection:
            for statement in statements:
                connection.cursor().execute(statement)


@contextmanager
def running_mariadb(*more: str) -> Iterator[MariaDbServer]:
    """Start a server in a folder of its own, with `more` options; a few seconds."""
    server, install = shutil.which("mariadbd", path="/usr/sbin:/usr/bin"), shutil.which("mariadb-install-db")
    if server is None or install is None:
        words = f"MariaDB is not installed; run: apt-get install {PACKAGE}"
        pytest.fail(words) if os.environ.get("CI") == "true" else pytest.skip(words)
    home = Path(tempfile.mkdtemp(prefix="pfa-mariadb-"))
    rights: dict[str, object] = {}
    if os.geteuid() == 0:
        entry = pwd.getpwnam("mysql")
        os.chown(home, entry.pw_uid, entry.pw_gid)
        rights = {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
    try:
        subprocess.run(
            [install, "--no-defaults", f"--datadir={home}/data", "--auth-root-authentication-method=normal"],
            check=True,
            capture_output=True,
            cwd=home,
            **rights,
        )
        with _started(server, home, rights, more) as running:
            yield running
    finally:
        shutil.rmtree(home, ignore_errors=True)


@contextmanager
def _started(server: str, home: Path, rights: dict[str, object], more: tuple[str, ...]) -> Iterator[MariaDbServer]:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = int(listener.getsockname()[1])
    options = [f"--datadir={home}/data", f"--socket={home}/socket", f"--port={port}", "--bind-address=127.0.0.1"]
    # Of its own: a server that starts clears what another one's statements keep in a folder they share.
    options += [f"--tmpdir={home}", *more]
    with open(home / "log", "wb") as log:
        process = subprocess.Popen(
            [server, "--no-defaults", *options, f"--pid-file={home}/pid", "--innodb-flush-log-at-trx-commit=0"],
            stdout=log,
            stderr=log,
            cwd=home,
            start_new_session=True,
            **rights,
        )
    try:
        running = MariaDbServer("127.0.0.1", port, home)
        _wait_ready(running, process)
        yield running
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_ready(server: MariaDbServer, process: subprocess.Popen[bytes]) -> None:
    ends = time.monotonic() + START_S
    while time.monotonic() < ends and process.poll() is None:
        # A plain socket: pymysql leaves its own open when nobody listens yet.
        with socket.socket() as probe:
            if probe.connect_ex((server.host, server.port)) == 0:
                return
        time.sleep(0.1)  # polls a server that starts; nothing tells us when it is ready
    pytest.fail(f"MariaDB did not start: {(server.folder / 'log').read_text(errors='replace')[-2000:]}")


@pytest.fixture(scope="session")
def mariadb(request: pytest.FixtureRequest) -> MariaDbServer:
    """One server for the whole session."""
    return one_a_session(request.config, running_mariadb)
