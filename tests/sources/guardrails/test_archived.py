"""Archived repositories of Bitbucket are not among those that are ready for use, where the version knows them."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.catalog import load_catalog
from agent.sources.guardrails.source import Guardrails
from tests.support import filled
from tests.support.filled import DATABASES, Filled
from tests.support.listings import change
from tests.support.mariadb import MariaDbServer, mariadb
from tests.support.postgres import postgres

__all__ = ["mariadb", "postgres"]  # the fixtures

AVAILABLE = "bitbucket.guardrail.repositories.available"


def available(site: Filled) -> object:
    engine = site.engine()
    reading = Guardrails(load_catalog("bitbucket"), lambda: engine).read(30)
    return {sample.series.metric: sample.value for sample in reading.samples}.get(AVAILABLE)


@pytest.mark.parametrize("database", DATABASES)
def test_archived_repositories(request: pytest.FixtureRequest, tmp_path: Path, database: str) -> None:
    """190 of 200 are in state 1; with the column of version 8 the five archived ones are no longer counted."""
    site = filled.filled(request, "bitbucket", database, tmp_path)
    assert available(site) == 190
    statements = (
        "alter table repository add column is_archived boolean not null default false",
        "update repository set is_archived = true where id in (select id from (select id from repository"
        " where state = 1 order by id limit 5) x)",
    )
    if site.server is None:
        change(Path(site.name), ";".join(statements))
    elif isinstance(site.server, MariaDbServer):
        site.server.execute(f"use {site.name}", *statements)
    else:
        site.server.execute(site.name, *statements)
    assert available(site) == 185
