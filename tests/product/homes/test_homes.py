"""Homes of every product: understood, or refused with every mistake named and none of their secrets told.

What one product alone has stands in test_jira.py and test_others.py.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from agent.errors import SourceError
from agent.product import Clustering, read_database_access, read_home
from agent.product.homes.dispatch import DATABASE_FINDERS, NODE_READERS
from agent.settings import ProductType
from tests.support.any_home import (
    ENCRYPTED,
    FILES,
    JIRA,
    SETTING,
    URL_KEYS,
    USER_KEYS,
    refused,
    settings_for,
    write_any_home,
)
from tests.support.folders import open_to_all
from tests.support.product_homes import PASSWORD, SECRETS

CONFLUENCE, BITBUCKET, CROWD = ProductType.CONFLUENCE, ProductType.BITBUCKET, ProductType.CROWD
# Without a cluster set up only these two say that there is none.
TOLD = {JIRA: Clustering.NO, ProductType.CONFLUENCE: Clustering.NO}
HIBERNATE = (CONFLUENCE, ProductType.BAMBOO, CROWD)
every_product = pytest.mark.parametrize("product", ProductType)


def test_every_product_has_a_reader() -> None:
    """Each product the configuration may name has a reader for its home and one for its login."""
    assert set(NODE_READERS) == set(DATABASE_FINDERS) == set(ProductType)


@every_product
def test_plain_home(tmp_path: Path, product: ProductType) -> None:
    """Address, user and password as the product uses them; licence and keys are nowhere; the build where it is told."""
    home = write_any_home(tmp_path, product)
    facts = read_home(product, home)
    node = facts.node
    assert str(facts.database.address) == "postgresql db.example.com:5432/product"
    assert (facts.database.user, facts.database.encrypted) == ("product_user", False)
    assert (node.clustering, node.node_name) == (TOLD.get(product, Clustering.UNKNOWN), "")
    assert facts.database.password is not None
    assert facts.database.password.reveal() == PASSWORD
    assert facts.database.schema == ("public" if product is JIRA else "")
    assert node.shared_home == (home if product is CONFLUENCE else home / "shared")
    assert node.build == ("9012" if product in HIBERNATE else "")
    assert home / FILES[product] in node.files
    assert not any(word in repr(facts) for word in (PASSWORD, *SECRETS))


@every_product
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
    assert str(read_home(product, write_any_home(tmp_path, product, url=url)).database.address).startswith(shown)


@every_product
@pytest.mark.parametrize("by_class", [True, False])
def test_encrypted_password_is_recognised(tmp_path: Path, product: ProductType, by_class: bool) -> None:
    """Both markers are seen, at set-up and at run time; what stands there is not taken for a password."""
    more = ENCRYPTED[product] if by_class else {}
    home = write_any_home(tmp_path, product, password="c2VjcmV0" if by_class else "{ATL_SECURED}", more=more)
    database = read_home(product, home).database
    assert (database.encrypted, database.password) == (True, None)
    with pytest.raises(SourceError) as caught:
        read_database_access(settings_for(product, home))
    assert caught.value.reason == "password-encrypted"


@every_product
def test_login_is_read_anew_each_time(tmp_path: Path, product: ProductType) -> None:
    """A password that the product changes is the one used next."""
    home = write_any_home(tmp_path, product, password="first-Word")
    path = home / FILES[product]
    for word in ("first-Word", "second-Word"):
        path.write_text(path.read_text().replace("first-Word", word))
        login = read_database_access(settings_for(product, home))
        assert login.password is not None
        assert (login.user, login.password.reveal()) == ("product_user", word)


@every_product
def test_all_mistakes_are_named_together(tmp_path: Path, product: ProductType) -> None:
    """A wrong URL, an unusable user and a shared home that is not there: one refusal says all of it, with the keys."""
    user = "" if product is BITBUCKET else "two\nlines"
    home = write_any_home(tmp_path, product, url="jdbc:db2://x", user=user)
    text = refused(product, home, None if product in (BITBUCKET, CROWD) else tmp_path / "no")
    assert URL_KEYS[product] in text
    assert "names a database that is not known" in text
    if user:
        assert f"{USER_KEYS[product]}: is too long or holds control characters" in text
    if product not in (BITBUCKET, CROWD):
        assert "there is no folder" in text


@every_product
def test_missing_login_is_named(tmp_path: Path, product: ProductType) -> None:
    """No user and no URL each have their own words; the built-in database is told as that."""
    home = write_any_home(tmp_path / "user", product, user="")
    assert f"{USER_KEYS[product]}: is missing or empty" in refused(product, home)
    home = write_any_home(tmp_path / "url", product, url="")
    assert f"{URL_KEYS[product]}: is missing or empty" in refused(product, home)
    home = write_any_home(tmp_path / "h2", product, url="jdbc:h2:/var/product/db")
    assert "H2" in refused(product, home)


@every_product
def test_missing_files_and_folders(tmp_path: Path, product: ProductType) -> None:
    """No home, no file, a pipe in its place: each is named, without waiting."""
    assert "There is no" in refused(product, tmp_path / "nowhere")
    home = write_any_home(tmp_path, product)
    (home / FILES[product]).unlink()
    assert Path(FILES[product]).name in refused(product, home)
    os.mkfifo(home / FILES[product])
    assert "not a regular file" in refused(product, home)


@pytest.mark.parametrize("product", [product for product in ProductType if product is not BITBUCKET])
@pytest.mark.parametrize(
    ("broken", "word"),
    [
        ("tag", "not well-formed"),
        ("entity", "DOCTYPE"),
        ("root", "root element"),
        ("large", "larger than 1 MiB"),
        ("deep", "nested too deeply"),
        ("encoding", "encoding"),
        ("empty", "not well-formed"),
    ],
)
def test_broken_file_is_named(tmp_path: Path, product: ProductType, broken: str, word: str) -> None:
    """Each kind of broken XML has its own words and the file's name, and no secret is in them."""
    home = write_any_home(tmp_path, product)
    path = home / FILES[product]
    text = path.read_text()
    head, body = text.split("\n", 1)
    root = body.lstrip()[1:].split(">", 1)[0]
    changed = {
        "tag": text.replace("</", "<", 1),
        "entity": f'{head}<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>{body}',
        "root": text.replace(root, "other"),
        "large": text + "<!-- " + "x" * 2_000_000 + " -->",
        "deep": f"{head}<{root}>" + "<a>" * 5000,
        "encoding": text.replace("UTF-8", "no-such-code"),
        "empty": "",
    }
    path.write_text(changed[broken])
    said = refused(product, home)
    assert word in said
    assert path.name in said
    assert "root:x" not in said


@pytest.mark.parametrize("product", [product for product in ProductType if product is not BITBUCKET])
def test_data_source_is_explained(tmp_path: Path, product: ProductType) -> None:
    """A database configured in the application server leads to the agent's own account."""
    home = write_any_home(tmp_path, product, url="", more=SETTING[product])
    assert "application server (JNDI)" in refused(product, home)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become another user")
@every_product
def test_unreadable_file_names_the_grant(tmp_path: Path, product: ProductType) -> None:
    """Requirement C3: the message says who may not read and which command lets the agent read it alone."""
    open_to_all(tmp_path)
    home = write_any_home(tmp_path, product)
    (home / FILES[product]).chmod(0o600)
    script = (
        "import os, sys\nfrom pathlib import Path\nfrom agent.product.homes.dispatch import read_product_database\n"
        "from agent.settings import ProductType\nos.setgid(65534)\nos.setuid(65534)\n"
        "from agent.system.access import barred\n"
        "try:\n read_product_database(ProductType(sys.argv[1]), Path(sys.argv[2]))\n"
        "except PermissionError as error:\n words = barred(Path(error.filename)); print(words.why); print(words.do)\n"
    )
    command = [sys.executable, "-c", script, product.value, str(home)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert f"may not read {home / FILES[product]}" in done.stdout
    # Where the service is installed on this machine its account has the rights, and root reads as it does.
    assert f"setfacl -m u:nobody:rX {home / FILES[product]}" in done.stdout or "as root" in done.stdout
