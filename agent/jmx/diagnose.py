"""Goes through a connection stage by stage, so that a person learns which one fails, why, and which JVM flag mends it.

In:   a target of the rmi transport and a total of seconds.
Out:  one `Stage` per name in STAGES, in that order; stages behind the first failure are `skipped`.
Never raises for what the network or the server does. Reads the bean count and the start time, nothing else.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from agent.jmx import calls
from agent.jmx.calls import Method, call
from agent.jmx.errors import JmxError, RemoteFailure, clean, serial_filter
from agent.jmx.jrmp import Channel, addresses_of, open_tcp
from agent.jmx.model import Target
from agent.jmx.rmi import Stub, connect_server, log_in, look_up, permission_denied, server_address, stub_of
from agent.net.deadline import Deadline

T = TypeVar("T")
STAGES = ("name", "tcp", "registry", "stub", "tls", "login", "permission", "beans")
OK, FAILED, SKIPPED = "ok", "failed", "skipped"
START_TIME = calls.attributes_arguments("java.lang:type=Runtime", calls.strings(("StartTime",)))
STUB_WITHIN_S = 2.0  # a stub's own address is often behind a firewall that answers nothing
TLS_CODES = frozenset(
    (
        "registry-tls-missing",
        "registry-tls-unwanted",
        "server-tls-missing",
        "server-tls-unwanted",
        "tls-failed",
        "client-certificate-required",
    )
)


@dataclass(frozen=True, slots=True)
class Stage:
    """One step: `state` is ok, failed or skipped; `text` what was seen, `why` the cause, `do` what mends it."""

    name: str
    state: str = SKIPPED
    text: str = ""
    code: str = ""
    why: str = ""
    do: str = ""


def diagnose(target: Target, deadline_s: float) -> list[Stage]:
    """Return what each stage of connecting to `target` came to, within `deadline_s` seconds in total."""
    run = _Diagnosis(target, Deadline(deadline_s))
    try:
        run.all_stages()
    except JmxError as error:
        run.fail(error)
    finally:
        run.close()
    return [run.stages.get(name, Stage(name)) for name in STAGES]


class _Diagnosis:
    def __init__(self, target: Target, deadline: Deadline) -> None:
        self.stages: dict[str, Stage] = {}
        self._target = target
        self._deadline = deadline
        self._current = STAGES[0]
        self._channel: Channel | None = None
        self._object_id = b""

    def all_stages(self) -> None:
        target, deadline = self._target, self._deadline
        addresses = self._step("name", lambda: addresses_of(target.host, target.port, deadline))
        self._done(f"{target.host} is {', '.join(dict.fromkeys(address[0] for _, address in addresses))}.")
        self._step("tcp", lambda: open_tcp(target.host, target.port, "registry", deadline).close())
        self._done(f"Port {target.port} takes connections.")
        stub = self._step("registry", lambda: look_up(target, deadline))
        self._done("The registry answers and has a JMX agent.")
        self._step("stub", lambda: self._check_stub(stub))
        self._channel = self._step("tls", lambda: connect_server(target, stub, deadline))
        self._done(self._tls_text(stub))
        self._step("login", lambda: self._log_in(stub))
        self._done("Login accepted." if target.user else "No login wanted.")
        self._step("permission", lambda: self._ask(Method.GET_DEFAULT_DOMAIN))
        self._done("MBeans may be read.")
        count = self._step("beans", lambda: self._ask(Method.GET_MBEAN_COUNT))
        # With arguments, as every read: a filter of classes lets the calls above pass, which have none.
        self._step("beans", lambda: self._ask(Method.GET_ATTRIBUTES, START_TIME))
        self._done(f"{count} MBeans.")

    def _step(self, name: str, step: Callable[[], T]) -> T:
        self._current = name
        return step()

    def _done(self, text: str) -> None:
        self.stages[self._current] = Stage(self._current, OK, text)

    def fail(self, error: JmxError) -> None:
        """Note the failure at the stage that it belongs to: TLS is a stage of its own, whichever side it is about."""
        shown: JmxError = error
        if isinstance(error, RemoteFailure) and error.is_filtered:
            shown = serial_filter()
        elif isinstance(error, RemoteFailure) and error.is_security:
            shown = permission_denied(error)
        name = "tls" if shown.code in TLS_CODES else self._current
        if name == "tls" and shown.code not in TLS_CODES:
            name = "stub"  # the port that the stub names does not answer as it should
        text = f"{self.stages[name].text} {shown.what}" if name in self.stages else shown.what
        self.stages[name] = Stage(name, FAILED, text, shown.code, shown.why, shown.do)

    def _check_stub(self, stub: Stub) -> None:
        """Say where the stub points; an address that is not ours, and not reachable, needs flags for other clients."""
        host, port = server_address(self._target, stub)
        text = f"The stub says {clean(stub.host)}:{stub.port}; {host}:{port} is used."
        do = ""
        if (stub.host, stub.port) != (host, port):
            reachable = self._reaches(stub)
            text += f" The stub's own address is {'' if reachable else 'not '}reachable from here."
            if not reachable:
                do = (
                    f"For other JMX clients set -Djava.rmi.server.hostname={self._target.host}"
                    " and a fixed -Dcom.sun.management.jmxremote.rmi.port on the JVM."
                )
        self.stages["stub"] = Stage("stub", OK, text, do=do)

    def _reaches(self, stub: Stub) -> bool:
        try:
            # a connection without a byte sent: nothing can be learnt from it by whoever answers
            open_tcp(stub.host, stub.port, "server", Deadline(min(STUB_WITHIN_S, self._deadline.left_s()))).close()
        except JmxError:
            return False
        return True

    def _tls_text(self, stub: Stub) -> str:
        sides = [("registry", self._target.tls.registry), ("server", stub.secure)]
        return "; ".join(f"{side}: {'TLS' if secure else 'plain'}" for side, secure in sides) + "."

    def _log_in(self, stub: Stub) -> None:
        assert self._channel is not None  # noqa: S101 - the stage before made it
        self._object_id = stub_of(log_in(self._target, self._channel, stub).value).object_id

    def _ask(self, method: Method, arguments: bytes = calls.NULL_ARGUMENT) -> object:
        assert self._channel is not None  # noqa: S101 - the stage before made it
        return self._channel.ask(call(self._object_id, method, arguments), method).value

    def close(self) -> None:
        """Log off, as far as the server answers."""
        if self._channel is not None:
            if self._object_id:
                self._channel.deadline = Deadline(STUB_WITHIN_S)
                with contextlib.suppress(JmxError):
                    self._channel.ask(call(self._object_id, Method.CLOSE), Method.CLOSE)
            self._channel.close()
