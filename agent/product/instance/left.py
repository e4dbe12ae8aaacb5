"""What `init` leaves to the admin: three facts each, and the commands that do it here.

In:   what was found, what was wished, the settings made of both. Out: `LeftToDo`s; none where all is right.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass

from agent.product.homes.dispatch import DATABASE_FILES
from agent.product.instance.choices import file_is_broken, known_address
from agent.product.instance.survey import Survey, default_shared_home
from agent.product.instance.wishes import OWN_USER, SetupWishes
from agent.product.model import Clustering
from agent.settings import DatabaseLogin, Dialect, InCluster, ProductType, Settings

SCRIPTS = "/opt/portfolio-agent/share/config/database"
EXAMPLE_URL = "jdbc:postgresql://db.example.com:5432/DATABASE"
ENCRYPTS_FROM = (10, 2)  # Jira takes a plain password out of dbconfig.xml at its first start


@dataclass(frozen=True, slots=True)
class LeftToDo:
    """One thing that keeps a part from working; `commands` are typed as they stand."""

    what: str
    why: str
    do: str
    commands: tuple[str, ...] = ()


def left_to_do(wishes: SetupWishes, found: Survey, settings: Settings) -> Iterator[LeftToDo]:
    """Everything that is not right yet, the database first."""
    yield from _database(wishes, found, settings)
    yield from _node(wishes, found, settings)
    yield from _jvm(wishes, found, settings)


def _database(wishes: SetupWishes, found: Survey, settings: Settings) -> Iterator[LeftToDo]:
    if not wishes.database:
        return
    file = DATABASE_FILES[found.product]
    why = "; ".join(str(mistake) for mistake in found.database_mistakes)
    if not settings.database.enabled:
        yield LeftToDo(
            "The database is switched off: its address is not known. Everything else works.",
            why,
            f"Make a read-only account (the scripts in {SCRIPTS} say how) and give its address, without a password:",
            (f"{_again(wishes, found)} --database-url {EXAMPLE_URL} --force",),
        )
    elif settings.database.login is DatabaseLogin.OWN:
        yield from _own_account(wishes, found, settings, why)
    elif file_is_broken(found):
        yield LeftToDo(
            f"The database is not read until {file} can be read.",
            why,
            "Correct that; the agent reads the file anew each time, and nothing else is to be done.",
        )


def _own_account(wishes: SetupWishes, found: Survey, settings: Settings, why: str) -> Iterator[LeftToDo]:
    database = settings.database
    if database.password_file is None or database.password_file.is_file():
        return
    dialect = "" if database.dialect is None else database.dialect.value
    if wishes.database_url is not None:
        why = "--database-url is for an account of the agent's own."
    elif found.database is not None and found.database.encrypted:
        kept = f"the product's password is {found.database.kept.words}; only the product can open it"
        why = "; ".join(filter(None, (f"{DATABASE_FILES[found.product]}: {kept}", why)))
    elif found.database is not None and found.database.address.login_gap:
        why = "; ".join(filter(None, (f"The product {found.database.address.login_gap}", why)))
    elif found.database is None:
        why = "The product takes its database from the environment it is started with (JDBC_URL)."
    yield LeftToDo(
        f"The database is not read until the account '{database.user}' is there.",
        why,
        f"Create it with {SCRIPTS}/{dialect}.sql (its head says how), and store its password (type it, Enter, Ctrl-D):",
        (f"install -m 0600 -o portfolio-agent /dev/stdin {shlex.quote(str(database.password_file))}",),
    )


def _node(wishes: SetupWishes, found: Survey, settings: Settings) -> Iterator[LeftToDo]:
    node = found.node
    if node.unread and (wishes.node is None or wishes.cluster is InCluster.AUTO):
        yield LeftToDo(
            "This node's name, and whether it is one of a cluster, are not known: nothing is delivered until they are.",
            "; ".join(str(mistake) for mistake in node.unread),
            "Correct that file, or say both:",
            (f"{_again(wishes, found)} --node-name NAME --cluster no --force",),
        )
    for note in node.notes:
        if wishes.node is None or not note.key.endswith((".id", ".name")):
            yield LeftToDo(
                "The node has no name of its own: the machine's stands in for it.",
                str(note),
                "Correct that, or give the name with --node-name.",
            )
    if default_shared_home(found):
        yield LeftToDo(
            "Bamboo's shared home was not found: its local home is taken.",
            "There is no folder 'shared' in it, and no bamboo-init.properties or start option names another.",
            "On a single node without one this is right. Else name it:",
            (f"{_again(wishes, found)} --shared-home DIR --force",),
        )
    yield from _cluster(wishes, found, settings)


def _cluster(wishes: SetupWishes, found: Survey, settings: Settings) -> Iterator[LeftToDo]:
    if wishes.cluster is not InCluster.AUTO or found.node.clustering is not Clustering.UNKNOWN or found.node.unread:
        return
    name = found.product.value.capitalize()
    why = f"{name}'s files do not tell, so this node takes a turn with others that may be there."
    if not settings.database.enabled:
        yield LeftToDo(
            "Whether this is a cluster is not known, and without the database nobody can say who counts.",
            f"{why} What a cluster has once (installed apps, for instance) is not reported meanwhile.",
            "Say it: no for a single node, yes for one of several:",
            (f"{_again(wishes, found)} --cluster no --force",),
        )
    address = known_address(wishes, found)
    if settings.database.enabled and address is not None and address.dialect is Dialect.ORACLE:
        yield LeftToDo(
            "On Oracle taking turns needs a right: execute on dbms_lock.",
            why,
            "Grant it to the agent's account, or, on a single node, say so:",
            (f"{_again(wishes, found)} --cluster no --force",),
        )


def _jvm(wishes: SetupWishes, found: Survey, settings: Settings) -> Iterator[LeftToDo]:
    hint, start = found.start.jmx, found.start
    for mistake in start.unread:
        yield LeftToDo(
            "A start script could not be read.", str(mistake), "Give the JVM's port with --jmx-port if it stands there."
        )
    if (wishes.jmx_port is None and wishes.jmx_host is None) or (wishes.jmx_port is None and hint.port is None):
        yield from _port(wishes, found, settings)
    if settings.jmx.transport == "jolokia" and hint.jolokia_login:
        yield LeftToDo(
            "Jolokia asks for a login.",
            "Its -javaagent option names a user.",
            "Set [jmx] user and password_file in the configuration.",
        )
    if settings.jmx.transport == "rmi" and hint.port == settings.jmx.port and hint.authenticate:
        yield LeftToDo(
            "The JVM asks for a login.",
            "com.sun.management.jmxremote.authenticate is not false.",
            "Set [jmx] user and password_file in the configuration.",
        )


def _port(wishes: SetupWishes, found: Survey, settings: Settings) -> Iterator[LeftToDo]:
    hint, start = found.start.jmx, found.start
    if hint.port is not None or settings.jmx.transport == "jolokia":
        return
    with_port = f"{_again(wishes, found)} --jmx-port PORT --force"
    if hint.variable:
        yield LeftToDo(
            "The JMX port is not known.",
            f"The port stands in a variable (${hint.variable}) that no start script, unit or environment file sets.",
            "Give it:",
            (with_port,),
        )
    elif hint.jolokia_unclear:
        yield LeftToDo(
            "Jolokia runs in the JVM, but its address is not known.",
            "Its -javaagent option reads it from a file or a variable.",
            'Set [jmx] transport = "jolokia" and url in the configuration.',
        )
    elif found.install is not None or start.places or start.running:
        looked = ", ".join(start.places) or "No start script, systemd unit or environment file was found"
        exporter = " A JMX exporter runs in the JVM; the agent does not read that." if hint.exporter else ""
        yield LeftToDo(
            "The product opens no JMX port.",
            (f"None is named in {looked}." if start.places else f"{looked}.") + exporter,
            f"Open one on loopback in {_script(found)} and restart the product, give --jmx-port if it is open already, "
            "or set [jmx] enabled = false.",
        )


def _script(found: Survey) -> str:
    return "bin/set-jmx-opts.sh (JMX_REMOTE_PORT)" if found.product is ProductType.BITBUCKET else "bin/setenv.sh"


def _again(wishes: SetupWishes, found: Survey) -> str:
    """`init` as it was run, for one more option."""
    words = ["portfolio-agent", "init", "--product", found.product.value, "--home", str(wishes.home)]
    for option, value in (
        ("--shared-home", wishes.shared_home),
        ("--install", wishes.install),
        ("--node-name", wishes.node),
        ("--cluster", None if wishes.cluster is InCluster.AUTO else wishes.cluster.value),
        ("--database-url", wishes.database_url),
        ("--database-user", None if wishes.database_user == OWN_USER else wishes.database_user),
        ("--jmx-host", wishes.jmx_host),
        ("--jmx-port", wishes.jmx_port),
        ("--cloud-endpoint", wishes.cloud_endpoint),
        ("--cloud-ca", wishes.cloud_ca),
        ("--state-dir", wishes.state_dir),
        ("--output", wishes.output),
    ):
        if value is not None:
            words += [option, str(value)]
    switches = (("--no-database", not wishes.database), ("--offline", wishes.offline))
    return shlex.join([*words, *(option for option, given in switches if given)])


def encrypts_soon(found: Survey) -> bool:
    """Whether this Jira will take its plain password out of the file the agent reads."""
    match = re.match(r"(\d+)\.(\d+)", found.version)
    plain = found.database is not None and not found.database.encrypted and not found.database_mistakes
    return (
        found.product is ProductType.JIRA
        and plain
        and match is not None
        and (int(match[1]), int(match[2])) >= ENCRYPTS_FROM
    )
