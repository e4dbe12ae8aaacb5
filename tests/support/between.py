"""What stands between an agent and a database, real: PgBouncer, HAProxy, pgpool; each in a folder of its own."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.servers import require

START_S = 10.0


def free_port() -> int:
    """A loopback port that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@contextmanager
def pgbouncer(port: int, pool_mode: str, user: str, password: str, *settings: str) -> Iterator[int]:
    """A PgBouncer in front of the PostgreSQL at `port`; yields its own port."""
    program = require("pgbouncer")
    with _folder() as folder:
        own = free_port()
        (folder / "users").write_text(f'"{user}" "{password}"\n')
        lines = [
            "[databases]",
            f"* = host=127.0.0.1 port={port}",
            "[pgbouncer]",
            "listen_addr = 127.0.0.1",
            f"listen_port = {own}",
            "unix_socket_dir =",
            "auth_type = plain",
            f"auth_file = {folder / 'users'}",
            f"pool_mode = {pool_mode}",
            *settings,
        ]
        (folder / "ini").write_text("\n".join(lines) + "\n")
        with _running([str(program), str(folder / "ini")], own, folder):
            yield own


@contextmanager
def haproxy(port: int, idle: str) -> Iterator[int]:
    """A HAProxy in TCP mode in front of `port` that ends what is idle for `idle` (`1s`); yields its own port."""
    program = require("haproxy")
    with _folder() as folder:
        own = free_port()
        (folder / "cfg").write_text(
            f"defaults\n  mode tcp\n  timeout connect 5s\n  timeout client {idle}\n  timeout server {idle}\n"
            f"listen database\n  bind 127.0.0.1:{own}\n  server one 127.0.0.1:{port}\n"
        )
        with _running([str(program), "-db", "-f", str(folder / "cfg")], own, folder):
            yield own


@contextmanager
def nginx(lines: str, *, tls: Path | None = None) -> Iterator[int]:
    """An nginx whose one server block holds `lines`, with the certificate and key in `tls`; yields its port."""
    program = require("nginx")
    with _folder() as folder:
        own = free_port()
        listen = f"listen 127.0.0.1:{own};"
        if tls is not None:
            listen = f"listen 127.0.0.1:{own} ssl; ssl_certificate {tls}; ssl_certificate_key {tls};"
        places = "".join(
            f"{name}_temp_path {folder}/{name};" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        (folder / "conf").write_text(
            f"daemon off; pid {folder}/pid; error_log stderr; events {{}}\n"
            f"http {{ access_log off; {places} server {{ {listen} {lines} }} }}\n"
        )
        with _running([str(program), "-p", str(folder), "-c", str(folder / "conf")], own, folder):
            yield own


@contextmanager
def _folder() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="pfa-between-"))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _running(command: list[str], port: int, folder: Path) -> Iterator[None]:
    # PgBouncer refuses to run as root.
    account = {"user": "nobody", "group": "nogroup"} if os.geteuid() == 0 and "pgbouncer" in command[0] else {}
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True, **account)  # type: ignore[call-overload]  # its keywords are typed one by one
    try:
        ends = time.monotonic() + START_S
        while True:
            if process.poll() is not None or time.monotonic() > ends:
                pytest.fail(f"{command[0]} did not start: {(folder / 'log').read_text(errors='replace')[-1000:]}")
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                time.sleep(0.02)  # a port to open has no event to wait for
        yield
    finally:
        process.terminate()
        process.wait(10)
