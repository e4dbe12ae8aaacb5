"""The jolokia transport: bulk reads as HTTP POSTs of JSON to an agent inside the JVM.

In:   a target with a `url`, and queries. Out: JmxSample with the values that the rmi transport gives.
Plan: `search` for patterns and `list` for declared types, at first, then hourly, after a restart, and when a bean of
      the plan is gone; the rules of plan.py choose. Excluded beans are never read.
Bulk: Jolokia refuses a whole bulk for one malformed name; it is then halved until that name is alone (which is left
      alone for an hour), and the rest arrives in the same sample.
Slow: a bean that never answers holds its whole bulk: what came before it in the same sample is kept.
Safe: read, list and search are the only commands this module can write.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from agent.jmx.errors import JmxError, ProtocolError, clean
from agent.jmx.jolokia_values import failed_class, is_opaque, parse_answer, value_of
from agent.jmx.model import BeanQuery, JmxSample, JmxValue, ReadFailure, Target
from agent.jmx.names import is_pattern, matches, parse_object_name
from agent.jmx.plan import MAX_ATTRIBUTES, MAX_CUT_NAMES, Declared, Selection, select
from agent.jmx.quarantine import Quarantine
from agent.jmx.rmi_transport import Backoff
from agent.net.deadline import Deadline
from agent.system.clock import monotonic_s

if TYPE_CHECKING:
    from agent.jmx.jolokia_http import JolokiaHttp

RUNTIME = "java.lang:type=Runtime"
BULK = 500  # requests of one POST
MAX_SPLITS = 128  # of one sample: bounds what a server can make us ask that refuses everything
REPLAN_S = 3600.0
REPLAN_CHANGED_S = 300.0
# `ignoreErrors`: an attribute that throws is an error text in its place, and not the end of its bean. The two limits
# keep a deep or long value from filling the product's memory before ours.
CONFIG = {
    "ignoreErrors": "true",
    "includeStackTrace": "false",
    "canonicalNaming": "false",
    "maxDepth": "8",
    "maxCollectionSize": "4096",
}

Request = dict[str, Any]
Answer = dict[str, Any] | JmxError
Wanted = dict[str, tuple[str, ...]]


class _JolokiaBean:
    """One bean of the plan: what to read, and the declared type of each attribute."""

    __slots__ = ("names", "types")

    def __init__(self, selection: Selection, types: dict[str, str]) -> None:
        self.names = (*selection.bulk, *selection.probes)
        self.types = types


class _ReadPlan:
    def __init__(self) -> None:
        self.beans: dict[str, _JolokiaBean] = {}
        self.failures: list[ReadFailure] = []
        self.cut: tuple[int, tuple[str, ...]] = (0, ())
        self.made_at = 0.0


class _JolokiaConversation:
    """The questions of one sample, over one connection; counts the halvings."""

    def __init__(self, http: JolokiaHttp) -> None:
        self._http = http
        self._splits = 0

    def ask(self, requests: Sequence[Request]) -> list[Answer]:
        """Return one answer per request, in order. Raises JmxError when the very first bulk fails as a whole."""
        answers: list[Answer] = []
        for start in range(0, len(requests), BULK):
            try:
                answers += self._ask_some(requests[start : start + BULK])
            except JmxError as error:
                # What came before it stays good: a bean that never answers holds its own bulk, and no other.
                if not answers:
                    raise
                return [*answers, *[error] * (len(requests) - start)]
        return answers

    def _ask_some(self, requests: Sequence[Request]) -> list[Answer]:
        try:
            return self._post(requests)
        except ProtocolError as error:
            if len(requests) == 1:
                return [error]
            self._splits += 1
            # By halves, a malformed name among 500 is alone after nine rounds.
            if self._splits > MAX_SPLITS:
                raise
        middle = len(requests) // 2
        return [*self._ask_some(requests[:middle]), *self._ask_some(requests[middle:])]

    def _post(self, requests: Sequence[Request]) -> list[Answer]:
        """Raises ProtocolError when the bulk as a whole was refused, which halving may mend."""
        document = parse_answer(self._http.post(json.dumps(requests)))
        if isinstance(document, dict):
            raise ProtocolError(f"Jolokia refuses the question: {clean(str(document.get('error', 'no reason')))}.")
        if not isinstance(document, list) or len(document) != len(requests):
            raise ProtocolError("The answer does not fit the question.")
        if not all(isinstance(answer, dict) and isinstance(answer.get("status"), int) for answer in document):
            raise ProtocolError("The answer is not Jolokia's.")
        return document


class JolokiaTransport:
    """Reads one JVM through its Jolokia agent. Raises ValueError at once for queries whose names are malformed."""

    def __init__(
        self, target: Target, queries: Sequence[BeanQuery], *, clock: Callable[[], float] = monotonic_s
    ) -> None:
        parts = urlsplit(target.url or "")
        # A login in the address would stand in the configuration, in `config show` and in every message that names the
        # address.
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.password:
            raise JmxError(
                "transport-unusable",
                "The jolokia transport needs the agent's address.",
                why="[jmx] url is missing, or not of the form http(s)://HOST[:PORT]/PATH without a login in it.",
                do="Set in agent.toml: [jmx] url",
            )
        self._queries = tuple(queries)
        for name in (name for query in self._queries for name in (query.name, *query.excluding)):
            parse_object_name(name)
        self._excluding = {pattern for query in self._queries for pattern in query.excluding}
        self._target = target
        self._clock = clock
        self._backoff = Backoff(clock)
        self._quarantine = Quarantine()
        self._plan: _ReadPlan | None = None
        self._started_ms: int | None = None
        self._stale = False

    @property
    def quarantined(self) -> tuple[ReadFailure, ...]:
        """Beans that are left alone at present, and why; for `status`."""
        return self._quarantine.listed()

    def sample(self, deadline_s: float) -> JmxSample:
        """Read every query once, within `deadline_s` seconds in total. Raises JmxError when nothing could be read."""
        from agent.jmx.jolokia_http import JolokiaHttp

        self._backoff.check()
        deadline = Deadline(deadline_s)
        try:
            with JolokiaHttp(self._target, deadline) as http:
                sample = self._sample(_JolokiaConversation(http))
        except JmxError as error:
            self._backoff.failed(error)
            # the frames of an attempt hold the login: no traceback of them leaves here
            error.__context__ = None
            raise error.with_traceback(None) from None
        self._backoff.succeeded()
        return sample

    def take_back(self) -> None:
        """The last sample was not used: what it made this transport leave alone is asked for again."""
        self._quarantine.take_back()

    def close(self) -> None:
        """Nothing stays open between samples."""

    def _sample(self, talk: _JolokiaConversation) -> JmxSample:
        self._quarantine.release(self._clock())
        if self._is_old():
            self._plan = self._make_plan(talk)
        plan = self._plan or _ReadPlan()
        names = [name for name in plan.beans if plan.beans[name].names and (name, "") not in self._quarantine]
        requests = [_read(name, plan.beans[name].names) for name in names]
        head, *answers = talk.ask([_read(RUNTIME, ("StartTime",)), *requests])
        started_ms = self._note_start(head)
        values: dict[str, dict[str, JmxValue]] = {}
        failures: list[ReadFailure] = []
        denied: JmxError | None = None
        refused: list[tuple[str, ProtocolError]] = []
        for name, answer in zip(names, answers, strict=True):
            found = self._values(name, plan.beans[name], answer, failures)
            if found is not None:
                values[name] = found
            elif failures[-1].reason == _DENIED:
                denied = _denied(failures[-1].detail)
            if isinstance(answer, ProtocolError):
                refused.append((name, answer))
        denied = denied or next((_denied(item.detail) for item in plan.failures if item.reason == _DENIED), None)
        if not values and (denied is not None or isinstance(head, JmxError)):
            raise denied or _error_of(head)
        for name, error in refused if values else ():  # with nothing readable the moment was bad, not the names
            self._quarantine.add(name, "", error.code, error.what, self._clock())
        every = (*plan.failures, *self._quarantine.listed(), *failures)
        return JmxSample(values, tuple(dict.fromkeys(every)), started_ms, plan.cut)

    # plan

    def _is_old(self) -> bool:
        if self._plan is None:
            return True
        age = self._clock() - self._plan.made_at
        return age >= REPLAN_S or (self._stale and age >= REPLAN_CHANGED_S)

    def _make_plan(self, talk: _JolokiaConversation) -> _ReadPlan:
        plan = _ReadPlan()
        plan.made_at = self._clock()
        wanted = self._find(talk, plan.failures)
        names = sorted(wanted)
        cut = names[self._target.max_beans :]
        plan.cut = (len(cut), tuple(cut[:MAX_CUT_NAMES]))
        names = [name for name in names[: self._target.max_beans] if (name, "") not in self._quarantine]
        refused: JmxError | None = None
        answers = talk.ask([_command("list", path=_path(name)) for name in names])
        for name, answer in zip(names, answers, strict=True):
            declared = _declared(answer)
            if declared is not None:
                selection = select(declared, wanted[name])
                plan.failures += [ReadFailure(name, attribute, reason) for attribute, reason in selection.left_out]
                plan.beans[name] = _JolokiaBean(selection, {item.name: item.type_name for item in declared})
            elif _is_denied(answer) and wanted[name]:
                # `list` may be forbidden where `read` is not: what was named can be read without its type
                plan.beans[name] = _JolokiaBean(Selection(wanted[name]), {})
            else:
                plan.failures.append(self._failure(name, answer))
                refused = answer if isinstance(answer, JmxError) else refused
        if refused is not None and not plan.beans:
            raise refused
        self._stale = False
        return plan

    def _find(self, talk: _JolokiaConversation, failures: list[ReadFailure]) -> Wanted:
        # names without a wildcard as well: one question tells what is there, and which names Jolokia does not take
        asked = sorted({query.name for query in self._queries})
        found: dict[str, list[str]] = {}
        for name, answer in zip(asked, talk.ask([_command("search", mbean=name) for name in asked]), strict=True):
            names = _value(answer, list)
            if names is not None:
                found[name] = [item for item in names if isinstance(item, str) and matches(name, item)]
            elif _is_denied(answer) and not is_pattern(name):
                found[name] = [name]
            else:
                failures.append(self._failure(name, answer))
        wanted: dict[str, dict[str, None] | None] = {}
        for query in self._queries:
            names = found.get(query.name, [])
            if not names and query.name in found:
                failures.append(ReadFailure(query.name, "", "no-bean"))
            for name in names:
                if any(matches(pattern, name) for pattern in self._excluding):
                    continue
                known = wanted.get(name, {})
                # no attributes by name means all plain ones, which takes in whatever else was named
                everything = known is None or not query.attributes
                wanted[name] = None if everything else {**(known or {}), **dict.fromkeys(query.attributes)}
        return {name: tuple(attributes or ()) for name, attributes in wanted.items()}

    # values

    def _note_start(self, head: Answer) -> int | None:
        value = _value(head, dict)
        started = value.get("StartTime") if value is not None else None
        started_ms = started if isinstance(started, int) else None
        if started_ms is not None:
            self._stale = self._stale or self._started_ms not in (None, started_ms)
            if self._started_ms not in (None, started_ms) and self._plan is not None:
                self._plan.made_at = self._clock() - REPLAN_S
            self._started_ms = started_ms
        return started_ms

    def _values(
        self, name: str, bean: _JolokiaBean, answer: Answer, failures: list[ReadFailure]
    ) -> dict[str, JmxValue] | None:
        """The values of one bean; None, with a failure noted last, when it gave none."""
        raw = _value(answer, dict)
        if raw is None:
            failures.append(self._failure(name, answer))
            return None
        found: dict[str, JmxValue] = {}
        for attribute in bean.names:
            type_name = bean.types.get(attribute, "")
            thrown = failed_class(raw.get(attribute))
            if attribute not in raw or thrown is not None:
                reason = "not-declared" if (thrown or "").endswith("AttributeNotFoundException") else "not-answered"
                failures.append(ReadFailure(name, attribute, reason, clean(thrown or "")))
            elif is_opaque(raw[attribute], type_name):
                failures.append(ReadFailure(name, attribute, "not-plain", clean(raw[attribute])))
            else:
                try:
                    found[attribute] = value_of(raw[attribute], type_name)
                except ProtocolError as error:
                    failures.append(ReadFailure(name, attribute, error.code, error.what))
        return found

    def _failure(self, name: str, answer: Answer) -> ReadFailure:
        if isinstance(answer, JmxError):
            return ReadFailure(name, "", answer.code, answer.what)
        text = clean(str(answer.get("error", "")))
        if answer.get("status") == 404 or "InstanceNotFoundException" in str(answer.get("error_type")):
            self._stale = True
            return ReadFailure(name, "", "no-bean", text)
        return ReadFailure(name, "", _DENIED if _is_denied(answer) else "remote-failure", text)


_DENIED = "permission-denied"


def _command(kind: str, **words: object) -> Request:
    return {"type": kind, **words, "config": CONFIG}


def _read(name: str, attributes: tuple[str, ...]) -> Request:
    return _command("read", mbean=name, attribute=list(attributes))


def _path(name: str) -> str:
    """The bean as a path of two elements; in elements `!` and `/` are escaped with `!`."""
    domain, _, properties = name.partition(":")
    return "/".join(part.replace("!", "!!").replace("/", "!/") for part in (domain, properties))


def _error_of(answer: Answer) -> JmxError:
    return answer if isinstance(answer, JmxError) else ProtocolError("The answer does not fit the question.")


def _value(answer: Answer, kind: type[Any]) -> Any:
    """The value of a good answer of that kind, else None."""
    if isinstance(answer, JmxError) or answer["status"] != 200 or not isinstance(answer.get("value"), kind):
        return None
    return answer["value"]


def _declared(answer: Answer) -> list[Declared] | None:
    info = _value(answer, dict)
    if info is None:
        return None
    attributes = info.get("attr") or {}
    if not isinstance(attributes, dict) or len(attributes) > MAX_ATTRIBUTES:
        return None
    return [
        Declared(name, str(item.get("type", "")), True) for name, item in attributes.items() if isinstance(item, dict)
    ]


def _is_denied(answer: Answer) -> bool:
    return not isinstance(answer, JmxError) and (
        answer.get("status") == 403 or "SecurityException" in str(answer.get("error_type"))
    )


def _denied(why: str) -> JmxError:
    return JmxError(
        _DENIED,
        "The Jolokia agent does not let us read.",
        why=why,
        do="Allow the MBeans and the commands read, list and search in jolokia-access.xml.",
    )
