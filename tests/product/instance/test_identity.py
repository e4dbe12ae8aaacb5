"""The instance's identity is made once, is private, and is the same for every node."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
import uuid
from pathlib import Path

import pytest

from agent.errors import ConfigError
from agent.product import ensure_instance, read_instance
from agent.system.account import Account, owner_of


def test_made_once_and_reused(tmp_path: Path) -> None:
    """The second call finds the first one's id and key; nothing is written anew."""
    first = ensure_instance(tmp_path / "portfolio-agent")
    second = ensure_instance(tmp_path / "portfolio-agent")
    assert first.instance_id == second.instance_id == str(uuid.UUID(first.instance_id))
    assert first.pseudonym_key.reveal() == second.pseudonym_key.reveal()
    assert len(first.pseudonym_key) == 32
    assert "redacted" in repr(first)


def test_modes_are_private(tmp_path: Path) -> None:
    """Folders 0700, id 0600, key 0400, and no temporary file stays behind."""
    folder = tmp_path / "portfolio-agent"
    ensure_instance(folder)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in [folder, *folder.rglob("*")]}
    assert modes == {"portfolio-agent": 0o700, "instance.json": 0o600, "keys": 0o700, "pseudonym.key": 0o400}


def test_nodes_that_start_together_agree(tmp_path: Path) -> None:
    """Eight processes at once: one identity, every one of them reads it."""
    folder = tmp_path / "portfolio-agent"
    script = (
        "import sys; from pathlib import Path; from agent.product import ensure_instance\n"
        "sys.stdin.read(1); facts = ensure_instance(Path(sys.argv[1]))\n"
        "print(facts.instance_id, facts.pseudonym_key.reveal().hex())"
    )
    running = [
        subprocess.Popen(
            [sys.executable, "-c", script, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for _ in range(8)
    ]
    for process in running:
        assert process.stdin is not None
        process.stdin.write("x")
        process.stdin.flush()
    answers = {process.communicate(timeout=60)[0] for process in running}
    assert all(process.returncode == 0 for process in running)
    assert len(answers) == 1


@pytest.mark.parametrize(
    "content", ["", "{}", "[]", "not json", '{"formatVersion": 1}', '{"formatVersion": 1, "instanceId": 5}', "9" * 5000]
)
def test_damaged_id_is_refused(tmp_path: Path, content: str) -> None:
    """A file that holds no id is said to be damaged; it is never replaced silently."""
    folder = tmp_path / "portfolio-agent"
    ensure_instance(folder)
    (folder / "instance.json").write_text(content)
    with pytest.raises(ConfigError, match="cannot be used"):
        read_instance(folder)
    with pytest.raises(ConfigError):
        ensure_instance(folder)


def test_newer_format_short_key_links_and_open_files_are_refused(tmp_path: Path) -> None:
    """Newer format, truncated key, link and readable-by-others: each refused with its path."""
    folder = tmp_path / "portfolio-agent"
    facts = ensure_instance(folder)
    id_file, key_file = folder / "instance.json", folder / "keys" / "pseudonym.key"
    good = id_file.read_text()
    id_file.write_text(json.dumps({"formatVersion": 2, "instanceId": facts.instance_id}))
    with pytest.raises(ConfigError) as caught:
        read_instance(folder)
    assert "newer agent" in caught.value.why
    id_file.write_text(good)
    id_file.chmod(0o644)
    with pytest.raises(ConfigError) as caught:
        read_instance(folder)
    assert "0644" in caught.value.why
    id_file.chmod(0o600)
    key = key_file.read_bytes()
    key_file.chmod(0o600)
    key_file.write_bytes(key[:31])
    with pytest.raises(ConfigError) as caught:
        read_instance(folder)
    assert "31 bytes" in caught.value.why
    key_file.unlink()
    (tmp_path / "elsewhere").write_bytes(key)
    key_file.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ConfigError, match=r"pseudonym\.key cannot be used"):
        read_instance(folder)


def test_missing_identity_names_the_next_command(tmp_path: Path) -> None:
    """No identity: the message says mount or init."""
    with pytest.raises(ConfigError) as caught:
        read_instance(tmp_path / "portfolio-agent")
    assert "portfolio-agent init" in caught.value.do


def test_folder_that_is_open_or_no_folder_is_refused(tmp_path: Path) -> None:
    """A folder others may enter, a link in its place, no shared home: refused before anything is made."""
    folder = tmp_path / "portfolio-agent"
    folder.mkdir()
    folder.chmod(0o755)
    with pytest.raises(ConfigError) as caught:
        ensure_instance(folder)
    assert "chmod 0700" in caught.value.do
    folder.rmdir()
    (tmp_path / "real").mkdir(mode=0o700)
    folder.symlink_to(tmp_path / "real")
    with pytest.raises(ConfigError):
        ensure_instance(folder)
    with pytest.raises(ConfigError):
        ensure_instance(tmp_path / "no" / "portfolio-agent")
    assert list((tmp_path / "real").iterdir()) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_root_gives_the_files_to_the_service(tmp_path: Path) -> None:
    """When root runs init, files belong to the owner of the state folder, and root still reads them."""
    state = tmp_path / "state"
    state.mkdir()
    os.chown(state, 65534, 65534)
    owner = owner_of(state)
    assert owner == Account(65534, 65534)
    folder = tmp_path / "portfolio-agent"
    ensure_instance(folder, owner)
    assert {path.stat().st_uid for path in [folder, *folder.rglob("*")]} == {65534}
    assert owner_of(tmp_path / "missing") is None
