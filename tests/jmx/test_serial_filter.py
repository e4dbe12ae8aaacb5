"""JVMs with a filter of serialized classes: one that lets nothing in says so, with words that mend it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from agent.jmx import BeanQuery, JmxError, Target
from agent.jmx.diagnose import diagnose
from agent.jmx.transport import open_transport
from tests.support.jvm import LIGHT_JVM, JmxOptions, JvmFixture

# What hardening guides advise, and what forbids one of the two classes that a question needs.
FILTERS = [
    "!*",
    "java.base/*;!*",
    "java.rmi.**;!*",
    "java.rmi.**;javax.management.**;!*",
    "!java.lang.String",
    "maxarray=0",
]
ONE_BEAN = [BeanQuery("java.lang:type=Runtime", ("Uptime",))]
PATTERN = [BeanQuery("java.lang:type=GarbageCollector,*", ("CollectionCount",))]


@contextmanager
def jvm_with(words: str, options: JmxOptions | None = None) -> Iterator[JvmFixture]:
    """A JVM whose filter is `words`."""
    with JvmFixture(options or JmxOptions(), flags=(*LIGHT_JVM, f"-Djdk.serialFilter={words}")) as jvm:
        yield jvm


def error_of(target: Target, queries: list[BeanQuery]) -> JmxError:
    """What two samples in a row say: neither may be a sample without values."""
    transport = open_transport(target, queries)
    try:
        for _ in range(2):
            with pytest.raises(JmxError) as caught:
                transport.sample(10)
    finally:
        transport.close()
    return caught.value


@pytest.mark.parametrize("words", FILTERS)
def test_a_filter_that_lets_nothing_in_is_named(words: str) -> None:
    """The sample fails with a code and words of its own, by name and by pattern; `diagnose` names it at its stage."""
    with jvm_with(words) as jvm:
        codes = {error_of(jvm.target, queries).code for queries in (ONE_BEAN, [*PATTERN, *ONE_BEAN])}
        assert codes == {"serial-filter"}
        (failed,) = [stage for stage in diagnose(jvm.target, 10) if stage.state == "failed"]
    assert (failed.name, failed.code) == ("beans", "serial-filter")
    assert "jdk.serialFilter" in failed.why


@pytest.mark.parametrize("login", [False, True])
@pytest.mark.parametrize("words", FILTERS[:4])
def test_the_advised_words_let_the_agent_in(words: str, login: bool) -> None:
    """What `do` says, put before the filter's own words, makes every value come."""
    with jvm_with(words) as jvm:
        cure = re.search(r"-Djdk\.serialFilter='([^<]*)<as it is now>'", error_of(jvm.target, ONE_BEAN).do)
    assert cure is not None
    with jvm_with(cure[1] + words, JmxOptions(auth=login)) as jvm:
        assert {stage.state for stage in diagnose(jvm.target, 10)} == {"ok"}
        transport = open_transport(jvm.target, [*ONE_BEAN, *PATTERN])
        sample = transport.sample(10)
        transport.close()
    assert len(sample.beans) > 1
    assert not sample.failures


def test_a_filter_that_hinders_nobody_is_not_named() -> None:
    """Limits and prohibitions that no question meets leave all as it is."""
    with jvm_with("!org.apache.commons.collections.**;maxdepth=50") as jvm:
        transport = open_transport(jvm.target, ONE_BEAN)
        assert transport.sample(10).beans
        transport.close()
