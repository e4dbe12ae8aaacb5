"""`catalog show` and `catalog check` as a person runs them."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.catalog import load_catalog, products
from agent.sources.folders.binding import FolderBinding
from agent.sources.jmx.binding import JmxBinding
from tests.support.command import Finished, run_here


def run(*arguments: str) -> Finished:
    return run_here("catalog", *arguments)


@pytest.mark.parametrize("product", products())
def test_show_prints_every_field(product: str) -> None:
    """Every metric, MBean, folder, log, listing, event, tag, attribute and statement is in the text."""
    catalog = load_catalog(product)
    shown = run("show", "--product", product, "--sql")
    assert shown.code == 0
    blocks = {block.split("  [")[0]: block for block in shown.out.split("\n\n")}
    for metric in catalog.metrics.values():
        block = blocks[metric.name]
        assert metric.reference in block
        for tag, rule in metric.tags.items():
            assert f"tag {tag}: basic {rule.basic}, extended {rule.extended}" in block
        for attribute, rule in metric.attributes.items():
            assert f"attribute {attribute}: basic {rule.basic}, extended {rule.extended}" in block
        jmx, folder = metric.bound(JmxBinding), metric.bound(FolderBinding)
        if jmx is not None:
            assert all(f"MBean {bean} {jmx.attribute}" in block for bean in jmx.beans)
            assert all(f"never {pattern}" in block for pattern in jmx.excluding)
        elif metric.sql is not None:
            assert all(f"{name}.sql" in block for name in metric.sql.queries)
        elif folder is not None:
            assert all(f"{place.home}:{place.path}" in block for place in folder.places)
        elif metric.source == "clientside":
            assert "logs" in block
        else:
            assert "read from:    " in block
    for query in catalog.queries.values():
        planned = [text for one in query.planned for text in one.texts.values()]
        for text in (*query.texts.values(), *query.restricted.values(), *planned):
            assert text in shown.out
        for dialect in query.texts:
            assert f"-- {query.name}.sql for {dialect or 'any'}\n" in shown.out
    for text in catalog.estimates.values():
        assert text in shown.out
    headings = [line for line in shown.out.splitlines() if line.startswith("== ") and ".sql" not in line]
    assert len(headings) == len({metric.source for metric in catalog.metrics.values()}), "each source once"


def test_statements_for_names_are_not_shown_under_basic() -> None:
    """`--consent basic --sql` lists what would be run under Basic: no statement that reads names."""
    basic = run("show", "--product", "jira", "--consent", "basic", "--sql", "--json").json
    whole = run("show", "--product", "jira", "--sql", "--json").json
    assert {statement["consent"] for statement in basic["statements"]} == {"basic"}
    assert {statement["consent"] for statement in whole["statements"]} == {"basic", "extended"}


def test_shown_as_a_person_reads_it() -> None:
    """One count with all that belongs to it: the wording that a sysadmin sees."""
    shown = run("show", "--product", "confluence", "--sql").out
    assert (
        "confluence.guardrail.pages  [{page}, gauge]  Current pages, without old versions, drafts and the trash; "
        "archived spaces included.\n"
        "    leaves under: basic   data: count, configuration-and-usage, GUARDRAILS\n"
        "    read from:    content.sql, column pages\n"
    ) in shown
    assert "-- restriction_groups.restricted.sql for any -- where the account may not read the table itself\n" in shown
    assert "-- content.sql, column pages, for any -- when it takes too long: explained, never run\n" in shown
    assert "-- content.sql, column pages, for mysql -- when it takes too long: explained, never run\n" in shown


def test_json_is_the_same_list() -> None:
    """The JSON form holds each metric with its consent class and the field list's version."""
    catalog = load_catalog("jira")
    document = run("show", "--product", "jira", "--json").json
    assert document["fieldListVersion"] == catalog.field_list_version
    assert {entry["name"]: entry["consent"] for entry in document["metrics"]} == {
        metric.name: str(metric.consent) for metric in catalog.metrics.values()
    }


def test_consent_filters() -> None:
    """Under a level only what may leave is listed; another word is a usage error, exit 2."""
    document = run("show", "--product", "jira", "--consent", "basic", "--json").json
    assert {entry["consent"] for entry in document["metrics"]} == {"basic"}
    wrong = run("show", "--product", "jira", "--consent", "everything")
    assert wrong.code == 2
    assert "extended" in wrong.err


def test_unknown_product_is_told() -> None:
    """An unknown product is a configuration error, exit 10, with those there are."""
    wrong = run("show", "--product", "fisheye")
    assert wrong.code == 10
    assert "jira" in wrong.err


def test_missing_configuration_is_told(tmp_path: Path) -> None:
    """A configuration that was named and is not there is an error, exit 10, not a guess."""
    assert run("show", "--config", str(tmp_path / "agent.toml")).code == 10


def test_check() -> None:
    """The shipped catalog is complete."""
    checked = run("check")
    assert checked.code == 0
    assert "every field classified" in checked.out
