"""Three agents beside one product: its guardrails leave once for each hour, also when the counting node is killed."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from agent.model import Role
from tests.support.cluster import Node, cluster, rows_per_hour, wait_for
from tests.support.jira_database import fill_mariadb, fill_postgres
from tests.support.mariadb import MariaDbServer, mariadb
from tests.support.postgres import PostgresServer, postgres
from tests.support.product_databases import fill_postgres as fill_product

__all__ = ["mariadb", "postgres"]  # the fixtures

METRIC = "jira.guardrail.projects"


def counting(nodes: list[Node]) -> Node | None:
    """The running node that counted at its last tick, when there is just one."""
    found = [
        node
        for node in nodes
        if node.process is not None and (state := node.state()) is not None and state.role is Role.COUNTING
    ]
    return found[0] if len(found) == 1 else None


def counted(node: Node) -> set[str]:
    """The hours for which a node sealed guardrails."""
    return {hour for hour, metric in node.entries() if metric == METRIC}


def has_counted_since(node: Node, since: datetime) -> Callable[[], bool]:
    text = f"{since:%Y-%m-%dT%H:%M:%SZ}"
    return lambda: any(hour >= text for hour in counted(node))


@pytest.fixture(params=["postgresql", "mariadb"])
def place(request: pytest.FixtureRequest) -> tuple[str, str, str, str]:
    """URL, type, user and password of a product database on each of the two servers."""
    if request.param == "postgresql":
        server: PostgresServer = request.getfixturevalue("postgres")
        url = f"jdbc:postgresql://{server.host}:{server.port}/{fill_postgres(server)}"
        return url, "postgres72", server.superuser, server.password
    other: MariaDbServer = request.getfixturevalue("mariadb")
    name = fill_mariadb(other)
    other.execute(
        f"CREATE USER '{name}'@'127.0.0.1' IDENTIFIED BY 'word-1'", f"GRANT ALL ON {name}.* TO '{name}'@'127.0.0.1'"
    )
    return f"jdbc:mysql://{other.host}:{other.port}/{name}", "mysql8", name, "word-1"


@pytest.mark.timeout(150)
def test_never_two_rows_for_one_hour(tmp_path: Path, place: tuple[str, str, str, str]) -> None:
    """The holder is killed within an hour, another takes over, the dead one comes back: no hour is counted twice.

    Every node goes on delivering what is its own, and the version of the product, which each reads for itself.
    """
    with cluster(tmp_path, *place) as nodes:
        first: Node = wait_for(lambda: counting(nodes), nodes, "a first holder")
        wait_for(has_counted_since(first, datetime.fromtimestamp(0, UTC)), nodes, "the first counted hour")
        first.kill()
        killed_at = datetime.now(UTC)
        second: Node = wait_for(lambda: counting(nodes), nodes, "a takeover")
        assert second is not first
        first.start()
        wait_for(has_counted_since(second, killed_at), nodes, "an hour counted by the second")
        wait_for(lambda: first.hours()[-1].hour.start > killed_at, nodes, "an hour closed by the first again")
        assert {node.name: node.status()["cluster"] for node in nodes} == {
            node.name: ("counting" if node is second else "standby") for node in nodes
        }
        for node in nodes:
            node.stop()
        rows = rows_per_hour(nodes)
        assert {row: count for row, count in rows.items() if count > 1} == {}
        assert {"app.installed", "cluster.node", METRIC} <= {metric for _, metric, _ in rows}
        assert counted(first)
        assert counted(second)
        assert [node.entries() for node in nodes if node not in (first, second)] == [[]]
        for node in nodes:
            own = {metric for _, metric in node.entries("SYSTEM_METRIC")}
            assert "product.version" in own
            assert any(metric.startswith("host.") for metric in own), own


@pytest.mark.timeout(150)
@pytest.mark.parametrize("product", ["bitbucket", "bamboo", "crowd"])
def test_two_nodes_that_no_file_calls_a_cluster(tmp_path: Path, postgres: PostgresServer, product: str) -> None:
    """Where the files do not tell, the nodes take turns all the same: no hour has anything twice.

    A container of Bitbucket says it in its environment only, Bamboo nowhere, Crowd where it was switched on by hand.
    """
    url = f"jdbc:postgresql://{postgres.host}:{postgres.port}/{fill_product(product, postgres)}"
    with cluster(tmp_path, url, "", postgres.superuser, postgres.password, 2, product) as nodes:
        first: Node = wait_for(lambda: counting(nodes), nodes, "a holder")
        wait_for(lambda: sum(rows_per_hour([first], product).values()) > 0, nodes, "an hour counted by the holder")
        wait_for(lambda: all(len(node.hours()) > 1 for node in nodes), nodes, "two hours closed by each")
        for node in nodes:
            node.stop()
        rows = rows_per_hour(nodes, product)
        assert rows
        assert {row: count for row, count in rows.items() if count > 1} == {}
