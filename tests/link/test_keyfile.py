"""The master key file: made once, private, and believed only when it is ours alone."""

from __future__ import annotations

import base64
import os
import socket
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from agent.errors import KeyUnreadable, UsageError
from agent.link.keyfile import CREDENTIAL, HEADER, ensure_master, load_master, master_path
from agent.system.account import Account
from agent.system.private_file import create_private, make_folder, trusted_owners
from tests.support.servers import require_root

MASTER = bytes(range(32))


@pytest.fixture
def link_dir(tmp_path: Path) -> Path:
    """A link folder as `link` makes it."""
    folder = tmp_path / "portfolio-agent"
    make_folder(folder, None)
    return folder


def put(link_dir: Path, content: bytes, mode: int = 0o400) -> Path:
    """A master key file with this content."""
    make_folder(master_path(link_dir).parent, None)
    path = master_path(link_dir)
    path.write_bytes(content)
    path.chmod(mode)
    return path


def refusal(link_dir: Path) -> KeyUnreadable:
    """The error that loading gives."""
    with pytest.raises(KeyUnreadable) as caught:
        load_master(link_dir)
    return caught.value


def test_new_key_is_private_random_and_stays(link_dir: Path) -> None:
    """The first call makes 32 random bytes with mode 0400 in a 0700 folder; later calls give the same bytes."""
    master = ensure_master(link_dir, owner=None)
    path = master_path(link_dir)
    assert len(master) == 32
    assert stat.S_IMODE(path.stat().st_mode) == 0o400
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert ensure_master(link_dir, owner=None) == load_master(link_dir) == master
    assert [item.name for item in path.parent.iterdir()] == ["master.key"]


def test_two_instances_get_different_keys(tmp_path: Path) -> None:
    """No two master keys are alike."""
    folders = [tmp_path / name for name in ("one", "two")]
    for folder in folders:
        make_folder(folder, None)
    assert len({ensure_master(folder, owner=None) for folder in folders}) == 2


@pytest.mark.parametrize(
    "content",
    [MASTER, HEADER + b"\n" + base64.b64encode(MASTER) + b"\n", HEADER + b"\r\n" + base64.b64encode(MASTER)],
    ids=["raw", "base64", "base64-crlf"],
)
def test_both_forms_are_read(link_dir: Path, content: bytes) -> None:
    """32 raw bytes, and base64 behind the header line, are the same key."""
    put(link_dir, content)
    assert load_master(link_dir) == MASTER


def test_credential_is_read_first(link_dir: Path, tmp_path: Path) -> None:
    """A systemd credential, 0440 as systemd may hand it over, takes the place of the file."""
    put(link_dir, bytes(reversed(MASTER)))
    credentials = tmp_path / "credentials"
    credentials.mkdir(mode=0o700)
    environ = {"CREDENTIALS_DIRECTORY": str(credentials)}
    assert load_master(link_dir, environ=environ) == bytes(reversed(MASTER))
    (credentials / CREDENTIAL).write_bytes(MASTER)
    (credentials / CREDENTIAL).chmod(0o440)
    assert load_master(link_dir, environ=environ) == MASTER


def make_link(path: Path) -> None:
    """A symbolic link to a well-formed key."""
    target = path.with_name("elsewhere")
    path.rename(target)
    path.symlink_to(target)


def make_fifo(path: Path) -> None:
    """A FIFO nobody writes to: a blocking open would hang."""
    path.unlink()
    os.mkfifo(path, 0o400)


def make_folder_of_it(path: Path) -> None:
    """A folder under the file's name."""
    path.unlink()
    path.mkdir(0o700)


def make_socket(path: Path) -> None:
    """A socket under the file's name."""
    path.unlink()
    here = Path.cwd()
    os.chdir(path.parent)  # a socket's address holds 108 bytes, pytest's folders are longer
    try:
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(path.name)
    finally:
        os.chdir(here)


def hard_link(path: Path) -> None:
    """A second name for the file."""
    path.with_name("second").hardlink_to(path)


def swap_folder_for_link(path: Path) -> None:
    """The keys folder is a link to a well-formed one."""
    target = path.parent.with_name("other-keys")
    path.parent.rename(target)
    path.parent.symlink_to(target)


FAULTS: dict[str, tuple[Callable[[Path], object], str, str]] = {
    "missing": (lambda path: path.unlink(), "key-missing", "findmnt -T"),
    "empty": (lambda path: (path.chmod(0o600), path.write_bytes(b"")), "file-size", "rm "),
    "short": (lambda path: (path.chmod(0o600), path.write_bytes(MASTER[:31])), "key-malformed", "rm "),
    "long": (lambda path: (path.chmod(0o600), path.write_bytes(MASTER + b"\n")), "key-malformed", "rm "),
    "huge": (lambda path: (path.chmod(0o600), path.write_bytes(b"x" * 5000)), "file-size", "rm "),
    "zeros": (lambda path: (path.chmod(0o600), path.write_bytes(bytes(32))), "key-malformed", "rm "),
    "pass-phrase": (
        lambda path: (path.chmod(0o600), path.write_bytes(b"correct horse battery staples ok")),
        "key-malformed",
        "rm ",
    ),
    "header-only": (lambda path: (path.chmod(0o600), path.write_bytes(HEADER + b"\n")), "key-malformed", "rm "),
    "not-base64": (lambda path: (path.chmod(0o600), path.write_bytes(HEADER + b"\n\xff\xfe!")), "key-malformed", "rm "),
    "mode-0644": (lambda path: path.chmod(0o644), "file-mode", "chmod 0600"),
    "mode-0440": (lambda path: path.chmod(0o440), "file-mode", "chmod 0400"),
    "symlink": (make_link, "file-kind", "ls -l"),
    "fifo": (make_fifo, "file-kind", "ls -l"),
    "folder": (make_folder_of_it, "file-kind", "ls -l"),
    "socket": (make_socket, "file-kind", "ls -l"),
    "hard-link": (hard_link, "file-names", "-inum"),
    "folder-0770": (lambda path: path.parent.chmod(0o770), "folder-mode", "chmod 0700"),
    "folder-0707": (lambda path: path.parent.chmod(0o707), "folder-mode", "chmod 0700"),
    "folder-link": (swap_folder_for_link, "folder-kind", "ls -ld"),
}


@pytest.mark.fault(95)
@pytest.mark.parametrize("name", FAULTS)
def test_unfit_file_is_refused_with_the_cure(link_dir: Path, name: str) -> None:
    """Each unfit key file is refused with its own code, the path, and the command that mends it; never the content."""
    break_it, code, command = FAULTS[name]
    path = put(link_dir, MASTER)
    break_it(path)
    error = refusal(link_dir)
    assert error.code == code
    assert error.exit_code == 11
    assert str(path.parent) in str(error)
    assert command in error.do
    assert MASTER.hex() not in str(error)
    assert repr(MASTER)[2:20] not in str(error)


@pytest.mark.fault(95)
def test_file_of_another_account_is_refused(link_dir: Path) -> None:
    """A key file or folder that another account owns is refused, unless that account is named as trusted."""
    require_root()
    path = put(link_dir, MASTER)
    os.chown(path, 4242, 4242)
    error = refusal(link_dir)
    assert error.code == "file-owner"
    assert "4242" in error.what
    assert f"chown 0 {path}" in error.do
    assert load_master(link_dir, owners={0, 4242}) == MASTER
    os.chown(path, 0, 0)
    os.chown(path.parent, 4242, 4242)
    assert refusal(link_dir).code == "file-owner"


def test_foreign_owner_inside_the_unit_is_explained(link_dir: Path) -> None:
    """Uid 65534 is what PrivateUsers shows for any owner: never accepted, and the message says why."""
    require_root()
    os.chown(put(link_dir, MASTER), 65534, 65534)
    error = refusal(link_dir)
    assert error.code == "file-owner"
    assert "Inside the service" in error.why


def test_root_gives_files_to_the_service_account(tmp_path: Path) -> None:
    """Made by root, key folder and file belong to the account that owns the state folder, and root believes them."""
    require_root()
    state_dir, link_dir = tmp_path / "state", tmp_path / "portfolio-agent"
    state_dir.mkdir(0o700)
    os.chown(state_dir, 4242, 4343)
    make_folder(link_dir, Account(4242, 4343))
    ensure_master(link_dir, owner=Account(4242, 4343), owners=trusted_owners(state_dir))
    for path in (link_dir, master_path(link_dir).parent, master_path(link_dir)):
        assert (path.stat().st_uid, path.stat().st_gid) == (4242, 4343)
    assert refusal(link_dir).code == "file-owner"


def test_existing_file_is_never_written_over(link_dir: Path) -> None:
    """Creating a private file where one stands, or a dangling link stands, is refused and changes nothing."""
    path = put(link_dir, MASTER)
    with pytest.raises(UsageError):
        create_private(path, b"other", mode=0o400, owner=None)
    assert path.read_bytes() == MASTER
    aside = path.with_name("target")
    path.unlink()
    path.symlink_to(aside)
    with pytest.raises(UsageError):
        create_private(path, b"other", mode=0o400, owner=None)
    assert not aside.exists()


def test_unfit_key_is_never_replaced_by_a_new_one(link_dir: Path) -> None:
    """Linking with an unfit master key is refused: a new one would make the stored key unreadable for good."""
    path = put(link_dir, MASTER, 0o644)
    with pytest.raises(KeyUnreadable):
        ensure_master(link_dir, owner=None)
    assert path.read_bytes() == MASTER
