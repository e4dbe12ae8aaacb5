"""The configuration file that Confluence, Bamboo and Crowd share in form: `properties/property` with a name each.

In:   the file's path, its root element, the further properties a product needs.
Out:  the database's login and the wanted values. Only properties on the list are looked at: licence text and the
      cluster's private key stand in the same file and never become values here (`licence_text.py` decodes the first).
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from agent.errors import Mistake
from agent.product.homes.formats import Malformed, read_elements
from agent.product.homes.home_files import built_database, file_octets
from agent.product.model import ProductDatabase

URL, USER, PASSWORD = (f"hibernate.connection.{name}" for name in ("url", "username", "password"))
DATA_SOURCE = "hibernate.connection.datasource"
CIPHER = "jdbc.password.decrypter.classname"
BUILD = "buildNumber"
_OWN = (URL, USER, PASSWORD, DATA_SOURCE, CIPHER)


@dataclass(frozen=True, slots=True)
class HibernateFile:
    """`values` are the wanted properties that are there, without blanks around them; `build` is "" when not told."""

    database: ProductDatabase | None
    values: dict[str, str]
    build: str


def read_hibernate_file(
    path: Path, root: str, wanted: Collection[str], mistakes: list[Mistake], *, no_url: str
) -> HibernateFile:
    """What the file says; what is wrong is in `mistakes`. `no_url` explains a file without a database."""
    octets = file_octets(path, mistakes, "is missing; the product writes it when it is set up")
    if octets is None:
        return HibernateFile(None, {}, "")
    elements = {f"properties/property[{name}]": name for name in (*_OWN, *wanted)}
    try:
        found = read_elements(octets, root, {*elements, BUILD})
    except Malformed as error:
        mistakes.append(Mistake(str(path), "", str(error)))
        return HibernateFile(None, {}, "")
    build = found.pop(BUILD, "").strip()
    values = {elements[element]: text for element, text in found.items()}
    database = _database(str(path), values, mistakes, no_url)
    return HibernateFile(
        database,
        {name: values[name].strip() for name in wanted if name in values},
        build if build.isdecimal() and build.isascii() else "",
    )


def _database(file: str, values: dict[str, str], mistakes: list[Mistake], no_url: str) -> ProductDatabase | None:
    if values.get(URL, "").strip():
        return built_database(file, (URL, USER, PASSWORD), values, values.get(CIPHER, ""), mistakes)
    problem = f"is missing or empty: {no_url}"
    if values.get(DATA_SOURCE):
        problem = 'is missing: the product takes the database from its application server (JNDI); set login = "own"'
    mistakes.append(Mistake(file, URL, problem))
    return None
