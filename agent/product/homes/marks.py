"""Whose home a folder is, told by what lies in it, in the shared home or in the installation; and whether it is the
shared home itself, which every node has besides its own.

In:   folders. Out: the product, or None where nothing tells. Only names of files are looked at.
"""

from __future__ import annotations

import os
from pathlib import Path

from agent.product.homes import bamboo, bitbucket, confluence, crowd, jira
from agent.product.homes.hibernate_file import DATA_SOURCE, URL, read_properties_of
from agent.product.homes.home_files import barred_noted
from agent.settings import ProductType

# The files that name the database first, then what each product leaves in its home whatever its database is: in a
# container there may be nothing else.
_HOME = (
    (jira.DBCONFIG, ProductType.JIRA),
    (confluence.FILE, ProductType.CONFLUENCE),
    (f"shared/{bitbucket.FILE}", ProductType.BITBUCKET),
    (bamboo.FILE, ProductType.BAMBOO),
    (f"shared/{crowd.FILE}", ProductType.CROWD),
    (crowd.FILE, ProductType.CROWD),
    (jira.CLUSTER, ProductType.JIRA),
    ("jira-config.properties", ProductType.JIRA),
    (".jira-home.lock", ProductType.JIRA),
    ("log/atlassian-jira.log", ProductType.JIRA),
    ("logs/atlassian-confluence.log", ProductType.CONFLUENCE),
    ("log/atlassian-bitbucket.log", ProductType.BITBUCKET),
    ("log/atlassian-bitbucket-access.log", ProductType.BITBUCKET),
    ("logs/atlassian-bamboo.log", ProductType.BAMBOO),
    ("logs/atlassian-crowd.log", ProductType.CROWD),
)
_SHARED = ((bitbucket.FILE, ProductType.BITBUCKET), (crowd.FILE, ProductType.CROWD))
_INSTALL = (
    ("atlassian-jira", ProductType.JIRA),
    ("confluence/WEB-INF", ProductType.CONFLUENCE),
    ("app/WEB-INF/classes/bitbucket-build.properties", ProductType.BITBUCKET),
    ("bin/set-bitbucket-home.sh", ProductType.BITBUCKET),
    ("bin/start-bitbucket.sh", ProductType.BITBUCKET),
    ("atlassian-bamboo", ProductType.BAMBOO),
    ("crowd-webapp", ProductType.CROWD),
)


def product_of(home: Path, shared_home: Path | None = None, install: Path | None = None) -> ProductType | None:
    """The product whose home this seems to be; None where nothing tells."""
    for folder, marks in ((home, _HOME), (shared_home, _SHARED), (install, _INSTALL)):
        if folder is not None:
            for mark, product in marks:
                if os.path.lexists(folder / mark):
                    return product
    return None


def shared_home_given(product: ProductType | None, home: Path) -> ProductType | None:
    """The product whose *shared* home `home` is; None when it may well be a local one."""
    for asked, test in _TESTS:
        if product in (None, asked) and test(home):
            return asked
    return None


def _is_jira(home: Path) -> bool:
    local = (jira.DBCONFIG, jira.CLUSTER, ".jira-home.lock", "log", "logs", "localq")
    return not _any(home, local) and _any(home, ("data/attachments", "data/avatars", "plugins/installed-plugins"))


def _is_confluence(home: Path) -> bool:
    """The shared home has a file of the same name, with the cluster's keys and without a database."""
    if _any(home, ("logs", "lock", "index", "plugins-osgi-cache")) or not _any(home, (confluence.FILE,)):
        return False
    wanted = (URL, DATA_SOURCE, confluence.CLUSTERED, "jwt.public.key", "hibernate.setup")
    values: dict[str, str] = {}
    with barred_noted([]):  # told by who reads the home itself
        values = read_properties_of(home / confluence.FILE, confluence.ROOT, wanted, []).values
    return bool(values) and not (values.get(URL) or values.get(DATA_SOURCE))


def _is_bitbucket(home: Path) -> bool:
    return _any(home, (bitbucket.FILE,)) and not _any(home, ("shared", "log"))


def _is_bamboo(home: Path) -> bool:
    return not _any(home, (bamboo.FILE, "logs")) and _any(home, bamboo.ADMINISTRATION)


def _is_crowd(home: Path) -> bool:
    """Before Crowd 3 the file lay in the home itself; a folder of that name inside of a home does not."""
    return home.name == "shared" and _any(home, (crowd.FILE,)) and not _any(home, ("logs", "caches"))


_TESTS = (
    (ProductType.JIRA, _is_jira),
    (ProductType.CONFLUENCE, _is_confluence),
    (ProductType.BITBUCKET, _is_bitbucket),
    (ProductType.BAMBOO, _is_bamboo),
    (ProductType.CROWD, _is_crowd),
)


def _any(home: Path, names: tuple[str, ...]) -> bool:
    return any(os.path.lexists(home / name) for name in names)
