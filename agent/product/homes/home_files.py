"""What the readers of all product homes share: opening a file, a JDBC URL, a path, a password that is encrypted.

Each function notes what is wrong as a `Mistake` and goes on, so that one refusal names everything. Nothing of a file's
content stands in a message but key names, numbers and paths.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from agent.errors import ConfigError, Mistake
from agent.product.database.jdbc import BadUrl, DatabaseAddress, parse_jdbc_url
from agent.product.homes.formats import Malformed, read_octets
from agent.product.homes.passwords import holds_placeholder, is_placeholder, keeping_of
from agent.product.model import PasswordKeeping, ProductDatabase
from agent.settings import Dialect, Secret, shown
from agent.system.access import barred

NAME_LIMIT = 255
PLACEHOLDER = "holds a placeholder that was not filled in"

DO_HOME = "Correct what is listed, or name another folder with --home."
DO_READ = "Correct what is listed; or, when it cannot be, say it in agent.toml: [instance] node and cluster."
DO_LOGIN = 'Compare with the file the product runs with, or set [database] login = "own" and give the agent an account.'


def require_folder(home: Path, product: str, holds: str) -> None:
    """Raise ConfigError when there is no such folder."""
    if not home.is_dir():
        raise ConfigError(
            f"There is no {product} home at {shown(str(home), 300)}.",
            (Mistake(shown(str(home), 300), "", "is not a folder, or this account may not see it"),),
            do=f"Name the local home folder of this node (the one that holds {holds}) with --home.",
        )


def file_octets(path: Path, mistakes: list[Mistake], missing: str) -> bytes | None:
    """The bytes of `path`; None with a mistake noted otherwise. Absent is a mistake only when `missing` says why."""
    try:
        return read_octets(path)
    except FileNotFoundError:
        if missing:
            mistakes.append(Mistake(str(path), "", missing))
    except PermissionError:
        raise  # no mistake of the file: whoever asked says which right is missing, see agent.system.access
    except Malformed as error:
        mistakes.append(Mistake(str(path), "", str(error)))
    except OSError as error:
        mistakes.append(Mistake(str(path), "", error.strerror or type(error).__name__))
    return None


@contextmanager
def barred_noted(unread: list[Mistake]) -> Iterator[None]:
    """Note a file that this account may not read, with what mends it, and go on."""
    try:
        yield
    except PermissionError as error:
        path = Path(str(error.filename))
        words = barred(path)
        unread.append(Mistake(str(path), "", f"{words.why} {words.do}".strip()))


def raise_barred(unread: Iterable[Mistake]) -> None:
    """Raise PermissionError for the first of these files that this account may not read."""
    for mistake in unread:
        if not os.access(mistake.file, os.R_OK, effective_ids=True):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), mistake.file)


def parse_address(file: str, key: str, url: str, mistakes: list[Mistake]) -> DatabaseAddress | None:
    """The address in the product's JDBC URL; None with a mistake noted."""
    try:
        return parse_jdbc_url(url)
    except BadUrl as error:
        mistakes.append(Mistake(file, key, str(error)))
        return None


def product_login(
    file: str, keys: tuple[str, str], values: Mapping[str, str], cipher: str, mistakes: list[Mistake], url: str = ""
) -> tuple[str, Secret | None, PasswordKeeping]:
    """User, password and how that is kept; `keys` name user and password in `values`."""
    user_key, password_key = keys
    user, password = values.get(user_key, "").strip(), values.get(password_key, "")
    if not user.isprintable() or len(user) > NAME_LIMIT:
        mistakes.append(Mistake(file, user_key, "is too long or holds control characters"))
        user = ""
    elif is_placeholder(user):
        mistakes.append(Mistake(file, user_key, PLACEHOLDER))
    kept = keeping_of(password, cipher, url)
    return user, Secret(password) if password and kept.kind == "plain" else None, kept


def built_database(
    file: str, keys: tuple[str, str, str], values: Mapping[str, str], cipher: str, mistakes: list[Mistake]
) -> ProductDatabase | None:
    """The login from one URL, one user and one password key; None with mistakes noted. The URL must be there."""
    url_key, user_key, password_key = keys
    url = values[url_key].strip()
    address = parse_address(file, url_key, url, mistakes)
    user, password, kept = product_login(file, (user_key, password_key), values, cipher, mistakes, url)
    if not user and needs_user(address):
        mistakes.append(Mistake(file, user_key, "is missing or empty"))
    return None if address is None else ProductDatabase(address, user, password, schema="", kept=kept)


def needs_user(address: DatabaseAddress | None) -> bool:
    """Whether a login without a user is a mistake: not for a file, and not where Windows or a token logs in."""
    return address is None or (address.dialect is not Dialect.SQLITE and not address.login_gap)


def named_folder(file: str, key: str, text: str, places: Mapping[str, Path], mistakes: list[Mistake]) -> Path | None:
    """The absolute path that a product's file names, `${name}` of `places` put in; None with a mistake noted."""
    for name, place in places.items():
        text = text.replace("${" + name + "}", str(place))
    if holds_placeholder(text):
        mistakes.append(Mistake(file, key, "holds a placeholder that is not known; name it with --shared-home"))
    elif not text.startswith("/") or not text.isprintable() or ".." in Path(text).parts:
        mistakes.append(Mistake(file, key, "is not an absolute path; name it with --shared-home"))
    else:
        return Path(text)
    return None


def check_shared_home(home: Path, shared: Path, key: str, mistakes: list[Mistake]) -> None:
    """Note a mistake when there is no such folder; `key` says who named it."""
    if not shared.is_dir():
        mistakes.append(
            Mistake(str(home), key, f"there is no folder {shown(str(shared), 300)}, or this account may not see it")
        )


def check_node_name(file: str, key: str, name: str, mistakes: list[Mistake]) -> bool:
    """Whether a node's name can be one; a mistake is noted otherwise."""
    if not name.isprintable() or len(name) > NAME_LIMIT:
        mistakes.append(Mistake(file, key, "is too long or holds control characters"))
    elif is_placeholder(name):
        mistakes.append(Mistake(file, key, PLACEHOLDER))
    else:
        return True
    return False
