"""Where a product's start options may stand: its scripts, systemd units, environment files, and the JVM that runs.

In:   product, home, installation, the root of the machine's files, this process's environment.
Out:  StartFacts. Weakest first: environment and its files give the variables, the scripts use them, and what a running
      JVM was really started with beats both. Nothing is run. Windows scripts are not read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from agent.errors import Mistake
from agent.product.homes.formats import Malformed, read_octets
from agent.product.homes.jvm_options import JmxHint, parse_options
from agent.product.homes.shell_text import read_shell
from agent.product.homes.systemd_units import environment_of, unit_texts
from agent.settings import ProductType, shown
from agent.system.commands import RunningProgram, running_programs

SCRIPTS = ("user.sh", "set-bitbucket-home.sh", "set-jmx-opts.sh", "setenv.sh", "_start-webapp.sh")
DEFAULTS = ("etc/default", "etc/sysconfig", "etc/conf.d")
# Variables of the environment that are looked at; a password's never is.
ENVIRONMENT = frozenset(
    {
        "CATALINA_OPTS",
        "JAVA_OPTS",
        "JAVA_TOOL_OPTIONS",
        "JDK_JAVA_OPTIONS",
        "JVM_SUPPORT_RECOMMENDED_ARGS",
        "ADDITIONAL_JAVA_OPTS",
        "JMX_REMOTE_PORT",
        "JMX_REMOTE_AUTH",
        "JMX_OPTS",
        "JMX_PORT",
        "JDBC_URL",
        "JDBC_USER",
        "BITBUCKET_SHARED_HOME",
        "BAMBOO_SHARED_HOME",
        "CROWD_SHARED_HOME",
        "JIRA_SHARED_HOME",
        "CONFLUENCE_SHARED_HOME",
        "ATL_PRODUCT_HOME_SHARED",
        *(f"HAZELCAST_NETWORK_{way}" for way in ("MULTICAST", "TCPIP", "AWS", "AZURE", "KUBERNETES")),
    }
)
# Not set, Bitbucket's own script opens no port: its option stands in a condition.
OWN_SWITCH = "JMX_REMOTE_PORT"


@dataclass(frozen=True, slots=True)
class StartFacts:
    """What the start options say. `environment` holds only names of `ENVIRONMENT`, `options` those kept of the JVM's.

    `places` are the files that were read, `running` whether the product's JVM was seen.
    """

    jmx: JmxHint = field(default_factory=JmxHint)
    options: Mapping[str, str] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    places: tuple[str, ...] = ()
    running: bool = False
    unread: tuple[Mistake, ...] = ()


def read_start_options(
    product: ProductType, home: Path, install: Path | None, root: Path, environment: Mapping[str, str]
) -> StartFacts:
    """Everything that is said of how the product's JVM is started."""
    variables = {name: value for name, value in environment.items() if name in ENVIRONMENT}
    words: list[str] = []
    places: list[str] = []
    unread: list[Mistake] = []
    for path, text in unit_texts(product, home, install, root):
        words.extend(environment_of(text, root, variables))
        places.append(str(path))
    for path in (*_defaults(product, root), *_scripts(install)):
        script = _text(path, unread)
        if script is not None:
            words.extend(read_shell(script, variables))
            places.append(str(path))
    jvm = _jvm(product, home, install, root)
    if jvm is not None:
        variables |= jvm.environment(ENVIRONMENT)
    # Variables in the order in which they were set last, then commands; each only as it is at the end.
    running = () if jvm is None else jvm.arguments
    hint, options = parse_options([*variables.values(), *words, *running])
    kept = {name: value for name, value in variables.items() if name in ENVIRONMENT}
    return StartFacts(
        _with_own_switch(hint, variables), options, kept, tuple(dict.fromkeys(places)), jvm is not None, tuple(unread)
    )


def _with_own_switch(hint: JmxHint, variables: Mapping[str, str]) -> JmxHint:
    """Bitbucket's own two variables say it before its script does: every branch of that was read."""
    if hint.variable == OWN_SWITCH:
        hint = replace(JmxHint(), jolokia=hint.jolokia, jolokia_login=hint.jolokia_login, exporter=hint.exporter)
    port, way = variables.get(OWN_SWITCH, ""), variables.get("JMX_REMOTE_AUTH", "")
    if hint.port is None and not hint.variable and re.fullmatch(r"[1-9][0-9]{0,4}", port, re.ASCII):
        hint = replace(hint, port=int(port), server_tls=False)
    if way in ("password", "ssl") and hint.port is not None and port == str(hint.port):
        return replace(hint, authenticate=way == "password", server_tls=way == "ssl")
    return hint


def _defaults(product: ProductType, root: Path) -> Iterator[Path]:
    for folder in DEFAULTS:
        for name in (product.value, f"atlassian-{product.value}"):
            if (root / folder / name).is_file():
                yield root / folder / name


def _scripts(install: Path | None) -> Iterator[Path]:
    """The scripts there are; none at all is no mistake: the options may stand elsewhere."""
    if install is None:
        return
    # Crowd keeps its Tomcat in a folder of its own.
    for folder in (install / "bin", install / "apache-tomcat" / "bin"):
        yield from (folder / name for name in SCRIPTS if (folder / name).exists())
    # Crowd's and Bamboo's own starters, and the short way some sites take.
    yield from (install / name for name in ("start_crowd.sh", "setenv.sh") if (install / name).exists())


def _text(path: Path, unread: list[Mistake]) -> str | None:
    try:
        return read_octets(path).decode("utf-8", "replace")
    except (OSError, Malformed) as error:
        problem = error.strerror or "cannot be read" if isinstance(error, OSError) else str(error)
        unread.append(Mistake(shown(str(path), 300), "", problem))
        return None


def _jvm(product: ProductType, home: Path, install: Path | None, root: Path) -> RunningProgram | None:
    """The product's JVM, when it runs here and this account may see its arguments."""
    wanted = {f"-D{product.value}.home={home}"}
    if install is not None:
        wanted |= {f"-Dcatalina.{which}={folder}" for which in ("home", "base") for folder in _tomcats(install)}
    for program in running_programs(root / "proc"):
        if wanted.intersection(program.arguments):
            return program
    return None


def _tomcats(install: Path) -> tuple[Path, ...]:
    return (install, install / "apache-tomcat")
