"""A guardrail for five databases is one entry and one `.sql`: added to a copy of the tree, and nothing else by hand.

docs/contributing.md tells the same walk in words.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import Engine

from agent.catalog import Catalog, load_catalog
from agent.catalog.model import DIALECTS
from agent.product.database.engine import open_engine
from agent.sources.guardrails.source import Guardrails
from tests.support import jira_database, roles
from tests.support.mariadb import MariaDbServer, mariadb
from tests.support.postgres import PostgresServer, postgres
from tests.support.sources import sqlite_engine

__all__ = ["mariadb", "postgres"]  # the fixtures

CHECKOUT = Path(__file__).parents[2]
ENTRY = """
[[metric]]
name = "jira.guardrail.attachments.issues"
description = "Issues that have attachments."
source = "guardrails"
type = "GUARDRAILS"
category = "configuration-and-usage"
consent = "basic"
data_type = "count"
unit = "{issue}"
kind = "gauge"
cost = "L"
reference = "schema of 8.11, observed"
sql = { query = "attachments_issues", column = "issues" }
attributes = { every_s = "measurement" }
"""
STATEMENT = """\
-- counts: issues that have attachments; reads the whole table
-- cost: L
-- versions: 8.3 and later
select count(distinct issueid) filter (where filesize > 0) as issues
from fileattachment
"""
COUNTED = 800  # jira_rows.sql gives each of 800 issues one
BY_HAND = {"agent/catalog/jira/guardrails.toml", "agent/catalog/jira/guardrails/attachments_issues.sql"}


def files(tree: Path) -> dict[str, str]:
    """Name and content's hash of every file but caches."""
    return {
        str(file.relative_to(tree)): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in tree.rglob("*")
        if file.is_file() and "__pycache__" not in file.parts and "compiled" not in file.parts
    }


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The walk: a copy of the tree, an entry, a statement, and the two commands that a contributor runs."""
    tree = tmp_path_factory.mktemp("walk")
    for name in ("agent", "scripts", "config", "docs", "requirements"):
        shutil.copytree(CHECKOUT / name, tree / name, ignore=shutil.ignore_patterns("__pycache__"))
    before = files(tree)
    with (tree / "agent" / "catalog" / "jira" / "guardrails.toml").open("a") as entries:
        entries.write(ENTRY)
    (tree / "agent" / "catalog" / "jira" / "guardrails" / "attachments_issues.sql").write_text(STATEMENT)
    assert changed(before, files(tree)) == BY_HAND
    run(tree, sys.executable, "-m", "agent.catalog")
    run(tree, "sh", "scripts/docs")
    return tree


def changed(before: dict[str, str], after: dict[str, str]) -> set[str]:
    return {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}


def run(tree: Path, *command: str) -> str:
    """What a command in the tree prints; its `python3` is this one."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    done = subprocess.run(command, cwd=tree, env={"PATH": path}, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


def catalog(tree: Path) -> Catalog:
    return load_catalog("jira", tree / "agent" / "catalog")


def counted(tree: Path, engine: Engine) -> object:
    """What the new guardrail gave."""
    reading = Guardrails(catalog(tree), lambda: engine).read(60)
    return {sample.series.metric: sample.value for sample in reading.samples}["jira.guardrail.attachments.issues"]


def test_five_databases_are_told(tree: Path) -> None:
    """Each in its own words, and the commands of the running agent show them."""
    query = catalog(tree).queries["attachments_issues"]
    texts = {dialect: " ".join((query.text(dialect) or "").split()) for dialect in DIALECTS}
    counts = "count(distinct case when filesize > 0 then issueid end) as issues"
    assert texts == {
        "postgresql": "select count(distinct issueid) filter (where filesize > 0) as issues from fileattachment",
        "sqlite": "select count(distinct issueid) filter (where filesize > 0) as issues from fileattachment",
        "mysql": f"select {counts} from fileattachment",
        "oracle": f"select {counts} from fileattachment",
        "sqlserver": f"select {counts.replace('count', 'count_big')} from fileattachment",
    }
    shown = run(tree, sys.executable, "-m", "agent.cli", "catalog", "show", "--product", "jira", "--sql")
    assert "jira.guardrail.attachments.issues  [{issue}, gauge]  Issues that have attachments.\n" in shown
    assert query.texts["mysql"] in shown


def test_it_is_counted_on_sqlite(tree: Path, tmp_path: Path) -> None:
    """The embedded database."""
    assert counted(tree, sqlite_engine(jira_database.fill_sqlite(tmp_path / "db"))) == COUNTED


def test_it_is_counted_on_postgresql_by_an_account_of_its_own(tree: Path, postgres: PostgresServer) -> None:
    """The role script of this tree grants the new column; that of before did not."""
    name = roles.fill_postgres("jira", postgres)
    roles.make_postgres_role(postgres, name, scripts=tree / "config" / "database")
    try:
        assert counted(tree, open_engine(roles.postgres_login(postgres, name), 10)) == COUNTED
    finally:
        roles.drop_postgres_role(postgres, name)


def test_it_is_counted_on_mariadb_by_an_account_of_its_own(tree: Path, mariadb: MariaDbServer) -> None:
    """The same on the other server."""
    name = roles.fill_mariadb("jira", mariadb)
    login = roles.make_mariadb_role(mariadb, name, scripts=tree / "config" / "database")
    assert counted(tree, open_engine(login, 10)) == COUNTED


def test_all_else_is_made(tree: Path) -> None:
    """The page of what is collected and the four role scripts; by hand two files were touched."""
    made = changed(files_of_checkout(), files(tree))
    roles_made = {f"config/database/{dialect}.sql" for dialect in ("postgresql", "mysql", "oracle", "sqlserver")}
    assert made == BY_HAND | {"docs/what-we-collect.md"} | roles_made
    assert "`jira.guardrail.attachments.issues`" in (tree / "docs" / "what-we-collect.md").read_text()
    for script in roles_made:
        before, after = (CHECKOUT / script).read_text(), (tree / script).read_text()
        assert "'filesize,issueid'" in after
        assert after.replace("'filesize,issueid'", "'filesize'") == before


def files_of_checkout() -> dict[str, str]:
    """The same folders where the walk began."""
    return {
        f"{name}/{file}": content
        for name in ("agent", "scripts", "config", "docs", "requirements")
        for file, content in files(CHECKOUT / name).items()
    }
