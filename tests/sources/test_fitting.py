"""What an instance cannot have is said to be so: an index that is not used, entries for other versions."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from agent.catalog import load_catalog
from agent.catalog.versions import Version
from agent.errors import SourceError
from agent.model import Failure, Reading, Sample, Series
from agent.reasons import HARMLESS, NOT_IN_VERSION, NOT_PRESENT, NOT_USED
from agent.sources.fitting import Fitting, may_not_fit
from agent.sources.folders.source import Folders

BITBUCKET, JIRA, CONFLUENCE = load_catalog("bitbucket"), load_catalog("jira"), load_catalog("confluence")
HIBERNATE = "bitbucket.hibernate.query_cache.hits"


class Fake:
    """A source that answers what it was given."""

    name = "jmx"

    def __init__(self, samples: Sequence[Sample] = (), failures: Sequence[Failure] = ()) -> None:
        self._reading = Reading(tuple(samples), tuple(failures))

    def read(self, deadline_s: float) -> Reading:
        return self._reading

    def close(self) -> None:
        """Nothing is held open."""


def of_bitbucket(source: Fake, version: Version | None) -> dict[str, str]:
    reading = Fitting(source, BITBUCKET.of_source("jmx"), lambda: version, lambda: False).read(1)
    return {failure.metric: failure.reason for failure in reading.failures}


@pytest.mark.parametrize(
    ("version", "reason"),
    [((10, 2), NOT_IN_VERSION), ((11,), NOT_IN_VERSION), ((9, 4, 26), NOT_PRESENT), ((8,), NOT_PRESENT)],
)
def test_entry_for_other_versions(version: Version, reason: str) -> None:
    """A bean that Hibernate 6 does not have is no lack of Bitbucket 10, and one of 9."""
    assert of_bitbucket(Fake(failures=[Failure(HIBERNATE, NOT_PRESENT)]), version)[HIBERNATE] == reason


def test_version_that_is_not_known() -> None:
    """Nothing is said to be for another version then."""
    assert of_bitbucket(Fake(failures=[Failure(HIBERNATE, NOT_PRESENT)]), None) == {HIBERNATE: NOT_PRESENT}


def test_value_that_is_there_counts() -> None:
    """A product that has it all the same knows better than the catalog."""
    source = Fake(samples=[Sample(Series("jmx", HIBERNATE), 7)])
    reading = Fitting(source, BITBUCKET.of_source("jmx"), lambda: (10, 2), lambda: False).read(1)
    assert [sample.value for sample in reading.samples] == [7]
    assert HIBERNATE not in {failure.metric for failure in reading.failures}


def test_no_number_of_an_index_that_is_not_used() -> None:
    """With OpenSearch a zero of the index tables is "not-used": it would look healthy."""
    names = ("jira.guardrail.index_backlog", "jira.guardrail.index_operations", "jira.guardrail.issues")
    source = Fake(samples=[Sample(Series("guardrails", name), 0) for name in names])
    reading = Fitting(source, JIRA.of_source("guardrails"), lambda: None, lambda: True).read(1)
    assert [sample.series.metric for sample in reading.samples] == ["jira.guardrail.issues"]
    assert {f.metric for f in reading.failures if f.reason == NOT_USED} == {
        *names[:2],
        "jira.guardrail.index_backlog.max",
    }


@pytest.mark.parametrize("catalog", [JIRA, CONFLUENCE], ids=["jira", "confluence"])
def test_folder_of_an_old_index(catalog: object, tmp_path: Path) -> None:
    """What an index left on the disk is no size of the index in use."""
    found = load_catalog("jira" if catalog is JIRA else "confluence")
    for folder in ("caches/indexesV2", "index"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "segment").write_bytes(b"x" * 100)
    folders = Folders(found, {"local": tmp_path, "shared": tmp_path})
    reading = Fitting(folders, found.of_source("folders"), lambda: None, lambda: True).read(5)
    assert [s for s in reading.samples if ".index." in s.series.metric] == []
    assert {f.reason for f in reading.failures if f.metric.endswith("index.bytes")} == {NOT_USED}


def test_the_platform_is_looked_for_once_an_hour() -> None:
    """Looking reads files: not at each tick."""
    asked: list[float] = []
    now = [0.0]

    def elsewhere() -> bool:
        asked.append(now[0])
        return True

    source = Fitting(Fake(), JIRA.of_source("guardrails"), lambda: None, elsewhere, clock=lambda: now[0])
    for _ in range(31):
        source.read(1)
        now[0] += 120
    assert asked == [0.0, 3600.0]


def test_a_source_that_fails_fails() -> None:
    """Its own error goes through."""

    class Failing(Fake):
        def read(self, deadline_s: float) -> Reading:
            raise SourceError("refused", "x")

    with pytest.raises(SourceError):
        Fitting(Failing(), JIRA.of_source("jmx"), lambda: None, lambda: True).read(1)


def test_neither_is_a_problem() -> None:
    """Both reasons are of a healthy product; entries that depend on nothing are left as they are."""
    assert {NOT_USED, NOT_IN_VERSION} <= HARMLESS
    assert not may_not_fit(JIRA.of_source("host"))
    assert may_not_fit(JIRA.of_source("folders"))
