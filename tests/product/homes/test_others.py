"""What a home of Confluence, Bitbucket or Crowd alone has; test_homes.py has what all share."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.product import Clustering, read_database_access, read_home, read_product_facts
from agent.settings import ProductType
from tests.support.any_home import refused, settings_for
from tests.support.product_homes import SECRETS, hibernate_file, write_product_home

CONFLUENCE = ProductType.CONFLUENCE


def cluster(shared: str) -> dict[str, str]:
    return {
        "confluence.cluster": "true",
        "confluence.cluster.home": shared,
        "confluence.cluster.node.name": "node-one",
        "confluence.cluster.peers": "192.0.2.11",
    }


def test_confluence_cluster_node(tmp_path: Path) -> None:
    """Node name and shared home come from the file; the command line may override the shared home."""
    shared = tmp_path / "on nfs"
    shared.mkdir()
    home = write_product_home(tmp_path, CONFLUENCE, more=cluster(str(shared)))
    node = read_home(CONFLUENCE, home).node
    assert (node.clustering, node.node_name, node.shared_home) == (Clustering.YES, "node-one", shared)
    assert read_home(CONFLUENCE, home, tmp_path).node.shared_home == tmp_path
    assert read_product_facts(settings_for(CONFLUENCE, home, shared)).node_name == "node-one"


@pytest.mark.parametrize("placeholder", ["${confluenceHome}", "${localHome}"])
def test_confluence_placeholders(tmp_path: Path, placeholder: str) -> None:
    """Both names of the file's folder are put in; another is refused, unless the admin names the place."""
    home = write_product_home(tmp_path / "a", CONFLUENCE, more=cluster(f"{placeholder}/shared"))
    assert read_home(CONFLUENCE, home).node.shared_home == home / "shared"
    other = write_product_home(tmp_path / "b", CONFLUENCE, more=cluster("${elsewhere}/shared"))
    assert "placeholder that is not known" in refused(CONFLUENCE, other)
    assert read_home(CONFLUENCE, other, tmp_path).node.shared_home == tmp_path


@pytest.mark.parametrize(
    ("shared", "word"),
    [("rel/ative", "not an absolute path"), ("/a/../etc", "not an absolute"), ("/none", "no folder")],
)
def test_confluence_shared_home_must_be_there(tmp_path: Path, shared: str, word: str) -> None:
    """A shared home that cannot be one is named with its key."""
    text = refused(CONFLUENCE, write_product_home(tmp_path, CONFLUENCE, more=cluster(shared)))
    assert "confluence.cluster.home" in text
    assert word in text


def test_confluence_leftover_of_a_cluster(tmp_path: Path) -> None:
    """`confluence.cluster` false counts, whatever other keys are left."""
    home = write_product_home(tmp_path, CONFLUENCE, more={**cluster(str(tmp_path)), "confluence.cluster": "false"})
    assert read_home(CONFLUENCE, home).node.clustering is Clustering.NO


def test_confluence_shared_home_beside_the_rest(tmp_path: Path) -> None:
    """Outside a cluster `shared-home` in the home is the shared home when it is there."""
    home = write_product_home(tmp_path, CONFLUENCE)
    (home / "shared-home").mkdir()
    assert read_home(CONFLUENCE, home).node.shared_home == home / "shared-home"


def test_confluence_copy_of_the_shared_home_is_told_apart(tmp_path: Path) -> None:
    """The shared home's file of the same name has no database: the words lead to the local home."""
    (tmp_path / "confluence.cfg.xml").write_text(
        hibernate_file("confluence-configuration", {"jwt.private.key": SECRETS[1], "confluence.cluster": "true"})
    )
    assert "copy of the shared home" in refused(CONFLUENCE, tmp_path)


def test_bitbucket_cluster(tmp_path: Path) -> None:
    """A way for nodes to find each other means a cluster; the shared home may lie elsewhere."""
    more = {"hazelcast.network.tcpip": "true", "hazelcast.network.multicast": "false"}
    home = write_product_home(tmp_path, ProductType.BITBUCKET, more=more)
    assert read_home(ProductType.BITBUCKET, home).node.clustering is Clustering.YES
    shared = (home / "shared").rename(tmp_path / "elsewhere")
    assert "no folder" in refused(ProductType.BITBUCKET, home)
    assert read_home(ProductType.BITBUCKET, home, shared).node.shared_home == shared
    assert read_database_access(settings_for(ProductType.BITBUCKET, home, shared)).user == "product_user"


def test_crowd_before_3(tmp_path: Path) -> None:
    """The file of an old Crowd lies in the home itself; the one in the shared home counts when there are both."""
    home = write_product_home(tmp_path, ProductType.CROWD)
    old = home / "crowd.cfg.xml"
    text = (home / "shared" / "crowd.cfg.xml").read_text()
    old.write_text(text.replace("db.example.com", "old.example.com"))
    assert read_home(ProductType.CROWD, home).database.address.host == "db.example.com"
    (home / "shared" / "crowd.cfg.xml").unlink()
    facts = read_home(ProductType.CROWD, home)
    assert (facts.database.address.host, facts.node.files) == ("old.example.com", (old,))
