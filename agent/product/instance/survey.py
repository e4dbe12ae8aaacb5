"""What `init` finds: which product, its node, its database as far as the files tell, and how its JVM is started.

In:   the home and what the admin said. Out: `Survey`; mistakes that leave something out are in it, and only what leaves
no product at all is a ConfigError.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from agent.errors import ConfigError, Mistake
from agent.product.database.jdbc import BadUrl, DatabaseAddress, parse_jdbc_url
from agent.product.homes import bitbucket
from agent.product.homes.dispatch import find_product_database, read_node
from agent.product.homes.formats import Malformed, read_octets, read_properties
from agent.product.homes.home_files import barred_noted
from agent.product.homes.marks import product_of, shared_home_given
from agent.product.homes.start_options import StartFacts, read_start_options
from agent.product.homes.webapp import read_webapp_version
from agent.product.model import Clustering, NodeFacts, ProductDatabase
from agent.settings import ProductType, shown

# Every product's own name for a shared home that lies elsewhere: an option of the JVM, a variable of its environment.
_SHARED_OPTIONS = ("{}.shared.home",)
_SHARED_VARIABLES = ("{}_SHARED_HOME", "ATL_PRODUCT_HOME_SHARED")
BAMBOO_INIT = Path("atlassian-bamboo/WEB-INF/classes/bamboo-init.properties")


@dataclass(frozen=True, slots=True)
class Survey:
    """What was found. `database` is None where no address is known; `database_mistakes` says why it cannot be used.

    `install` is the installation, named or found; `version` the product's, "" where no file tells.
    `from_environment` is the database that the environment of a container names.
    """

    product: ProductType
    node: NodeFacts
    database: ProductDatabase | None
    database_mistakes: tuple[Mistake, ...]
    start: StartFacts
    install: Path | None
    version: str
    from_environment: DatabaseAddress | None = None


def survey(
    home: Path,
    product: ProductType | None,
    shared_home: Path | None,
    install: Path | None,
    root: Path = Path("/"),
    environment: Mapping[str, str] | None = None,
) -> Survey:
    """Look at everything there is; raises ConfigError when `home` is no product's local home."""
    _refuse_no_home(home, product, shared_home, install)
    told = product or product_of(home, shared_home, install)
    shared_of = shared_home_given(told, home)
    if shared_of is not None:
        raise _shared_home(home, shared_of)
    if told is None:
        raise _unknown(home)
    start = read_start_options(told, home, install, root, environment or {})
    install = install or _found_install(start)
    node = read_node(told, home, shared_home, _shared_elsewhere(told, install, start))
    node = _with_environment(told, node, start)
    mistakes: list[Mistake] = []
    database = None
    with barred_noted(mistakes):
        database = find_product_database(told, home, node.shared_home, mistakes)
    version = "" if install is None else read_webapp_version(told, install)
    return Survey(told, node, database, tuple(mistakes), start, install, version, _environments_address(told, start))


def _refuse_no_home(home: Path, product: ProductType | None, shared_home: Path | None, install: Path | None) -> None:
    if not home.is_dir():
        asked = product or product_of(home, shared_home, install)
        name = "product's" if asked is None else f"{asked.value.capitalize()}"
        raise ConfigError(
            f"There is no {name} home at {shown(str(home), 300)}.",
            (Mistake(shown(str(home), 300), "", "is not a folder, or this account may not see it"),),
            do="Name the product's local home folder of this node with --home.",
        )


def _shared_home(home: Path, product: ProductType) -> ConfigError:
    name = product.value.capitalize()
    return ConfigError(
        f"{shown(str(home), 300)} is {name}'s shared home, not the local one.",
        (Mistake(shown(str(home), 300), "--home", f"holds what all nodes of {name} share"),),
        do=f"Give this node's local home with --home DIR, and this one with --shared-home {shown(str(home), 300)}",
    )


def _unknown(home: Path) -> ConfigError:
    return ConfigError(
        f"No product is known by the folder {shown(str(home), 300)}.",
        (
            Mistake(
                shown(str(home), 300),
                "--home",
                "holds none of dbconfig.xml (Jira), confluence.cfg.xml, bamboo.cfg.xml, shared/bitbucket.properties, "
                "shared/crowd.cfg.xml, and no log of one of them",
            ),
        ),
        do="Name the local home with --home; if it is this one, say whose it is: --product jira (or confluence, ...).",
    )


def _found_install(start: StartFacts) -> Path | None:
    """Where the running JVM says it was started from; Crowd's Tomcat lies one level down."""
    text = start.options.get("catalina.home", "")
    if not text.startswith("/"):
        return None
    folder = Path(text)
    return folder.parent if folder.name == "apache-tomcat" else folder


def _shared_elsewhere(product: ProductType, install: Path | None, start: StartFacts) -> Path | None:
    """The shared home that stands outside of the home: start option, environment, Bamboo's own file."""
    told = [start.options.get(name.format(product.value), "") for name in _SHARED_OPTIONS]
    told += [start.environment.get(name.format(product.value.upper()), "") for name in _SHARED_VARIABLES]
    if product is ProductType.BAMBOO and install is not None:
        told.append(_bamboo_init(install / BAMBOO_INIT))
    return next((Path(text) for text in told if text.startswith("/") and text.isprintable() and ".." not in text), None)


def _bamboo_init(path: Path) -> str:
    key = "bamboo.shared.home"
    try:
        return read_properties(read_octets(path), (key,)).get(key, "").strip()
    except (OSError, Malformed):
        return ""


def _with_environment(product: ProductType, node: NodeFacts, start: StartFacts) -> NodeFacts:
    """A container of Bitbucket says in its environment what the file says elsewhere."""
    if product is not ProductType.BITBUCKET or node.clustering is not Clustering.UNKNOWN:
        return node
    values = {key: start.environment.get(key.upper().replace(".", "_"), "") for key in bitbucket.CLUSTER}
    return replace(node, clustering=bitbucket.clustering_of(values))


def _environments_address(product: ProductType, start: StartFacts) -> DatabaseAddress | None:
    """The database that Bitbucket's environment names; its login is not read: it may vanish at the next start."""
    url = start.environment.get("JDBC_URL", "")
    if product is not ProductType.BITBUCKET or not url:
        return None
    try:
        return parse_jdbc_url(url)
    except BadUrl:
        return None


def default_shared_home(found: Survey) -> bool:
    """Whether nothing says where Bamboo's shared home is: each node would get an identity of its own."""
    return found.product is ProductType.BAMBOO and found.node.shared_home == found.node.home
