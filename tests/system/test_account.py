"""Root is put aside for good, and only where the state folder belongs to someone else."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from agent.system import account
from tests.support.servers import require_root

SERVICE = 4242
# The module is loaded before root is put aside: our interpreter may lie where the service cannot read.
CODE = """
import importlib.util, os, pathlib, sys
spec = importlib.util.spec_from_file_location("account", sys.argv[1])
account = importlib.util.module_from_spec(spec)
sys.modules["account"] = account
spec.loader.exec_module(account)
account.act_as_owner(pathlib.Path(sys.argv[2]))
print(os.getuid(), os.geteuid(), os.getgid(), sorted(os.getgroups()))
try:
    os.setuid(0)
    print("root again")
except PermissionError:
    print("for good")
"""


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """A state folder."""
    folder = tmp_path / "state"
    folder.mkdir(mode=0o700)
    return folder


def acted(folder: Path) -> list[str]:
    """Who a process is after it acted as the owner."""
    done = subprocess.run(
        [sys.executable, "-c", CODE, account.__file__, folder], capture_output=True, text=True, check=True
    )
    return done.stdout.splitlines()


def test_root_becomes_the_owner_for_good(state: Path) -> None:
    """Real and effective ids and groups are the owner's, and root cannot be had back."""
    require_root()
    os.chown(state, SERVICE, SERVICE)
    assert acted(state) == [f"{SERVICE} {SERVICE} {SERVICE} []", "for good"]


def test_a_folder_of_root_or_none_changes_nothing(state: Path, tmp_path: Path) -> None:
    """Where the folder is root's own, or is not there yet, the process stays what it is."""
    require_root()
    assert acted(state)[1] == "root again"
    assert acted(tmp_path / "nothing")[1] == "root again"


def test_a_link_does_not_lead_to_another_owner(state: Path, tmp_path: Path) -> None:
    """A link in place of the folder is not followed."""
    require_root()
    os.chown(state, SERVICE, SERVICE)
    (tmp_path / "link").symlink_to(state)
    assert acted(tmp_path / "link")[1] == "root again"
