"""What a guardrail must pass over: `tests/support/traps.py`, on every database that runs here."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from sqlalchemy import Engine

from agent.catalog import load_catalog
from agent.sources.guardrails.source import Guardrails
from tests.support import filled
from tests.support.filled import COUNTS, DATABASES, PRODUCTS
from tests.support.mariadb import mariadb
from tests.support.postgres import postgres
from tests.support.traps import TRAPS, Trap, traps_of

__all__ = ["mariadb", "postgres"]  # the fixtures


def counts(product: str, engine: Engine) -> dict[str, object]:
    """What the product's tables give."""
    reading = Guardrails(load_catalog(product), lambda: engine).read(60)
    assert reading.failures == ()
    found = {sample.series.metric: sample.value for sample in reading.samples}
    return {metric: value for metric, value in found.items() if not metric.startswith("database.")}


def expected(product: str, *traps: Trap) -> dict[str, object]:
    """The counts of before, and what the traps add to those that say so."""
    more: Counter[str] = Counter()
    for trap in traps:
        more.update(trap.changes)
    return {
        name: value + more.pop(name, 0) if isinstance(value, int) else value for name, value in COUNTS[product].items()
    }


@pytest.mark.parametrize("trap", TRAPS, ids=lambda trap: f"{trap.product}: {trap.idea}")
def test_passes_over(request: pytest.FixtureRequest, tmp_path: Path, trap: Trap) -> None:
    """Rows of one kind that do not count leave every count as it was, but those that say they include them."""
    assert {*trap.counts, *trap.changes} <= COUNTS[trap.product].keys()
    database = filled.filled(request, trap.product, "sqlite", tmp_path)
    database.execute(*trap.statements("sqlite"))
    assert counts(trap.product, database.engine()) == expected(trap.product, trap)


@pytest.mark.parametrize("product", PRODUCTS)
@pytest.mark.parametrize("database", [name for name in DATABASES if name != "sqlite"])
def test_all_of_them(request: pytest.FixtureRequest, tmp_path: Path, product: str, database: str) -> None:
    """The same of all kinds at once, in the words and the spelling of the servers."""
    traps = traps_of(product)
    made = filled.filled(request, product, database, tmp_path)
    made.execute(*(statement for trap in traps for statement in trap.statements(database)))
    assert counts(product, made.engine()) == expected(product, *traps)
