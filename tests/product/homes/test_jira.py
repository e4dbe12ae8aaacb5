"""What a Jira home alone has: odd forms of dbconfig.xml and cluster.properties; test_homes.py has what all share."""

from __future__ import annotations

import contextlib
import socket
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent.errors import ConfigError
from agent.product import Clustering, read_home, read_product_facts
from agent.product.homes.formats import Malformed, read_elements, read_properties
from agent.settings import InstanceSettings, Settings
from tests.support import any_home
from tests.support.any_home import JIRA
from tests.support.homes import write_home

CLUSTER = "jira.node.id = node\\u0031\njira.shared.home={shared}\n# comment\nehcache.object.port=40011"


def refused(home: Path) -> str:
    """The text of the refusal."""
    return any_home.refused(JIRA, home)


def test_home_without_shared_folder_is_its_own(tmp_path: Path) -> None:
    """A single server without shared/ keeps its attachments in the home: that is its shared home."""
    home = write_home(tmp_path)
    (home / "shared").rmdir()
    assert read_home(JIRA, home).node.shared_home == home


def test_cluster_node(tmp_path: Path) -> None:
    """cluster.properties gives node and shared home; Java's escapes are read; the command line may override."""
    shared = tmp_path / "on nfs"
    shared.mkdir()
    home = write_home(tmp_path, cluster=CLUSTER.format(shared=str(shared).replace(" ", "\\ ")))
    node = read_home(JIRA, home).node
    assert (node.clustering, node.node_name, node.shared_home) == (Clustering.YES, "node1", shared)
    assert read_home(JIRA, home, tmp_path).node.shared_home == tmp_path


@pytest.mark.parametrize(
    "password", ["a&amp;b&lt;c", "sp ace ", "&#x24;&#36;", "ünïcødé", "<![CDATA[<&>]]>", "back\\slash%s"]
)
def test_password_is_read_as_the_product_reads_it(tmp_path: Path, password: str) -> None:
    """XML escapes are resolved, blanks are kept: the password is exactly what Jira uses."""
    expected = {"a&amp;b&lt;c": "a&b<c", "&#x24;&#36;": "$$", "<![CDATA[<&>]]>": "<&>"}.get(password, password)
    secret = read_home(JIRA, write_home(tmp_path, password=password)).database.password
    assert secret is not None
    assert secret.reveal() == expected


def test_all_mistakes_of_a_home_are_named_together(tmp_path: Path) -> None:
    """Database type, URL, schema, node id and shared home wrong: one error says all five."""
    home = write_home(
        tmp_path, kind="paradox", url="jdbc:db2://x", schema="a'b", cluster="jira.shared.home=rel/ative\n"
    )
    text = refused(home)
    for word in ("'paradox' is not known", "jdbc-datasource/url", "schema-name", "jira.node.id: is missing"):
        assert word in text
    assert "not an absolute path" in text


@pytest.mark.parametrize(
    ("change", "word"),
    [
        (lambda text: None, "is missing"),
        (lambda text: text.replace("</jdbc-datasource>", ""), "line "),
        (lambda text: text.replace("<url>", "<uri>").replace("</url>", "</uri>"), "url: is missing"),
        (lambda text: text.replace("jira_user", " "), "username: is missing"),
        (lambda text: text.replace("postgres72", "mysql8"), "is for postgresql, but database-type is 'mysql8'"),
        (lambda text: text.replace("postgres72", "h2"), "evaluation"),
        (lambda text: text.replace("public", "pub'; lic"), "schema-name"),
    ],
)
def test_broken_dbconfig_is_named(tmp_path: Path, change: object, word: str) -> None:
    """Each kind of broken dbconfig.xml has its own words, and the password is in none of them."""
    home = write_home(tmp_path)
    path = home / "dbconfig.xml"
    assert callable(change)
    text = change(path.read_text())
    path.unlink() if text is None else path.write_text(text)
    said = refused(home)
    assert word in said
    assert "dbconfig.xml" in said
    assert "pl4in-Pass" not in said


def test_billion_laughs_is_refused_at_once(tmp_path: Path) -> None:
    """Nested entities never expand: the DOCTYPE is refused before them."""
    home = write_home(tmp_path)
    levels = "".join(f'<!ENTITY l{i} "{f"&l{i - 1};" * 10}">' for i in range(1, 10))
    (home / "dbconfig.xml").write_text(
        f'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY l0 "lol">{levels}]>'
        "<jira-database-config>&l9;</jira-database-config>"
    )
    assert "DOCTYPE" in refused(home)


def test_named_shared_home_mends_a_wrong_one(tmp_path: Path) -> None:
    """The message says to name the shared home: then what cluster.properties says of it counts no more."""
    home = write_home(tmp_path, cluster="jira.node.id=one\njira.shared.home=rel/ative\n")
    assert "name it with --shared-home" in refused(home)
    assert read_home(JIRA, home, tmp_path).node.shared_home == tmp_path


def test_node_name_is_the_hosts_outside_a_cluster(tmp_path: Path) -> None:
    """The node's name is the cluster's own where there is one, else the machine's; the version is left open."""
    home = write_home(tmp_path / "single")
    facts = read_product_facts(Settings(InstanceSettings(JIRA, home, home / "shared")))
    assert (facts.node_name, facts.clustered, facts.version) == (socket.gethostname(), False, "")
    node = write_home(tmp_path / "node", cluster=CLUSTER.format(shared=home / "shared"))
    facts = read_product_facts(Settings(InstanceSettings(JIRA, node, home / "shared")))
    assert (facts.node_name, facts.clustered) == ("node1", True)


@given(st.binary(max_size=400))
def test_any_bytes_are_elements_or_malformed(octets: bytes) -> None:
    """No bytes make the XML reader raise anything but Malformed."""
    for content in (octets, b"<r>" + octets + b"</r>", b"<r><a>" + octets):
        with contextlib.suppress(Malformed):
            assert set(read_elements(content, "r", ("a", "a/b"))) <= {"a", "a/b"}


@given(st.binary(max_size=400))
def test_any_bytes_are_properties(octets: bytes) -> None:
    """No bytes make the properties reader raise, and it returns only what was asked for."""
    assert set(read_properties(octets + b"\nk = v", ("k",))) <= {"k"}


@given(octets=st.binary(max_size=300))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
def test_any_files_are_a_home_or_a_config_error(octets: bytes, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Whatever stands in the two files, the answer is facts or ConfigError."""
    home = write_home(tmp_path_factory.mktemp("home"))
    (home / "cluster.properties").write_bytes(octets)
    with contextlib.suppress(ConfigError):
        assert read_home(JIRA, home).node.clustering in Clustering
