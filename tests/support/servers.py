"""What a test needs from the machine: there it is used, missing it is skipped, missing under CI it fails.

`require("postgres")` is all a test says; the reason always names the Debian package that mends it.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import pytest


@dataclass(frozen=True)
class Need:
    """How to find one thing, and the Debian package that brings it."""

    package: str
    find: Callable[[], Path | None]


def _command(*names: str) -> Callable[[], Path | None]:
    def find() -> Path | None:
        # Servers lie in /usr/sbin, which an unprivileged user's PATH does not name.
        places = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin"])
        found = (shutil.which(name, path=places) for name in names)
        return next((Path(path) for path in found if path), None)

    return find


def _newest(pattern: str) -> Callable[[], Path | None]:
    def find() -> Path | None:
        found = list(Path("/").glob(pattern))
        return max(found, key=lambda path: [int(part) for part in path.parts if part.isdecimal()], default=None)

    return find


NEEDS = {
    "java": Need("openjdk-17-jdk-headless", _command("java")),
    "javac": Need("openjdk-17-jdk-headless", _command("javac")),
    "postgres": Need("postgresql", _newest("usr/lib/postgresql/*/bin/initdb")),
    "mariadb": Need("mariadb-server", _command("mariadbd")),
    "tomcat": Need("tomcat10", _newest("usr/share/tomcat10/bin/catalina.sh")),
    "pgbouncer": Need("pgbouncer", _command("pgbouncer")),
    "haproxy": Need("haproxy", _command("haproxy")),
    "nginx": Need("nginx-light", _command("nginx")),
    "openssl": Need("openssl", _command("openssl")),
    "strace": Need("strace", _command("strace")),
    "shellcheck": Need("shellcheck", _command("shellcheck")),
    "unshare": Need("util-linux", _command("unshare")),
    "setpriv": Need("util-linux", _command("setpriv")),
    "systemd": Need("systemd", _command("systemd-analyze")),
    "setfacl": Need("acl", _command("setfacl")),
    "nspawn": Need("systemd-container", _command("systemd-nspawn")),
    "debootstrap": Need("debootstrap", _command("debootstrap")),
}


def require(what: str) -> Path:
    """The command or file that `what` stands for; skips the test without it, fails when CI=true."""
    need = NEEDS[what]
    found = need.find()
    if found is None:
        missing(f"{what} is not on this machine; run: apt-get install {need.package}")
    return found


def require_root() -> None:
    """Go on only as root: mounts, namespaces and other users' files need it."""
    if os.geteuid() != 0:
        missing("this test needs root; run: sudo ./scripts/test")


def missing(reason: str) -> NoReturn:
    """End the test: skipped with the reason on a person's machine, failed where nothing may be skipped."""
    if os.environ.get("CI") == "true":
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)
