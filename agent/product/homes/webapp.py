"""The version that an installation's web application carries: the file Maven writes into each WAR it builds.

In:   the installation's folder. Out: the version, "" when the file is not there, cannot be read, or several disagree.
Bitbucket's installation is not known to have it.
"""

from __future__ import annotations

from pathlib import Path

from agent.product.homes.formats import Malformed, read_octets, read_properties
from agent.settings import ProductType

WEBAPPS = {
    ProductType.JIRA: "atlassian-jira",
    ProductType.CONFLUENCE: "confluence",
    ProductType.BAMBOO: "atlassian-bamboo",
    ProductType.CROWD: "crowd-webapp",
}
POM = "META-INF/maven/com.atlassian.*/*/pom.properties"
VERSION = "version"


def read_webapp_version(product: ProductType, install: Path) -> str:
    """The version of `product` installed in `install`."""
    webapp = WEBAPPS.get(product)
    if webapp is None:
        return ""
    try:
        files = sorted((install / webapp).glob(POM))
        versions = {read_properties(read_octets(file), (VERSION,)).get(VERSION, "").strip() for file in files}
    except (OSError, Malformed):
        return ""
    return versions.pop() if len(versions) == 1 else ""
