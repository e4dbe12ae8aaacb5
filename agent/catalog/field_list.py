"""The version of the field list an owner consents to: a short name for all that decides what may leave.

In:   the metrics with their shapes, the public and private apps, and what stands here: the figures of each kind.
Out:  a text that changes when any of it does, and only then; the order of files and entries does not matter.
The code that applies the list (`agent/consent`) counts as one number, `RULES_EDITION`. Descriptions, references,
bindings and thresholds decide nothing about what leaves, so they are not in it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping

from agent.catalog.model import APP_KEY, Metric, TagRule
from agent.model import Kind
from agent.reasons import REASONS

# Raise it with every change of `consent/rules.py` or `consent/second_net.py` that lets out more, less or something
# else. 1: up to the second net; 2: the second net, and a shape for every text.
RULES_EDITION = 3

# What an hourly entry of each kind may hold, beside unit, samples, expected and failed.
FIGURES = {
    Kind.GAUGE: frozenset({"min", "max", "mean", "last", "p50", "p95"}),
    Kind.COUNTER: frozenset({"delta", "resets", "last"}),
    Kind.INFO: frozenset({"value"}),
    Kind.EVENT: frozenset({"count", "observed_from", "observed_to"}),
}


def field_list_version(
    metrics: Iterable[Metric],
    public_apps: Iterable[str] = (),
    private_apps: Iterable[str] = (),
    *,
    figures: Mapping[Kind, Iterable[str]] = FIGURES,
    reasons: Iterable[str] = REASONS,
    app_key: str = APP_KEY,
    edition: int = RULES_EDITION,
) -> str:
    """`f-` and twelve hexadecimal digits for exactly these fields and rules. `metrics` have their shapes already."""
    decisive = {
        "edition": edition,
        "fields": sorted(_field(metric) for metric in metrics),
        "figures": {kind: sorted(names) for kind, names in figures.items()},
        "reasons": sorted(reasons),
        "publicApps": sorted(public_apps),
        "privateApps": sorted(private_apps),
        "appKey": app_key,
    }
    text = json.dumps(decisive, separators=(",", ":"), sort_keys=True)
    return "f-" + hashlib.sha256(text.encode()).hexdigest()[:12]


def _field(metric: Metric) -> list[object]:
    facts = (metric.name, metric.source, metric.type, metric.kind, metric.unit, metric.consent, metric.data_type)
    return [*facts, metric.shape, _rules(metric.tags), _rules(metric.attributes)]


def _rules(rules: Mapping[str, TagRule]) -> list[list[str]]:
    return sorted([name, rule.basic, rule.extended, rule.data_type, rule.shape] for name, rule in rules.items())
