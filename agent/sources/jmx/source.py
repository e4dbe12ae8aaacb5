"""JMX: the catalog's bindings become bean queries, what the JVM answers becomes Samples.

In:   any transport of agent.jmx; it knows no product. One call a tick.
Out:  Samples tagged from ObjectName key properties, only those the catalog names. Booleans are 0 or 1; text only for
      info metrics, cleaned and cut. A bean or attribute that is absent is "not-present"; NaN is "not-finite";
      two beans that would be one series are added or the highest speaks, as the entry says (`merge`); without it they
      are "ambiguous" and the first by name speaks.
      The epoch is the JVM's start time: when it changes, its counters began again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from agent.catalog import Catalog, Merge, Metric
from agent.errors import SourceError
from agent.jmx import BeanQuery, JmxError, JmxSample, JmxValue, ReadFailure, Transport
from agent.jmx.names import ObjectName, key_properties, matches_name, parse_object_name
from agent.model import Failure, Kind, Reading, Sample, Series, Value
from agent.reasons import AMBIGUOUS, CUT, JMX_REASONS, NOT_A_NUMBER, NOT_FINITE, NOT_PRESENT, OTHER, QUARANTINED
from agent.sources.base import Quoted, clean_text, once_each, quoting
from agent.sources.jmx.binding import JmxBinding
from agent.sources.numbers import LARGEST, SMALLEST, NoNumberError, number_of
from agent.sources.opening import Opening

NAME = "jmx"
REMEMBERED_BEANS = 20_000  # names whose entries are remembered; more means that names come and go, so start again

QUOTING = frozenset({"login-required", "login-refused", "permission-denied", "wrong-port"})  # `why` is what it said
DOCTOR = "See what it says: portfolio-agent doctor"
ABSENT = frozenset({"no-bean", "no-attribute", "not-declared", NOT_PRESENT})

Tags = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Match:
    """An entry that reads a bean, with the tags that this bean gives it."""

    metric: Metric
    binding: JmxBinding
    tags: Tags


class Jmx:
    """One JVM through one transport, which is opened at the first read and kept."""

    name = NAME

    def __init__(self, catalog: Catalog, open_transport: Callable[[tuple[BeanQuery, ...]], Transport]) -> None:
        self._bound = [
            (metric, binding) for metric in catalog.of_source(NAME) if (binding := metric.bound(JmxBinding)) is not None
        ]
        self._by_other_names = {
            metric.name for metric, binding in self._bound if binding.or_beans or binding.or_attributes
        }
        self._open_transport = open_transport
        self._transport: Transport | None = None
        self._unaccepted = False
        self._matches: dict[str, tuple[Match, ...]] = {}
        self._wanted: dict[str, tuple[tuple[str, Metric], ...]] = {}

    def read(self, deadline_s: float) -> Reading:
        """Every JMX metric of the catalog that this JVM has."""
        try:
            if self._transport is None:
                self._transport = self._open_transport(bean_queries([binding for _, binding in self._bound]))
            if self._unaccepted:
                self._transport.take_back()
            # A read that fails gives nothing that could be lost: what it learnt of beans that hang stays, or they
            # would spoil the next one too.
            self._unaccepted = False
            answer = self._transport.sample(deadline_s)
        except JmxError as error:
            reason = error.code if error.code in JMX_REASONS else OTHER
            raise _unquoted(error, reason) from None
        self._unaccepted = True
        return replace(self._reading(answer), commit=self._accept)

    def _accept(self) -> None:
        self._unaccepted = False

    def close(self) -> None:
        """Close the transport; the next read opens it again."""
        transport, self._transport = self._transport, None
        if transport is not None:
            transport.close()

    def _reading(self, answer: JmxSample) -> Reading:
        samples: dict[Series, tuple[str, Sample]] = {}
        failures: list[Failure] = []
        for bean, attributes in answer.beans.items():
            for match in self._matching(bean):
                name = next((name for name in match.binding.attributes if name in attributes), None)
                if name is None:
                    continue
                value = attributes[name]
                if match.binding.key is not None:
                    value = value.get(match.binding.key) if isinstance(value, dict) else None
                found = _value(match, value)
                if isinstance(found, Failure):
                    failures.append(found)
                else:
                    series = Series(NAME, match.metric.name, match.tags)
                    rival = samples.get(series)
                    if rival is not None and match.binding.merge is not None:
                        found = _merged(match.binding.merge, rival[1].value, found)
                        samples[series] = (rival[0], Sample(series, found))
                        continue
                    if rival is not None:
                        # Two beans that the catalog's tags do not tell apart: always the same one speaks.
                        words = quoting(Quoted(rival[0]), " and ", Quoted(bean))
                        failures.append(Failure(match.metric.name, AMBIGUOUS, *words))
                    if rival is None or bean < rival[0]:
                        samples[series] = (bean, Sample(series, found))
        # A thing with several names goes by one of them: that the others are absent is no failure.
        named = {series.metric for series in samples} & self._by_other_names
        failures += [
            failure
            for failed in answer.failures
            for failure in self._failures(failed)
            if failure.reason != NOT_PRESENT or failure.metric not in named
        ]
        # Before what is merely absent, of which the same reason would be told without the names.
        failures += self._cut(*answer.cut)
        known = {series.metric for series in samples} | {failure.metric for failure in failures}
        # with beans cut, nobody knows whether the product has it
        absent = CUT if answer.cut[0] else NOT_PRESENT
        failures += [Failure(metric.name, absent) for metric, _ in self._bound if metric.name not in known]
        epoch = "" if answer.started_ms is None else str(answer.started_ms)
        return Reading(tuple(sample for _, sample in samples.values()), once_each(failures), epoch)

    def _matching(self, bean: str) -> tuple[Match, ...]:
        known = self._matches.get(bean)
        if known is None:
            # Matching is what costs, some hundred patterns a name; what a bean matches is remembered as long as names
            # stay.
            if len(self._matches) >= REMEMBERED_BEANS:
                self._matches.clear()
            name = _parsed(bean)
            known = self._matches[bean] = tuple(
                Match(metric, binding, _tags(binding, bean)) for metric, binding in self._bound if _fits(binding, name)
            )
        return known

    def _failures(self, failed: ReadFailure) -> list[Failure]:
        """A failure of a bean or attribute as failures of the metrics that wanted it."""
        reason = NOT_PRESENT if failed.reason in ABSENT else failed.reason
        reason = reason if reason in JMX_REASONS | {NOT_PRESENT} else OTHER
        reason = QUARANTINED if failed.left_alone else reason
        cause = f"{failed.reason}, " if failed.left_alone else ""
        # The bean's name and the JVM's own words may hold what anybody typed.
        words = quoting(Quoted(failed.bean), f" {failed.attribute}: {cause}", Quoted(failed.detail))
        return [
            Failure(metric.name, reason, *words)
            for attribute, metric in self._wanting(failed.bean)
            if failed.attribute in ("", attribute)
        ]

    def _wanting(self, bean: str) -> tuple[tuple[str, Metric], ...]:
        """Attribute and metric of every entry that reads this bean or asks by this very pattern.

        Remembered: what a JVM does not have fails on each tick anew.
        """
        known = self._wanted.get(bean)
        if known is None:
            if len(self._wanted) >= REMEMBERED_BEANS:
                self._wanted.clear()
            name = _parsed(bean)
            known = self._wanted[bean] = tuple(
                (attribute, metric)
                for metric, binding in self._bound
                for attribute in binding.attributes
                if bean in binding.beans or _fits(binding, name)
            )
        return known

    def _cut(self, count: int, names: tuple[str, ...]) -> list[Failure]:
        """The beans that the cap left out, told at each metric that one of the first of them would have given."""
        if not count:
            return []
        listed = [part for name in names for part in (", ", Quoted(name))][1:]
        words = quoting(f"[jmx] max_beans leaves out {count} beans: ", *listed)
        metrics = {match.metric.name for name in names for match in self._matching(name)}
        return [Failure(name, CUT, *words) for name in sorted(metrics)] or [Failure("", CUT, *words)]


def _unquoted(error: JmxError, reason: str) -> SourceError:
    """The error without the JVM's own words, into which a login or an app may put anything: they would be stored."""
    if error.code == "remote-failure":
        return SourceError(reason, "The JVM answered with an exception.", do=DOCTOR)
    if error.code in QUOTING:
        return SourceError(reason, error.what, why="The JVM said so.", do=error.do or DOCTOR)
    return SourceError(reason, error.what, why=error.why, do=error.do)


def bean_queries(bindings: list[JmxBinding]) -> tuple[BeanQuery, ...]:
    """One query for each bean or pattern, with every attribute that any binding reads there, in catalog order."""
    attributes: dict[str, dict[str, None]] = {}
    excluding: dict[str, dict[str, None]] = {}
    for binding in bindings:
        for bean in binding.beans:
            attributes.setdefault(bean, {}).update(dict.fromkeys(binding.attributes))
            excluding.setdefault(bean, {}).update(dict.fromkeys(binding.excluding))
    return tuple(BeanQuery(bean, tuple(names), tuple(excluding[bean])) for bean, names in attributes.items())


def open_source(opening: Opening) -> Jmx:
    """The JMX source of this configuration."""
    from agent.jmx.transport import open_transport
    from agent.sources.jmx.target import target_of

    target = target_of(opening.settings)
    return Jmx(opening.catalog, lambda queries: open_transport(target, queries))


def _parsed(bean: str) -> ObjectName | None:
    try:
        return parse_object_name(bean)
    except ValueError:
        return None  # no entry reads it


def _fits(binding: JmxBinding, name: ObjectName | None) -> bool:
    if name is None:
        return False
    return any(matches_name(pattern, name) for pattern in binding.beans) and not any(
        matches_name(pattern, name) for pattern in binding.excluding
    )


def _tags(binding: JmxBinding, bean: str) -> Tags:
    if not binding.tags:
        return ()
    properties = key_properties(bean)
    found = {tag: clean_text(properties[key]) for key, tag in binding.tags.items() if key in properties}
    return tuple(sorted(found.items()))


def _merged(merge: Merge, one: Value, other: Value) -> Value:
    """What two beans of one series give together; text cannot be merged, nor what would not be a number any more:
    there the first speaks."""
    if isinstance(one, str) or isinstance(other, str):
        return one
    try:
        return number_of(one + other if merge is Merge.SUM else max(one, other))
    except NoNumberError:
        return one


def _value(match: Match, value: JmxValue) -> Value | Failure:
    """A sample's value, or why there is none; whatever a bean has there costs this value only."""
    metric = match.metric
    if value is None:
        return Failure(metric.name, NOT_PRESENT)
    if metric.kind is Kind.INFO:
        # `Opaque` is a text too: the name of a class that nobody understood.
        if type(value) is str:
            return clean_text(value)
        if not isinstance(value, bool | int):
            return Failure(metric.name, NOT_A_NUMBER, type(value).__name__)
        return value if SMALLEST <= value <= LARGEST else Failure(metric.name, NOT_FINITE)
    try:
        number = number_of(value)
    except NoNumberError as error:
        return Failure(metric.name, error.reason, type(value).__name__)
    if match.binding.absent is not None and number == match.binding.absent:
        return Failure(metric.name, NOT_PRESENT, "the bean says that it does not know")
    return number
