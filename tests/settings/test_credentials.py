"""Secrets are read from private files or systemd credentials, whole and unchanged, and never shown."""

from __future__ import annotations

import os
import string
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent.errors import ConfigError
from agent.settings import read_secret
from agent.settings.credentials import credential_file

ANY = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), min_size=1, max_size=80)


def private(path: Path, content: bytes, mode: int = 0o600) -> Path:
    """A file with exactly this content and mode."""
    path.write_bytes(content)
    path.chmod(mode)
    return path


@given(password=ANY.filter(lambda text: not text.startswith("\ufeff")))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_printable_character_round_trips(password: str, tmp_path: Path) -> None:
    """Requirement C2: nothing is expanded, escaped or trimmed; one newline at the end is not part of it."""
    file = tmp_path / "secret"
    for end in ("", "\n", "\r\n"):
        private(file, (password + end).encode())
        assert read_secret(file, None).reveal() == password


@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
def test_byte_order_mark_in_front_is_not_part_of_it(end: str, tmp_path: Path) -> None:
    """An editor's mark is taken off, one of them and only in front; alone it is an empty file."""
    mark = "\ufeff"
    assert read_secret(private(tmp_path / "one", (mark + "word" + end).encode()), None).reveal() == "word"
    assert read_secret(private(tmp_path / "two", (mark + "wo" + mark + end).encode()), None).reveal() == "wo" + mark
    with pytest.raises(ConfigError, match="empty"):
        read_secret(private(tmp_path / "three", (mark + end).encode()), None)


def test_all_ascii_punctuation_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The characters that shells, TOML and URLs treat specially, by file and by credential."""
    password = " $HOME $$ \\n %s " + string.punctuation + string.printable[:62] + " "
    file = private(tmp_path / "db.password", password.encode() + b"\n")
    assert read_secret(file, None).reveal() == password
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    assert read_secret(None, "db.password").reveal() == password


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o610, 0o601])
def test_file_others_can_use_is_refused(tmp_path: Path, mode: int) -> None:
    """Any right of group or others is refused with the command that mends it."""
    file = private(tmp_path / "secret", b"word", mode)
    with pytest.raises(ConfigError) as caught:
        read_secret(file, None)
    assert f"chmod 0600 {file}" in caught.value.do
    assert f"{mode:04o}" in caught.value.why


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (b"", "empty"),
        (b"\n", "empty"),
        (b"one\ntwo\n", "more than one line"),
        (b"nul\x00", "control"),
        (b"esc\x1b[0m", "control"),
        (b"\xff\xfeword", "not UTF-8"),
        (b"x" * 5000, "larger"),
    ],
)
def test_content_that_is_no_password_is_refused(tmp_path: Path, content: bytes, word: str) -> None:
    """Empty, several lines, control characters, foreign bytes, too long: each in words, none with the content."""
    with pytest.raises(ConfigError) as caught:
        read_secret(private(tmp_path / "secret", content), None)
    assert word in caught.value.why
    assert caught.value.__cause__ is None
    assert "two" not in str(caught.value)


def test_links_pipes_folders_and_missing_files_are_refused(tmp_path: Path) -> None:
    """The secret is a file of its own: no symbolic or hard link, no pipe (and no wait on it), no folder."""
    real = private(tmp_path / "real", b"word")
    (tmp_path / "link").symlink_to(real)
    os.mkfifo(tmp_path / "pipe", 0o600)
    (tmp_path / "folder").mkdir()
    for name in ("link", "pipe", "folder", "missing"):
        with pytest.raises(ConfigError, match="cannot be used"):
            read_secret(tmp_path / name, None)
    os.link(real, tmp_path / "second")
    with pytest.raises(ConfigError, match="cannot be used"):
        read_secret(real, None)


def test_exactly_one_place_is_needed(tmp_path: Path) -> None:
    """No place or two places is a mistake of the configuration."""
    for file, credential in ((None, None), (tmp_path / "a", "b")):
        with pytest.raises(ConfigError, match="place is not clear"):
            read_secret(file, credential)


@pytest.mark.parametrize("name", ["../etc/shadow", "a/b", "", ".hidden", "a b", "x" * 200])
def test_credential_name_cannot_leave_its_folder(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A credential's name is checked before it becomes a path."""
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", "/run/credentials/x")
    with pytest.raises(ConfigError, match="not valid"):
        credential_file(name)


def test_credential_without_systemd_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """Outside of the unit a credential is not there, and the message names the unit's line."""
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    with pytest.raises(ConfigError) as caught:
        read_secret(None, "db.password")
    assert "LoadCredential=db.password" in caught.value.do


def test_credential_may_show_group_bits_but_not_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """systemd shows its access list as group bits (0440); a file others may read is refused there too."""
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    private(tmp_path / "good", b"word", 0o440)
    assert read_secret(None, "good").reveal() == "word"
    private(tmp_path / "open", b"word", 0o444)
    with pytest.raises(ConfigError):
        read_secret(None, "open")
