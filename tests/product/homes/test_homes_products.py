"""Homes of Confluence, Bitbucket, Bamboo and Crowd: understood, or refused with every mistake and without secrets."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from agent.errors import ConfigError, SourceError
from agent.product import read_database_access, read_home, read_product_facts
from agent.settings import InstanceSettings, ProductType, Settings
from tests.support.folders import open_to_all
from tests.support.product_homes import FILES, PASSWORD, SECRETS, hibernate_file, write_product_home

OTHERS = tuple(ProductType(name) for name in FILES)
HIBERNATE = tuple(product for product in OTHERS if product is not ProductType.BITBUCKET)
CIPHERS = {ProductType.BITBUCKET: "encrypted-property.cipher.classname"}
URL_KEYS = {ProductType.BITBUCKET: "jdbc.url"}
USER_KEYS = {ProductType.BITBUCKET: "jdbc.user"}
CONFLUENCE = ProductType.CONFLUENCE


def refused(product: ProductType, home: Path, shared: Path | None = None) -> str:
    """The text of the refusal; it never holds a secret."""
    with pytest.raises(ConfigError) as caught:
        read_home(product, home, shared)
    assert caught.value.exit_code == 10
    text = str(caught.value)
    assert not any(secret in text for secret in (PASSWORD, *SECRETS))
    return text


def settings_for(product: ProductType, home: Path, shared: Path | None = None) -> Settings:
    return Settings(InstanceSettings(product, home, shared or home / "shared"))


@pytest.mark.parametrize("product", OTHERS)
def test_plain_home(tmp_path: Path, product: ProductType) -> None:
    """Address, user and password as the product uses them; licence and keys are nowhere; the build where it is told."""
    home = write_product_home(tmp_path, product)
    facts = read_home(product, home)
    assert str(facts.database.address) == "postgresql db.example.com:5432/product"
    assert (facts.database.user, facts.database.encrypted, facts.clustered) == ("product_user", False, False)
    assert facts.database.password is not None
    assert facts.database.password.reveal() == PASSWORD
    assert facts.shared_home == (home if product is CONFLUENCE else home / "shared")
    assert facts.build == ("" if product is ProductType.BITBUCKET else "9012")
    assert facts.files == (home / FILES[product],)
    assert not any(word in repr(facts) for word in (PASSWORD, *SECRETS))


@pytest.mark.parametrize("product", OTHERS)
@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("jdbc:postgresql://db.example.com/wiki?targetServerType=master", "postgresql db.example.com:5432/wiki"),
        ("jdbc:mysql://db.example.com:3307/wiki?useSSL=false", "mysql db.example.com:3307/wiki"),
        ("jdbc:mariadb://db.example.com/wiki", "mysql db.example.com:3306/wiki"),
        ("jdbc:sqlserver://;serverName=db.example.com;portNumber=1433;databaseName=wiki", "sqlserver db.example.com"),
        ("jdbc:oracle:thin:@//db.example.com:1521/WIKI", "oracle db.example.com:1521/WIKI"),
        ("jdbc:oracle:thin:@db.example.com:1521:WIKI", "oracle db.example.com:1521/WIKI"),
    ],
)
def test_each_database(tmp_path: Path, product: ProductType, url: str, shown: str) -> None:
    """The URL of every database a product runs on is understood, as that product writes it."""
    assert str(read_home(product, write_product_home(tmp_path, product, url=url)).database.address).startswith(shown)


@pytest.mark.parametrize("product", OTHERS)
@pytest.mark.parametrize("by_class", [True, False])
def test_encrypted_password_is_recognised(tmp_path: Path, product: ProductType, by_class: bool) -> None:
    """Both markers are seen, at set-up and at run time; what stands there is not taken for a password."""
    more = {CIPHERS.get(product, "jdbc.password.decrypter.classname"): "com.example.Cipher"} if by_class else {}
    home = write_product_home(tmp_path, product, password="c2VjcmV0" if by_class else "{ATL_SECURED}", more=more)
    database = read_home(product, home).database
    assert (database.encrypted, database.password) == (True, None)
    with pytest.raises(SourceError) as caught:
        read_database_access(settings_for(product, home))
    assert caught.value.reason == "password-encrypted"


@pytest.mark.parametrize("product", OTHERS)
def test_login_is_read_anew_each_time(tmp_path: Path, product: ProductType) -> None:
    """A password that the product changes is the one used next."""
    home = write_product_home(tmp_path, product, password="first-Word")
    path = home / FILES[product]
    for word in ("first-Word", "second-Word"):
        path.write_text(path.read_text().replace("first-Word", word))
        login = read_database_access(settings_for(product, home))
        assert login.password is not None
        assert (login.user, login.password.reveal()) == ("product_user", word)


@pytest.mark.parametrize("product", OTHERS)
def test_all_mistakes_are_named_together(tmp_path: Path, product: ProductType) -> None:
    """A wrong URL, an unusable user and a shared home that is not there: one refusal says all of it, with the keys."""
    home = write_product_home(tmp_path, product, url="jdbc:db2://x", user="two\nlines" if product in HIBERNATE else "")
    text = refused(product, home, None if product in (ProductType.BITBUCKET, ProductType.CROWD) else tmp_path / "no")
    assert URL_KEYS.get(product, "hibernate.connection.url") in text
    assert "names a database that is not known" in text
    if product in HIBERNATE:
        assert "hibernate.connection.username: is too long or holds control characters" in text
    if product in (CONFLUENCE, ProductType.BAMBOO):
        assert "there is no folder" in text


@pytest.mark.parametrize("product", OTHERS)
def test_missing_login_is_named(tmp_path: Path, product: ProductType) -> None:
    """No user and no URL each have their own words; the built-in database is told as that."""
    home = write_product_home(tmp_path / "user", product, user="")
    assert f"{USER_KEYS.get(product, 'hibernate.connection.username')}: is missing or empty" in refused(product, home)
    home = write_product_home(tmp_path / "url", product, url="")
    assert f"{URL_KEYS.get(product, 'hibernate.connection.url')}: is missing or empty" in refused(product, home)
    home = write_product_home(tmp_path / "h2", product, url="jdbc:h2:/var/product/db")
    assert "H2" in refused(product, home)


@pytest.mark.parametrize("product", OTHERS)
def test_missing_files_and_folders(tmp_path: Path, product: ProductType) -> None:
    """No home, no file, a pipe in its place: each is named, without waiting."""
    assert "There is no" in refused(product, tmp_path / "nowhere")
    home = write_product_home(tmp_path, product)
    (home / FILES[product]).unlink()
    assert Path(FILES[product]).name in refused(product, home)
    os.mkfifo(home / FILES[product])
    assert "not a regular file" in refused(product, home)


@pytest.mark.parametrize("product", HIBERNATE)
@pytest.mark.parametrize(
    ("old", "new", "word"),
    [
        ("<properties>", "<properties", "not well-formed"),
        ('<?xml version="1.0" encoding="UTF-8"?>', '<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>', "DOCTYPE"),
        ("configuration>", "other>", "root element"),
        ("9012", "x" * 2_000_000, "larger than 1 MiB"),
    ],
)
def test_broken_file_is_named(tmp_path: Path, product: ProductType, old: str, new: str, word: str) -> None:
    """Each kind of broken file has its own words, and no secret is in them."""
    home = write_product_home(tmp_path, product)
    path = home / FILES[product]
    path.write_text(path.read_text().replace(old, new))
    assert word in refused(product, home)


@pytest.mark.parametrize("product", HIBERNATE)
def test_data_source_is_explained(tmp_path: Path, product: ProductType) -> None:
    """A database configured in the application server leads to the agent's own account."""
    more = {"hibernate.connection.datasource": "java:comp/env/jdbc/product"}
    assert 'login = "own"' in refused(product, write_product_home(tmp_path, product, url="", more=more))


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
    facts = read_home(CONFLUENCE, home)
    assert (facts.clustered, facts.node_name, facts.shared_home) == (True, "node-one", shared)
    assert read_home(CONFLUENCE, home, tmp_path).shared_home == tmp_path
    assert read_product_facts(settings_for(CONFLUENCE, home, shared)).node_name == "node-one"


@pytest.mark.parametrize("placeholder", ["${confluenceHome}", "${localHome}"])
def test_confluence_placeholders(tmp_path: Path, placeholder: str) -> None:
    """Both names of the file's folder are put in; another is refused, unless the admin names the place."""
    home = write_product_home(tmp_path / "a", CONFLUENCE, more=cluster(f"{placeholder}/shared"))
    assert read_home(CONFLUENCE, home).shared_home == home / "shared"
    other = write_product_home(tmp_path / "b", CONFLUENCE, more=cluster("${elsewhere}/shared"))
    assert "placeholder that is not known" in refused(CONFLUENCE, other)
    assert read_home(CONFLUENCE, other, tmp_path).shared_home == tmp_path


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
    assert not read_home(CONFLUENCE, home).clustered


def test_confluence_shared_home_beside_the_rest(tmp_path: Path) -> None:
    """Outside a cluster `shared-home` in the home is the shared home when it is there."""
    home = write_product_home(tmp_path, CONFLUENCE)
    (home / "shared-home").mkdir()
    assert read_home(CONFLUENCE, home).shared_home == home / "shared-home"


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
    assert read_home(ProductType.BITBUCKET, home).clustered
    shared = (home / "shared").rename(tmp_path / "elsewhere")
    assert "no folder" in refused(ProductType.BITBUCKET, home)
    assert read_home(ProductType.BITBUCKET, home, shared).shared_home == shared
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
    assert (facts.database.address.host, facts.files) == ("old.example.com", (old,))


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become another user")
@pytest.mark.parametrize("product", OTHERS)
def test_unreadable_file_names_the_grant(tmp_path: Path, product: ProductType) -> None:
    """The message says who owns the file and which command lets the agent read it alone."""
    open_to_all(tmp_path)
    home = write_product_home(tmp_path, product)
    (home / FILES[product]).chmod(0o600)
    script = (
        "import os, sys\nfrom pathlib import Path\nfrom agent.product.homes.dispatch import read_home\n"
        "from agent.settings import ProductType\nos.setgid(65534)\nos.setuid(65534)\n"
        "try:\n read_home(ProductType(sys.argv[1]), Path(sys.argv[2]))\nexcept Exception as error:\n print(error)\n"
    )
    command = [sys.executable, "-c", script, product.value, str(home)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "uid 0, mode 0600" in done.stdout
    assert f"setfacl -m u:portfolio-agent:r {home / FILES[product]}" in done.stdout
