"""The page of everything that is collected."""

from __future__ import annotations

from pathlib import Path

from agent.catalog import load_catalog, products
from agent.catalog.document import render_document

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


def test_readme_leads_to_the_page() -> None:
    """Whoever asks what leaves finds the list."""
    assert "docs/what-we-collect.md" in (ROOT / "README.md").read_text(encoding="utf-8")
