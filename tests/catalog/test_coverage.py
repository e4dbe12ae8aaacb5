"""Every entry of every product was read for real at least once; what was not is named here, with the reason."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.catalog import load_catalog
from tests.support.coverage import DERIVED, PRODUCTS, read_for_real
from tests.support.sources import catalog as jira

# What this machine need not have; tests/sources/test_hardware.py and test_container.py read them from files like it.
OF_SOME_MACHINES = {
    *("host.container.cpu.limit", "host.container.memory.limit", "host.container.memory.used"),
    *("host.cpu.model", "host.cpu.cores", "host.cpu.steal_percent", "host.cpu.iowait_percent"),
}
# By product: what no real reading gives here. A JVM has a limit of non-heap memory only when told to.
UNLIMITED = {"jvm.memory.non_heap.max"}
NEVER_READ: dict[str, set[str]] = dict.fromkeys(PRODUCTS, UNLIMITED)


@pytest.mark.parametrize("product", PRODUCTS)
def test_every_entry_is_read_for_real(tmp_path: Path, product: str) -> None:
    """From a JVM with the catalog's beans, a database with its tables, logs, folders and this machine."""
    found = set().union(*read_for_real(product, tmp_path).values())
    wanted = {name for name, metric in load_catalog(product).metrics.items() if metric.source != DERIVED}
    assert found <= wanted
    missing = wanted - found
    assert missing - OF_SOME_MACHINES == NEVER_READ[product]


def test_derived_entries_are_asked_for_elsewhere() -> None:
    """Events are no reading; the end-to-end test of events names each kind."""
    assert all(metric.type == "SYSTEM_EVENT" for metric in jira().of_source(DERIVED))
