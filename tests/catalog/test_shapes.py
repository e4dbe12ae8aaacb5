"""Every text that may leave has a shape, and a shape that cannot be used is a fault."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.catalog import DataType, Metric, TagTreatment, load_catalog, products
from agent.catalog.reader import Faults
from agent.catalog.shapes import read_shapes
from agent.model import ConsentLevel
from agent.product.instance.licence import KINDS, SEN
from agent.sources.clientside.apdex import KINDS as SATISFACTIONS
from agent.sources.clientside.apdex import PAGE
from agent.sources.clientside.classes import CLASSES
from agent.sources.clientside.figures import BOUND_NAMES, STATUSES
from agent.sources.host.hardware import MAKERS
from agent.sources.listings.unpack import STATES

NO_TEXT = {DataType.COUNT, DataType.MEASUREMENT, DataType.HASH, DataType.INSTANT}  # an instant has a fixed form
ONLY_HASHED = {TagTreatment.HASH, TagTreatment.DROP}


def texts(metric: Metric) -> Iterator[tuple[str, str]]:
    """Name and shape of each text of an entry that is kept under some level."""
    if metric.data_type not in NO_TEXT and metric.consent is not ConsentLevel.NONE:
        yield "value", metric.shape
    for name, rule in (*metric.tags.items(), *metric.attributes.items()):
        if rule.data_type not in NO_TEXT and not {rule.basic, rule.extended} <= ONLY_HASHED:
            yield name, rule.shape


@pytest.mark.parametrize("product", products())
def test_every_text_that_may_leave_has_a_shape(product: str) -> None:
    """No value, tag or attribute is kept because nobody said what it looks like."""
    found = [
        (metric.name, name)
        for metric in load_catalog(product).metrics.values()
        for name, shape in texts(metric)
        if not shape
    ]
    assert found == []


@pytest.mark.parametrize("product", products())
def test_no_shape_lets_a_page_of_text_through(product: str) -> None:
    """Whatever a shape allows, it is one line that ends somewhere, and no path or markup of another system."""
    for metric in load_catalog(product).metrics.values():
        for name, shape in texts(metric):
            for text in ("", "x\ny", "x " * 101, "x\\y", "x`y`"):
                assert re.fullmatch(shape, text, re.ASCII) is None, (metric.name, name, text)


def shape_of(metric: str, name: str = "value", product: str = "jira") -> str:
    return dict(texts(load_catalog(product).metrics[metric]))[name]


@pytest.mark.parametrize(
    ("shape", "words"),
    [
        (shape_of("clientside.requests", "class"), CLASSES),
        (shape_of("clientside.requests.by_status", "status"), STATUSES),
        (shape_of("clientside.requests.by_duration", "upTo"), BOUND_NAMES),
        (shape_of("clientside.apdex.views", "satisfaction"), SATISFACTIONS),
        (shape_of("clientside.apdex.views", "page"), ("other", "jira.project.issue.view-issue", "jira.dashboard")),
        (shape_of("app.installed", "licence"), (*KINDS, "other", "none", "not-needed")),
        (shape_of("app.installed", "state"), tuple(STATES.values())),
        (shape_of("app.installed", "name"), ("Büro-Planer", "日本語アプリ", "a", "{code} Pro", "x" * 100)),
        (shape_of("host.virtualisation"), (*(kind for _, kind in MAKERS), "container", "microsoft", "other", "none")),
        (shape_of("host.os.name"), ("debian", "ol", "amzn", "opensuse-leap", "clear-linux-os")),
        (shape_of("host.cpu.model"), ("AMD EPYC 7763 64-Core Processor", "Intel(R) Xeon(R) CPU E5-2686 v4 @ 2.30GHz")),
        (shape_of("host.cpu.architecture"), ("x86_64", "aarch64", "ppc64le", "s390x")),
        (shape_of("database.version"), ("15.4 (Debian 15.4-2.pgdg120+1)", "8.0.35-0ubuntu0.22.04.1", "19.0.0.0.0")),
        (shape_of("database.version"), ("10.11.6-MariaDB-0+deb12u1-log", "15.0.4312.2", "3.40.1", "16")),
        (shape_of("tomcat.sessions.active", "context"), ("/", "/jira", "/jira##001")),
        (shape_of("pool.dbcp.active", "pool"), ("HikariPool-1", "jira pool", "jdbc/JiraDS")),
    ],
)
def test_what_the_agent_says_itself_has_its_shape(shape: str, words: tuple[str, ...]) -> None:
    """No word that a source or a statement may give is kept back by its shape."""
    assert [word for word in words if re.fullmatch(shape, word, re.ASCII) is None] == []


def test_the_support_number_has_one_look() -> None:
    """What the source reads as one is what may leave as one."""
    assert shape_of("instance.sen") == SEN.pattern


def test_pages_have_the_words_of_the_source() -> None:
    """Whatever the source tells as a page has its shape; the source knows the words, the shape only their look."""
    shape = shape_of("clientside.apdex.views", "page")
    words = re.findall(r"[a-z]{3,}", PAGE.pattern.decode())
    assert [word for word in words if re.fullmatch(shape, f"jira.{word}-{word}.{word}") is None] == []


def test_a_shape_that_is_none_is_a_fault(tmp_path: Path) -> None:
    """Unknown tables, unknown data types and broken expressions are named; an absent file gives no shapes."""
    file = tmp_path / "shapes.toml"
    assert read_shapes(file, Faults()).tag == {}
    file.write_text('[data_type]\nverzion = "x"\n[tag]\nrole = "("\n[planted]\nx = "y"\n')
    faults = Faults()
    read_shapes(file, faults)
    assert len(faults.found) == 3
