"""A whole Debian machine of our own: a minimal root, booted by systemd-nspawn, without any network.

The root is made once by debootstrap and kept in the cache folder; each boot writes to an overlay that goes with it.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
import uuid
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from tests.support.once import cache_folder, made_once
from tests.support.servers import missing, require, require_root

RELEASE = "bookworm"
DEBIAN_13 = "trixie"
PACKAGES = "systemd,systemd-sysv,python3,python3-venv,acl"
BOOT_S = 180.0  # half a second on a quiet machine
LAYOUT = 2  # raise it when PACKAGES change: an older cached root is then left alone and a new one made


def debian_root(release: str = RELEASE) -> Path:
    """The cached minimal root of a release; made when there is none: about a minute, and Debian's packages."""
    require_root()
    debootstrap = require("debootstrap")

    def make(folder: Path) -> None:
        command = [debootstrap, "--variant=minbase", f"--include={PACKAGES}", release, folder]
        made = subprocess.run(command, capture_output=True, text=True, timeout=900, stdin=subprocess.DEVNULL)
        if made.returncode != 0:
            missing(f"debootstrap could not make a Debian root: {made.stdout[-500:]}{made.stderr[-500:]}")

    return made_once(cache_folder() / "portfolio-agent-test-root" / f"{release}-{LAYOUT}", make)


def own_control_groups() -> list[Path]:
    """A new control group in each tree that a systemd inside writes to: `name=systemd` of version 1, version 2.

    nspawn puts the system inside below the group it runs in. Two of them in one group have one `system.slice`, and the
    first that stops a service takes the group of the other's away: "Failed to attach to cgroup".
    """
    made, name_of_all = [], f"agent-test-{uuid.uuid4()}"  # nspawn makes the group of version 1 in version 2 too
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        place, (kind, _, options) = line.split()[4], line.split(" - ")[1].split()[:3]
        if kind == "cgroup2" or (kind == "cgroup" and "name=systemd" in options.split(",")):
            number = "" if kind == "cgroup2" else "name=systemd"
            own = next(
                path
                for _, name, path in (row.split(":", 2) for row in Path("/proc/self/cgroup").read_text().splitlines())
                if name == number
            )
            base = Path(place) / own.strip("/")
            made.append((base if base.is_dir() else Path(place)) / name_of_all)
            made[-1].mkdir()
    return made


class Machine:
    """One boot; use as a context manager. `binds` maps host folders to read-only places inside.

    `root` is another root than the bare one. What is written goes with the boot, unless it is to be `kept` in the root.
    """

    def __init__(self, binds: Mapping[Path, str], *, root: Path | None = None, kept: bool = False) -> None:
        self._nspawn = require("nspawn")
        self._root = root or debian_root()
        self._volatile = "no" if kept else "overlay"
        self._binds = binds
        self._process: subprocess.Popen[bytes] | None = None
        self._leader = 0
        self._control_groups: list[Path] = []

    def __enter__(self) -> Machine:
        command: list[str | Path] = [self._nspawn, "--boot", "--quiet", "--register=no", "--keep-unit"]
        command += ["--private-network", f"--volatile={self._volatile}", "--console=pipe", "-D", self._root]
        command += [f"--bind-ro={source}:{target}" for source, target in self._binds.items()]
        command += ["--machine", f"agent-test-{os.getpid()}"]
        self._control_groups = own_control_groups()
        join = "".join(f"echo $$ > '{folder}/cgroup.procs'; " for folder in self._control_groups)
        self._process = subprocess.Popen(
            ["/bin/sh", "-euc", join + 'exec "$@"', "sh", *command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        deadline = time.monotonic() + BOOT_S
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children")
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                raise RuntimeError(f"the machine did not boot: {self._process.communicate()[1].decode()[-800:]}")
            for child in children.read_text().split():
                # Until the leader has become systemd it is still nspawn itself, outside the machine.
                with suppress(OSError):  # a helper of nspawn that has ended since the list was read
                    if Path(f"/proc/{child}/comm").read_text().strip() == "systemd":
                        self._leader = int(child)
            state = self._leader and self.run("systemctl is-system-running --wait", check=False).stdout.strip()
            if state == "running":
                return self
            if state == "degraded":
                break  # a unit failed: waiting mends nothing
            time.sleep(0.05)  # what becomes of a process inside tells nobody
        log = (
            self.run("systemctl --no-pager --failed; journalctl --no-pager -n 40", check=False) if self._leader else ""
        )
        self.__exit__()
        raise RuntimeError(f"the machine did not come up: {log}")

    def __exit__(self, *exception: object) -> None:
        if self._process is None:
            return
        self._process.send_signal(signal.SIGTERM)  # nspawn asks the system inside to shut down
        try:
            self._process.communicate(timeout=30)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.communicate()
        for group in self._control_groups:
            # From the leaves up. What a killed machine left running keeps its group: then it stays, and harms nobody.
            for folder, _, _ in os.walk(group, topdown=False):
                with suppress(OSError):
                    os.rmdir(folder)

    def run(self, script: str, *, check: bool = True, timeout: float = 180) -> subprocess.CompletedProcess[str]:
        """Run a shell script as root inside; with `check`, a failure raises with all it printed."""
        command = ["nsenter", "--target", str(self._leader), "--all", "--", "/bin/sh", "-euc", script]
        done = subprocess.run(
            command,
            env={"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
        )
        if check and done.returncode != 0:
            raise AssertionError(f"exit {done.returncode}: {script}\n{done.stdout[-3000:]}{done.stderr[-3000:]}")
        return done

    def on_loopback(self, command: Sequence[str | Path]) -> list[str | Path]:
        """The command that runs a program of the host, with the host's files, on the loopback of this machine."""
        return ["nsenter", "--target", str(self._leader), "--net", "--", *command]

    def write(self, path: str, text: str, mode: str = "0644") -> None:
        """Put a file inside, with its folders."""
        folder = os.path.dirname(path)
        script = f"mkdir -p '{folder}' && cat > '{path}' && chmod {mode} '{path}'"
        command = ["nsenter", "--target", str(self._leader), "--all", "--", "/bin/sh", "-euc", script]
        subprocess.run(command, input=text, text=True, check=True, timeout=30)

    def wait_for(self, script: str, *, seconds: float = 30) -> None:
        """Wait until a script inside succeeds."""
        deadline = time.monotonic() + seconds
        while (last := self.run(script, check=False)).returncode != 0:
            if time.monotonic() > deadline:
                log = self.run(
                    "journalctl --no-pager -n 40; systemctl --no-pager status 'portfolio-agent*'", check=False
                )
                raise AssertionError(f"never true: {script}\n{last.stdout}{last.stderr}\n{log.stdout[-4000:]}")
            time.sleep(0.1)
