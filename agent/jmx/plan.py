"""What to read, resolved from the queries: which beans there are, and which of their attributes can be read safely.

In:   BeanQuerys and a way to ask the JVM.
Out:  `Plan`: per bean the attributes for one bulk read, those to be tried one by one first, and what is left out, why.
When: at first, then hourly, or when the set of beans seems to have changed; never while sampling. Beans outside the
      queries are never listed. The cap on beans names what it cut.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple, Protocol

from agent.jmx import calls
from agent.jmx.calls import Method
from agent.jmx.errors import JmxError, ProtocolError, RemoteFailure, serial_filter
from agent.jmx.model import BeanQuery, JmxValue, ReadFailure
from agent.jmx.names import is_pattern, matches, parse_object_name
from agent.jmx.nodes import JavaArray, JavaObject, Node
from agent.jmx.sampler import Accept, Outcome, Request
from agent.jmx.templates import TemplateSet
from agent.jmx.values import is_a

MAX_CUT_NAMES = 10
MAX_ATTRIBUTES = 4096  # of one bean

# One value that cannot be serialized spoils the reply of its whole bean and costs the connection. Of Tomcat's 63 beans
# eight have such attributes, declared as Object or as a class of its own: so a bulk read takes these types only.
_PRIMITIVES = ("boolean", "byte", "char", "double", "float", "int", "long", "short")
_SIMPLE = (
    *(f"java.lang.{name}" for name in ("Boolean", "Byte", "Character", "Double", "Float", "Integer", "Long")),
    "java.lang.Short",
    "java.lang.String",
    *(f"java.math.{name}" for name in ("BigDecimal", "BigInteger")),
    *(f"java.util.concurrent.atomic.{name}" for name in ("AtomicBoolean", "AtomicInteger", "AtomicLong")),
    "java.util.Date",
    "javax.management.ObjectName",
    "javax.management.openmbean.CompositeData",
    "javax.management.openmbean.TabularData",
)
PLAIN_TYPES = frozenset((*_PRIMITIVES, *_SIMPLE))
PLAIN_ELEMENTS = frozenset((*"ZBCDFIJS", *(f"L{name};" for name in _SIMPLE)))
# what may hold a plain value, but also one that breaks a reply: the Value of gauges is declared like this
PROBED_TYPES = frozenset(("java.lang.Object", "java.lang.Number"))


class Declared(NamedTuple):
    """One attribute as MBeanInfo describes it."""

    name: str
    type_name: str
    readable: bool


class Selection(NamedTuple):
    """What to read of a bean: in bulk, after a probe, and not at all (attribute, reason)."""

    bulk: tuple[str, ...] = ()
    probes: tuple[str, ...] = ()
    left_out: tuple[tuple[str, str], ...] = ()


class Plan(NamedTuple):
    """The beans to read, what was left out, and how many beans the cap cut with the first of their names."""

    beans: dict[str, Selection]
    failures: tuple[ReadFailure, ...] = ()
    cut: tuple[int, tuple[str, ...]] = (0, ())


class Ask(Protocol):
    """Asks the requests in order, using at most a share of the time that the sample has left."""

    def __call__(self, requests: Sequence[Request], accept: Accept, share: float = 1.0) -> None: ...


def declared_attributes(node: Node) -> JmxValue:
    """Return [[name, type, readable], ...] of an MBeanInfo. Raises ProtocolError for anything else."""
    array = node.fields.get("attributes") if isinstance(node, JavaObject) else None
    items = array.items if isinstance(array, JavaArray) else None
    if not isinstance(items, list) or len(items) > MAX_ATTRIBUTES:
        raise ProtocolError("An MBeanInfo was expected.")
    found: list[JmxValue] = []
    for item in items:
        if not isinstance(item, JavaObject) or not is_a(item, "javax.management.MBeanAttributeInfo"):
            raise ProtocolError("An MBeanAttributeInfo was expected.")
        name, type_name = item.fields.get("name"), item.fields.get("attributeType")
        if isinstance(name, str) and isinstance(type_name, str):
            found.append([name, type_name, item.fields.get("isRead") is True])
    return found


def is_plain(type_name: str) -> bool:
    """Return whether values of a declared type can always be read."""
    return type_name in PLAIN_TYPES or (type_name.startswith("[") and type_name.lstrip("[") in PLAIN_ELEMENTS)


def select(declared: Iterable[Declared], wanted: Sequence[str]) -> Selection:
    """Return what to read of a bean that declares these attributes; nothing wanted by name means all plain ones.

    A name is checked against its declared type: what is not plain is tried alone before it may join a bulk read.
    """
    by_name = {attribute.name: attribute for attribute in declared}
    bulk, probes, left_out = [], [], []
    for name in wanted or by_name:
        attribute = by_name.get(name)
        if attribute is None:
            left_out.append((name, "no-attribute"))
        elif not attribute.readable:
            if wanted:
                left_out.append((name, "not-readable"))
        elif is_plain(attribute.type_name):
            bulk.append(name)
        elif wanted or attribute.type_name in PROBED_TYPES:
            probes.append(name)
    return Selection(tuple(bulk), tuple(probes), tuple(left_out))


class Discovery:
    """Makes plans for the same queries again and again; keeps what MBeanInfo said of beans that are still there.

    Raises ValueError for queries whose names are malformed.
    """

    def __init__(self, queries: Sequence[BeanQuery], max_beans: int) -> None:
        self._queries = tuple(queries)
        for name in (name for query in self._queries for name in (query.name, *query.excluding)):
            parse_object_name(name)
        self._max_beans = max_beans
        self._info = TemplateSet(declared_attributes)
        self._plain = TemplateSet(learns=False)
        self._known: dict[tuple[str, tuple[str, ...]], Selection] = {}
        # hundreds of timers declare the same: one object for all of them
        self._shared: dict[Selection, Selection] = {}

    def forget(self) -> None:
        """Ask every bean anew at the next plan: after a restart the same name may declare something else."""
        self._known = {}

    def plan(self, ask: Ask) -> Plan:
        """Ask the JVM which beans there are, and of new ones what they declare.

        Raises JmxError as `ask` does, and the refusal of a login that may read none of them.
        """
        failures: list[ReadFailure] = []
        denied: list[RemoteFailure] = []  # by a permission, or by the filter of classes
        wanted = self._find(_noting(ask, denied), failures)
        names = sorted(wanted)
        cut = names[self._max_beans :]
        names = names[: self._max_beans]
        unknown = [name for name in names if (name, wanted[name]) not in self._known]
        self._read_infos(_noting(ask, denied), unknown, wanted, failures)
        known = {(name, wanted[name]): self._known.get((name, wanted[name])) for name in names}
        self._known = {key: selection for key, selection in known.items() if selection is not None}
        beans = {name: selection for (name, _), selection in self._known.items()}
        if denied and not beans:
            raise serial_filter() if denied[0].is_filtered else denied[0]
        for name, selection in beans.items():
            failures.extend(ReadFailure(name, attribute, reason) for attribute, reason in selection.left_out)
        return Plan(beans, tuple(failures), (len(cut), tuple(cut[:MAX_CUT_NAMES])))

    def _find(self, ask: Ask, failures: list[ReadFailure]) -> dict[str, tuple[str, ...]]:
        """Return bean -> attributes wanted (none: all plain ones), over all queries."""
        patterns = sorted({query.name for query in self._queries if is_pattern(query.name)})
        found: dict[str, list[str]] = {}

        def accept(index: int, outcome: Outcome) -> None:
            if isinstance(outcome, list):
                found[patterns[index]] = [name for name in outcome if isinstance(name, str)]
            else:
                failures.append(failure_of_outcome(patterns[index], "", outcome))

        ask([Request(Method.QUERY_NAMES, calls.query_arguments(name), self._plain) for name in patterns], accept)
        # an exclusion counts for all queries: the bean is costly whoever asks for it
        excluding = {pattern for query in self._queries for pattern in query.excluding}
        wanted: dict[str, tuple[str, ...]] = {}
        for query in self._queries:
            names = found.get(query.name, []) if query.name in patterns else [query.name]
            if not names and query.name in found:
                failures.append(ReadFailure(query.name, "", "no-bean"))
            for name in names:
                if not any(matches(pattern, name) for pattern in excluding):
                    wanted[name] = _joined(wanted.get(name), query.attributes)
        return wanted

    def _read_infos(
        self, ask: Ask, names: Sequence[str], wanted: dict[str, tuple[str, ...]], failures: list[ReadFailure]
    ) -> None:
        def accept(index: int, outcome: Outcome) -> None:
            name = names[index]
            if not isinstance(outcome, list):
                failures.append(failure_of_outcome(name, "", outcome))
                return
            declared = [Declared(*row) for row in outcome if isinstance(row, list)]  # type: ignore[arg-type]  # rows are ours
            selection = select(declared, wanted[name])
            self._known[name, wanted[name]] = self._shared.setdefault(selection, selection)

        ask([Request(Method.GET_MBEAN_INFO, calls.bean_arguments(name), self._info) for name in names], accept)


def _noting(ask: Ask, denied: list[RemoteFailure]) -> Ask:
    """Return `ask` that also gathers the refusals for want of a permission."""

    def noting(requests: Sequence[Request], accept: Accept, share: float = 1.0) -> None:
        def note(index: int, outcome: Outcome) -> None:
            if isinstance(outcome, RemoteFailure) and (outcome.is_security or outcome.is_filtered):
                denied.append(outcome)
            accept(index, outcome)

        ask(requests, note, share)

    return noting


def _joined(first: tuple[str, ...] | None, second: tuple[str, ...]) -> tuple[str, ...]:
    if first is None or first == second:
        return second
    # all plain ones (an empty list) takes in whatever else was named
    return tuple(dict.fromkeys((*first, *second))) if first and second else ()


def failure_of_outcome(bean: str, attribute: str, outcome: Outcome) -> ReadFailure:
    """Return the named failure of one request: `reason` is one of a short, stable list."""
    if isinstance(outcome, RemoteFailure):
        return ReadFailure(bean, attribute, _reason(outcome), str(outcome))
    if isinstance(outcome, JmxError):
        return ReadFailure(bean, attribute, outcome.code, outcome.what)
    return ReadFailure(bean, attribute, "protocol-error", "The answer is of another kind than the question.")


def _reason(failure: RemoteFailure) -> str:
    if failure.class_name.endswith("InstanceNotFoundException"):
        return "no-bean"
    if failure.is_security:
        return "permission-denied"
    if failure.is_filtered:
        return "serial-filter"
    return "remote-failure"
