"""Takes samples by a plan, and learns from what goes wrong which attributes to leave alone.

In:   the queries, and a way to ask the JVM within the deadline of one sample.
Out:  JmxSample: values that this very call read. What was not read is a named failure, never an old value.
How:  one bulk read per bean; a bean whose bulk reply breaks is read attribute by attribute in the same sample, and the
      attributes that break even alone are quarantined. Attributes of doubtful type are tried alone before they join.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from agent.jmx import calls
from agent.jmx.calls import Method
from agent.jmx.errors import ConnectionLost, JmxError, ProtocolError, RemoteFailure, serial_filter
from agent.jmx.model import BeanQuery, JmxSample, JmxValue, ReadFailure
from agent.jmx.plan import Ask, Discovery, Plan, Selection, failure_of_outcome
from agent.jmx.quarantine import Quarantine
from agent.jmx.sampler import Outcome, Request
from agent.jmx.templates import TemplateSet
from agent.jmx.values import Opaque
from agent.system.clock import monotonic_s

REPLAN_S = 3600.0
REPLAN_CHANGED_S = 300.0  # at most this often when beans come and go all the time
REPLAN_SETTLING_S = 10.0  # while a product starts, its beans appear one after another
SETTLING_S = 600.0
STRIKES = 2  # times that a bean used up the deadline before it is left alone
RUNTIME = "java.lang:type=Runtime"
SHARES = (0.5, 0.5, 1.0)  # of the time left: a bean that never answers leaves time for those behind it


class _Bean:
    """One bean of the plan: `bulk` is read in one call, `pending` is to be tried alone first."""

    __slots__ = ("broke", "bulk", "name", "pending", "request", "singly", "strikes")

    def __init__(self, name: str, selection: Selection) -> None:
        self.name = name
        self.bulk = selection.bulk
        self.pending = selection.probes
        self.request: Request | None = None
        self.strikes = 0
        self.broke = 0
        self.singly = False


class _Breach(NamedTuple):
    """An attribute that broke a reply even alone."""

    bean: _Bean
    attribute: str
    reason: str
    error: JmxError


class _Take:
    """What one sample has gathered so far."""

    def __init__(self) -> None:
        self.values: dict[str, dict[str, JmxValue]] = {}
        self.failures: list[ReadFailure] = []
        self.started_ms: int | None = None
        self.denied: RemoteFailure | None = None
        self.answered = False
        self.breaches: list[_Breach] = []
        self.broken: list[_Bean] = []


class BeanReader:
    """Holds the plan of one target over many samples and connections."""

    def __init__(self, queries: Sequence[BeanQuery], max_beans: int, clock: Callable[[], float] = monotonic_s) -> None:
        self._clock = clock
        self._discovery = Discovery(queries, max_beans)
        self._quarantine = Quarantine()
        self._plan: Plan | None = None
        self._planned_at = 0.0
        self._beans: dict[str, _Bean] = {}
        # A product has hundreds of timers with the same attributes: bytes and templates of one list serve all of them.
        self._lists: dict[tuple[str, ...], tuple[bytes, TemplateSet]] = {}
        self._singles = TemplateSet(learns=False)
        # Two cheap calls ahead of each sample: the start time tells a JVM that restarted between two ticks, the number
        # of beans that the plan may be out of date.
        start_time = calls.attributes_arguments(RUNTIME, calls.strings(("StartTime",)))
        self._head = (
            Request(Method.GET_ATTRIBUTES, start_time, TemplateSet()),
            Request(Method.GET_MBEAN_COUNT, calls.NULL_ARGUMENT, TemplateSet()),
        )
        self._planned_count: int | None = None
        self._stale = False
        self._started_ms: int | None = None
        self._settled_at = clock() + SETTLING_S

    @property
    def quarantined(self) -> tuple[ReadFailure, ...]:
        """What is left alone at present, and why."""
        return self._quarantine.listed()

    def read(self, ask: Ask) -> JmxSample:
        """Return one sample. Raises JmxError when nothing could be read."""
        if self._plan is None:
            self._replan(ask)
        for bean, attribute in self._quarantine.release(self._clock()):
            self._try_again(bean, attribute)
        take = _Take()
        try:
            self._read_bulk(ask, take)
            self._read_pending(ask, take)
        except JmxError as error:
            self._settle(take)
            if not take.values:
                raise
            self._note_unread(take, error)
        else:
            self._settle(take)
            if take.breaches and not (take.answered or take.values):
                raise take.breaches[-1].error
            self._replan_if_due(ask)
        if take.denied is not None and not take.values:
            if take.denied.is_filtered:
                raise serial_filter()
            raise take.denied
        return self._sample_of(take)

    def take_back(self) -> None:
        """The last sample was not used: what it broke on is tried again, alone first."""
        for bean, attribute in self._quarantine.take_back():
            self._try_again(bean, attribute)

    def _settle(self, take: _Take) -> None:
        """Leave alone what broke a reply, but only when the JVM could answer something: else the moment was bad."""
        if take.answered or take.values:
            for breach in take.breaches:
                self._leave_alone(breach.bean, breach.attribute, breach.reason, breach.error.what)
        else:
            for bean in take.broken:
                bean.broke, bean.singly = 0, False

    # plan

    def _replan(self, ask: Ask) -> None:
        plan = self._discovery.plan(ask)
        self._planned_at = self._clock()
        self._planned_count = None
        self._stale = False
        old, before = self._beans, self._plan
        self._beans = {}
        for name, selection in plan.beans.items():
            same = before is not None and before.beans.get(name) == selection and name in old
            self._beans[name] = old[name] if same else _Bean(name, selection)
        self._plan = plan
        self._quarantine.keep_only(dict(self._beans))
        used = {bean.bulk for bean in self._beans.values()}
        self._lists = {names: known for names, known in self._lists.items() if names in used}

    def _replan_if_due(self, ask: Ask) -> None:
        """Renew the plan for the next sample; one that cannot be renewed stays: this sample is there already."""
        age = self._clock() - self._planned_at
        settling = self._clock() < self._settled_at
        if age >= REPLAN_S:
            self._discovery.forget()
        elif not self._stale or age < (REPLAN_SETTLING_S if settling else REPLAN_CHANGED_S):
            return
        try:
            self._replan(ask)
        except JmxError:
            self._planned_at = self._clock()

    def _try_again(self, name: str, attribute: str) -> None:
        bean = self._beans.get(name)
        if bean is not None and attribute and attribute not in bean.bulk:
            bean.pending = (*bean.pending, attribute)

    # bulk

    def _read_bulk(self, ask: Ask, take: _Take) -> None:
        beans = [bean for bean in self._beans.values() if bean.bulk and (bean.name, "") not in self._quarantine]
        bulk = [bean for bean in beans if not bean.singly]
        broken = take.broken = [bean for bean in beans if bean.singly]

        ask(self._head, lambda index, outcome: self._accept_head(index, outcome, take))
        for share in SHARES:
            bulk = self._read_in_time(ask, bulk, take, broken, share)
        for bean in broken:
            self._read_singly(ask, bean, take)

    def _read_in_time(self, ask: Ask, bulk: list[_Bean], take: _Take, broken: list[_Bean], share: float) -> list[_Bean]:
        """Read beans; one that uses up the share of the time is given up. Returns those behind it, to be read yet."""
        done = 0

        def accept(index: int, outcome: Outcome) -> None:
            nonlocal done
            done = index + 1
            self._accept_bulk(bulk[index], outcome, take, broken)

        try:
            ask([bean.request or self._request_of(bean) for bean in bulk], accept, share)
        except JmxError as error:
            if isinstance(error, ProtocolError) and broken:
                # too many replies broke: those beans are mended first, the ones behind wait for the next sample
                take.failures.extend(ReadFailure(bean.name, "", error.code, error.what) for bean in bulk[done:])
                return []
            if error.code != "timeout" or done >= len(bulk):
                raise
            self._strike(bulk[done])
            if share == SHARES[-1]:
                raise
            take.failures.append(ReadFailure(bulk[done].name, "", error.code, error.what))
            return bulk[done + 1 :]
        return []

    def _request_of(self, bean: _Bean) -> Request:
        shared = self._lists.get(bean.bulk)
        if shared is None:
            shared = self._lists[bean.bulk] = (calls.strings(bean.bulk), TemplateSet())
        encoded, templates = shared
        bean.request = Request(Method.GET_ATTRIBUTES, calls.attributes_arguments(bean.name, encoded), templates)
        return bean.request

    def _accept_head(self, index: int, outcome: Outcome, take: _Take) -> None:
        """Start time: a JVM that restarted registers its beans anew. Count: a hint that the plan is out of date."""
        if index == 0:
            # an attribute like those of the plan: a JVM that answers counts alone proves nothing about them
            take.answered = isinstance(outcome, Mapping)
            started = outcome.get("StartTime") if isinstance(outcome, Mapping) else None
            take.started_ms = started if isinstance(started, int) else None
            if take.started_ms is None or take.started_ms == self._started_ms:
                return
            if self._started_ms is not None:
                self._stale = True
                self._settled_at = self._clock() + SETTLING_S
                self._discovery.forget()
            self._started_ms = take.started_ms
        elif isinstance(outcome, int):
            self._stale = self._stale or self._planned_count not in (None, outcome)
            self._planned_count = outcome if self._planned_count is None else self._planned_count

    def _accept_bulk(self, bean: _Bean, outcome: Outcome, take: _Take, broken: list[_Bean]) -> None:
        bean.strikes = 0
        if isinstance(outcome, dict):
            take.values[bean.name] = outcome
            if len(outcome) != len(bean.bulk):
                # An attribute that throws is left out by the server without a word: here it gets its name back as a
                # failure.
                missing = (name for name in bean.bulk if name not in outcome)
                take.failures.extend(ReadFailure(bean.name, name, "not-answered") for name in missing)
            self._drop_opaque(bean, take.values[bean.name])
            bean.broke = 0
        elif isinstance(outcome, ProtocolError | ConnectionLost):
            broken.append(bean)
            bean.broke += 1
            bean.singly = bean.broke > 1  # even without the attributes that break alone
        else:
            failure = failure_of_outcome(bean.name, "", outcome)
            take.failures.append(failure)
            self._stale = self._stale or failure.reason == "no-bean"
            if isinstance(outcome, RemoteFailure) and (outcome.is_security or outcome.is_filtered):
                take.denied = outcome
            elif isinstance(outcome, RemoteFailure) and not outcome.keeps_socket:
                self._quarantine.add(bean.name, "", failure.reason, failure.detail, self._clock())

    def _drop_opaque(self, bean: _Bean, values: dict[str, JmxValue]) -> None:
        """A value whose class is not known is no value: leave it alone, it only costs."""
        if Opaque in map(type, values.values()):
            for name in [name for name, value in values.items() if type(value) is Opaque]:
                self._leave_alone(bean, name, "not-plain", str(values.pop(name)))

    def _strike(self, bean: _Bean) -> None:
        bean.strikes += 1
        if bean.strikes >= STRIKES:
            bean.strikes = 0
            self._quarantine.add(bean.name, "", "too-slow", "It used up the time of a sample.", self._clock())

    def _leave_alone(self, bean: _Bean, attribute: str, reason: str, detail: str) -> None:
        self._quarantine.add(bean.name, attribute, reason, detail, self._clock())
        bean.pending = tuple(name for name in bean.pending if name != attribute)
        if attribute in bean.bulk:
            bean.bulk = tuple(name for name in bean.bulk if name != attribute)
            bean.request = None

    # one by one

    def _read_pending(self, ask: Ask, take: _Take) -> None:
        pending = [(bean, name) for bean in self._beans.values() if bean.pending for name in bean.pending]
        self._read_alone(ask, pending, take)

    def _read_singly(self, ask: Ask, bean: _Bean, take: _Take) -> None:
        self._read_alone(ask, [(bean, name) for name in bean.bulk], take)

    def _read_alone(self, ask: Ask, wanted: list[tuple[_Bean, str]], take: _Take) -> None:
        """Read attributes by a call of their own; one that breaks the reply, or never answers, is left alone."""
        done = 0

        def accept(index: int, outcome: Outcome) -> None:
            nonlocal done
            done = index + 1
            self._accept_alone(*wanted[index], outcome, take)

        requests = [
            Request(Method.GET_ATTRIBUTE, calls.attribute_arguments(bean.name, name), self._singles)
            for bean, name in wanted
        ]
        try:
            ask(requests, accept)
        except JmxError as error:
            if error.code == "timeout" and done < len(wanted):
                self._leave_alone(*wanted[done], "too-slow", "It used up the time of a sample.")
            raise

    def _accept_alone(self, bean: _Bean, name: str, outcome: Outcome, take: _Take) -> None:
        if isinstance(outcome, RemoteFailure) and outcome.keeps_socket:
            take.failures.append(failure_of_outcome(bean.name, name, outcome))
        elif isinstance(outcome, JmxError):
            reason = "not-serializable" if isinstance(outcome, ProtocolError) else outcome.code
            take.breaches.append(_Breach(bean, name, reason, outcome))
            return
        elif type(outcome) is Opaque:
            self._leave_alone(bean, name, "not-plain", str(outcome))
            return
        else:
            take.values.setdefault(bean.name, {})[name] = outcome
        if name in bean.pending:
            bean.pending = tuple(other for other in bean.pending if other != name)
            bean.bulk = (*bean.bulk, name)
            bean.request = None

    # result

    def _note_unread(self, take: _Take, error: JmxError) -> None:
        seen = {failure.bean for failure in take.failures} | take.values.keys()
        unread: Iterable[str] = (name for name in self._beans if name not in seen)
        take.failures.extend(ReadFailure(name, "", error.code, error.what) for name in unread)

    def _sample_of(self, take: _Take) -> JmxSample:
        plan = self._plan or Plan({})
        failures = (*plan.failures, *self._quarantine.listed(), *take.failures)
        return JmxSample(take.values, failures, take.started_ms, plan.cut)
