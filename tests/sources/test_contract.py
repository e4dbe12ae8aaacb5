"""What every source must do, run over each of them on something real."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from sqlalchemy import Engine

from agent.catalog import declared_sources
from agent.errors import SourceError
from agent.jmx import TransportName
from agent.model import Kind, Reading, Series, Source
from agent.reasons import REASONS
from agent.settings import InstanceSettings, ProductType, Settings
from agent.sources.folders.source import Folders
from agent.sources.host.source import Host
from agent.sources.registry import open_source
from tests.sources.folders.test_source import homes
from tests.support.access_logs import make_install
from tests.support.homes import write_home
from tests.support.jira_database import fill_sqlite
from tests.support.jvm_beans import Jvm, free_port
from tests.support.listings import jira_sqlite, listing
from tests.support.sources import accepted, catalog, clientside_source, guardrails_source, jmx_source, sqlite_engine

TICK_S = 120.0
LISTINGS = ("apps", "flags", "links", "nodes", "licence")
# Every source there is, found by looking; jmx over a second transport too.
KINDS = (*(name for name, found in declared_sources().items() if not found.declaration.noticed), "jmxquery")
SILENT = ("host", "folders", "home", "jmx", "jmxquery", "guardrails", "clientside", *LISTINGS)  # when nothing is there


def lister(name: str, engine: Callable[[], Engine]) -> Callable[[], Source]:
    """Opens one listing source."""
    return lambda: listing(name, engine)


def filled(path: Path) -> Callable[[], Engine]:
    """Opens engines on a database that is made when it is first asked for."""
    return lambda: sqlite_engine(path if path.exists() else jira_sqlite(path))


def home_source(home: Path) -> Source:
    """The source of Jira's own files."""
    return open_source("home", Settings(InstanceSettings(ProductType.JIRA, home, home)), catalog())


def host_source(folder: Path) -> Source:
    """The machine, once some processor time has passed since it was opened: only then are there shares of it."""
    host, opened = Host(catalog(), {"state": folder}), psutil.cpu_times()
    while sum(psutil.cpu_times()) <= sum(opened):
        pass
    return host


def as_configured(name: str, home: Path) -> Source:
    """A source that needs nothing prepared, as a new one may be."""
    return open_source(name, Settings(InstanceSettings(ProductType.JIRA, home, home)), catalog())


@pytest.fixture(params=KINDS)
def source(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Source]:
    makers: dict[str, Callable[[], Source]] = {
        "host": lambda: host_source(tmp_path),
        "folders": lambda: Folders(catalog(), homes(tmp_path), tick_s=TICK_S),
        "home": lambda: home_source(write_home(tmp_path)),
        "jmx": lambda: jmx_source(request.getfixturevalue("jvm").port),
        "jmxquery": lambda: jmx_source(request.getfixturevalue("jvm").port, transport=TransportName.JMXQUERY),
        "guardrails": lambda: guardrails_source(fill_sqlite(tmp_path / "jira.db"), TICK_S),
        "clientside": lambda: clientside_source(make_install(tmp_path / "install").parent),
        **{name: lister(name, filled(tmp_path / "jira.db")) for name in LISTINGS},
    }
    opened = makers.get(request.param, lambda: as_configured(request.param, tmp_path))()
    yield opened
    opened.close()


def test_samples_are_of_the_catalog(source: Source) -> None:
    """Every sample is of a metric that the catalog gives to this source, with declared tags only."""
    metrics = catalog().metrics
    reading = source.read(30)
    assert reading.samples
    for sample in reading.samples:
        metric = metrics[sample.series.metric]
        assert metric.source == sample.series.source == source.name
        assert {tag for tag, _ in sample.series.tags} <= metric.tags.keys()
        assert list(sample.series.tags) == sorted(sample.series.tags)


def test_values_are_finite_and_typed(source: Source) -> None:
    """Numbers are finite; text is only in info metrics; booleans never are numbers' values."""
    metrics = catalog().metrics
    for sample in source.read(30).samples:
        if metrics[sample.series.metric].kind is Kind.INFO:
            continue
        assert isinstance(sample.value, int | float)
        assert not isinstance(sample.value, bool)
        assert math.isfinite(sample.value)


def test_every_metric_is_sampled_or_failed(source: Source) -> None:
    """Nothing of the catalog is passed over in silence: each metric has a sample or a failure with a known code."""
    reading = source.read(30)
    known = {sample.series.metric for sample in reading.samples} | {failure.metric for failure in reading.failures}
    assert known == {metric.name for metric in catalog().of_source(source.name)}
    assert {failure.reason for failure in reading.failures} <= REASONS


def test_one_sample_for_each_series(source: Source) -> None:
    """No series has two samples in one reading."""
    series = [sample.series for sample in source.read(30).samples]
    assert len(series) == len(set(series))


def test_reads_again_after_close(source: Source) -> None:
    """A closed source opens itself again; closing twice does no harm."""
    assert source.read(30).samples
    source.close()
    source.close()
    assert source.read(30).samples


def test_a_reading_that_was_not_accepted_was_not_read(source: Source) -> None:
    """Thrown away whole, twice: the next reading has every metric and every failure that the first one had."""

    def said(reading: Reading) -> tuple[set[Series], set[tuple[str, str]]]:
        return (
            {sample.series for sample in reading.samples},
            {(failure.metric, failure.reason) for failure in reading.failures},
        )

    lost, again, taken = source.read(30), source.read(30), accepted(source)
    assert said(lost) == said(again) == said(taken)


def test_an_accepted_reading_is_learnt_from(source: Source) -> None:
    """What is read once an hour, or at most for a share of the time, is not due in the same moment again."""
    first = accepted(source)
    if source.name in ("folders", "apps", "flags", "links", "licence"):
        assert not source.read(30).samples
        assert {failure.reason for failure in source.read(30).failures} <= {"not-due", "not-present"}
    elif source.name == "clientside":
        assert first.checkpoint
        assert source.read(30).epoch == first.epoch
    elif source.name != "guardrails":  # its share of time is a few milliseconds here
        assert source.read(30).samples


@pytest.mark.parametrize("kind", SILENT)
def test_dead_source_says_why(kind: str, tmp_path: Path) -> None:
    """A source that gives nothing raises SourceError with a code that may leave, a cause and what to do."""
    makers: dict[str, Callable[[], Source]] = {
        "host": lambda: Host(catalog(), {}),
        "folders": lambda: Folders(catalog(), {}),
        "home": lambda: home_source(tmp_path),
        "jmx": lambda: jmx_source(free_port()),
        "jmxquery": lambda: jmx_source(free_port(), transport=TransportName.JMXQUERY),
        "guardrails": lambda: guardrails_source(tmp_path / "missing.db"),
        "clientside": lambda: clientside_source(tmp_path),
        **{name: lister(name, lambda: sqlite_engine(tmp_path / "missing.db")) for name in LISTINGS},
    }
    with pytest.raises(SourceError) as caught:
        makers[kind]().read(0 if kind in ("host", "folders") else 30)
    assert caught.value.reason in REASONS
    assert caught.value.what


def test_jmx_epoch_is_the_start_of_the_jvm(jvm: Jvm) -> None:
    """Two readings of one JVM have one epoch, and it is not empty."""
    source = jmx_source(jvm.port)
    epochs = {source.read(30).epoch for _ in range(2)}
    assert len(epochs) == 1
    assert epochs.pop().isdecimal()
