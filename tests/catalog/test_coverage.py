"""Every entry of every product was read for real at least once; what was not is named here, with the reason."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.catalog import Catalog, load_catalog
from agent.consent import Concealer, Pseudonyms
from agent.model import ConsentLevel, Reading, Sample, Tick
from tests.support.coverage import DERIVED, PRODUCTS, numbers_of, readings
from tests.support.listings import START
from tests.support.sources import catalog as jira

# What this machine need not have; tests/sources/host/ (test_hardware.py, test_container.py) reads them from files.
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
    catalog = load_catalog(product)
    found = readings(product, tmp_path)
    names = {sample.series.metric for _, reading in found for sample in reading.samples}
    wanted = {name for name, metric in catalog.metrics.items() if metric.source != DERIVED}
    assert names <= wanted
    assert wanted - names - OF_SOME_MACHINES == NEVER_READ[product]
    for _, reading in found:
        stays_whole(reading, catalog)
    gives_its_own_numbers(dict(found)["jmx"], product, catalog)


def gives_its_own_numbers(reading: Reading, product: str, catalog: Catalog) -> None:
    """Each bean and attribute of the catalog gives its value under its entry, and nothing forbidden is read."""
    expected = numbers_of(product, catalog)
    given: dict[str, set[object]] = {}
    for sample in reading.samples:
        given.setdefault(sample.series.metric, set()).add(sample.value)
    assert {name: values for name, values in given.items() if name in expected} == expected
    assert [failure for failure in reading.failures if failure.metric in expected] == []
    assert "planted" not in repr(reading).lower()


def stays_whole(reading: Reading, catalog: Catalog) -> None:
    """What a product really says has the shapes that the store asks for: under Extended nothing of it is left out."""
    tick = Tick(START, reading.samples, ())
    stored = Concealer(catalog).conceal(tick, ConsentLevel.EXTENDED, Pseudonyms(b"k" * 32))
    assert [facts(sample) for sample in stored.samples] == [facts(sample) for sample in reading.samples]


def facts(sample: Sample) -> tuple[str, list[str], list[str]]:
    """The metric and the names of tags and attributes."""
    return sample.series.metric, [tag for tag, _ in sample.series.tags], [name for name, _ in sample.attributes]


def test_derived_entries_are_asked_for_elsewhere() -> None:
    """Events are no reading; the end-to-end test of events names each kind."""
    assert all(metric.type == "SYSTEM_EVENT" for metric in jira().of_source(DERIVED))
