"""A private PostgreSQL server for tests: Debian's own programs, a free loopback port, gone when the session ends.

    def test_it(postgres: PostgresServer) -> None:
        name = postgres.create_database("jira")
        postgres.execute(name, "CREATE TABLE ...")

Put `from tests.support.postgres import postgres` into the test module (or a conftest) to have the fixture.
"""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

from tests.support.once import one_a_session

PACKAGE = "postgresql"
START_S = 30.0


@dataclass(frozen=True, slots=True)
class PostgresServer:
    """A running server; logins by password (SCRAM) only, as in production."""

    host: str
    port: int
    superuser: str
    password: str
    pid: int
    log_file: Path

    @property
    def superuser_dsn(self) -> str:
        """libpq connection string of the superuser, database postgres."""
        return self.dsn("postgres")

    def dsn(self, database: str) -> str:
        """libpq connection string of the superuser for one database."""
        return f"host={self.host} port={self.port} dbname={database} user={self.superuser} password={self.password}"

    def execute(self, database: str, *statements: str) -> list[tuple[object, ...]]:
        """Run statements as superuser, each committed; the rows of the last one."""
        import psycopg

        rows: list[tuple[object, ...]] = []
        with psycopg.connect(self.dsn(database), autocommit=True) as connection:
            for statement in statements:
                cursor = connection.execute(statement.encode())
                rows = cursor.fetchall() if cursor.description else []
        return rows

    def log(self) -> str:
        """What the server has logged so far."""
        return self.log_file.read_text(errors="replace")

    def create_database(self, prefix: str = "test") -> str:
        """A new empty database with a name of its own."""
        return self._create(prefix, "template0")

    def filled_database(self, prefix: str, *statements: str) -> str:
        """A new database in which these statements were run; they are run once, then what they made is copied."""
        return self._create(prefix, _template(self, prefix, statements))

    def _create(self, prefix: str, template: str) -> str:
        name = f"{prefix}_{uuid.uuid4().hex[:8]}"
        self.execute("postgres", f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
        return name


@cache
def _template(server: PostgresServer, prefix: str, statements: tuple[str, ...]) -> str:
    """A database with these statements run that nobody connects to: only then may it be copied."""
    name = server.create_database(f"{prefix}_template")
    server.execute(name, *statements)
    return name


def programs() -> Path | None:
    """Where initdb and postgres lie, newest version first; None when PostgreSQL is not installed."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: float(path.parts[-3]))
    if found:
        return found[-1].parent
    on_path = shutil.which("initdb")
    return Path(on_path).resolve().parent if on_path else None


@contextmanager
def running_postgres() -> Iterator[PostgresServer]:
    """Start a server in a folder of its own; about two seconds."""
    folder = programs()
    if folder is None:
        words = f"PostgreSQL is not installed; run: apt-get install {PACKAGE}"
        pytest.fail(words) if os.environ.get("CI") == "true" else pytest.skip(words)
    account = _account()
    home = Path(tempfile.mkdtemp(prefix="pfa-postgres-"))
    try:
        os.chown(home, account[0], account[1])
        with _started(folder, home, account) as server:
            yield server
    finally:
        shutil.rmtree(home, ignore_errors=True)


def _account() -> tuple[int, int]:
    """PostgreSQL refuses to run as root: then it runs as the account of its package."""
    if os.geteuid() != 0:
        return os.geteuid(), os.getegid()
    entry = pwd.getpwnam("postgres")
    return entry.pw_uid, entry.pw_gid


@contextmanager
def _started(folder: Path, home: Path, account: tuple[int, int]) -> Iterator[PostgresServer]:
    rights = {"user": account[0], "group": account[1], "extra_groups": []} if os.geteuid() == 0 else {}
    password = uuid.uuid4().hex
    secret = home / "password"
    secret.write_text(password + "\n")
    os.chown(secret, *account)
    environment = {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "TZ": "UTC"}
    data = home / "data"
    subprocess.run(
        [folder / "initdb", "-D", data, "-U", "super", "-A", "scram-sha-256", f"--pwfile={secret}", "-N", "-E", "UTF8"],
        check=True,
        capture_output=True,
        cwd=home,
        env=environment,
        **rights,
    )
    with _serving(folder, home, password, account) as server:
        yield server


@contextmanager
def running_standby(primary: PostgresServer) -> Iterator[PostgresServer]:
    """A server that follows `primary` and takes questions only; it knows the same accounts."""
    folder = programs()
    assert folder is not None, "the primary runs"
    account = _account()
    home = Path(tempfile.mkdtemp(prefix="pfa-standby-"))
    rights = {"user": account[0], "group": account[1], "extra_groups": []} if os.geteuid() == 0 else {}
    try:
        os.chown(home, account[0], account[1])
        place = f"host={primary.host} port={primary.port} user={primary.superuser} password={primary.password}"
        subprocess.run(
            [folder / "pg_basebackup", "-D", home / "data", "-R", "-c", "fast", "-d", place],
            check=True,
            capture_output=True,
            cwd=home,
            env={"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"},
            **rights,
        )
        with _serving(folder, home, primary.password, account) as server:
            yield server
    finally:
        shutil.rmtree(home, ignore_errors=True)


@contextmanager
def _serving(folder: Path, home: Path, password: str, account: tuple[int, int]) -> Iterator[PostgresServer]:
    rights = {"user": account[0], "group": account[1], "extra_groups": []} if os.geteuid() == 0 else {}
    environment = {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "TZ": "UTC"}
    data = home / "data"
    port = _free_port()
    options = {"listen_addresses": "127.0.0.1", "port": port, "unix_socket_directories": home, "fsync": "off"}
    # What a planner knows of a table is what a test says (`analyze`), never what a background worker got round to.
    options["autovacuum"] = "off"
    arguments = [piece for key, value in options.items() for piece in ("-c", f"{key}={value}")]
    with open(home / "log", "wb") as log:
        # start_new_session: a Ctrl-C in the terminal is for pytest, which then stops the server in order.
        process = subprocess.Popen(
            [folder / "postgres", "-D", data, *arguments],
            stdout=log,
            stderr=log,
            cwd=home,
            env=environment,
            start_new_session=True,
            **rights,
        )
    try:
        server = PostgresServer("127.0.0.1", port, "super", password, process.pid, home / "log")
        _wait_ready(server, process, home / "log")
        yield server
    finally:
        process.send_signal(2)  # fast shutdown: open sessions are ended
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def _wait_ready(server: PostgresServer, process: subprocess.Popen[bytes], log: Path) -> None:
    import psycopg

    ends = time.monotonic() + START_S
    while time.monotonic() < ends:
        if process.poll() is not None:
            break
        try:
            psycopg.connect(server.superuser_dsn, connect_timeout=2).close()
        except psycopg.OperationalError:
            time.sleep(0.05)  # polls a server that starts; nothing tells us when it is ready
        else:
            return
    pytest.fail(f"PostgreSQL did not start: {log.read_text(errors='replace')[-2000:]}")


@pytest.fixture(scope="session")
def postgres(request: pytest.FixtureRequest) -> PostgresServer:
    """One server for the whole session."""
    return one_a_session(request.config, running_postgres)
