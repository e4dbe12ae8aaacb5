"""Each entry says what it is; each tag that can carry what people wrote is dropped or hashed under Basic."""

from __future__ import annotations

import re

import pytest

from agent.catalog import Catalog, Metric, TagTreatment, load_catalog
from agent.catalog.model import DataType
from agent.model import ConsentLevel, Kind
from agent.sources.jmx.binding import JmxBinding
from tests.support.coverage import PRODUCTS

# Key properties of beans that hold what users and apps write (facts/jmx-metrics.md), with or without "tag." before it.
WRITTEN = {"query", "path", "action", "lockName", "taskName", "templateName", "entityType", "subCategory"}
OUT_OF_SIGHT = {TagTreatment.HASH, TagTreatment.DROP}
# Tags that leave as they are under Basic, and why no person's word can be in them.
PLAIN = {
    **dict.fromkeys(("class", "page", "satisfaction", "status", "upTo", "role"), "words of our own, a closed set"),
    **dict.fromkeys(("collector", "executor", "operation", "renderer"), "names the product or the JVM gives"),
    **dict.fromkeys(("implementation",), "a class of the product"),
    "connector": "protocol and port of Tomcat",
    "flag": "dark features that the product names",
    "application": "what a licence is for: the product, or an application of Jira",
}
CATALOGS = {product: load_catalog(product) for product in PRODUCTS}


def every_entry() -> list[tuple[Catalog, Metric]]:
    return [(catalog, metric) for catalog in CATALOGS.values() for metric in catalog.metrics.values()]


def property_of(key: str) -> str:
    return key.removeprefix("tag.").removeprefix("tag_")


def test_each_entry_is_complete() -> None:
    """Name, words, unit, kind, category, consent, data type, cost and the page the fact is from: none is empty."""
    for catalog, metric in every_entry():
        words = (metric.name, metric.description, metric.unit, metric.kind, metric.category, metric.data_type)
        assert all(words), (catalog.product, metric)
        assert metric.cost in {"S", "M", "L", "XL"}, metric
        assert isinstance(metric.consent, ConsentLevel)
        assert re.fullmatch(r"https://\S+|(?:schema|home|statements) .* observed", metric.reference), metric
        assert metric.versions == metric.versions.strip()
        assert metric.kind is Kind.INFO or metric.data_type is not DataType.VERSION, metric


def test_what_people_wrote_is_dropped_or_hashed_under_basic() -> None:
    """A key property that can hold a query, a path, or a lock's, task's or template's name is not kept, or hashed."""
    seen = 0
    for catalog, metric in every_entry():
        binding = metric.bound(JmxBinding)
        for key, tag in (binding.tags if binding is not None else {}).items():
            if property_of(key) in WRITTEN:
                seen += 1
                assert metric.tags[tag].basic in OUT_OF_SIGHT, (catalog.product, metric.name, tag)
    assert seen > 0


def test_names_of_mail_servers_are_dropped_or_hashed_under_basic() -> None:
    """The bean of a mail server is named by an admin: its name is kept as a tag that is hashed or dropped."""
    seen = 0
    for _, metric in every_entry():
        binding = metric.bound(JmxBinding)
        if binding is not None and "category00=mail" in binding.bean and binding.bean.endswith("name=*"):
            seen += 1
            for tag in binding.tags.values():
                assert metric.tags[tag].basic in OUT_OF_SIGHT, metric.name
    assert seen >= 6


@pytest.mark.parametrize("product", PRODUCTS)
def test_only_named_tags_leave_as_they_are_under_basic(product: str) -> None:
    """Whatever tag an entry keeps under Basic stands in PLAIN with its reason; app keys only of public apps."""
    for metric in CATALOGS[product].metrics.values():
        for tag, rule in metric.tags.items():
            if rule.basic is TagTreatment.KEEP:
                assert tag in PLAIN, (metric.name, tag)
            if "pluginKey" in tag:
                assert rule.basic in OUT_OF_SIGHT | {TagTreatment.KEEP_PUBLIC, TagTreatment.WITH_PUBLIC_APP}


def test_a_tag_without_a_rule_is_none() -> None:
    """Every tag a binding keeps has a rule, so none leaves by oversight."""
    for _, metric in every_entry():
        tags = {tag for binding in metric.bindings for tag in binding.tag_names()}
        assert tags <= metric.tags.keys(), metric.name
