"""`init` and then `sample` beside each product on real databases: no demo, no shortcut."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.settings import DatabaseLogin, load_settings
from tests.support.command import run_here
from tests.support.mariadb import MariaDbServer, mariadb
from tests.support.postgres import PostgresServer, postgres
from tests.support.product_databases import (
    ACCOUNT,
    ACCOUNT_PASSWORD,
    COUNTS,
    PLANTED,
    PRODUCTS,
    fill_mariadb,
    fill_postgres,
    fill_sqlite,
)
from tests.support.product_homes import PASSWORD, SECRETS, write_product_home

__all__ = ["mariadb", "postgres"]  # the fixtures

pytestmark = pytest.mark.parametrize("product", PRODUCTS)


def sampled(tmp_path: Path, product: str, url: str, user: str, password: str) -> dict[str, object]:
    """Guardrails of one tick after `init` on a home with this login."""
    home = write_product_home(tmp_path, product, url=url, user=user, password=password)
    config = tmp_path / "agent.toml"
    done = run_here(
        "init", "--product", product, "--home", home, "--output", config, "--state-dir", tmp_path / "state", "--offline"
    )
    assert done.code == 0, done.err
    assert load_settings(config).database.login is DatabaseLogin.PRODUCT
    # No JVM stands here: its source is switched off as an admin would do it.
    config.write_text(config.read_text().replace("[jmx]\n", "[jmx]\nenabled = false\n", 1))
    done = run_here("sample", "--config", config, "--json")
    assert done.code == 0, done.err + done.out
    said = done.out + done.err + config.read_text()
    assert not any(secret in said for secret in (PLANTED, password or PLANTED, *SECRETS))
    rows = done.json["samples"]
    assert all(row["sent"] for row in rows if row["source"] == "guardrails")
    counted = [row for row in rows if row["source"] == "guardrails" and not row["metric"].startswith("database.")]
    return {row["metric"]: row["value"] for row in counted}


def test_sqlite(tmp_path: Path, product: str) -> None:
    """Every guardrail of the product in one tick, from its embedded stand-in."""
    path = fill_sqlite(product, tmp_path / "db")
    assert sampled(tmp_path, product, f"jdbc:sqlite:{path}", "", "") == COUNTS[product]


def test_postgresql(tmp_path: Path, postgres: PostgresServer, product: str) -> None:
    """Every guardrail in one tick, with the login that the product's own file holds."""
    url = f"jdbc:postgresql://{postgres.host}:{postgres.port}/{fill_postgres(product, postgres)}"
    assert sampled(tmp_path, product, url, postgres.superuser, postgres.password) == COUNTS[product]


def test_mariadb(tmp_path: Path, mariadb: MariaDbServer, product: str) -> None:
    """The same on MariaDB, with names in the case they have there."""
    url = f"jdbc:mysql://{mariadb.host}:{mariadb.port}/{fill_mariadb(product, mariadb)}?useSSL=false"
    assert sampled(tmp_path, product, url, ACCOUNT, ACCOUNT_PASSWORD) == COUNTS[product]


def test_refusal_names_every_mistake(tmp_path: Path, product: str) -> None:
    """A home with several faults: exit 10, all of them, no configuration, no secret."""
    home = write_product_home(tmp_path, product, url="nonsense", user="")
    config = tmp_path / "agent.toml"
    done = run_here("init", "--product", product, "--home", home, "--output", config, "--jmx-port", "99999")
    assert done.code == 10
    for word in ("does not begin with jdbc:", "is missing or empty", "jmx.port"):
        assert word in done.err
    assert not any(word in done.err + done.out for word in (PASSWORD, *SECRETS, "Traceback"))
    assert not config.exists()


def test_product_is_told_by_its_home(tmp_path: Path, product: str) -> None:
    """Without --product the file that names the database tells whose home it is."""
    home = write_product_home(tmp_path, product)
    done = run_here("init", "--home", home, "--output", tmp_path / "agent.toml", "--json")
    assert done.code == 0, done.err
    found = done.json["found"]
    assert (found["product"], found.get("build")) == (product, None if product == "bitbucket" else "9012")


def test_index_on_disk(tmp_path: Path, product: str) -> None:
    """Confluence's index is measured where it lies by default, the folders in it too; the others have none."""
    home = write_product_home(tmp_path, product, url=f"jdbc:sqlite:{fill_sqlite(product, tmp_path / 'db')}")
    (home / "index" / "edge").mkdir(parents=True)
    (home / "index" / "_1.cfs").write_bytes(b"x" * 3000)
    (home / "index" / "edge" / "_1.cfs").write_bytes(b"x" * 500)
    config = tmp_path / "agent.toml"
    assert run_here("init", "--home", home, "--output", config, "--state-dir", tmp_path / "state").code == 0
    rows = run_here("sample", "--config", config, "--json").json["samples"]
    found = [(row["metric"], row["value"]) for row in rows if row["source"] == "folders"]
    assert found == ([("confluence.guardrail.index.bytes", 3500)] if product == "confluence" else [])
