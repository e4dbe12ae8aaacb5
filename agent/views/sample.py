"""`sample`: one tick for a person to read: value, source, consent class, and whether it would be sent."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from agent.catalog import Catalog, load_catalog
from agent.consent import Pseudonyms, explain
from agent.errors import StoreError
from agent.link.consent_in_force import ConsentInForce
from agent.link.record import read_link
from agent.log import printable
from agent.model import ConsentLevel, Outcome, Tick
from agent.product.instance.identity import read_instance
from agent.sampling import Sampler
from agent.settings import Settings
from agent.sources.governor import CostGovernor, governor_of
from agent.sources.registry import open_sources
from agent.store import open_store
from agent.store.costs import load_costs
from agent.system.clock import monotonic_s, utc_now
from agent.system.private_file import trusted_owners


@dataclass(frozen=True, slots=True)
class Taken:
    """One tick and, for each sample, its consent class and the verdict on it."""

    tick: Tick
    level: ConsentLevel
    rows: tuple[dict[str, Any], ...]

    @property
    def exit_code(self) -> int:
        """1 when a source failed."""
        return int(any(report.outcome is Outcome.FAILED for report in self.tick.reports))

    def to_json(self) -> dict[str, Any]:
        """The same for scripts."""
        return {
            "takenAt": self.tick.taken_at.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "consent": self.level.value,
            "samples": list(self.rows),
            "sources": [
                {
                    "name": report.source,
                    "outcome": report.outcome.value,
                    "samples": report.samples,
                    "tookS": round(report.took_s, 3),
                    "why": report.why,
                    "do": report.do,
                    "failures": [
                        {"metric": failure.metric, "reason": failure.reason, "detail": failure.detail}
                        for failure in report.failures
                    ],
                }
                for report in self.tick.reports
            ],
        }


def read_once(settings: Settings) -> Taken:
    """Read every source once, without storing anything."""
    catalog = load_catalog(settings.instance.product)
    record = read_link(settings.link_dir, owners=trusted_owners(settings.agent.state_dir))
    level = record.consent.level if record is not None else ConsentLevel.BASIC
    pseudonyms = Pseudonyms(read_instance(settings.link_dir).pseudonym_key.reveal())
    sampler = Sampler(open_sources(settings, catalog, ConsentInForce(settings), _with_known_costs(settings, catalog)))
    try:
        tick = sampler.take(utc_now(), settings.sampling.deadline_s)
    finally:
        sampler.close()
    rows = []
    for sample in tick.samples:
        verdict = explain(sample, catalog, level, pseudonyms)
        metric = catalog.metrics.get(sample.series.metric)
        rows.append(
            {
                "metric": sample.series.metric,
                "value": sample.value,
                "unit": metric.unit if metric is not None else "",
                "source": sample.series.source,
                "type": metric.type.value if metric is not None else "",
                "tags": dict(sample.series.tags),
                "attributes": dict(sample.attributes),
                "consent": metric.consent.value if metric is not None else "none",
                "sent": verdict.sent,
                "rule": verdict.why,
                "hashed": list(verdict.hashed),
                "kept": dict(verdict.kept),
            }
        )
    return Taken(tick, level, tuple(rows))


def _with_known_costs(settings: Settings, catalog: Catalog) -> CostGovernor:
    """What the daemon knows of slow queries: a look by hand must not run them more often than they may."""
    governor = governor_of(settings, catalog)
    with suppress(StoreError):  # without a store nothing is known yet
        store = open_store(settings.agent.state_dir, read_only=True)
        try:
            slow = [cost for cost in load_costs(store) if cost.every_s > settings.sampling.interval_s]
        finally:
            store.close()
        governor.recall(slow, monotonic_s(), utc_now())
    return governor


def render_once(taken: Taken) -> str:
    """The text of `sample`."""
    lines = [
        f"One tick at {taken.tick.taken_at:%Y-%m-%d %H:%M:%S} UTC, consent {taken.level.value}.",
        "Nothing was stored or sent.",
        "",
    ]
    for row in taken.rows:
        tags = ",".join(f"{key}={value}" for key, value in row["tags"].items())
        name = row["metric"] + (f"{{{printable(tags)}}}" if tags else "")
        lines.append(
            f"  {name:<70} {printable(str(row['value'])):>20} {row['unit']:<8} {row['consent']:<9} {_verdict(row)}"
        )
        if row["tags"] and row["attributes"]:
            facts = ", ".join(f"{key} = {value}" for key, value in row["attributes"].items())
            lines.append(f"      with {printable(facts)}")
    lines.append("")
    for report in taken.tick.reports:
        lines.append(f"  {report.source}: {report.outcome.value}, {report.samples} samples in {report.took_s:.2f} s")
        if report.outcome is Outcome.FAILED:
            lines += [f"    Why: {printable(report.why)}", f"    Do:  {printable(report.do)}"]
    return "\n".join(lines)


def _verdict(row: dict[str, Any]) -> str:
    if not row["sent"]:
        return f"stays here: {row['rule']}"
    hashed = f"; {', '.join(row['hashed'])} only as keyed hash" if row["hashed"] else ""
    kept = f"; without {', '.join(name.removeprefix('tags.') for name in row['kept'])}" if row["kept"] else ""
    return f"would be sent{hashed}{kept}"
