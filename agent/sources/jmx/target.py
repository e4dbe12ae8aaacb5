"""Where the product's JVM answers and as whom, from the settings; the password is read when a connection is made."""

from __future__ import annotations

from agent.errors import ConfigError
from agent.jmx import JmxError, Target, TlsOptions, TransportName
from agent.settings import Settings


def target_of(settings: Settings) -> Target:
    """The JVM of this configuration."""
    jmx = settings.jmx

    def password() -> str:
        from agent.settings import read_secret

        try:
            return read_secret(jmx.password_file, jmx.password_credential).reveal()
        except ConfigError as error:
            why = "; ".join(str(mistake) for mistake in error.mistakes) or error.why
            raise JmxError("transport-unusable", error.what, why=why, do=error.do) from None

    return Target(
        host=jmx.host,
        port=jmx.port,
        transport=TransportName(jmx.transport),
        user=jmx.user,
        password=password if jmx.password_file or jmx.password_credential else None,
        tls=TlsOptions(
            server=jmx.tls.server,
            registry=jmx.tls.registry,
            ca_file=jmx.tls.ca_file,
            certificate_file=jmx.tls.certificate_file,
            key_file=jmx.tls.key_file,
            expected_name=jmx.tls.expected_name,
            check_name=jmx.tls.check_name,
        ),
        connector_port=jmx.connector_port,
        follow_stub_host=jmx.follow_stub_host,
        url=jmx.url,
        java=jmx.java,
        max_beans=jmx.max_beans,
    )
