"""What the files of each product tell of the instance."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.catalog import load_catalog
from agent.model import Reading
from agent.product.homes.webapp import WEBAPPS
from agent.settings import ClientsideSettings, InstanceSettings, ProductType, Settings
from agent.sources.registry import open_source
from tests.product.homes.test_webapp import write_pom
from tests.support.homes import write_home
from tests.support.licences import PLANTED, licence_text
from tests.support.product_homes import SECRETS, write_product_home

ADMINISTRATION = (
    "<config><mailPassword>planted</mailPassword><inner><myBaseUrl>http://planted.example.com</myBaseUrl></inner>"
    "<myBaseUrl>https://planted:planted@build.example.com/bamboo/?planted=1</myBaseUrl></config>"
)


def read(product: ProductType, home: Path, install: Path | None = None, *, licence: bool = True) -> Reading:
    """One reading of the source."""
    instance = InstanceSettings(product, home, home / "shared", licence=licence)
    settings = Settings(instance, clientside=ClientsideSettings(install=install))
    return open_source("home", settings, load_catalog(product.value)).read(30)


def told(reading: Reading) -> dict[str, object]:
    """Value by metric."""
    return {sample.series.metric: sample.value for sample in reading.samples}


def test_confluence(tmp_path: Path) -> None:
    """Version from the installation, cluster from the configuration; nothing else of it."""
    more = {"confluence.cluster": "true", "confluence.setup.server.id": "planted"}
    home = write_product_home(tmp_path, "confluence", more=more)
    write_pom(tmp_path / "install", "confluence", "version=8.5.4\n")
    reading = read(ProductType.CONFLUENCE, home, tmp_path / "install")
    assert told(reading) == {"product.version": "8.5.4", "cluster.enabled": "yes"}
    without = read(ProductType.CONFLUENCE, home)
    assert told(without) == {"cluster.enabled": "yes"}
    missing = {item.metric: item.reason for item in without.failures if not item.metric.startswith("licence.")}
    assert missing == {"product.version": "not-present"}


@pytest.mark.parametrize("multicast", [True, False])
def test_bitbucket(tmp_path: Path, multicast: bool) -> None:
    """A cluster is told by the way its nodes look for each other."""
    more = {"hazelcast.network.multicast": str(multicast).lower()}
    home = write_product_home(tmp_path, "bitbucket", more=more)
    assert told(read(ProductType.BITBUCKET, home)) == {"cluster.enabled": "yes" if multicast else "no"}


@pytest.mark.parametrize("place", ["shared/configuration", "xml-data/configuration"])
def test_bamboo(tmp_path: Path, place: str) -> None:
    """Build from bamboo.cfg.xml, base URL from administration.xml of either age, without user and query."""
    home = write_product_home(tmp_path, "bamboo")
    (home / place).mkdir(parents=True)
    (home / place / "administration.xml").write_text(ADMINISTRATION)
    write_pom(tmp_path / "install", WEBAPPS[ProductType.BAMBOO], "version=9.6.4\n")
    reading = read(ProductType.BAMBOO, home, tmp_path / "install")
    assert told(reading) == {
        "product.version": "9.6.4",
        "product.build": "9012",
        "instance.base_url": "https://build.example.com/bamboo",
    }


@pytest.mark.parametrize("text", ["<config>", "<!DOCTYPE a []><a><myBaseUrl>http://x.example.com</myBaseUrl></a>", ""])
def test_bamboo_without_base_url(tmp_path: Path, text: str) -> None:
    """A damaged administration.xml costs the base URL only."""
    home = write_product_home(tmp_path, "bamboo")
    (home / "xml-data" / "configuration").mkdir(parents=True)
    (home / "xml-data" / "configuration" / "administration.xml").write_text(text)
    assert told(read(ProductType.BAMBOO, home)) == {"product.build": "9012"}


def test_crowd(tmp_path: Path) -> None:
    """Server ID from crowd.cfg.xml."""
    home = write_product_home(tmp_path, "crowd", more={"crowd.server.id": "CRWD-0000-1111-2222"})
    write_pom(tmp_path / "install", WEBAPPS[ProductType.CROWD], "version=5.2.3\n")
    reading = read(ProductType.CROWD, home, tmp_path / "install")
    assert told(reading) == {"product.version": "5.2.3", "instance.server_id": "CRWD-0000-1111-2222"}


@pytest.mark.parametrize(("cluster", "word"), [(None, "no"), ("jira.node.id = planted-node\n", "yes")])
def test_jira(tmp_path: Path, cluster: str | None, word: str) -> None:
    """Clustered when there is a cluster.properties; the node's name is not in the reading."""
    home = write_home(tmp_path, cluster=cluster)
    reading = read(ProductType.JIRA, home)
    assert told(reading) == {"cluster.enabled": word}
    assert "planted" not in repr(reading)


@pytest.mark.parametrize("product", ["confluence", "bitbucket", "bamboo", "crowd"])
def test_no_secret_of_the_files(tmp_path: Path, product: str) -> None:
    """Licence text and keys stand in the same files and are in no reading."""
    words = repr(read(ProductType(product), write_product_home(tmp_path, product)))
    assert not any(secret in words for secret in (*SECRETS, "pl4in"))


LICENCES = {"confluence": "atlassian.license.message", "bamboo": "license.string", "crowd": "license"}


@pytest.mark.parametrize("product", LICENCES)
def test_the_licence_in_the_products_file(tmp_path: Path, product: str) -> None:
    """Kept is what is on the list; who bought it and how to reach them is nowhere in the reading."""
    home = write_product_home(tmp_path, product, more={LICENCES[product]: licence_text()})
    reading = read(ProductType(product), home)
    found = {metric: value for metric, value in told(reading).items() if metric.startswith("licence.")}
    assert found == {
        "licence.sen": "SEN-12345678",
        "licence.kind": "commercial",
        "licence.users": 2000,
        "licence.expires": "2027-01-31T00:00:00Z",
        "licence.maintenance_ends": "2027-01-31T00:00:00Z",
    }
    (kind,) = [sample for sample in reading.samples if sample.series.metric == "licence.kind"]
    assert dict(kind.attributes) == {"data_center": "true", "evaluation": "false", "user_limit": "limited"}
    assert not [word for word in PLANTED if word in repr(reading)]


@pytest.mark.parametrize("product", LICENCES)
def test_no_licence_and_one_that_cannot_be_read(tmp_path: Path, product: str) -> None:
    """Absent, in another form, switched off: no value, and the reason; the rest of the home is read all the same."""
    key = LICENCES[product]
    for number, (text, reason, switched_on) in enumerate(
        [(" ", "not-present", True), ("Planted text", "not-supported", True), (licence_text(), "not-present", False)]
    ):
        home = write_product_home(tmp_path / str(number), product, more={key: text})
        reading = read(ProductType(product), home, licence=switched_on)
        reasons = {item.reason for item in reading.failures if item.metric.startswith("licence.")}
        assert reasons == {reason}, text
        assert [metric for metric in told(reading) if metric.startswith("licence.")] == []
        assert "Planted" not in repr(reading)
