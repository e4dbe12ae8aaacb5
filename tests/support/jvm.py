"""JVMs for tests and benches: started on 127.0.0.1 with free ports, stopped by the process that started them.

In:   `JmxOptions` (how the JVM's JMX agent listens) and numbers of beans.
Out:  a running `JvmFixture` (or `JavaReader`, Java's own client) with the `Target` that reads it.
Readiness is a line the program prints, never a pause. Each JVM reads its stdin and exits at its end, so a killed test
run leaves none behind. Secrets stand in 0600 files only.
"""

from __future__ import annotations

import atexit
import json
import os
import re
import shutil
import socket
import subprocess
import tempfile
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import trustme
from cryptography import x509
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, load_pem_private_key
from cryptography.hazmat.primitives.serialization.pkcs12 import (
    PKCS12Certificate,
    serialize_java_truststore,
    serialize_key_and_certificates,
)

from agent.jmx import Target, TlsOptions, TransportName
from tests.support.java_classes import classes_of

SOURCES = Path(__file__).parent.parent / "jmx" / "fixtures"
LIGHT_JVM = ("-Xshare:auto", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xmx256m")
USER = "monitor"
PASSWORD = "canary-Pa55-monitor"
STORE_PASSWORD = "canary-Pa55-store"
START_S = 60.0
TIMER_ATTRIBUTES = (
    "Count", "Mean", "Min", "Max", "StdDev", "50thPercentile", "75thPercentile", "95thPercentile", "98thPercentile",
    "99thPercentile", "999thPercentile", "OneMinuteRate", "FiveMinuteRate", "FifteenMinuteRate",
)  # fmt: skip
TIMERS = "com.atlassian.jira:type=metrics,category00=fixture,*"


def missing_packages() -> list[str]:
    """Names the apt packages without which no JVM of the tests can run."""
    return [] if shutil.which("java") and shutil.which("javac") else ["openjdk-17-jdk-headless"]


def free_port() -> int:
    """Returns a TCP port of 127.0.0.1 that nothing listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@cache
def _scratch() -> tempfile.TemporaryDirectory[str]:
    folder = tempfile.TemporaryDirectory(prefix="jmx-fixture-")
    atexit.register(folder.cleanup)
    return folder


@cache
def compiled() -> Path:
    """Returns the class path of the Java sources, compiled if they are not yet."""
    return classes_of(sorted(SOURCES.glob("*.java")))


@dataclass(frozen=True)
class Authority:
    """A certificate authority made for one test run, with the stores Java needs."""

    folder: Path
    ca: trustme.CA

    @property
    def ca_file(self) -> Path:
        return self.folder / "ca.pem"

    @property
    def certificate_file(self) -> Path:
        return self.folder / "client.pem"

    @property
    def key_file(self) -> Path:
        return self.folder / "client.key"

    @property
    def server_store(self) -> Path:
        return self.folder / "server.p12"

    @property
    def trust_store(self) -> Path:
        return self.folder / "trust.p12"


def write_secret(path: Path, content: str | bytes) -> Path:
    """Writes a file that only its owner may read and returns its path."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content.encode() if isinstance(content, str) else content)
    return path


def make_authority(folder: Path, *names: str) -> Authority:
    """Makes an authority, a server certificate for `names` (127.0.0.1 when none) and a client certificate."""
    folder.mkdir(parents=True, exist_ok=True)
    authority = Authority(folder, trustme.CA())
    server = authority.ca.issue_cert(*(names or ("127.0.0.1", "localhost")))
    client = authority.ca.issue_cert("collector.example")
    authority.ca.cert_pem.write_to_path(str(authority.ca_file))
    write_secret(authority.certificate_file, b"".join(blob.bytes() for blob in client.cert_chain_pems))
    write_secret(authority.key_file, client.private_key_pem.bytes())
    anchor = x509.load_pem_x509_certificate(authority.ca.cert_pem.bytes())
    chain = [x509.load_pem_x509_certificate(blob.bytes()) for blob in server.cert_chain_pems]
    key: Any = load_pem_private_key(server.private_key_pem.bytes(), None)
    secret = BestAvailableEncryption(STORE_PASSWORD.encode())
    write_secret(
        authority.server_store, serialize_key_and_certificates(b"server", key, chain[0], [*chain[1:], anchor], secret)
    )
    write_secret(authority.trust_store, serialize_java_truststore([PKCS12Certificate(anchor, b"ca")], secret))
    return authority


@cache
def authority() -> Authority:
    """The authority that fixtures use unless told otherwise."""
    return make_authority(Path(_scratch().name) / "authority")


@dataclass(frozen=True)
class JmxOptions:
    """How the JMX agent of a JVM listens; the words are those of com.sun.management.jmxremote.

    `access`: the user's right in the access file (`""`: the user has none). `application`: the connector is made by the
    program instead of the agent, with an idle limit of `idle_ms`. The agent ignores `registry_ssl` without
    `ssl` (seen on 17); the application's connector does not. `lease_ms` is the longest DGC lease the JVM grants.
    """

    auth: bool = False
    ssl: bool = False
    registry_ssl: bool = False
    client_auth: bool = False
    port: int | None = None
    rmi_port: int | None = None
    stub_host: str = "127.0.0.1"
    access: str = "readonly"
    authority: Authority | None = field(default=None, repr=False)
    application: bool = False
    idle_ms: int | None = None
    lease_ms: int | None = None

    @property
    def needs_own_port(self) -> bool:
        """The agent's registry and connector share a port only when both are plain or both TLS (wire note, 1)."""
        return self.application or self.ssl != self.registry_ssl

    def _files(self, folder: Path) -> dict[str, Path]:
        """Writes the files that hold secrets and returns them by the role they play."""
        files: dict[str, Path] = {}
        if self.auth:
            files["password"] = write_secret(folder / "jmx.password", f"{USER} {PASSWORD}\nother x-other-word\n")
            line = f"{USER} {self.access}\n" if self.access else ""
            files["access"] = write_secret(folder / "jmx.access", f"{line}other readonly\n")
        if self.ssl or self.registry_ssl:
            keys = self.authority or authority()
            files["ssl_config"] = write_secret(
                folder / "jmx.ssl",
                f"javax.net.ssl.keyStore={keys.server_store}\njavax.net.ssl.keyStorePassword={STORE_PASSWORD}\n"
                f"javax.net.ssl.trustStore={keys.trust_store}\njavax.net.ssl.trustStorePassword={STORE_PASSWORD}\n",
            )
        return files

    def words(self, folder: Path) -> tuple[list[str], list[str]]:
        """Returns the JVM's flags and the arguments of JmxFixture, after writing the files they name into `folder`."""
        flags = [f"-Djava.rmi.server.hostname={self.stub_host}"]
        if self.lease_ms is not None:
            flags.append(f"-Djava.rmi.dgc.leaseValue={self.lease_ms}")
        files = self._files(folder)
        switches = {"ssl": self.ssl, "registry_ssl": self.registry_ssl, "client_auth": self.client_auth}
        if self.application:
            settings: dict[str, object] = {"connector": self.port, "rmi_port": self.rmi_port, **switches, **files}
            if self.idle_ms is not None:
                settings["idle_ms"] = self.idle_ms
            return flags, [f"{key}={_word(value)}" for key, value in settings.items()]
        settings = {
            "port": self.port,
            "rmi.port": self.rmi_port,
            "host": "127.0.0.1",
            "local.only": "false",
            "authenticate": self.auth,
            "ssl": self.ssl,
            "registry.ssl": self.registry_ssl,
        }
        if self.auth:
            settings |= {"password.file": files["password"], "access.file": files["access"]}
        if self.ssl or self.registry_ssl:
            settings |= {"ssl.need.client.auth": self.client_auth, "ssl.config.file": files["ssl_config"]}
        return flags + [f"-Dcom.sun.management.jmxremote.{key}={_word(value)}" for key, value in settings.items()], []


def _word(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def target_of(options: JmxOptions) -> Target:
    """Returns the target that reads a JVM started with `options` in every right way."""
    keys = options.authority or authority() if options.ssl or options.registry_ssl else None
    tls = TlsOptions(
        server=options.ssl,
        registry=options.registry_ssl,
        ca_file=keys.ca_file if keys else None,
        certificate_file=keys.certificate_file if keys and options.client_auth else None,
        key_file=keys.key_file if keys and options.client_auth else None,
    )
    if options.port is None:
        raise ValueError("The JVM has no port yet.")
    return Target(
        host="127.0.0.1",
        port=options.port,
        transport=TransportName.RMI,
        user=USER if options.auth else None,
        password=(lambda: PASSWORD) if options.auth else None,
        tls=tls,
    )


class JavaProcess:
    """A JVM that prints READY, then answers one line on stdout for each line on stdin."""

    def __init__(self, command: Sequence[str]) -> None:
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, encoding="utf-8"
        )
        self._errors: list[str] = []
        self._reader = threading.Thread(target=self._drain, name="java-stderr", daemon=True)
        self._reader.start()
        self._expect_ready()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def errors(self) -> str:
        return "".join(self._errors)

    def _drain(self) -> None:
        assert self._process.stderr is not None
        self._errors.extend(self._process.stderr)

    def _line(self, limit_s: float = START_S) -> str:
        """One line of stdout; the process is killed when none comes within the limit, so that no test can hang."""
        assert self._process.stdout is not None
        guard = threading.Timer(limit_s, self._process.kill)
        guard.start()
        try:
            return self._process.stdout.readline().rstrip("\n")
        finally:
            guard.cancel()
            guard.join()

    def _expect_ready(self) -> None:
        line = self._line()
        while line and line != "READY":
            line = self._line()
        if not line:
            self.stop()
            raise RuntimeError(f"The JVM did not start: {self.errors[-2000:]}")

    def command(self, line: str, limit_s: float = START_S) -> str:
        """Sends one line and returns the answer. Raises RuntimeError when the JVM says ERROR or has ended."""
        assert self._process.stdin is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()
        answer = self._line(limit_s)
        if not answer or answer.startswith("ERROR"):
            raise RuntimeError(f"{line[:60]}: {answer or 'the JVM ended'} {self.errors[-500:]}")
        return answer

    def kill(self) -> None:
        """Ends the JVM as kill -9 would."""
        self._process.kill()
        self.stop()

    def stop(self) -> None:
        """Ends the JVM, the polite way first; may be called twice."""
        if self._process.stdin is not None:
            with suppress(BrokenPipeError):
                self._process.stdin.close()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(10)
        self._reader.join(10)
        for stream in (self._process.stdout, self._process.stderr):
            if stream is not None:
                stream.close()


class JvmFixture:
    """JmxFixture.java running with JMX options; a context manager, restartable on the same ports."""

    def __init__(
        self,
        options: JmxOptions | None = None,
        *,
        java: str = "java",
        flags: Sequence[str] = LIGHT_JVM,
        **beans: int,
    ) -> None:
        self._wanted = options or JmxOptions()
        self.options = self._wanted
        self._java = java
        self._flags = flags
        self._beans = beans
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._process: JavaProcess | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Starts the JVM; ports not asked for are free ones, and others are tried when somebody took them meanwhile."""
        if self._folder is None:
            self._folder = tempfile.TemporaryDirectory(prefix="jvm-")
        attempts = 3 if self._wanted.port is None else 1
        for attempt in range(1, attempts + 1):
            port = self.options.port or free_port()
            rmi_port = self.options.rmi_port or (free_port() if self.options.needs_own_port else port)
            self.options = replace(self.options, port=port, rmi_port=rmi_port)
            try:
                self._process = JavaProcess(self._command())
            except RuntimeError:
                if attempt == attempts:
                    raise
                self.options = self._wanted
            else:
                return

    def _command(self) -> list[str]:
        assert self._folder is not None
        flags, words = self.options.words(Path(self._folder.name))
        words += [f"{key}={value}" for key, value in self._beans.items()]
        return [self._java, *self._flags, *flags, *self.program(Path(self._folder.name), words)]

    def program(self, folder: Path, words: Sequence[str]) -> list[str]:
        """Returns class path, main class and arguments; what a fixture of another program overrides."""
        return ["-cp", str(compiled()), "JmxFixture", *words]

    @property
    def process(self) -> JavaProcess:
        if self._process is None:
            raise RuntimeError("The JVM is not running.")
        return self._process

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def target(self) -> Target:
        return target_of(self.options)

    @property
    def url(self) -> str:
        return service_url(self.options)

    def command(self, line: str) -> str:
        return self.process.command(line)

    def kill(self) -> None:
        """kill -9; the ports stay reserved for `start`."""
        self.process.kill()
        self._process = None

    def restart(self) -> None:
        """Ends the JVM and starts another one on the same ports, with new object ids."""
        self.kill()
        self.start()

    def stop(self) -> None:
        if self._process is not None:
            self._process.stop()
            self._process = None
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None


def service_url(options: JmxOptions) -> str:
    """Returns the JMX service URL that Java clients are given."""
    return f"service:jmx:rmi:///jndi/rmi://127.0.0.1:{options.port}/jmxrmi"


class JavaReader:
    """Java's own JMX client, connected: the reference for values and the rival in benches."""

    def __init__(self, process: JavaProcess) -> None:
        self._process = process

    @property
    def pid(self) -> int:
        return self._process.pid

    def read(self, patterns: Iterable[str]) -> dict[str, dict[str, Any]]:
        """Reads every plain attribute of the beans that match: canonical name -> attribute -> value."""
        found: dict[str, dict[str, Any]] = json.loads(self._process.command("read " + "|".join(patterns)))
        return found

    def loop(self, samples: int, patterns: Iterable[str], attributes: Iterable[str]) -> Mapping[str, Any]:
        """Reads `samples` times; `wall_ns` and `cpu_ns` have one figure each, `values` counts one sample's."""
        line = f"loop {samples} {'|'.join(patterns)}={','.join(attributes)}"
        result: Mapping[str, Any] = json.loads(self._process.command(line, 600))
        return result


@contextmanager
def java_reader(options: JmxOptions, flags: Sequence[str] = LIGHT_JVM) -> Iterator[JavaReader]:
    """Connects Java's client to the JVM that was started with `options`."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="java-reader-")))
        lines = [f"url={service_url(options)}", f"registry_ssl={str(options.registry_ssl).lower()}"]
        if options.auth:
            lines += [f"user={USER}", f"password={PASSWORD}"]
        if options.ssl or options.registry_ssl:
            keys = options.authority or authority()
            lines += [
                f"javax.net.ssl.trustStore={keys.trust_store}",
                f"javax.net.ssl.trustStorePassword={STORE_PASSWORD}",
            ]
            # The server's own certificate serves as the client's: the agent trusts whatever this authority signed.
            lines += [f"javax.net.ssl.keyStore={keys.server_store}", f"javax.net.ssl.keyStorePassword={STORE_PASSWORD}"]
        file = write_secret(folder / "reader.properties", "\n".join(lines) + "\n")
        process = JavaProcess(["java", *flags, "-cp", str(compiled()), "JavaReader", str(file)])
        stack.callback(process.stop)
        yield JavaReader(process)


_PROPERTY = re.compile(r'([^=,:]+)=("(?:[^"\\]|\\.)*"|[^,]*)')


def canonical(name: str) -> str:
    """Returns an ObjectName with its keys in order, so that two spellings of one name compare equal."""
    domain, _, keys = name.partition(":")
    return f"{domain}:" + ",".join(f"{key}={value}" for key, value in sorted(_PROPERTY.findall(keys)))
