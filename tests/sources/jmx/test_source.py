"""JMX source: catalog bindings to samples, on a real JVM."""

from __future__ import annotations

import pytest

from agent.catalog import Merge, load_catalog, products
from agent.errors import SourceError
from agent.jmx import BeanQuery, JmxError, JmxSample, JmxValue, ReadFailure
from agent.jmx.names import matches
from agent.model import Failure, Kind, Reading, Value
from agent.reasons import REASONS
from agent.sources.jmx.binding import JmxBinding
from agent.sources.jmx.source import Jmx, bean_queries
from tests.support.coverage import FORBIDDEN
from tests.support.jvm_beans import Jvm
from tests.support.sources import bindings_of, catalog, catalog_of, jmx_metric, jmx_source


class Canned:
    """A transport that answers with what it is given; the outer edge."""

    def __init__(self, answer: JmxSample | JmxError) -> None:
        self.answer = answer

    def sample(self, deadline_s: float) -> JmxSample:
        if isinstance(self.answer, JmxError):
            raise self.answer
        return self.answer

    def take_back(self) -> None:
        pass

    def close(self) -> None:
        pass


@pytest.fixture(scope="module")
def reading(jvm: Jvm) -> Reading:
    return jmx_source(jvm.port).read(30)


def values(reading: Reading, metric: str) -> dict[tuple[tuple[str, str], ...], Value]:
    return {sample.series.tags: sample.value for sample in reading.samples if sample.series.metric == metric}


def reasons(reading: Reading, metric: str) -> list[str]:
    return [failure.reason for failure in reading.failures if failure.metric == metric]


def test_reads_the_jvm_itself(reading: Reading) -> None:
    """Composite keys, counters and patterns of java.lang arrive."""
    heap = values(reading, "jvm.memory.heap.used")[()]
    assert isinstance(heap, int)
    assert 1_000_000 < heap < 64 * 1024 * 1024
    assert values(reading, "jvm.gc.collections")
    assert isinstance(values(reading, "jvm.info.version")[()], str)


def test_attribute_with_a_dot_in_its_name(reading: Reading) -> None:
    """Jira's `invocation.count` is an attribute's name, not a key of a composite."""
    assert values(reading, "jira.db.reads") == {(): 123456}


def test_single_pool_connections_are_not_read(reading: Reading) -> None:
    """The pool's figures come from the pool; the per-connection beans of JRASERVER-72688 give nothing."""
    assert values(reading, "jira.db.pool.dbcp.active") == {(): 4}
    queries = bean_queries(bindings_of(catalog()))
    assert not [
        query for query in queries if query.name.startswith("com.atlassian.jira:") and "connection=*" in query.name
    ]
    assert not [query for query in queries if query.name == "com.atlassian.jira:*"]


def test_number_that_means_unknown_is_no_sample(reading: Reading) -> None:
    """MaxTotal -1 means no limit is known: not-present rather than -1."""
    assert values(reading, "jira.db.pool.dbcp.max") == {}
    assert reasons(reading, "jira.db.pool.dbcp.max") == ["not-present"]


def test_boolean_is_zero_or_one(reading: Reading) -> None:
    """A boolean becomes 1 or 0, an int."""
    value = values(reading, "jira.db.connection.state")[()]
    assert value == 1
    assert type(value) is int


@pytest.mark.parametrize("metric", ["jira.db.connection.latency", "jira.home.local.write.latency"])
def test_not_finite_is_a_failure(reading: Reading, metric: str) -> None:
    """NaN and infinity are named and never become samples."""
    assert values(reading, metric) == {}
    assert reasons(reading, metric) == ["not-finite"]


def test_text_in_place_of_a_number(reading: Reading) -> None:
    """A gauge that gives text is not-a-number; the text is not in the failure."""
    failure = next(failure for failure in reading.failures if failure.metric == "jira.http.requests.per_minute")
    assert failure == Failure("jira.http.requests.per_minute", "not-a-number", "str")


def test_absent_bean_is_not_present(reading: Reading) -> None:
    """A bean this Jira does not have is not-present, not zero."""
    assert reasons(reading, "jira.entity.users") == ["not-present"]


def test_tags_come_from_key_properties(reading: Reading) -> None:
    """Only the mapped key properties become tags, quotes removed; the virtual host's name is not among them."""
    busy = values(reading, "tomcat.threads.busy")
    assert busy == {(("connector", "http-nio-8080"),): 3, (("connector", "odd;name/with=signs,and quotes"),): 1}
    assert values(reading, "tomcat.sessions.active") == {(("context", "/jira"),): 6}
    assert "secret-host" not in repr(reading.samples)


def test_tomcat_domain_differs_by_product(reading: Reading) -> None:
    """Catalina, Standalone and Tomcat are one metric."""
    assert values(reading, "tomcat.requests") == {(("connector", "http-nio-8090"),): 42}


@pytest.mark.parametrize("product", products())
def test_no_query_reaches_a_forbidden_bean(product: str) -> None:
    """Not the source filters them out: the JVM is never asked. tests/catalog/test_coverage.py reads every entry."""
    for query in bean_queries(bindings_of(load_catalog(product))):
        assert not any(matches(query.name, name) for name in FORBIDDEN), query.name


def test_queries_are_merged_by_bean() -> None:
    """Two metrics of one bean make one query with both attributes."""
    bindings = [JmxBinding("d:type=X", "One"), JmxBinding("d:type=X", "Two")]
    assert bean_queries(bindings) == (BeanQuery("d:type=X", ("One", "Two"), ()),)


def test_property_order_does_not_matter() -> None:
    """A JVM may give the properties of a name in any order."""
    own = catalog_of(jmx_metric("a.one", "d:type=X,name=Y", "One"))
    answer = JmxSample({"d:name=Y,type=X": {"One": 1}}, started_ms=7)
    reading = Jmx(own, lambda queries: Canned(answer)).read(1)
    assert [sample.value for sample in reading.samples] == [1]
    assert reading.epoch == "7"


def test_info_text_is_cleaned_and_cut() -> None:
    """Info text loses control characters and is at most 200 characters long."""
    own = catalog_of(jmx_metric("a.info", "d:type=X", "One", Kind.INFO))
    answer = JmxSample({"d:type=X": {"One": "a\x1b[31m\u202eb" + "c" * 500}})
    (sample,) = Jmx(own, lambda queries: Canned(answer)).read(1).samples
    assert isinstance(sample.value, str)
    assert sample.value.startswith("a[31mbc")
    assert len(sample.value) == 200


def test_excluded_bean_is_dropped_even_when_a_transport_gives_it() -> None:
    """The exclusion holds here too, whatever the transport did."""
    own = catalog_of(jmx_metric("a.one", "d:type=X,*", "One", excluding=("d:type=X,bad=*",)))
    answer = JmxSample({"d:type=X,bad=1": {"One": 1}, "d:type=X,good=1": {"One": 2}})
    assert [sample.value for sample in Jmx(own, lambda queries: Canned(answer)).read(1).samples] == [2]


def test_beans_that_cannot_be_told_apart() -> None:
    """Two beans of one series: the same one speaks whatever the order, and the metric is named ambiguous."""
    own = catalog_of(jmx_metric("a.one", "d:type=X,*", "One"))
    beans: dict[str, dict[str, JmxValue]] = {"d:type=X,n=2": {"One": 2}, "d:type=X,n=1": {"One": 1}}
    for given in (beans, dict(reversed(beans.items()))):
        answer = JmxSample(given)
        reading = Jmx(own, lambda queries, answer=answer: Canned(answer)).read(1)  # type: ignore[misc]  # bound default
        assert [sample.value for sample in reading.samples] == [1]
        assert [failure.reason for failure in reading.failures] == ["ambiguous"]


@pytest.mark.parametrize(("merge", "value"), [(Merge.SUM, 10), (Merge.MAX, 7)])
def test_beans_that_must_not_be_told_apart_are_merged(merge: Merge, value: int) -> None:
    """What only a query tells apart becomes one series: counts added, or the highest, and nothing is ambiguous."""
    own = catalog_of(jmx_metric("a.one", "d:type=X,*", "One", merge=merge))
    beans: dict[str, dict[str, JmxValue]] = {f"d:type=X,query={n}": {"One": n} for n in (1, 7, 2)}
    reading = Jmx(own, lambda queries: Canned(JmxSample(beans))).read(1)
    assert [(sample.series.tags, sample.value) for sample in reading.samples] == [((), value)]
    assert reading.failures == ()


def test_app_metrics_are_read_by_app_and_without_what_was_typed(reading: Reading) -> None:
    """SQL times of two statements of one app are one series; the statements are nowhere in the reading."""
    assert values(reading, "jira.app.db.core.count") == {
        (("pluginKey", "com.atlassian.public"),): 5,
        (("pluginKey", "com.customer.private"),): 100,
    }
    assert values(reading, "jira.app.db.core.mean")[(("pluginKey", "com.atlassian.public"),)] == 9.5
    assert values(reading, "jira.app.long_running_task.active") == {(("pluginKey", "com.customer.private"),): 1}
    assert values(reading, "jira.app.http.rest.count") == {(("pluginKey", "com.atlassian.public"),): 8}
    assert "planted" not in str(reading.samples)


def test_pools_and_cluster_memory(jvm: Jvm) -> None:
    """HikariCP, C3P0, DBCP and Hazelcast by the names that they share between products."""
    reading = jmx_source(jvm.port, load_catalog("confluence")).read(30)
    assert values(reading, "pool.hikari.waiting") == {(("pool", "Pool (HikariPool-1)"),): 2}
    assert values(reading, "pool.c3p0.busy") == {(("pool", "crowd"),): 3}
    assert values(reading, "pool.dbcp.active") == {(("pool", "jdbc/JiraDS"),): 5}
    assert values(reading, "hazelcast.map.entries.owned") == {(("map", "com.example.cache"),): 70}
    assert values(reading, "hazelcast.partitions") == {(): 271}


def test_transport_error_becomes_source_error() -> None:
    """The transport's code leaves when it is a known one, its sentences stay for the admin."""
    known = Jmx(catalog_of(), lambda queries: Canned(JmxError("refused", "Nobody listens.", do="Start it.")))
    with pytest.raises(SourceError, match="Nobody listens") as caught:
        known.read(1)
    assert (caught.value.reason, caught.value.do) == ("refused", "Start it.")
    strange = Jmx(catalog_of(), lambda queries: Canned(JmxError("host-db7.internal", "x")))
    with pytest.raises(SourceError) as other:
        strange.read(1)
    assert other.value.reason == "other"


def canned(answer: JmxSample) -> Reading:
    """The reading of what a transport answers, with the metrics of two entries."""
    own = catalog_of(
        jmx_metric("pool.used", "x:type=Pool,name=*", "Used", tags={"name": "name"}),
        jmx_metric("heap.used", "x:type=Heap", "Used"),
    )
    return Jmx(own, lambda _: Canned(answer)).read(10)


def test_attribute_left_alone_is_quarantined() -> None:
    """J14: what a transport does not ask for any more is a failure of its own, with bean, attribute and cause."""
    left = ReadFailure("x:type=Heap", "Used", "not-serializable", "the server broke off", left_alone=True)
    reading = canned(JmxSample({"x:type=Pool,name=a": {"Used": 1}}, (left,)))
    assert reasons(reading, "heap.used") == ["quarantined"]
    (failure,) = [item for item in reading.failures if item.metric == "heap.used"]
    assert failure.detail == "x:type=Heap Used: not-serializable, the server broke off"
    assert "quarantined" in REASONS


def test_cap_that_cuts_is_told_with_count_and_names() -> None:
    """J16: the cap, the number of beans and the first names are told, and what nobody looked for is not 'absent'."""
    reading = canned(JmxSample({"x:type=Pool,name=a": {"Used": 1}}, cut=(7, ("x:type=Pool,name=b",))))
    (failure,) = [item for item in reading.failures if item.metric == "pool.used"]
    assert failure.reason == "cut"
    assert failure.detail == "[jmx] max_beans leaves out 7 beans: x:type=Pool,name=b"
    assert reasons(reading, "heap.used") == ["cut"]
    assert "cut" in REASONS


def test_attribute_that_a_bean_does_not_declare_is_absent() -> None:
    """An older product without the attribute is healthy: not-present, as a bean that is not there."""
    gone = ReadFailure("x:type=Heap", "Used", "not-declared")
    assert reasons(canned(JmxSample({}, (gone,))), "heap.used") == ["not-present"]
