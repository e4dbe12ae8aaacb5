"""The jmxquery transport: one run of the library's jar per sample, in a child with little memory and a time limit.

The library starts the child itself without limits, logs the command line, and breaks on text with quotes in it; so
this module takes from it the jar and the form of a query, and does the rest: its own child, its own parser.

A password is refused: the jar takes it only as an argument, where every user of the machine could read it.
Not supported by the jar, and named as failures: attributes with `/` or `;` in their name, arrays, TabularData, dates,
patterns that need an exclusion.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO

from agent.jmx.errors import JmxError
from agent.jmx.jmxquery_output import Record, parse_error, parse_records
from agent.jmx.model import BeanQuery, JmxSample, JmxValue, ReadFailure, Target
from agent.jmx.names import is_pattern, matches

RUNTIME = BeanQuery("java.lang:type=Runtime", ("StartTime",))
# A JVM that lives for a second: no second compiler, one collector thread, little memory, no file in /tmp for `jps`.
JAVA_FLAGS = (
    "-XX:TieredStopAtLevel=1",
    "-XX:+UseSerialGC",
    "-Xmx32m",
    "-XX:-UsePerfData",
    "-Dfile.encoding=UTF-8",
    "-Dstdout.encoding=UTF-8",
)
ARGUMENT_LIMIT_BYTES = 120_000  # the kernel takes at most 128 KiB for one argument
REPLY_LIMIT_BYTES = 32 * 1024 * 1024
SEPARATORS = str.maketrans(dict.fromkeys(";/<>", "?"))  # what the jar would split a query at; `?` matches any one sign
QUOTED_SEPARATORS = str.maketrans(dict.fromkeys(";/<>=,", "?"))
KEPT_ENVIRONMENT = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "JAVA_HOME")


class JmxqueryTransport:
    """Reads one JVM by running the jmxquery jar; nothing stays open between samples."""

    def __init__(self, target: Target, queries: Sequence[BeanQuery]) -> None:
        if target.user is not None or target.password is not None:
            raise JmxError(
                "transport-unusable",
                "The jmxquery transport cannot log in.",
                why="It would pass the password as an argument, where every user of this machine can read it.",
                do="Set in agent.toml: [jmx] transport = 'rmi'",
            )
        if target.tls.server or target.tls.registry:
            raise JmxError(
                "transport-unusable",
                "The jmxquery transport does not speak TLS to the JVM.",
                do="Set in agent.toml: [jmx] transport = 'rmi'",
            )
        self._target = target
        self._queries = (*queries, RUNTIME)
        self._text, self._refused = _query_text(self._queries)
        self._child: subprocess.Popen[bytes] | None = None

    def sample(self, deadline_s: float) -> JmxSample:
        """Run the jar once. Raises JmxError when it does not answer within `deadline_s` or says why it cannot."""
        records = parse_records(self._run(deadline_s))
        beans: dict[str, dict[str, JmxValue]] = {}
        failures = list(self._refused)
        cut: dict[str, None] = {}
        for record in records:
            if not self._wanted(record):
                continue
            if record.bean not in beans and len(beans) >= self._target.max_beans:
                cut[record.bean] = None
                continue
            attributes = beans.setdefault(record.bean, {})
            if record.failure:
                failures.append(ReadFailure(record.bean, record.attribute, record.failure, record.type_name))
            elif record.key is None:
                attributes[record.attribute] = record.value
            else:
                composite = attributes.setdefault(record.attribute, {})
                if isinstance(composite, dict):
                    composite[record.key] = record.value
        started = beans.get(RUNTIME.name, {}).get("StartTime")
        return JmxSample(
            beans=beans,
            failures=tuple(failures),
            started_ms=started if isinstance(started, int) else None,
            cut=(len(cut), tuple(cut)[:10]),
        )

    def take_back(self) -> None:
        """Nothing is left alone from one sample to the next."""

    def close(self) -> None:
        """End a child that still runs."""
        if self._child is not None:
            _end(self._child)

    def _wanted(self, record: Record) -> bool:
        """Whether a query asked for it: separators in a name were sent as wildcards, which may find more."""
        return any(
            record.attribute in query.attributes
            and (query.name == record.bean or matches(query.name, record.bean))
            and not any(matches(pattern, record.bean) for pattern in query.excluding)
            for query in self._queries
        )

    def _run(self, deadline_s: float) -> str:
        """The child's output; the child is gone when this returns or raises."""
        if deadline_s <= 0:
            raise _too_late(deadline_s)
        with TemporaryFile() as output:
            child = self._child = self._start(output)
            try:
                code = child.wait(timeout=deadline_s)
            except subprocess.TimeoutExpired:
                raise _too_late(deadline_s) from None
            finally:
                _end(child)
                self._child = None
            if output.tell() > REPLY_LIMIT_BYTES or os.fstat(output.fileno()).st_size > REPLY_LIMIT_BYTES:
                raise JmxError("reply-too-large", "The JVM answered with more than 32 MiB.", do="Narrow the catalog.")
            output.seek(0)
            text = output.read().decode("utf-8", "replace")
        if code != 0:
            raise parse_error(text, f"{self._target.host}:{self._target.port}")
        return text

    def _start(self, output: IO[bytes]) -> subprocess.Popen[bytes]:
        address = f"service:jmx:rmi:///jndi/rmi://{_url_host(self._target.host)}:{self._target.port}/jmxrmi"
        command = [self._target.java, *JAVA_FLAGS, "-jar", _jar(), "-url", address, "-json", "-q", self._text]
        guard = shutil.which("setpriv")
        if guard is not None:
            # The kernel ends the child with us, even when we are killed and can end nothing ourselves.
            command = [guard, "--pdeathsig", "SIGKILL", *command]
        # Not the agent's whole environment: JAVA_TOOL_OPTIONS of the product would load its agents here too.
        environment = {name: os.environ[name] for name in KEPT_ENVIRONMENT if name in os.environ}
        if shutil.which(self._target.java) is None:
            raise _no_java(self._target.java)
        try:
            return subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.DEVNULL,
                env=environment,
                # A group of its own, so that what the child may have started ends with it.
                start_new_session=True,
            )
        except OSError as error:
            raise _no_java(self._target.java, error.strerror or "") from None


def _jar() -> str:
    from jmxquery import JAR_PATH

    return str(Path(JAR_PATH))


def _end(child: subprocess.Popen[bytes]) -> None:
    if child.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
    child.wait()


def _query_text(queries: Sequence[BeanQuery]) -> tuple[str, tuple[ReadFailure, ...]]:
    """All queries in the jar's own form, and what cannot be said in it."""
    parts: dict[str, None] = {}
    refused: list[ReadFailure] = []
    for query in queries:
        if query.excluding and is_pattern(query.name):
            refused.append(ReadFailure(query.name, "", "not-supported", "a pattern with exclusions"))
            continue
        for attribute in query.attributes:
            if set(";/=") & set(attribute):
                refused.append(ReadFailure(query.name, attribute, "not-supported", "the attribute's name"))
                continue
            parts[f"{_plain_name(query.name)}/{attribute}"] = None
    text = ";".join(parts) + ";"
    if len(text.encode()) > ARGUMENT_LIMIT_BYTES:
        raise JmxError(
            "transport-unusable",
            "There are more beans to read than the jmxquery transport can be asked for.",
            do="Set in agent.toml: [jmx] transport = 'rmi'",
        )
    return text, tuple(refused)


def _plain_name(name: str) -> str:
    """The name with every sign at which the jar would split it replaced by the wildcard for one sign."""
    pieces = name.split('"')
    return '"'.join(
        piece.translate(QUOTED_SEPARATORS if place % 2 else SEPARATORS) for place, piece in enumerate(pieces)
    )


def _url_host(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _too_late(deadline_s: float) -> JmxError:
    return JmxError(
        "timeout",
        f"The JVM did not answer within {max(deadline_s, 0):.0f} s.",
        why="It hangs, is in a long garbage collection, or the port belongs to another program.",
        do="Look at the product; raise [sampling] deadline in agent.toml if this machine is slow.",
    )


def _no_java(java: str, why: str = "there is no such program") -> JmxError:
    return JmxError(
        "transport-unusable",
        f"The jmxquery transport needs Java, and '{java}' cannot be started.",
        why=why,
        do="Install a JRE, set [jmx] java, or use [jmx] transport = 'rmi', which needs none.",
    )
