"""Fixtures of the JMX tests that tests/jmx/conftest.py takes over: a clock, transports, and JVMs of every mode.

One JVM of each mode serves a whole session, since starting one costs more than most tests.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from agent.jmx import BeanQuery, Target
from agent.jmx.rmi_transport import RmiTransport
from tests.support.jvm import JmxOptions, JvmFixture, missing_packages
from tests.support.needs import require_packages


class Clock:
    """The monotonic clock, which a test can put forward: a cycle passes without waiting for it."""

    def __init__(self) -> None:
        self._ahead_s = 0.0

    def __call__(self) -> float:
        return time.monotonic() + self._ahead_s

    def forward(self, seconds: float = 120.0) -> None:
        """Lets time pass, by default one interval of the agent."""
        self._ahead_s += seconds


OpenTransport = Callable[..., RmiTransport]
StartJvm = Callable[[JmxOptions], JvmFixture]


@pytest.fixture
def clock() -> Clock:
    """The clock of the transports of a test."""
    return Clock()


@pytest.fixture
def transport(clock: Clock) -> Iterator[OpenTransport]:
    """Opens transports that are closed when the test ends."""
    with ExitStack() as stack:

        def make(target: Target, *queries: BeanQuery) -> RmiTransport:
            made = RmiTransport(target, queries, clock=clock)
            stack.callback(made.close)
            return made

        yield make


@pytest.fixture(scope="session")
def java() -> None:
    """Java is here, or the test says which package is missing."""
    require_packages(missing_packages())


@pytest.fixture(scope="session")
def jvm_of(java: None) -> Iterator[StartJvm]:
    """The session's JVM for some options; a test that changes it must use one of its own."""
    with ExitStack() as stack:
        running: dict[JmxOptions, JvmFixture] = {}

        def start(options: JmxOptions) -> JvmFixture:
            if options not in running:
                running[options] = stack.enter_context(JvmFixture(options, timers=20))
            return running[options]

        yield start


@pytest.fixture
def plain_jvm(jvm_of: StartJvm) -> JvmFixture:
    """A JVM without login and TLS."""
    return jvm_of(JmxOptions())
