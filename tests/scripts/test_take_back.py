"""What `uninstall --purge` takes back: access lists and files of the account, no more and no less.

The lists are the kernel's own: set and read as extended attributes, on files of this test.
"""

from __future__ import annotations

import errno
import os
import stat
import struct
import time
from pathlib import Path

import pytest

from scripts.take_back import (
    ENTRY,
    GROUP,
    GROUP_OBJ,
    LISTS,
    MASK,
    OTHER,
    USER,
    USER_OBJ,
    Identity,
    Sweep,
    take_back,
    without,
)
from tests.support.servers import missing, require_root

NOBODY = 0xFFFFFFFF  # the number of an entry that names nobody
ACCOUNT = Identity(uid=64901, gid=64902, groups=frozenset({64902, 64903}))
SOMEBODY = 64999


def acl(*entries: tuple[int, int, int]) -> bytes:
    """The kernel's form of an access list."""
    return struct.pack("<I", 2) + b"".join(ENTRY.pack(*entry) for entry in entries)


def with_account(right: int, *more: tuple[int, int, int], group: int = 0, mask: int | None = None) -> bytes:
    """What `setfacl -m u:ACCOUNT:right` leaves on a file that only its owner may read."""
    return acl(
        (USER_OBJ, 6, NOBODY),
        (USER, right, ACCOUNT.uid),
        *(entry for entry in more if entry[0] == USER),
        (GROUP_OBJ, group, NOBODY),
        *(entry for entry in more if entry[0] == GROUP),
        (MASK, right | group if mask is None else mask, NOBODY),
        (OTHER, 0, NOBODY),
    )


def grant(path: Path, raw: bytes, name: str = LISTS[0]) -> None:
    """Put a list on a path; skips where the file system keeps none."""
    try:
        os.setxattr(path, name, raw)
    except OSError as error:
        if error.errno == errno.EOPNOTSUPP:
            missing(f"the file system of {path} keeps no access lists")
        raise


def lists_of(path: Path) -> set[str]:
    """Which lists a path has."""
    return set(os.listxattr(path, follow_symlinks=False)) & set(LISTS)


def home_of(tmp_path: Path) -> tuple[Path, Path]:
    """A product's home that only its owner may enter, and a configuration that names it."""
    home = tmp_path / "data" / "jira"
    home.mkdir(parents=True)
    (home / "dbconfig.xml").write_text("<x/>")
    (home / "dbconfig.xml").chmod(0o600)
    home.chmod(0o700)
    config = tmp_path / "agent.toml"
    config.write_text(f'[instance]\nhome = "{home}"\nshared_home = "{home}"\n')
    return home, config


def taken_back(config: Path, *also: Path, spared: Path | None = None, budget_s: float = 60) -> tuple[int, list[str]]:
    """How many entries went, and what may be left."""
    outcome = take_back(ACCOUNT, [config], list(also), spared, budget_s)
    return outcome.entries, outcome.left


def test_a_list_without_the_account_is_not_touched() -> None:
    """Somebody else's entries are none of our business; nor is a form of list that is not known."""
    assert without(acl((USER_OBJ, 6, NOBODY), (USER, 4, SOMEBODY), (MASK, 4, NOBODY)), ACCOUNT) is None
    assert without(struct.pack("<I", 9), ACCOUNT) is None
    assert without(b"", ACCOUNT) is None


def test_the_last_entry_takes_the_mask_with_it() -> None:
    """A file that only its owner could read is that again: the group's bits were the mask's."""
    assert without(with_account(4), ACCOUNT) == acl((USER_OBJ, 6, NOBODY), (GROUP_OBJ, 0, NOBODY), (OTHER, 0, NOBODY))


def test_no_one_gains_by_a_removal() -> None:
    """What the mask held back from group and others stays held back."""
    narrowed = without(with_account(4, group=7, mask=4), ACCOUNT)
    assert narrowed == acl((USER_OBJ, 6, NOBODY), (GROUP_OBJ, 4, NOBODY), (OTHER, 0, NOBODY))
    shared = without(with_account(5, (USER, 6, SOMEBODY), mask=5), ACCOUNT)
    assert shared is not None
    assert (MASK, 4, NOBODY) in list(ENTRY.iter_unpack(shared[4:]))
    assert (USER, 6, SOMEBODY) in list(ENTRY.iter_unpack(shared[4:]))


def test_an_entry_of_the_own_group_goes_too() -> None:
    """`setfacl -m g:portfolio-agent:r` is taken back like one of the account; another group's stays."""
    raw = with_account(4, (GROUP, 4, ACCOUNT.gid), (GROUP, 4, 64903))
    rest = without(raw, ACCOUNT)
    assert rest is not None
    assert [number for tag, _, number in ENTRY.iter_unpack(rest[4:]) if tag == GROUP] == [64903]


def test_home_file_and_parents(tmp_path: Path) -> None:
    """What `init` says is undone: the file, its folder and the folders above are as they were."""
    home, config = home_of(tmp_path)
    tmp_path.joinpath("data").chmod(0o750)
    for path, right in ((home, 1), (tmp_path / "data", 1), (home / "dbconfig.xml", 4)):
        grant(path, with_account(right, group=5 if path.name == "data" else 0))
    assert taken_back(config) == (3, [])
    assert [lists_of(path) for path in (home, tmp_path / "data", home / "dbconfig.xml")] == [set()] * 3
    assert stat.S_IMODE((home / "dbconfig.xml").stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "data").stat().st_mode) & 0o070 == 0o050


def test_logs_with_a_default_list(tmp_path: Path) -> None:
    """`setfacl -R -m` and `-m d:` on a log folder, also behind a link: nothing stays, below neither."""
    home, config = home_of(tmp_path)
    logs = tmp_path / "elsewhere" / "logs"
    (logs / "old").mkdir(parents=True)
    (home / "log").symlink_to(logs)
    (logs / "old" / "access.log").write_text("")
    for path in (logs, logs / "old", logs / "old" / "access.log"):
        grant(path, with_account(5))
    grant(logs, with_account(4), LISTS[1])
    assert taken_back(config) == (4, [])
    (logs / "new.log").write_text("")
    assert [lists_of(path) for path in (logs, logs / "old", logs / "old" / "access.log", logs / "new.log")] == [
        set()
    ] * 4


def test_a_default_list_of_others_stays(tmp_path: Path) -> None:
    """Only the account's entry leaves a default list that somebody else is in."""
    home, config = home_of(tmp_path)
    grant(home, with_account(4, (USER, 5, SOMEBODY), mask=5), LISTS[1])
    assert taken_back(config) == (1, [])
    rest = os.getxattr(home, LISTS[1])
    assert [number for tag, _, number in ENTRY.iter_unpack(rest[4:]) if tag == USER] == [SOMEBODY]


def test_a_log_folder_that_tomcat_names(tmp_path: Path) -> None:
    """Where server.xml puts the access log elsewhere, that folder was opened too."""
    _, config = home_of(tmp_path)
    logs = tmp_path / "var-log"
    logs.mkdir()
    (tmp_path / "install" / "conf").mkdir(parents=True)
    valve = f"""<Server><Valve className="x.AccessLogValve" directory='{logs}'/></Server>"""
    (tmp_path / "install" / "conf" / "server.xml").write_text(valve)
    config.write_text(config.read_text() + f'[clientside]\ninstall = "{tmp_path / "install"}"\n')
    grant(logs, with_account(5))
    assert taken_back(config) == (1, [])
    assert lists_of(logs) == set()


def test_what_the_account_never_reached_is_left_unread(tmp_path: Path) -> None:
    """A closed subtree is two levels deep at most: attachments are not walked; named with --also they are."""
    home, config = home_of(tmp_path)
    deep = home / "data" / "attachments" / "10000" / "ABC-1"
    deep.mkdir(parents=True)
    (home / "data" / "attachments" / "10000").chmod(0o700)
    (home / "data" / "attachments").chmod(0o700)
    (home / "data").chmod(0o700)
    grant(deep, with_account(4))
    assert taken_back(config) == (0, [])
    assert taken_back(config, deep.parent) == (1, [])


def test_a_file_of_the_account_is_handed_to_root(tmp_path: Path) -> None:
    """A bundle left in a folder of the site belongs to root then, not to the account's next number."""
    require_root()
    _, config = home_of(tmp_path)
    bundle = tmp_path / "bundles" / "bundle.zip"
    bundle.parent.mkdir()
    bundle.write_text("")
    for path in (bundle.parent, bundle):
        os.chown(path, ACCOUNT.uid, ACCOUNT.gid)
    config.write_text(config.read_text() + f'[bundle]\nfolder = "{bundle.parent}"\n')
    outcome = take_back(ACCOUNT, [config], [], None, 60)
    assert (outcome.handed_over, outcome.left) == (2, [])
    assert (bundle.stat().st_uid, bundle.stat().st_gid) == (0, 0)


def test_own_folders_are_removed(tmp_path: Path) -> None:
    """The agent's folder in the shared home goes, and a state folder that the configuration puts elsewhere."""
    home, config = home_of(tmp_path)
    state = tmp_path / "state"
    for folder in (home / "portfolio-agent" / "keys", state):
        folder.mkdir(parents=True)
    (state / "agent.sqlite3").write_text("")
    config.write_text(config.read_text() + f'[agent]\nstate_dir = "{state}"\n')
    outcome = take_back(ACCOUNT, [config], [], None, 60)
    assert outcome.removed == [home / "portfolio-agent", state]
    assert not (home / "portfolio-agent").exists()
    assert not state.exists()


def test_a_folder_that_is_not_a_store_is_not_removed(tmp_path: Path) -> None:
    """A state folder by name alone may be somebody's: without our store in it, it stays."""
    _, config = home_of(tmp_path)
    state = tmp_path / "state"
    state.mkdir()
    (state / "theirs").write_text("")
    config.write_text(config.read_text() + f'[agent]\nstate_dir = "{state}"\n')
    assert taken_back(config) == (0, [])
    assert (state / "theirs").exists()


def test_a_link_in_place_of_our_folder_is_not_followed(tmp_path: Path) -> None:
    """The product's account could put a link there: what it points to is not removed."""
    home, config = home_of(tmp_path)
    precious = tmp_path / "precious"
    (precious / "x").mkdir(parents=True)
    (home / "portfolio-agent").symlink_to(precious)
    taken_back(config)
    assert (precious / "x").exists()


def test_a_shared_home_that_goes_on_is_spared(tmp_path: Path) -> None:
    """With --keep-shared nothing in it changes, and that is said: the account has to stay."""
    home, config = home_of(tmp_path)
    shared = tmp_path / "shared"
    (shared / "portfolio-agent").mkdir(parents=True)
    config.write_text(f'[instance]\nhome = "{home}"\nshared_home = "{shared}"\n')
    grant(home, with_account(1))
    grant(shared, with_account(1))
    entries, left = taken_back(config, spared=shared)
    assert entries == 1
    assert left == [f"{shared} stays as it is for the other nodes, with the account's rights in it"]
    assert lists_of(shared) == {LISTS[0]}
    assert (shared / "portfolio-agent").exists()


@pytest.mark.parametrize(
    ("text", "why"),
    [("[instance", "TOMLDecodeError"), ("\udcff", "UnicodeDecodeError")],
)
def test_a_configuration_that_cannot_be_read_leaves_a_doubt(tmp_path: Path, text: str, why: str) -> None:
    """Then nobody knows what was opened: a reason is given, so the account stays."""
    config = tmp_path / "agent.toml"
    config.write_bytes(text.encode("utf-8", "surrogateescape"))
    entries, left = taken_back(config)
    assert entries == 0
    assert why in left[0]


def test_running_out_of_time_leaves_a_doubt(tmp_path: Path) -> None:
    """A share that answers slowly does not hold the admin for ever, and is not taken for clean."""
    home, config = home_of(tmp_path)
    entries, left = taken_back(config, budget_s=-1)
    assert entries == 0
    assert left == [f"{home} is so large that not all of it was looked at"]


def test_a_loop_of_links_ends(tmp_path: Path) -> None:
    """A folder is looked at once, whatever points to it."""
    home, _ = home_of(tmp_path)
    (home / "self").symlink_to(home)
    (home / "up").symlink_to(tmp_path)
    sweep = Sweep(ACCOUNT, None, time.monotonic() + 60)
    sweep.tree(home)
    assert sweep.outcome.left == []
