"""The service account's way to the product's files, with real modes and a real account."""

from __future__ import annotations

import os
import pwd
from pathlib import Path

import pytest

from agent.system.access import AccessGaps, access_gaps
from agent.system.account import Account
from tests.support.servers import require_root

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
