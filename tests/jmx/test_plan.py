"""What to read: selection by declared type, the cap, exclusions, and how often the JVM is asked for names."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from agent.jmx.calls import Method
from agent.jmx.errors import RemoteFailure
from agent.jmx.model import BeanQuery, JmxValue
from agent.jmx.plan import Declared, Discovery, Selection, is_plain, select
from agent.jmx.quarantine import MAX_ENTRIES, RETRY_AFTER_S, Quarantine
from agent.jmx.sampler import Accept, Outcome, Request

POOL = "com.atlassian.jira:connectionpool=connections,connection=*,name=BasicDataSource"
DECLARED = [
    Declared("Count", "long", True),
    Declared("Name", "java.lang.String", True),
    Declared("Usage", "javax.management.openmbean.CompositeData", True),
    Declared("Ids", "[J", True),
    Declared("Value", "java.lang.Object", True),
    Declared("Gauge", "java.lang.Number", True),
    Declared("Server", "org.apache.catalina.Server", True),
    Declared("Secret", "java.lang.String", False),
]
NO_BEAN = RemoteFailure("javax.management.InstanceNotFoundException", "d:a=1", ())


class Answers:
    """Stands for the JVM: names by pattern, and the same MBeanInfo for all."""

    def __init__(self, names: dict[str, list[str]]) -> None:
        self.names = names
        self.asked: list[tuple[Method, bytes]] = []
        self.absent: set[str] = set()

    def __call__(self, requests: Sequence[Request], accept: Accept, share: float = 1.0) -> None:
        for index, request in enumerate(requests):
            raw = bytes(request.call(bytes(22)))
            self.asked.append((request.method, raw))
            if request.method is Method.QUERY_NAMES:
                found = next(names for pattern, names in self.names.items() if pattern.encode() in raw)
                outcome: Outcome = list[JmxValue](found)
            elif any(name.encode() in raw for name in self.absent):
                outcome = NO_BEAN
            else:
                outcome = [["Count", "long", True], ["Value", "java.lang.Object", True]]
            accept(index, outcome)

    def infos(self) -> int:
        return sum(1 for method, _ in self.asked if method is Method.GET_MBEAN_INFO)


def test_without_names_all_plain_attributes_are_read() -> None:
    """Primitives, boxes, String, open types and arrays of these; Object and Number are tried alone; others never."""
    assert select(DECLARED, ()) == Selection(("Count", "Name", "Usage", "Ids"), ("Value", "Gauge"), ())


def test_named_attributes_are_checked_against_what_is_declared() -> None:
    """What is not declared or not readable is a named failure; what is of a doubtful class is tried alone."""
    wanted = ("Count", "Server", "Nope", "Secret")
    assert select(DECLARED, wanted) == Selection(
        ("Count",), ("Server",), (("Nope", "no-attribute"), ("Secret", "not-readable"))
    )


@pytest.mark.parametrize(
    ("type_name", "plain"),
    [
        ("int", True),
        ("[[D", True),
        ("[Ljava.lang.String;", True),
        ("[Ljavax.management.openmbean.CompositeData;", True),
        ("java.util.Map", False),
        ("[Ljava.lang.Object;", False),
        ("java.lang.Object", False),
        ("[", False),
    ],
)
def test_which_types_are_plain(type_name: str, plain: bool) -> None:
    """Only types whose every value can be serialized and read are read without a trial."""
    assert is_plain(type_name) is plain


def test_only_new_beans_are_asked_for_their_attributes() -> None:
    """A plan made again asks for names, and for MBeanInfo of beans not seen before only."""
    answers = Answers({"d:*": ["d:a=1", "d:a=2"]})
    discovery = Discovery([BeanQuery("d:*")], 100)
    first = discovery.plan(answers)
    assert first.beans == {name: Selection(("Count",), ("Value",)) for name in ("d:a=1", "d:a=2")}
    answers.names["d:*"] = ["d:a=2", "d:a=3"]
    assert set(discovery.plan(answers).beans) == {"d:a=2", "d:a=3"}
    assert answers.infos() == 3


def test_names_are_asked_by_pattern_only() -> None:
    """J17: a query without wildcards lists no names at all, one with wildcards only its own."""
    answers = Answers({"d:*": ["d:a=1"]})
    Discovery([BeanQuery("d:*"), BeanQuery("e:b=2", ("Count",))], 100).plan(answers)
    patterns = [raw for method, raw in answers.asked if method is Method.QUERY_NAMES]
    assert len(patterns) == 1
    assert b"d:*" in patterns[0]


def test_the_cap_says_what_it_cut() -> None:
    """J16: count and first names of the beans left out, always the same ones."""
    answers = Answers({"d:*": [f"d:a={number:03}" for number in range(150)]})
    plan = Discovery([BeanQuery("d:*")], 100).plan(answers)
    assert len(plan.beans) == 100
    assert answers.infos() == 100
    assert plan.cut == (50, tuple(f"d:a={number}" for number in range(100, 110)))


def test_an_excluded_bean_is_never_asked_about() -> None:
    """J18: the connection pool (JRASERVER-72688) is neither read nor described, whichever query finds it."""
    pool = POOL.replace("*", "db")
    answers = Answers({"com.atlassian.jira:*": [pool, "com.atlassian.jira:type=metrics"]})
    queries = [BeanQuery("com.atlassian.jira:*", excluding=(POOL,)), BeanQuery(pool, ("NumActive",))]
    plan = Discovery(queries, 100).plan(answers)
    assert set(plan.beans) == {"com.atlassian.jira:type=metrics"}
    assert not any(b"BasicDataSource" in raw for _, raw in answers.asked)


def test_what_is_not_there_is_a_named_failure() -> None:
    """A pattern without beans and a bean that is absent are told, and asked for again with the next plan."""
    answers = Answers({"d:*": []})
    answers.absent = {"e:b=2"}
    discovery = Discovery([BeanQuery("d:*"), BeanQuery("e:b=2")], 100)
    assert [(failure.bean, failure.reason) for failure in discovery.plan(answers).failures] == [
        ("d:*", "no-bean"),
        ("e:b=2", "no-bean"),
    ]
    answers.absent = set()
    assert set(discovery.plan(answers).beans) == {"e:b=2"}


def test_two_queries_for_one_bean_are_one_read() -> None:
    """Attributes are joined; all plain ones takes in those named."""
    answers = Answers({})
    both = Discovery([BeanQuery("d:a=1", ("Count",)), BeanQuery("d:a=1", ("Value",))], 100).plan(answers)
    assert both.beans["d:a=1"] == Selection(("Count",), ("Value",))
    one = Discovery([BeanQuery("d:a=1", ("Count",)), BeanQuery("d:a=1")], 100).plan(answers)
    assert one.beans["d:a=1"] == Selection(("Count",), ("Value",))


def test_a_malformed_query_is_refused_at_once() -> None:
    """It is the catalog's fault and no server's."""
    with pytest.raises(ValueError, match="no name"):
        Discovery([BeanQuery("no name")], 100)


def test_quarantine_ends_after_an_hour() -> None:
    """What broke a reply is listed with its reason and tried again after an hour, not before."""
    quarantine = Quarantine()
    quarantine.add("d:a=1", "Value", "not-serializable", "java.lang.Thread", 0.0)
    assert quarantine.release(RETRY_AFTER_S - 1) == []
    assert quarantine.listed()[0].reason == "not-serializable"
    assert quarantine.release(RETRY_AFTER_S) == [("d:a=1", "Value")]
    assert len(quarantine) == 0


def test_quarantine_is_bounded() -> None:
    """A server full of bad attributes does not fill our memory."""
    quarantine = Quarantine()
    for number in range(MAX_ENTRIES + 5):
        quarantine.add("d:a=1", str(number), "not-serializable", "", 0.0)
    assert len(quarantine) == MAX_ENTRIES
