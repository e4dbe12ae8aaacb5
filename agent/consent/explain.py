"""Says of one sample, or of one catalog entry, whether it would be sent under a level, and why not."""

from __future__ import annotations

from dataclasses import dataclass

from agent.catalog import Metric, TagRule
from agent.catalog.field_list import FIGURES
from agent.consent.rules import VALUE, VALUE_FIGURES, Rules, Stays, metric_stays
from agent.model import ConsentLevel, Kind, Sample


@dataclass(frozen=True, slots=True)
class Explanation:
    """`sent`: an entry for this series would leave. `why` names the rule; `tags` are the tags as they would leave.

    `hashed` are the tags and attributes that would leave as a keyed hash, "value" for the value itself; `stays` those
    that would not leave, each with its rule.
    """

    sent: bool
    why: str
    tags: tuple[tuple[str, str], ...] = ()
    stays: tuple[tuple[str, str], ...] = ()
    hashed: tuple[str, ...] = ()


def explain(sample: Sample, rules: Rules) -> Explanation:
    """Whether the series of `sample` would be sent under `rules`, and what of it would stay or be hashed."""
    treated = rules.series(sample.series)
    if isinstance(treated, Stays):
        return Explanation(False, treated.rule)
    metric = treated.metric
    fields = rules.value(metric, sample)
    figure = VALUE_FIGURES[metric.kind]
    named = {name: VALUE if name == figure else name for name in (*fields.stays, *fields.hashed)}
    stays = [*((f"tags.{tag}", rule) for tag, rule in treated.stays), *((named[n], r) for n, r in fields.stays.items())]
    hashed = (*treated.series.hashed, *(named[name] for name in fields.hashed))
    return Explanation(True, _allowed(metric, rules.level), treated.series.tags, tuple(stays), hashed)


def explain_metric(metric: Metric, level: ConsentLevel) -> Explanation:
    """Whether entries of `metric` would be sent under `level`, before any sample is seen."""
    stays = metric_stays(metric, level)
    if stays is not None:
        return Explanation(False, stays.rule)
    tags = tuple((name, treatment_words(tag, level)) for name, tag in metric.tags.items())
    return Explanation(True, _allowed(metric, level), tags)


def treatment_words(rule: TagRule, level: ConsentLevel) -> str:
    """What happens to a tag under `level`, as the catalog says it."""
    return str(rule.extended if level is ConsentLevel.EXTENDED else rule.basic)


def figures_of(kind: Kind) -> tuple[str, ...]:
    """The attributes an hourly entry of this kind may have, beside unit, samples, expected and failed."""
    return tuple(sorted(FIGURES[kind]))


def _allowed(metric: Metric, level: ConsentLevel) -> str:
    return f"the catalog asks for {metric.consent}, given is {level}"
