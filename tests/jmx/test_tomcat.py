"""Debian's Tomcat 10 in every mode: our values are those that Java's own client reads at the same moment."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from agent.jmx import BeanQuery
from agent.jmx.rmi_transport import RmiTransport
from tests.support.compare import differences, flatten
from tests.support.jvm import JmxOptions, canonical, java_reader
from tests.support.needs import require_packages
from tests.support.tomcat import TomcatFixture, missing_for_tomcat

PATTERNS = ("java.lang:*", "Catalina:*")
MODES = {
    "plain": JmxOptions(),
    "login": JmxOptions(auth=True),
    "tls": JmxOptions(auth=True, ssl=True),
    "tls-client-certificate": JmxOptions(auth=True, ssl=True, registry_ssl=True, client_auth=True),
}


@pytest.mark.parametrize("mode", list(MODES))
def test_tomcat_reads_as_java_reads_it(mode: str, transport: Callable[..., RmiTransport]) -> None:
    """J13: in every mode each plain value equals Java's where Java saw it stand still; the rest is named."""
    require_packages(missing_for_tomcat())
    with TomcatFixture(MODES[mode]) as tomcat, java_reader(tomcat.options) as java:
        reader = transport(tomcat.target, *map(BeanQuery, PATTERNS))
        reader.sample(30.0)
        wrong: dict[tuple[str, str], str] = {}
        for _ in range(3):  # a value may move and move back between two reads; not three times
            before = java.read(PATTERNS)
            sample = reader.sample(30.0)
            ours = sample.beans
            after = java.read(PATTERNS)
            found = differences(ours, before, after)
            wrong = found if not wrong else {key: text for key, text in found.items() if key in wrong}
            if not wrong:
                break
        assert not wrong
        assert len(flatten(ours)) > 500
        named = {(canonical(failure.bean), failure.attribute) for failure in sample.failures}
        absent = flatten(before).keys() - flatten(ours).keys()
        assert absent <= named
