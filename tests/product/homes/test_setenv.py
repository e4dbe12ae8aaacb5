"""The JMX port is found in a start script's text without running it."""

from __future__ import annotations

from agent.product import JmxHint, parse_setenv

SCRIPT = """
# CATALINA_OPTS="-Dcom.sun.management.jmxremote.port=1111"
CATALINA_OPTS="-Dcom.sun.management.jmxremote -Dcom.sun.management.jmxremote.port=8099 ${CATALINA_OPTS}"
CATALINA_OPTS="-Dcom.sun.management.jmxremote.authenticate=false -Dcom.sun.management.jmxremote.ssl=false"
export CATALINA_OPTS
"""


def test_port_and_switches_are_read() -> None:
    """Options in quotes count, comments do not."""
    assert parse_setenv(SCRIPT) == JmxHint(8099, authenticate=False, server_tls=False)


def test_jvm_defaults_hold_where_nothing_is_said() -> None:
    """A port alone means login and TLS, as in the JVM; registry TLS is off."""
    assert parse_setenv("java -Dcom.sun.management.jmxremote.port=9010 Main") == JmxHint(9010, True, True, False)


def test_variables_and_nonsense_are_unknown() -> None:
    """A port that is a shell variable, no number or no port is not guessed."""
    for value in ("$JMX_PORT", "${P}", "99999", "0", ""):
        assert parse_setenv(f"-Dcom.sun.management.jmxremote.port={value}").port is None
    assert parse_setenv("").port is None
