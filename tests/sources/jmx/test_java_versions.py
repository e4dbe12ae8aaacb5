"""What newer Java names otherwise, and beans that have two names: read under either, and nothing is added up."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.catalog import load_catalog, products
from agent.jmx import JmxSample
from agent.model import Reading
from agent.sources.jmx.source import Jmx
from tests.sources.jmx.test_source import Canned
from tests.support.jvm import JvmFixture
from tests.support.sources import jmx_source

OS = "java.lang:type=OperatingSystem"
GC = "java.lang:type=GarbageCollector,name="
JAVAS = sorted(Path("/usr/lib/jvm").glob("*-jdk-amd64/bin/java")) or [Path("java")]
RENAMED = ("jvm.system.cpu.load", "jvm.memory.physical.total", "jvm.memory.physical.free")


def read(product: str, beans: dict[str, dict[str, object]]) -> Reading:
    return Jmx(load_catalog(product), lambda queries: Canned(JmxSample(beans))).read(1)  # type: ignore[arg-type] # plain values


def values(reading: Reading, metric: str) -> dict[tuple[tuple[str, str], ...], object]:
    return {sample.series.tags: sample.value for sample in reading.samples if sample.series.metric == metric}


@pytest.mark.parametrize("java", JAVAS, ids=lambda java: java.parent.parent.name)
def test_renamed_attributes_of_real_jvms(java: Path) -> None:
    """Each Java that is here gives load and memory of the machine, once each and without a failure."""
    with JvmFixture(java=str(java)) as jvm:
        source = jmx_source(jvm.target.port)
        source.read(30)
        reading = source.read(30)
    for metric in RENAMED[1:]:
        assert values(reading, metric).keys() == {()}, metric
    assert not [f for f in reading.failures if f.metric in RENAMED[1:]]


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        ({"CpuLoad": 0.5, "SystemCpuLoad": 0.1, "TotalMemorySize": 8, "TotalPhysicalMemorySize": 4}, (0.5, 8)),
        ({"CpuLoad": 0.5, "TotalMemorySize": 8}, (0.5, 8)),
        ({"SystemCpuLoad": 0.1, "TotalPhysicalMemorySize": 4}, (0.1, 4)),
    ],
)
def test_the_newest_name_speaks(attributes: dict[str, object], expected: tuple[float, int]) -> None:
    """The deprecated name is read only where there is no other."""
    reading = read("jira", {OS: attributes})
    assert (values(reading, RENAMED[0])[()], values(reading, RENAMED[1])[()]) == expected
    assert not [f for f in reading.failures if f.metric in RENAMED[:2]]


@pytest.mark.parametrize(
    "names",
    [
        ("G1 Young Generation", "G1 Old Generation"),
        ("G1 Young Generation", "G1 Old Generation", "G1 Concurrent GC"),
        ("ZGC Cycles", "ZGC Pauses"),
        ("ZGC Minor Cycles", "ZGC Minor Pauses", "ZGC Major Cycles", "ZGC Major Pauses"),
        ("Shenandoah Cycles", "Shenandoah Pauses"),
    ],
)
def test_each_collector_for_itself(names: tuple[str, ...]) -> None:
    """A collector that Java 20 or 21 added is a series of its own; those that were there before stay as they are."""
    beans = {f"{GC}{name}": {"CollectionCount": at, "CollectionTime": at * 10} for at, name in enumerate(names, 1)}
    reading = read("jira", beans)  # type: ignore[arg-type] # plain values
    assert values(reading, "jvm.gc.time") == {(("collector", name),): at * 10 for at, name in enumerate(names, 1)}
    assert load_catalog("jira").metrics["jvm.gc.time"].merge is None


@pytest.mark.parametrize("bean", ["com.zaxxer.hikari:type=Pool (wiki)", "com.zaxxer.hikari:type=Pool,name=wiki"])
def test_hikari_by_either_name(bean: str) -> None:
    """With -Dhikaricp.jmx.register2.0=true the pool's name is a property of its own."""
    reading = read("confluence", {bean: {"ActiveConnections": 3}})
    ((tags, value),) = values(reading, "pool.hikari.active").items()
    assert value == 3
    assert "wiki" in dict(tags)["pool"]
    assert not [f for f in reading.failures if f.metric == "pool.hikari.active"]


def test_pools_by_product() -> None:
    """A pool that a product never has is none of its entries, so nobody waits for it."""
    pools = {
        product: {name.split(".")[1] for name in load_catalog(product).metrics if name.startswith("pool.")}
        for product in products()
    }
    assert pools == {
        "jira": {"dbcp"},
        "confluence": {"hikari", "c3p0", "dbcp"},
        "bitbucket": {"hikari", "dbcp"},
        "bamboo": {"hikari", "dbcp"},
        "crowd": {"c3p0", "dbcp"},
    }
    assert load_catalog("confluence").metrics["pool.c3p0.total"].versions == "up to 7.13"
