"""`sample`: one tick for a person to read: value, source, consent class, and whether it would be sent.

In:   settings; every source is read once, now. Out: `SampleView`. Nothing is stored and nothing is sent.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

from agent.catalog import Catalog, load_catalog
from agent.consent import Pseudonyms, Rules, explain
from agent.errors import StoreError
from agent.link.consent_in_force import ConsentInForce
from agent.link.record import read_link
from agent.log import printable
from agent.model import ConsentLevel, EntryType, Outcome, Sample, Scalar, SourceReport
from agent.product.instance.identity import read_instance
from agent.reasons import PASSED_OVER
from agent.sampling import Sampler
from agent.settings import Settings
from agent.sources.governor import CostGovernor, governor_of
from agent.sources.registry import open_sources
from agent.store import open_store
from agent.store.costs import load_costs
from agent.system.clock import monotonic_s, utc_now
from agent.system.private_file import trusted_owners
from agent.views.words import DO


@dataclass(frozen=True, slots=True)
class SampleRow:
    """One value and what would become of it: `sent` says whether it would leave, `rule` why or why not.

    `type` is null for what the catalog does not know. `hashed` are the tags and attributes that would leave as a keyed
    hash ("value" for the value itself), `kept` those that would stay, each with its rule.
    """

    metric: str
    value: Scalar
    unit: str
    source: str
    type: EntryType | None
    tags: Mapping[str, str]
    attributes: Mapping[str, Scalar]
    consent: ConsentLevel
    sent: bool
    rule: str
    hashed: tuple[str, ...]
    kept: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class SampleFailure:
    """Something a source did not get: which metric ("" for all), a stable word, and more for a person."""

    metric: str
    reason: str
    detail: str


@dataclass(frozen=True, slots=True)
class SampleSource:
    """What became of one source."""

    name: str
    outcome: Outcome
    samples: int
    took_s: float
    why: str
    do: str
    failures: tuple[SampleFailure, ...]


@dataclass(frozen=True, slots=True)
class SampleView:
    """One tick and, for each sample, its consent class and what would become of it under the level in force."""

    taken_at: datetime
    consent: ConsentLevel
    samples: tuple[SampleRow, ...]
    sources: tuple[SampleSource, ...]

    @property
    def exit_code(self) -> int:
        """1 when a source failed."""
        return int(any(source.outcome is Outcome.FAILED for source in self.sources))


def read_sample(settings: Settings) -> SampleView:
    """Read every source once, without storing anything."""
    catalog = load_catalog(settings.instance.product)
    record = read_link(settings.link_dir, owners=trusted_owners(settings.agent.state_dir))
    level = record.consent.level if record is not None else ConsentLevel.BASIC
    pseudonyms = Pseudonyms(read_instance(settings.link_dir).pseudonym_key.reveal())
    sampler = Sampler(open_sources(settings, catalog, ConsentInForce(settings), _with_known_costs(settings, catalog)))
    with contextlib.closing(sampler):
        # Without concealing: the person who asks is on the machine already, and wants to see what the product really
        # says.
        tick = sampler.take(utc_now(), settings.sampling.deadline_s)
    rules = Rules(catalog, level, pseudonyms)
    rows = tuple(_row(sample, rules) for sample in tick.samples)
    return SampleView(tick.taken_at, level, rows, tuple(_source(report) for report in tick.reports))


def _row(sample: Sample, rules: Rules) -> SampleRow:
    explained = explain(sample, rules)
    metric = rules.catalog.metrics.get(sample.series.metric)
    return SampleRow(
        metric=sample.series.metric,
        value=sample.value,
        unit=metric.unit if metric is not None else "",
        source=sample.series.source,
        type=metric.type if metric is not None else None,
        tags=dict(sample.series.tags),
        attributes=dict(sample.attributes),
        consent=metric.consent if metric is not None else ConsentLevel.NONE,
        sent=explained.sent,
        rule=explained.why,
        hashed=tuple(explained.hashed),
        kept=dict(explained.stays),
    )


def _source(report: SourceReport) -> SampleSource:
    return SampleSource(
        name=report.source,
        outcome=report.outcome,
        samples=report.samples,
        took_s=round(report.took_s, 3),
        why=report.why,
        do=report.do,
        failures=tuple(SampleFailure(failure.metric, failure.reason, failure.detail) for failure in report.failures),
    )


def _with_known_costs(settings: Settings, catalog: Catalog) -> CostGovernor:
    """What the daemon knows of slow queries: a look by hand must not run them more often than they may."""
    governor = governor_of(settings, catalog)
    with suppress(StoreError):  # without a store nothing is known yet
        with contextlib.closing(open_store(settings.agent.state_dir, read_only=True)) as store:
            slow = [cost for cost in load_costs(store) if cost.every_s > settings.sampling.interval_s]
        governor.recall(slow, monotonic_s(), utc_now())
    return governor


def render_sample(view: SampleView) -> str:
    """The text of `sample`."""
    lines = [
        f"One tick at {view.taken_at:%Y-%m-%d %H:%M:%S} UTC, consent {view.consent}.",
        "Nothing was stored or sent.",
        "",
    ]
    for row in view.samples:
        lines += _row_lines(row)
    lines.append("")
    for source in view.sources:
        lines.append(f"  {source.name}: {source.outcome}, {source.samples} samples in {source.took_s:.2f} s")
        if source.outcome is Outcome.FAILED:
            lines += [f"    Why: {printable(source.why)}", f"    Do:  {printable(source.do)}"]
        else:
            lines += [f"    {printable(text)}" for text in _remarks(source)]
    return "\n".join(lines)


def _remarks(source: SampleSource) -> list[str]:
    """What a person can mend, and what was left for something else that says the same; each once."""
    failures = [item for item in source.failures if DO in item.detail or item.reason == PASSED_OVER]
    return list(dict.fromkeys(item.detail for item in failures))


def _row_lines(row: SampleRow) -> list[str]:
    tags = ",".join(f"{key}={value}" for key, value in row.tags.items())
    name = row.metric + (f"{{{printable(tags)}}}" if tags else "")
    value = printable(str(row.value))
    # On a terminal of 80 columns the value stands beside its name, and what becomes of it on the next line.
    lines = [f"  {name:<42} {value:>18} {row.unit:<6} {row.consent:<8} {_fate(row)}"]
    if row.tags and row.attributes:
        facts = ", ".join(f"{key} = {fact}" for key, fact in row.attributes.items())
        lines.append(f"      with {printable(facts)}")
    return lines


def _fate(row: SampleRow) -> str:
    if not row.sent:
        return f"stays here: {row.rule}"
    hashed = f"; {', '.join(row.hashed)} only as keyed hash" if row.hashed else ""
    kept = f"; without {', '.join(name.removeprefix('tags.') for name in row.kept)}" if row.kept else ""
    return f"would be sent{hashed}{kept}"
