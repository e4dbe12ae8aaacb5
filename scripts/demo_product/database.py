"""The demo's database: one SQLite file, or a PostgreSQL cluster of its own on a free port of 127.0.0.1."""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import signal
import socket
import sqlite3
import subprocess
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

USER = "jirauser"


@dataclass(frozen=True, slots=True)
class DemoDatabase:
    """Where the demo's database lies; `password` is drawn anew for each PostgreSQL cluster."""

    jdbc_url: str
    type: str
    driver: str
    password: str
    sqlite_file: Path | None = None
    port: int = 0

    def connect(self) -> Any:
        """A DB-API connection as the product's own account, for filling and moving rows."""
        if self.sqlite_file is not None:
            return sqlite3.connect(self.sqlite_file, timeout=30)
        import psycopg  # only with --postgres

        return psycopg.connect(host="127.0.0.1", port=self.port, dbname="jira", user=USER, password=self.password)

    @property
    def mark(self) -> str:
        """The placeholder of this driver."""
        return "?" if self.sqlite_file is not None else "%s"


def sqlite_database(folder: Path) -> DemoDatabase:
    """A database in one file; WAL, so that the agent's reading never stands in the product's way."""
    file = folder / "jiradb.sqlite3"
    with sqlite3.connect(file) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
    connection.close()
    return DemoDatabase(f"jdbc:sqlite:{file}", "sqlite", "org.sqlite.JDBC", "not-used", sqlite_file=file)


@contextmanager
def postgres_database() -> Iterator[DemoDatabase]:
    """A PostgreSQL cluster of our own: made, started on a free port of 127.0.0.1, stopped and removed at the end."""
    binaries = newest_postgres()
    # A folder of its own rather than the demo's: under root the cluster belongs to PostgreSQL's account, which cannot
    # pass through private folders of ours.
    folder = Path(tempfile.mkdtemp(prefix="portfolio-agent-postgres-"))
    data, password_file, log = folder / "data", folder / "password", folder / "log"
    password = secrets.token_urlsafe(18)
    owner: dict[str, Any] = {}
    password_file.touch(mode=0o600)
    password_file.write_text(password, encoding="ascii")
    log.touch(mode=0o600)
    if os.geteuid() == 0:
        account = pwd.getpwnam("postgres")
        owner = {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}
        for place in (folder, password_file, log):
            os.chown(place, account.pw_uid, account.pw_gid)
    try:
        with running_cluster(binaries, data, password_file, log, owner) as (server, port):
            database = DemoDatabase(
                f"jdbc:postgresql://127.0.0.1:{port}/jira", "postgres72", "org.postgresql.Driver", password, port=port
            )
            create_jira_database(database, server, log)
            yield database
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def running_cluster(
    binaries: Path, data: Path, password_file: Path, log: Path, owner: dict[str, Any]
) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """Make the cluster in `data` and run its server until the block ends."""
    initdb: list[str | Path] = [
        binaries / "initdb",
        "-D",
        data,
        "-U",
        USER,
        f"--pwfile={password_file}",
        "-A",
        "scram-sha-256",
    ]
    initdb += ["-E", "UTF8", "--locale=C", "--no-sync"]
    run_quietly(initdb, owner)
    password_file.unlink()
    port = free_port()
    command: list[str | Path] = [binaries / "postgres", "-D", data, "-p", str(port), "-c", "listen_addresses=127.0.0.1"]
    command += ["-c", "unix_socket_directories=", "-c", "fsync=off", "-c", "shared_buffers=16MB"]
    with log.open("wb") as output:
        server = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, cwd="/", **owner)
    try:
        yield server, port
    finally:
        server.send_signal(signal.SIGINT)  # fast shutdown: the default one waits for clients
        try:
            server.wait(10)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def create_jira_database(database: DemoDatabase, server: subprocess.Popen[bytes], log: Path) -> None:
    """Wait for the server and make the empty database."""
    import psycopg

    waiting = threading.Event()
    for _ in range(300):
        if server.poll() is not None:
            raise RuntimeError(f"PostgreSQL did not start: {log.read_text(errors='replace')[-500:]}")
        try:
            with psycopg.connect(
                host="127.0.0.1",
                port=database.port,
                dbname="postgres",
                user=USER,
                password=database.password,
                autocommit=True,
            ) as connection:
                connection.execute("CREATE DATABASE jira")
            return
        except psycopg.OperationalError:
            waiting.wait(0.1)
    raise RuntimeError("PostgreSQL did not answer within 30 s")


def newest_postgres() -> Path:
    """The folder of initdb and postgres."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[4]))
    if not found:
        raise RuntimeError("PostgreSQL is not installed; run: apt-get install postgresql")
    return found[-1].parent


def run_quietly(command: Sequence[str | Path], owner: dict[str, Any]) -> None:
    """Run a command; what it printed is in the exception when it fails."""
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, cwd="/", **owner)
    if done.returncode != 0:
        raise RuntimeError(f"{command[0]} failed: {done.stderr[-500:]}")


def free_port() -> int:
    """A port of 127.0.0.1 that nobody holds right now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
