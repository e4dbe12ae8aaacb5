"""The JMX entries of Confluence, Bitbucket, Bamboo and Crowd, each read from a real JVM that has such a bean."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.catalog import load_catalog
from agent.jmx.names import matches
from agent.sources.jmx.binding import JmxBinding
from agent.sources.jmx.source import bean_queries
from tests.support.coverage import bean_names
from tests.support.jvm_beans import running_jvm
from tests.support.product_databases import PRODUCTS
from tests.support.sources import bindings_of, jmx_source

SOURCE = Path(__file__).parents[1] / "data" / "PlantedBeans.java"
# Must never be read: families that grow without bound, alerts whose names are people's words, other apps' beans.
FORBIDDEN = (
    "com.atlassian.confluence:type=metrics,category00=confluence,category01=logging,name=planted",
    "com.atlassian.confluence:type=metrics,category00=hazelcast,category01=map,name=planted",
    "com.atlassian.diagnostics:type=Alerts,Category=Plugin,name=planted",
    "com.atlassian.diagnostics:type=Alerts,Category=Issue,name=planted",
    "com.atlassian.bitbucket.thread-pools:name=PlantedByAnApp",
)


@pytest.mark.parametrize("product", PRODUCTS)
def test_every_entry_is_read(tmp_path: Path, product: str) -> None:
    """Each bean and attribute of the catalog gives its value under its tags; nothing forbidden is asked for."""
    bound = [
        (metric, binding)
        for metric in load_catalog(product).of_source("jmx")
        if (binding := metric.bound(JmxBinding)) is not None
    ]
    lines, expected = [], {}
    for metric, binding in bound:
        if binding.bean.startswith("java.lang:"):
            continue  # the JVM's own
        for place in bean_names(product, binding):
            number = 1000 + len(lines)
            lines.append(f"{place}\t{binding.attribute}\t{number}")
            expected.setdefault(metric.name, set()).add(number)
    attributes = sorted({binding.attribute for _, binding in bound})
    lines += [f"{name}\t{attribute}\t666" for name in FORBIDDEN for attribute in attributes]
    planted = tmp_path / "beans.tsv"
    planted.write_text("\n".join(lines) + "\n")
    with running_jvm(SOURCE, str(planted)) as jvm:
        reading = jmx_source(jvm.port, load_catalog(product)).read(60)
    found: dict[str, set[object]] = {}
    for sample in reading.samples:
        found.setdefault(sample.series.metric, set()).add(sample.value)
    assert {name: values for name, values in found.items() if name in expected} == expected
    assert [failure for failure in reading.failures if failure.metric in expected] == []
    assert found.keys() == {metric.name for metric, _ in bound} - {failure.metric for failure in reading.failures}
    assert "planted" not in repr(reading).lower()


@pytest.mark.parametrize("product", PRODUCTS)
def test_no_query_reaches_a_forbidden_bean(product: str) -> None:
    """Not the source filters them out: the JVM is never asked."""
    bindings = bindings_of(load_catalog(product))
    for query in bean_queries(bindings):
        assert not any(matches(query.name, name) for name in FORBIDDEN), query.name
