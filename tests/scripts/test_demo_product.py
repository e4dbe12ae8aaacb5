"""The demo product is what it says: its beans, its home, its moving rows, and no process left behind."""

from __future__ import annotations

import socket
import subprocess
import threading
import time
import tomllib
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from scripts.demo_product.database import DemoDatabase, postgres_database, sqlite_database
from scripts.demo_product.home import write_home
from scripts.demo_product.processes import Children, Failed
from scripts.demo_product.product import running_product
from scripts.demo_product.rows import Movement, fill
from scripts.demo_product.run import set_key
from tests.support.servers import require


def count(database: DemoDatabase, table: str) -> int:
    """The rows of one table."""
    connection = database.connect()
    cursor = connection.cursor()
    cursor.execute(f"SELECT count(*) FROM {table}")  # a name from this file
    rows = int(cursor.fetchone()[0])
    connection.close()
    return rows


def check_moving(database: DemoDatabase) -> None:
    """Fill the database, let people work in it, and see the rows grow."""
    fill(database, issues=200)
    assert count(database, "jiraissue") == 200
    with Movement(database, every_s=0.01) as movement:
        pause, deadline = threading.Event(), time.monotonic() + 30
        while movement.added < 5 and time.monotonic() < deadline:
            pause.wait(0.01)
    assert movement.added >= 5
    assert count(database, "jiraissue") == 200 + movement.added


def test_sqlite_database_moves(tmp_path: Path) -> None:
    """The embedded database has Jira's tables and its rows grow while the demo runs."""
    check_moving(sqlite_database(tmp_path))


def test_postgres_database_moves() -> None:
    """The same schema and rows load into a PostgreSQL cluster of its own, which ends with its block."""
    require("postgres")
    with postgres_database() as database:
        check_moving(database)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", database.port), timeout=5)


def test_home_is_laid_out_as_jira_does(tmp_path: Path) -> None:
    """dbconfig.xml names the database and is private; cluster.properties names node and shared home."""
    database = sqlite_database(tmp_path)
    home = write_home(tmp_path, database, 8099)
    dbconfig = home / "dbconfig.xml"
    assert dbconfig.stat().st_mode & 0o777 == 0o600
    url = ElementTree.parse(dbconfig).findtext("jdbc-datasource/url")  # noqa: S314  # our own file
    assert url == database.jdbc_url
    assert f"jira.shared.home = {tmp_path / 'shared'}" in (home / "cluster.properties").read_text()


def test_jvm_answers_and_ends_with_us(tmp_path: Path) -> None:
    """The JVM serves Jira's and Tomcat's beans over RMI, reports a read of a trap, and is gone after the block."""
    require("java")
    import jmxquery

    jar = next(Path(jmxquery.__file__).parent.glob("*.jar"))
    with Children(tmp_path) as children, running_product(tmp_path, children, issues=50) as product:
        url = f"service:jmx:rmi:///jndi/rmi://127.0.0.1:{product.jmx_port}/jmxrmi"

        def read(query: str) -> str:
            command = ["java", "-jar", jar, "-url", url, "-json", "-query", query]
            return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout

        assert '"attribute" : "invocation.count"' in read("com.atlassian.jira:type=db.reads")
        assert "currentThreadsBusy" in read("Catalina:type=ThreadPool,*")
        assert "Mail of Erika Mustermann" in read("com.atlassian.jira:type=metrics,category00=mail,*")
        assert "NumActive" in read("com.atlassian.jira:name=BasicDataSource,connectionpool=connections")
        assert product.traps == []
        read("com.atlassian.jira:name=BasicDataSource,connectionpool=connections,connection=1")
        assert product.traps
        pid = product.jvm.child.pid
    assert not Path(f"/proc/{pid}").exists()


def test_a_helper_that_dies_is_named_with_its_last_words(tmp_path: Path) -> None:
    """A child that ends before it is ready fails the demo with what it wrote, not with a time-out."""
    with Children(tmp_path) as children:
        child = children.start("helper", ["sh", "-c", "echo no such thing >&2; exit 3"])
        with pytest.raises(Failed, match="helper ended with 3: no such thing"):
            child.wait_for_line("READY", 30)


@pytest.mark.parametrize(
    "text",
    ["", '[hour]\n# length = "1h"\n', '[hour]\nlength = "1h"\n\n[jmx]\nlength = 1\n', "[hour]\n[jmx]\nport = 1\n"],
)
def test_set_key_changes_one_key_only(text: str) -> None:
    """A key is set whether it was there, commented out or missing, and other sections stay as they are."""
    before, after = tomllib.loads(text), tomllib.loads(set_key(text, "hour", "length", '"20s"'))
    assert after.pop("hour") == {"length": "20s"}
    before.pop("hour", None)
    assert after == before
