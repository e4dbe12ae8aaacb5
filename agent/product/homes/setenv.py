"""What a product's bin/setenv.sh, or the command line of its JVM, says about the JMX port.

In:   text; shell is not run, `-D` options are looked for outside of comments. A value that holds a shell variable is
      reported as unknown rather than guessed.
Out:  JmxHint; None where nothing is said, and then the JVM's own default holds (authenticate and ssl: true).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

TEXT_LIMIT = 256 * 1024
_OPTION = re.compile(r"-D(com\.sun\.management\.jmxremote[a-z.]*|java\.rmi\.server\.hostname)(?:=([^\s\"'\\;]*))?")
_COMMENT = re.compile(r"(?m)^\s*#.*$")


@dataclass(frozen=True, slots=True)
class JmxHint:
    """The JMX port of a product as its start script sets it; `port` None means: no port is opened there."""

    port: int | None = None
    authenticate: bool = True
    server_tls: bool = True
    registry_tls: bool = False


def parse_setenv(text: str) -> JmxHint:
    """The hint in `text`; the last of several equal options wins, as in the JVM."""
    options = dict(_OPTION.findall(_COMMENT.sub("", text[:TEXT_LIMIT])))
    prefix = "com.sun.management.jmxremote"
    port = options.get(f"{prefix}.port", "")
    usable = re.fullmatch(r"[0-9]{1,5}", port, re.ASCII) is not None and 1 <= int(port) <= 65535
    return JmxHint(
        port=int(port) if usable else None,
        authenticate=options.get(f"{prefix}.authenticate", "true").lower() != "false",
        server_tls=options.get(f"{prefix}.ssl", "true").lower() != "false",
        registry_tls=options.get(f"{prefix}.registry.ssl", "false").lower() == "true",
    )
