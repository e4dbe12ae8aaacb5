"""Reads one password: from a systemd credential or from a file that only its owner can read.

In:   the place of the secret, from the settings. Out: a `Secret`, read anew each time and kept by nobody here.
One newline at the end and a byte order mark in front are not part of the secret; every printable character is,
unchanged. Nothing is expanded.
"""

from __future__ import annotations

import codecs
import os
import re
from pathlib import Path

from agent.errors import ConfigError
from agent.secret import Secret
from agent.settings.rules import CREDENTIAL_NAME
from agent.system.careful import Flaw, Unfit, read_checked

SIZE_LIMIT_BYTES = 4096


def read_secret(file: Path | None, credential: str | None) -> Secret:
    """The secret in `file`, or in the systemd credential of that name; exactly one of the two is given.

    Raises ConfigError when it is missing, can be read by others, is a link, is empty or holds control characters.
    """
    if (file is None) == (credential is None):
        raise ConfigError(
            "A password is needed, and its place is not clear.",
            why="Exactly one of password_file and password_credential must be set.",
            do="Set one of them, then run: portfolio-agent config check",
        )
    if file is not None:
        return _secret_in(_read(file, private=True), file)
    assert credential is not None  # noqa: S101 - the check above leaves no other case
    place = credential_file(credential)
    return _secret_in(_read(place, private=False), place)


def credential_file(name: str) -> Path:
    """Where systemd put the credential `name` for this process."""
    if not re.fullmatch(CREDENTIAL_NAME, name):
        raise ConfigError(
            "The name of a credential is not valid.",
            why="Letters, digits, dot, dash and underscore only.",
            do="Correct password_credential.",
        )
    folder = os.environ.get("CREDENTIALS_DIRECTORY", "")
    if not folder.startswith("/"):
        raise ConfigError(
            f"The credential '{name}' is not there.",
            why="This process was not started by systemd with credentials.",
            do=f"In the unit set LoadCredential={name}:/path/to/file; by hand, run the command through the unit.",
        )
    return Path(folder) / name


def _read(path: Path, *, private: bool) -> bytes:
    """The bytes of a secret. systemd makes its own folder safe, and shows an access list there as group bits: 0440."""
    anybody = not private or os.geteuid() == 0
    try:
        return read_checked(
            path,
            limit=SIZE_LIMIT_BYTES,
            owners=None if anybody else {0, os.geteuid()},
            lax_bits=0o077 if private else 0o007,
            only_name=private,
            may_be_empty=True,  # said of its content below, where a lone newline is empty as well
        )
    except FileNotFoundError:
        raise _refused(path, "It does not exist.", _mend(path)) from None
    except Unfit as unfit:
        raise _refused(path, *_words(path, unfit)) from None


def _words(path: Path, unfit: Unfit) -> tuple[str, str]:
    if unfit.flaw is Flaw.MODE:
        return f"Others can read or change it (mode {unfit.mode:04o}, needed 0600).", f"Run: chmod 0600 {path}"
    if unfit.flaw is Flaw.NAMES:
        return f"It has {unfit.names} names (hard links).", _mend(path)
    if unfit.flaw is Flaw.OWNER:
        return f"It belongs to uid {unfit.uid}.", f"Run: chown {os.geteuid()} {path}"
    if unfit.flaw is Flaw.SIZE:
        return f"It is larger than {SIZE_LIMIT_BYTES:,} bytes.", "Put only the password there."
    if unfit.flaw is Flaw.KIND:
        link = unfit.kind == "a symbolic link"
        return "It is a link; the secret must be a file of its own." if link else f"It is {unfit.kind}.", _mend(path)
    if isinstance(unfit.error, PermissionError):
        return f"uid {os.geteuid()} may not read it.", _mend(path)
    return f"{unfit.error.strerror}.", _mend(path)


def _secret_in(octets: bytes, path: Path) -> Secret:
    # Editors of other systems put a byte order mark in front, which nobody typed.
    octets = octets.removeprefix(codecs.BOM_UTF8)
    line = octets.removesuffix(b"\n")
    line = line.removesuffix(b"\r") if line != octets else line
    try:
        text = line.decode("utf-8")
    except UnicodeDecodeError:
        # Not chained: the exception carries the bytes.
        raise _refused(path, "It is not UTF-8 text.", "Save it as UTF-8.") from None
    if not text:
        raise _refused(path, "It is empty.", "Put the password there, in one line.")
    if any(ord(character) < 32 or ord(character) == 127 for character in text):
        raise _refused(path, "It holds more than one line, or control characters.", "Put only the password there.")
    return Secret(text)


def _mend(path: Path) -> str:
    return f"Make it anew, readable by the service account only: install -m 0600 -o portfolio-agent /dev/null {path}"


def _refused(path: Path, why: str, do: str) -> ConfigError:
    return ConfigError(f"The secret in {path} cannot be used.", why=why, do=do)
