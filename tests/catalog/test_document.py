"""The page of everything that is collected."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from agent.catalog import declared_sources, load_catalog, products
from agent.catalog.document import NOT_COLLECTED, render_document

ROOT = Path(__file__).parents[2]


def test_page_is_current() -> None:
    """The committed page is what the catalogs say now; scripts/docs writes it anew."""
    assert (ROOT / "docs" / "what-we-collect.md").read_text(encoding="utf-8") == render_document()


def test_page_names_every_metric_of_every_product() -> None:
    """No field is left out: each has a row with its consent class, unit and the page its fact is from."""
    rows = [line for line in render_document().splitlines() if line.startswith("| `")]
    for product in products():
        for name, metric in load_catalog(product).metrics.items():
            found = [row for row in rows if row.startswith(f"| `{name}` |")]
            assert found, name
            assert any(
                f"| {metric.consent} |" in row and metric.unit in row and metric.reference in row for row in found
            )


def test_page_has_a_map_of_the_sources() -> None:
    """Each source has a row with where it looks and the folder of its code, which is there."""
    rows = {row.split("|")[1].strip(" `"): row for row in render_document().splitlines() if "`agent/sources/" in row}
    assert rows.keys() == declared_sources().keys()
    for name, source in declared_sources().items():
        (folder,) = re.findall(r"`(agent/sources/\w+/)`", rows[name])
        assert (ROOT / folder / "binding.py").is_file()
        assert f"| {source.where} |" in rows[name]


def test_what_is_not_collected_says_why() -> None:
    """Each thing one would look for in vain names its products, the reason and what there is instead."""
    items = tomllib.loads((ROOT / "agent" / "catalog" / NOT_COLLECTED).read_text(encoding="utf-8"))["item"]
    page = render_document()
    for item in items:
        assert item.keys() == {"what", "products", "why", "instead"}
        assert set(item["products"]) <= set(products())
        assert f"| {item['what']} | {', '.join(item['products'])} | {item['why']} | {item['instead']} |" in page
    assert any("SEN" in item["what"] and {"jira", "bitbucket"} == set(item["products"]) for item in items)


@pytest.mark.parametrize("product", products())
def test_what_is_not_collected_is_in_no_catalog(product: str) -> None:
    """The page does not say of a metric that it is missing while an entry reads it."""
    items = tomllib.loads((ROOT / "agent" / "catalog" / NOT_COLLECTED).read_text(encoding="utf-8"))["item"]
    texts = [item["what"] for item in items if product in item["products"]]
    missing = {word for text in texts for word in re.findall(r"[a-z_]+\.[a-z_]+", text)}
    assert not missing & load_catalog(product).metrics.keys()


def test_readme_leads_to_the_page() -> None:
    """Whoever asks what leaves finds the list."""
    assert "docs/what-we-collect.md" in (ROOT / "README.md").read_text(encoding="utf-8")
