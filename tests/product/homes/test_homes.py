"""A Jira home is understood, or refused with all of its mistakes named and none of its secrets told."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent.errors import ConfigError
from agent.product import read_home, read_product_facts
from agent.product.homes.dispatch import DATABASE_READERS, HOME_READERS
from agent.product.homes.formats import Malformed, read_elements, read_properties
from agent.settings import InstanceSettings, ProductType, Settings
from tests.support.folders import open_to_all
from tests.support.homes import write_home

JIRA = ProductType.JIRA
CLUSTER = "jira.node.id = node\\u0031\njira.shared.home={shared}\n# comment\nehcache.object.port=40011"


def refused(home: Path, shared: Path | None = None) -> str:
    """The text of the refusal."""
    with pytest.raises(ConfigError) as caught:
        read_home(JIRA, home, shared)
    assert caught.value.exit_code == 10
    return str(caught.value)


def test_home_outside_a_cluster(tmp_path: Path) -> None:
    """No cluster.properties: not clustered, the shared home is shared/ in the home."""
    facts = read_home(JIRA, write_home(tmp_path))
    assert (facts.clustered, facts.node_name) == (False, "")
    assert facts.shared_home == tmp_path / "jira-home" / "shared"
    assert str(facts.database.address) == "postgresql db.example.com:5432/jira"
    assert (facts.database.user, facts.database.schema, facts.database.encrypted) == ("jira_user", "public", False)
    assert facts.database.password is not None
    assert facts.database.password.reveal() == "pl4in-Pass"
    assert "pl4in-Pass" not in repr(facts)


def test_home_without_shared_folder_is_its_own(tmp_path: Path) -> None:
    """A single server without shared/ keeps its attachments in the home: that is its shared home."""
    home = write_home(tmp_path)
    (home / "shared").rmdir()
    assert read_home(JIRA, home).shared_home == home


def test_cluster_node(tmp_path: Path) -> None:
    """cluster.properties gives node and shared home; Java's escapes are read; the command line may override."""
    shared = tmp_path / "on nfs"
    shared.mkdir()
    home = write_home(tmp_path, cluster=CLUSTER.format(shared=str(shared).replace(" ", "\\ ")))
    facts = read_home(JIRA, home)
    assert (facts.clustered, facts.node_name, facts.shared_home) == (True, "node1", shared)
    assert read_home(JIRA, home, tmp_path).shared_home == tmp_path


@pytest.mark.parametrize(
    "password", ["a&amp;b&lt;c", "sp ace ", "&#x24;&#36;", "ünïcødé", "<![CDATA[<&>]]>", "back\\slash%s"]
)
def test_password_is_read_as_the_product_reads_it(tmp_path: Path, password: str) -> None:
    """XML escapes are resolved, blanks are kept: the password is exactly what Jira uses."""
    expected = {"a&amp;b&lt;c": "a&b<c", "&#x24;&#36;": "$$", "<![CDATA[<&>]]>": "<&>"}.get(password, password)
    secret = read_home(JIRA, write_home(tmp_path, password=password)).database.password
    assert secret is not None
    assert secret.reveal() == expected


@pytest.mark.parametrize(
    ("password", "extra"),
    [
        ("{ATL_SECURED}", ""),
        (
            "c2VjcmV0",
            "<atlassian-password-cipher-provider>com.example.Cipher</atlassian-password-cipher-provider>",
        ),
    ],
)
def test_encrypted_password_is_recognised(tmp_path: Path, password: str, extra: str) -> None:
    """Both ways a product hides its password are seen, and what stands there is not taken for a password."""
    database = read_home(JIRA, write_home(tmp_path, password=password, extra=extra)).database
    assert database.encrypted
    assert database.password is None


def test_all_mistakes_of_a_home_are_named_together(tmp_path: Path) -> None:
    """Database type, URL, node id and shared home wrong: one error says all four."""
    home = write_home(tmp_path, kind="paradox", url="jdbc:db2://x", cluster="jira.shared.home=rel/ative\n")
    text = refused(home)
    for word in ("'paradox' is not known", "jdbc-datasource/url", "jira.node.id: is missing", "not an absolute path"):
        assert word in text


@pytest.mark.parametrize(
    ("change", "word"),
    [
        (lambda text: None, "is missing"),
        (lambda text: "", "not well-formed"),
        (lambda text: text.replace("</jdbc-datasource>", ""), "line "),
        (lambda text: "<other/>", "root element 'other'"),
        (lambda text: text.replace("<url>", "<uri>").replace("</url>", "</uri>"), "url: is missing"),
        (lambda text: text.replace("jira_user", " "), "username: is missing"),
        (lambda text: text.replace("postgres72", "mysql8"), "is for postgresql, but database-type is 'mysql8'"),
        (lambda text: text.replace("postgres72", "h2"), "evaluation"),
        (lambda text: text.replace("public", "pub'; lic"), "schema-name"),
        (
            lambda text: text.replace(
                "<jira-database-config>",
                '<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><jira-database-config>',
                1,
            ),
            "DOCTYPE",
        ),
        (lambda text: text + "<!-- " + "x" * 2_000_000 + " -->", "larger than 1 MiB"),
        (lambda text: "<jira-database-config>" + "<a>" * 5000, "nested too deeply"),
        (lambda text: text.replace("UTF-8", "no-such-code"), "encoding"),
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
    assert "root:x" not in said


def test_billion_laughs_is_refused_at_once(tmp_path: Path) -> None:
    """Nested entities never expand: the DOCTYPE is refused before them."""
    home = write_home(tmp_path)
    levels = "".join(f'<!ENTITY l{i} "{f"&l{i - 1};" * 10}">' for i in range(1, 10))
    (home / "dbconfig.xml").write_text(
        f'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY l0 "lol">{levels}]>'
        "<jira-database-config>&l9;</jira-database-config>"
    )
    assert "DOCTYPE" in refused(home)


def test_no_home_and_strange_files(tmp_path: Path) -> None:
    """A home that is not there, a pipe in place of dbconfig.xml: named, without waiting."""
    assert "no Jira home" in refused(tmp_path / "nowhere")
    home = write_home(tmp_path)
    (home / "dbconfig.xml").unlink()
    os.mkfifo(home / "dbconfig.xml")
    assert "not a regular file" in refused(home)


def test_jndi_is_explained(tmp_path: Path) -> None:
    """A database configured in the application server leads to the agent's own account."""
    home = write_home(tmp_path)
    path = home / "dbconfig.xml"
    path.write_text(
        "<jira-database-config><database-type>postgres72</database-type>"
        "<jndi-datasource><jndi-name>java:comp/env/jdbc/JiraDS</jndi-name></jndi-datasource></jira-database-config>"
    )
    assert 'login = "own"' in refused(home)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become another user")
def test_unreadable_dbconfig_names_the_grant(tmp_path: Path) -> None:
    """Requirement C3: the message says who owns the file and which command lets the agent read it alone."""
    open_to_all(tmp_path)
    home = write_home(tmp_path)
    (home / "dbconfig.xml").chmod(0o600)
    script = (
        "import os, sys\nfrom pathlib import Path\nfrom agent.product.homes import jira\n"
        "os.setgid(65534)\nos.setuid(65534)\n"
        "try:\n jira.read_jira_home(Path(sys.argv[1]), None)\nexcept Exception as error:\n print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", script, str(home)], capture_output=True, text=True, check=True)
    assert "uid 0, mode 0600" in done.stdout
    assert f"setfacl -m u:portfolio-agent:r {home / 'dbconfig.xml'}" in done.stdout


def test_every_product_has_a_reader() -> None:
    """Each product the configuration may name has a reader for its home and one for its login."""
    assert set(HOME_READERS) == set(DATABASE_READERS) == set(ProductType)


def test_named_shared_home_mends_a_wrong_one(tmp_path: Path) -> None:
    """The message says to name the shared home: then what cluster.properties says of it counts no more."""
    home = write_home(tmp_path, cluster="jira.node.id=one\njira.shared.home=rel/ative\n")
    assert "name it with --shared-home" in refused(home)
    assert read_home(JIRA, home, tmp_path).shared_home == tmp_path


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
        assert read_home(JIRA, home).clustered
