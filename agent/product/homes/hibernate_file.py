"""The configuration file that Confluence, Bamboo and Crowd share in form: `properties/property` with a name each.

In:   the file's path, its root element, the properties wanted.
Out:  their values, or the database's login. Only properties on the list are looked at: licence text and the cluster's
      private key stand in the same file and never become values here (`licence_text.py` decodes the first); who asks
      for the node does not see the password.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path

from agent.errors import Mistake
from agent.product.homes.formats import Malformed, read_elements
from agent.product.homes.home_files import built_database, file_octets
from agent.product.model import ProductDatabase

URL, USER, PASSWORD = (f"hibernate.connection.{name}" for name in ("url", "username", "password"))
DATA_SOURCE = "hibernate.connection.datasource"
CIPHER = "jdbc.password.decrypter.classname"
BUILD = "buildNumber"
JNDI = "is missing: the product takes its database from the application server (JNDI)"


@dataclass(frozen=True, slots=True)
class HibernateFile:
    """`values` are the wanted properties that are there; `build` is "" when not told."""

    values: dict[str, str] = field(default_factory=dict)
    build: str = ""


def read_properties_of(
    path: Path, root: str, wanted: Collection[str], mistakes: list[Mistake], missing: str = ""
) -> HibernateFile:
    """What the file says of `wanted`; what is wrong is in `mistakes`. A file that is not there says nothing.

    It is a mistake only when `missing` has words for it.
    """
    octets = file_octets(path, mistakes, missing)
    if octets is None:
        return HibernateFile()
    elements = {f"properties/property[{name}]": name for name in wanted}
    try:
        found = read_elements(octets, root, {*elements, BUILD})
    except Malformed as error:
        mistakes.append(Mistake(str(path), "", str(error)))
        return HibernateFile()
    build = found.pop(BUILD, "").strip()
    values = {elements[element]: text for element, text in found.items()}
    return HibernateFile(values, build if build.isdecimal() and build.isascii() else "")


def find_hibernate_database(path: Path, root: str, mistakes: list[Mistake], *, no_url: str) -> ProductDatabase | None:
    """The database's login; None, and always where `mistakes` says why. `no_url` explains a file without a database."""
    before = len(mistakes)
    wanted = (URL, USER, PASSWORD, DATA_SOURCE, CIPHER)
    values = read_properties_of(
        path, root, wanted, mistakes, "is missing; the product writes it when it is set up"
    ).values
    if len(mistakes) > before:
        return None
    if values.get(URL, "").strip():
        return built_database(str(path), (URL, USER, PASSWORD), values, values.get(CIPHER, ""), mistakes)
    problem = JNDI if values.get(DATA_SOURCE) else f"is missing or empty: {no_url}"
    mistakes.append(Mistake(str(path), URL, problem))
    return None
