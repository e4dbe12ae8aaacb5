"""What root does by hand belongs to the service afterwards."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.agent import RunningAgent, running_agent
from tests.support.cloud import receiver
from tests.support.servers import missing, require_root

SERVICE = 4242


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that every account may pass through; pytest's own are root's alone."""
    require_root()
    folder = Path(tempfile.mkdtemp(prefix="pfa-owner-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def python(open_folder: Path) -> str:
    """An interpreter that works for every account: ours, or Debian's own with our packages."""
    library, packages = Path(os.__file__).parent, sysconfig.get_path("purelib")
    if not open_to_others(packages):
        missing(f"{packages} is closed to other accounts; check the repository out elsewhere")
    if open_to_others(library):
        return sys.executable
    venv = open_folder / "venv"
    made = subprocess.run(["/usr/bin/python3", "-m", "venv", "--without-pip", venv], capture_output=True, check=False)
    if made.returncode != 0:
        missing("the only Python lies in root's own folder; run: apt-get install python3-venv")
    (site,) = venv.glob("lib/python3*/site-packages")
    (site / "ours.pth").write_text(f"import site; site.addsitedir({str(packages)!r})\n")
    return str(venv / "bin" / "python")


def open_to_others(place: str | Path) -> bool:
    """Whether an account other than root can read there."""
    test = "import os, sys; os.setgid(4242); os.setuid(4242); sys.exit(not os.path.isdir(sys.argv[1]))"
    return subprocess.run([sys.executable, "-c", test, str(place)], check=False).returncode == 0


def owners(folder: Path) -> dict[str, int]:
    """Whose each file and folder below is."""
    return {str(path.relative_to(folder)): path.lstat().st_uid for path in sorted(folder.rglob("*"))}


def ran(agent: RunningAgent, *arguments: str, codes: tuple[int, ...] = (0, 1)) -> None:
    done = agent.run(*arguments)
    assert done.returncode in codes, f"{arguments}: {done.returncode}\n{done.stdout}{done.stderr}"


def test_commands_of_root_leave_nothing_of_root_behind(open_folder: Path, python: str) -> None:
    """link, sample, deliver, preview, bundle and status as root: each file is the state folder owner's."""
    with receiver(open_folder / "receiver") as cloud, running_agent(open_folder, cloud, python=python) as agent:
        for place in (agent.home, agent.shared_home, agent.config):
            for path in (place, *place.rglob("*")):
                os.chown(path, SERVICE, SERVICE)
        agent.state.mkdir(mode=0o700, exist_ok=True)
        os.chown(agent.state, SERVICE, SERVICE)
        agent.link()
        ran(agent, "sample")
        agent.start(ticks=4)
        assert agent.daemon is not None
        assert Path(f"/proc/{agent.daemon.pid}").stat().st_uid == SERVICE
        assert agent.stop() == 0
        for command in ("deliver", "preview", "bundle"):
            ran(agent, command)
        # 3: on a busy machine hours of 3 s wait to be closed by now, since the daemon has ended.
        ran(agent, "status", codes=(0, 1, 3))
        assert set(owners(agent.state).values()) == {SERVICE}, owners(agent.state)
        assert set(owners(agent.link_dir).values()) == {SERVICE}, owners(agent.link_dir)
