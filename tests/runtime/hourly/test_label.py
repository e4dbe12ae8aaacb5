"""The field list that a batch names is the one its entries were let out by, not the one that was agreed on."""

from __future__ import annotations

import json
import zipfile
from datetime import timedelta
from pathlib import Path

import pytest

from agent.batching import open_document, seal
from agent.catalog import load_catalog
from agent.model import Consent, ConsentLevel
from agent.runtime.hourly.bundle import bundle_now
from agent.runtime.hourly.close import close_hours
from agent.runtime.hourly.run import run_hourly
from agent.runtime.pipeline import open_pipeline
from agent.store import outbox
from agent.store.hours import aggregates_of, closed_hours
from agent.views.preview import read_preview
from tests.support.clock import FixedClock, reckoned
from tests.support.site import Agent, link_as, make_site
from tests.support.ticks import START

AGREED = "f-0123456789ab"  # of an agent that was upgraded since
LATER = START + timedelta(hours=2)
BASIC, EXTENDED = ConsentLevel.BASIC, ConsentLevel.EXTENDED


@pytest.fixture
def agent(tmp_path: Path) -> Agent:
    """A linked agent whose owner agreed to an older field list, with one tick."""
    made = make_site(tmp_path)
    link_as(made, EXTENDED, field_list=AGREED)
    made.tick(at=START)
    return made


def used(agent: Agent) -> str:
    """The version of the list that this agent filters by."""
    version = load_catalog(agent.settings.instance.product).field_list_version
    assert version != AGREED
    return version


def labels(agent: Agent) -> list[tuple[str, str]]:
    """Level and field list of what waits, as its row and its document say it."""
    with open_pipeline(agent.settings) as pipeline:
        waiting = list(outbox.waiting(pipeline.store))
    documents = [open_document(batch.body)["consent"] for batch in waiting]
    assert [item["fieldListVersion"] for item in documents] == [batch.consent.field_list_version for batch in waiting]
    return [(item["level"], item["fieldListVersion"]) for item in documents]


def test_a_batch_names_the_list_that_was_used(agent: Agent) -> None:
    """After an upgrade the batch says so, and link.json still says what was agreed, and when."""
    with open_pipeline(agent.settings) as pipeline:
        close_hours(pipeline, reckoned(pipeline.store, LATER))
        assert pipeline.consent is not None
        assert pipeline.consent.field_list_version == AGREED
        (batch,) = outbox.waiting(pipeline.store)
        assert batch.consent.granted_at == pipeline.consent.granted_at
    assert labels(agent) == [("extended", used(agent))]


def test_what_is_filtered_again_names_the_list_of_that_day(agent: Agent) -> None:
    """Sealed by an older agent under its own list it keeps that name; filtered again it has the new one."""
    with open_pipeline(agent.settings) as pipeline:
        close_hours(pipeline, reckoned(pipeline.store, LATER))
        (item,) = closed_hours(pipeline.store)
        (new,) = outbox.waiting(pipeline.store)
        rows = aggregates_of(pipeline.store, item.hour, item.revision)
        older = Consent(EXTENDED, AGREED, new.consent.granted_at)
        records = list(pipeline.door(EXTENDED).records(row.row for row in rows))
        (old,) = seal(records, pipeline.identity, item.hour, 0, older, "0.9.0", item.closed_at)
        with pipeline.store.transaction() as connection:
            outbox.replace(connection, new.id, "planted", LATER)
            outbox.put(connection, old)
    assert labels(agent) == [("extended", AGREED)]
    link_as(agent, BASIC, field_list=AGREED)
    run_hourly(agent.settings, FixedClock(LATER), push=False, stopping=None)  # type: ignore[arg-type] # nothing is pushed
    assert labels(agent) == [("basic", used(agent))]


def test_preview_and_bundle_name_it_too(agent: Agent, tmp_path: Path) -> None:
    """What is built for a person carries the same name as what is pushed."""
    with open_pipeline(agent.settings) as pipeline:
        close_hours(pipeline, reckoned(pipeline.store, LATER))
    for level in (BASIC, EXTENDED):
        (shown,) = read_preview(agent.settings, LATER, level).batches
        assert json.loads(shown.document)["consent"]["fieldListVersion"] == used(agent)
    with open_pipeline(agent.settings) as pipeline:
        bundle = bundle_now(pipeline, tmp_path / "bundles", LATER, actor="test")
    with zipfile.ZipFile(bundle) as opened:
        (manifest,) = (name for name in opened.namelist() if name.endswith("manifest.json"))
        assert json.loads(opened.read(manifest))["consent"]["fieldListVersion"] == used(agent)
