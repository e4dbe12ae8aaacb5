"""The published numbers of Confluence stand in the catalog; products without published numbers have none."""

from __future__ import annotations

from agent.catalog import load_catalog

# Entity -> (approaching from, exceeding above), as the pages that each entry names publish them.
CONFLUENCE = {
    "confluence.guardrail.spaces": (8_000, 10_000),
    "confluence.guardrail.spaces.opensearch": (117_965, 131_072),
    "confluence.guardrail.users": (70_000, 100_000),
    "confluence.guardrail.groups": (20_000, 30_000),
    "confluence.guardrail.permissions.per_space.max": (None, 20_000),
    "confluence.guardrail.index.objects": (9_000_000, 11_000_000),
    "confluence.home.local.write.latency": (5, 15),
    "confluence.node.latency.mean": (10, 50),
}


def test_confluence_numbers() -> None:
    """Exactly the published ones."""
    found = {
        metric.name: (metric.threshold.warn, metric.threshold.limit)
        for metric in load_catalog("confluence").metrics.values()
        if metric.threshold is not None
    }
    assert found == CONFLUENCE


def test_levels_of_spaces() -> None:
    """Fewer than 8,000 is optimal, more than 10,000 exceeding, what lies between approaches."""
    threshold = load_catalog("confluence").metrics["confluence.guardrail.spaces"].threshold
    assert threshold is not None
    states = [threshold.state(spaces) for spaces in (7_999, 8_000, 10_000, 10_001)]
    assert states == ["optimal", "approaching", "approaching", "exceeding"]
