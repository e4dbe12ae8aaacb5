"""Says of one sample, or of one catalog entry, whether it would be sent under a level, and why not."""

from __future__ import annotations

from dataclasses import dataclass

from agent.catalog import Catalog, Metric, TagRule
from agent.consent.rules import FIGURES, VALUE, VALUE_FIGURES, Kept, attribute_out, figure_out, metric_rule, tag_out
from agent.model import ConsentLevel, Kind, Sample
from agent.pseudonym import Pseudonyms


@dataclass(frozen=True, slots=True)
class Verdict:
    """`sent`: an entry for this series would leave. `why` names the rule; `tags` are the tags as they would leave.

    `hashed` are the tags and attributes that would leave as a keyed hash, "value" for the value itself; `kept` those
    that would stay, each with its rule.
    """

    sent: bool
    why: str
    tags: tuple[tuple[str, str], ...] = ()
    kept: tuple[tuple[str, str], ...] = ()
    hashed: tuple[str, ...] = ()


def explain(sample: Sample, catalog: Catalog, level: ConsentLevel, pseudonyms: Pseudonyms) -> Verdict:
    """Whether the series of `sample` would be sent under `level`, and what of it would stay or be hashed."""
    metric = catalog.metrics.get(sample.series.metric)
    rule = metric_rule(metric, level)
    if metric is None or rule is not None:
        return Verdict(False, rule.rule if rule else "")
    tags: list[tuple[str, str]] = []
    kept: list[tuple[str, str]] = []
    hashed: list[str] = []
    for tag, _ in sample.series.tags:
        out = tag_out(metric, tag, sample.series, level, catalog, pseudonyms)
        if isinstance(out, Kept):
            kept.append((f"tags.{tag}", out.rule))
        else:
            tags.append((tag, str(out.value)))
            hashed += [tag] if out.hashed else []
    for name, value in sample.attributes:
        known = name in sample.hashed
        given = attribute_out(metric, name, value, sample.series, known, level, catalog, pseudonyms)
        if isinstance(given, Kept):
            kept.append((name, given.rule))
        else:
            hashed += [name] if given.hashed else []
    figure = VALUE_FIGURES[metric.kind]
    value_rule = figure_out(metric, figure, sample.value, VALUE in sample.hashed, pseudonyms)
    if isinstance(value_rule, Kept):
        kept.append((VALUE, value_rule.rule))
    elif value_rule is not None and value_rule.hashed:
        hashed.append(VALUE)
    why = f"the catalog asks for {metric.consent}, given is {level}"
    return Verdict(True, why, tuple(tags), tuple(kept), tuple(hashed))


def explain_metric(metric: Metric, level: ConsentLevel) -> Verdict:
    """Whether entries of `metric` would be sent under `level`, before any sample is seen."""
    rule = metric_rule(metric, level)
    if rule is not None:
        return Verdict(False, rule.rule)
    tags = tuple((name, treatment_words(tag, level)) for name, tag in metric.tags.items())
    return Verdict(True, f"the catalog asks for {metric.consent}, given is {level}", tags)


def treatment_words(rule: TagRule, level: ConsentLevel) -> str:
    """What happens to a tag under `level`, as the catalog says it."""
    return str(rule.extended if level is ConsentLevel.EXTENDED else rule.basic)


def figures_of(kind: Kind) -> tuple[str, ...]:
    """The attributes an hourly entry of this kind may have, beside unit, samples, expected and failed."""
    return tuple(sorted(FIGURES[kind]))
