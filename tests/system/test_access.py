"""The service account's way to the product's files, with real modes and a real account."""

from __future__ import annotations

import os
import pwd
import subprocess
import sys
from pathlib import Path

import pytest

from agent.system.access import AccessGaps, access_gaps
from agent.system.account import Account
from tests.support.cloud import ROOT
from tests.support.servers import require, require_root

NOBODY = pwd.getpwnam("nobody")
OWNER = Account(NOBODY.pw_uid, NOBODY.pw_gid)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """outer/home/dbconfig.xml below folders that anyone may pass."""
    require_root()
    home = tmp_path / "outer" / "home"
    home.mkdir(parents=True)
    for folder in (home, *home.parents):
        if folder.is_relative_to("/tmp") and folder != Path("/tmp"):  # pytest's own folders are closed
            folder.chmod(0o755)
    (home / "dbconfig.xml").write_text("<x/>", encoding="ascii")
    (home / "dbconfig.xml").chmod(0o644)
    return home


def test_an_open_way_needs_nothing(tree: Path) -> None:
    """Where the account may pass and read, there is nothing to do."""
    found = access_gaps(OWNER, [tree / "dbconfig.xml"], [tree])
    assert found == AccessGaps((), ())
    assert found.commands("nobody") == ""


def test_everything_in_the_way_is_named_at_once(tree: Path) -> None:
    """A closed folder above does not hide that the folder and the file below it are closed as well."""
    for path, mode in ((tree / "dbconfig.xml", 0o600), (tree, 0o700), (tree.parent, 0o700)):
        path.chmod(mode)
    found = access_gaps(OWNER, [tree / "dbconfig.xml"], [tree])
    assert found == AccessGaps((tree.parent, tree), (tree / "dbconfig.xml",))
    assert found.commands("agent").startswith(f"setfacl -m u:agent:x {tree.parent} {tree} && setfacl -m u:agent:r ")


def test_a_group_of_the_account_counts(tree: Path) -> None:
    """What the account may do through its group needs no access list."""
    os.chown(tree, 0, NOBODY.pw_gid)
    tree.chmod(0o750)
    assert access_gaps(OWNER, [], [tree]) == AccessGaps((), ())


def test_paths_with_blanks_are_quoted() -> None:
    """The commands can be pasted as they are."""
    assert AccessGaps((Path("/a b"),), ()).commands("x") == "setfacl -m u:x:x '/a b'"


def test_what_is_missing_is_left_out(tree: Path) -> None:
    """A node outside a cluster has no cluster.properties; that bars nothing."""
    assert access_gaps(OWNER, [tree / "cluster.properties"], [tree / "absent"]) == AccessGaps((), ())


def told_to(path: Path, *, own: bool = False) -> list[str]:
    """What a process of the account is told of a path it may not read: why, and what to do."""
    program = (
        "import os, sys\nfrom pathlib import Path\nfrom agent.system.access import barred\n"
        "import agent.system.access as access\naccess.SERVICE_ACCOUNT = 'nobody'\n"
        f"os.setgid({OWNER.gid})\nos.setuid({OWNER.uid})\n"
        "words = barred(Path(sys.argv[1]), own=bool(sys.argv[2]))\nprint(words.why)\nprint(words.do)\n"
    )
    command = [sys.executable, "-c", program, str(path), "1" if own else ""]
    return subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT).stdout.splitlines()


def may_read(path: Path) -> bool:
    """Whether the account may open it."""
    child = os.fork()
    if child == 0:
        os.setgid(OWNER.gid)
        os.setuid(OWNER.uid)
        os._exit(0 if os.access(path, os.R_OK) else 1)
    return os.waitpid(child, 0)[1] == 0


@pytest.mark.parametrize("closed", ["outer", "home", "dbconfig.xml", "outer home dbconfig.xml"])
def test_the_command_opens_the_way(tree: Path, closed: str) -> None:
    """Whatever is closed, the first folder on the way is named, and the whole command opens it as it is typed."""
    places = {"outer": tree.parent, "home": tree, "dbconfig.xml": tree / "dbconfig.xml"}
    for name in closed.split():
        places[name].chmod(0o600 if name == "dbconfig.xml" else 0o700)
    file = tree / "dbconfig.xml"
    assert not may_read(file)
    why, do = told_to(file)
    assert why.startswith(f"The account nobody (uid {OWNER.uid}) may not ")
    assert str(places[closed.split()[0]]) in why
    require("setfacl")
    subprocess.run(["/bin/sh", "-c", do.removeprefix("Run as root (package acl): ")], check=True)
    assert may_read(file)


def test_an_own_file_that_is_not_there_is_not_granted(tree: Path) -> None:
    """Of the agent's own files only the folders on the way are opened: the file may not exist yet."""
    tree.chmod(0o700)
    _, do = told_to(tree / "portfolio-agent" / "link.json", own=True)
    assert do.endswith(f"setfacl -m u:nobody:x {tree} {tree / 'portfolio-agent'}")
