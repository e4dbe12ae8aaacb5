"""The demo's database: one SQLite file, or a PostgreSQL cluster of its own on a free port of 127.0.0.1."""

from __future__ import annotations

import os
import pwd
import secrets
import socket
import sqlite3
import subprocess
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
def postgres_database(folder: Path) -> Iterator[DemoDatabase]:
    """A PostgreSQL cluster of our own: made, started on a free port of 127.0.0.1, stopped at the end."""
    binaries = newest_postgres()
    data, password_file = folder / "pgdata", folder / "pgpassword"
    password = secrets.token_urlsafe(18)
    owner: dict[str, Any] = {}
    data.mkdir(mode=0o700)
    password_file.touch(mode=0o600)
    password_file.write_text(password, encoding="ascii")
    if os.geteuid() == 0:
        # PostgreSQL refuses to run as root; its package brings the account. It must reach the folder.
        account = pwd.getpwnam("postgres")
        owner = {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}
        for place in (data, password_file):
            os.chown(place, account.pw_uid, account.pw_gid)
        reach(folder)
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
    log = folder / "postgres.log"
    with log.open("wb") as output:
        server = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, cwd="/", **owner)
    try:
        database = DemoDatabase(
            f"jdbc:postgresql://127.0.0.1:{port}/jira", "postgres72", "org.postgresql.Driver", password, port=port
        )
        create_jira_database(database, server, log)
        yield database
    finally:
        server.terminate()
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


def reach(folder: Path) -> None:
    """Let another account pass through a private folder of ours (execute only, so no listing)."""
    for place in (folder, *folder.parents):
        if place.stat().st_mode & 0o001 == 0:
            place.chmod(place.stat().st_mode | 0o011)


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
