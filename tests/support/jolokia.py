"""A JVM of the tests with Jolokia's own request handler beside its JMX port (tests/jmx/jolokia/JolokiaBeside.java).

The handler is Debian's libjolokia-core-java; JolokiaBeside gives it the HTTP server that the package leaves out.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path

from agent.jmx import Target, TlsOptions, TransportName
from tests.support.java_classes import classes_of
from tests.support.jvm import (
    PASSWORD,
    STORE_PASSWORD,
    USER,
    JmxOptions,
    JvmFixture,
    authority,
    compiled,
    free_port,
    missing_packages,
)

SOURCE = Path(__file__).parent.parent / "jmx" / "jolokia" / "JolokiaBeside.java"
JARS = [Path("/usr/share/java/jolokia-core.jar"), Path("/usr/share/java/json-simple.jar")]


def missing_for_jolokia() -> list[str]:
    """The apt packages that are not here."""
    return missing_packages() + ([] if all(jar.exists() for jar in JARS) else ["libjolokia-core-java"])


@cache
def _compiled_beside() -> str:
    path = [compiled(), *JARS]
    return ":".join(map(str, (classes_of([SOURCE], path), *path)))


class JolokiaFixture(JvmFixture):
    """The fixture JVM, to be read over RMI and over Jolokia at once."""

    def __init__(self, *, login: bool = False, secure: bool = False, client_auth: bool = False, **beans: int) -> None:
        super().__init__(JmxOptions(), **beans)
        self._login = login
        self._secure = secure
        self._client_auth = client_auth
        self.jolokia_port = free_port()

    def program(self, folder: Path, words: Sequence[str]) -> list[str]:
        """JolokiaBeside, which starts JmxFixture."""
        own = [f"jolokia={self.jolokia_port}"]
        if self._login:
            own += [f"jolokia_user={USER}", f"jolokia_password={PASSWORD}"]
        if self._secure:
            keys = authority()
            own += [f"store={keys.server_store}", f"trust={keys.trust_store}", f"store_password={STORE_PASSWORD}"]
            own += [f"jolokia_client_auth={str(self._client_auth).lower()}"]
        return ["-cp", _compiled_beside(), "JolokiaBeside", *own, *words]

    @property
    def jolokia_target(self) -> Target:
        """The target that reads this JVM over Jolokia in every right way."""
        keys = authority() if self._secure else None
        return Target(
            "127.0.0.1",
            0,
            TransportName.JOLOKIA,
            user=USER if self._login else None,
            password=(lambda: PASSWORD) if self._login else None,
            tls=TlsOptions(
                ca_file=keys.ca_file if keys else None,
                certificate_file=keys.certificate_file if keys and self._client_auth else None,
                key_file=keys.key_file if keys and self._client_auth else None,
            ),
            url=f"{'https' if self._secure else 'http'}://127.0.0.1:{self.jolokia_port}/jolokia",
        )
