"""`init`: a product's home becomes a configuration file, and the instance gets its identity.

In:   the home folder and a few wishes.
Out:  agent.toml (never with a secret in it), the agent's folder in the shared home, and a report of what was found,
      what is left to do and what comes next. It is written whatever the database is like: only options that are wrong,
      or a folder that is no product's, leave everything as it was.
"""

from __future__ import annotations

import grp
import os
import pwd
import shlex
import stat
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from agent.errors import ConfigError, Mistake
from agent.product.database.address import DatabaseTls
from agent.product.database.own_login import address_of
from agent.product.instance.choices import chosen_settings, url_mistake
from agent.product.instance.identity import ensure_instance
from agent.product.instance.left import LeftToDo, encrypts_soon, left_to_do
from agent.product.instance.survey import Survey, survey
from agent.product.instance.wishes import SetupWishes, absolute
from agent.product.model import Clustering, NodeFacts
from agent.settings import (
    AgentSettings,
    CloudSettings,
    DatabaseLogin,
    InCluster,
    InstanceSettings,
    JmxSettings,
    Mode,
    ProductType,
    Settings,
    render_settings,
    shown,
)
from agent.settings.load import parse_settings
from agent.system.access import access_gaps
from agent.system.account import Account, owner_of
from agent.system.atomic import write_whole

SERVICE_ACCOUNT = "portfolio-agent"
SERVICE_STATE = Path("/var/lib")  # where systemd makes the state folders of services
HIDDEN = (Path("/home"), Path("/root"), Path("/run/user"))  # ProtectHome= of the shipped unit
DROP_INS = "/opt/portfolio-agent/share/systemd/drop-ins"


@dataclass(frozen=True, slots=True)
class NextStep:
    """What comes next, in words, and the command for it where there is one."""

    words: str
    command: str = ""

    def __str__(self) -> str:
        return f"{self.words} {self.command}".rstrip()


@dataclass(frozen=True, slots=True)
class SetupReport:
    """What `init` found and wrote, what keeps a part from working, and what the admin does next."""

    found: tuple[tuple[str, str], ...]
    written: tuple[str, ...]
    left: tuple[LeftToDo, ...]
    next_steps: tuple[NextStep, ...]


def set_up(wishes: SetupWishes) -> SetupReport:
    """Look at the home, write the configuration, make the instance's identity.

    Raises ConfigError with all mistakes named; then no file was changed.
    """
    wishes = absolute(wishes)
    found = _read_all(wishes)
    settings = chosen_settings(wishes, found)
    text = render_settings(settings)
    parse_settings(text, str(wishes.output))  # what is written must load
    _make_state_folder(settings.agent.state_dir)
    ensure_instance(settings.link_dir, owner_of(settings.agent.state_dir))
    mode = _write(wishes.output, text, force=wishes.force)
    return SetupReport(
        found=tuple(_found(settings, found)),
        written=(f"{wishes.output} (mode {mode:04o})", f"{settings.link_dir} (identity of this instance)"),
        left=tuple(left_to_do(wishes, found, settings)),
        next_steps=tuple(_next_steps(wishes, settings, found)),
    )


def _read_all(wishes: SetupWishes) -> Survey:
    """What is there; raises one ConfigError for what is wrong with the options, the output and the home together."""
    mistakes: list[Mistake] = []
    do = "Correct what is listed and run init again; nothing was written."
    found: Survey | None = None
    try:
        _check_output(wishes.output, force=wishes.force)
    except ConfigError as error:
        mistakes.extend(error.mistakes)
    try:
        found = survey(wishes.home, wishes.product, wishes.shared_home, wishes.install, wishes.root, wishes.environment)
        mistakes.extend(_no_shared_home(found.node))
    except ConfigError as error:
        mistakes.extend(error.mistakes)
        what, do = f"{error.what} Nothing was written.", error.do
    else:
        what = "The agent cannot be set up."
    mistakes.extend(_option_mistakes(wishes))
    if mistakes or found is None:
        if found is not None:
            # While one corrects the rest, this may be corrected too.
            mistakes.extend((*found.node.unread, *found.node.notes, *found.database_mistakes))
        raise ConfigError(what, tuple(dict.fromkeys(mistakes)), do=do)
    return found


def _no_shared_home(node: NodeFacts) -> Iterator[Mistake]:
    """The instance's identity lies there: without it there is nothing to set up."""
    if not node.shared_home.is_dir():
        yield from (note for note in node.notes if "there is no folder" in note.problem)


def _option_mistakes(wishes: SetupWishes) -> Iterator[Mistake]:
    """What is wrong with the options themselves, found by the loader's own rules."""
    product = wishes.product or ProductType.JIRA
    settings = Settings(
        instance=InstanceSettings(product, wishes.home, wishes.shared_home or wishes.home, node=wishes.node),
        agent=AgentSettings(state_dir=wishes.state_dir or AgentSettings().state_dir),
        jmx=JmxSettings(host=wishes.jmx_host or "localhost", port=wishes.jmx_port or JmxSettings().port),
        cloud=CloudSettings(endpoint=wishes.cloud_endpoint, ca_file=wishes.cloud_ca),
    )
    try:
        parse_settings(render_settings(settings), "option")
    except ConfigError as error:
        yield from (replace(mistake, line=None) for mistake in error.mistakes)
    if wishes.install is not None and not wishes.install.is_dir():
        yield Mistake("option", "--install", "is not a folder, or this account may not see it")
    if wishes.database_url is not None and not wishes.database:
        yield Mistake("option", "--no-database", "does not go with --database-url")
    if (mistake := url_mistake(wishes.database_url)) is not None:
        yield mistake


def _found(settings: Settings, found: Survey) -> Iterator[tuple[str, str]]:
    node = found.node
    yield "product", str(found.product)
    if found.version:
        yield "version", found.version
    if node.build:
        yield "build", node.build
    yield "home", str(node.home)
    yield "shared home", str(node.shared_home)
    yield "node", _node_words(settings, node)
    yield "database", _database_words(settings, found)
    if found.database is not None:
        yield "database schema", found.database.schema or "(default)"
        plain = "stays in the product's file, read when needed" if found.database.password else "none"
        gap = found.database.address.login_gap
        yield "database password", found.database.kept.words or (f"not used: the product {gap}" if gap else plain)
        for number, note in enumerate(found.database.address.notes, start=1):
            yield f"database note {number}", note
    yield "JMX", _jmx_words(settings, found)
    yield "access log", _access_log_words(settings)


def _node_words(settings: Settings, node: NodeFacts) -> str:
    instance = settings.instance
    name = instance.node or shown(node.node_name)
    if instance.cluster is not InCluster.AUTO:
        words = "cluster, as you say" if instance.cluster is InCluster.YES else "not clustered, as you say"
    else:
        words = {Clustering.YES: "cluster", Clustering.NO: "not clustered"}.get(
            node.clustering, "cluster or not: not told"
        )
    return f"{name} ({words})" if name else words


def _database_words(settings: Settings, found: Survey) -> str:
    database = settings.database
    if not database.enabled:
        return "not read"
    if database.login is DatabaseLogin.PRODUCT:
        return "not known yet" if found.database is None else shown(str(found.database.address), 200)
    return shown(f"{address_of(database)}, account {database.user or '-'}", 200)


def _jmx_words(settings: Settings, found: Survey) -> str:
    jmx, hint, start = settings.jmx, found.start.jmx, found.start
    if jmx.transport == "jolokia":
        return f"Jolokia at {jmx.url} (an agent in the JVM)"
    words = f"{jmx.host}:{jmx.port}"
    if hint.port == jmx.port:
        return f"{words} (from the start options{', with a login' if hint.authenticate else ''})"
    if start.places or start.running or found.install is not None:
        return f"{words} (no start option names a port)"
    return f"{words} (not looked for: name --install or --jmx-port)"


def _access_log_words(settings: Settings) -> str:
    install = settings.clientside.install
    return "not read (no --install, or no conf/server.xml there)" if install is None else f"as Tomcat in {install} says"


def _next_steps(wishes: SetupWishes, settings: Settings, found: Survey) -> Iterator[NextStep]:
    config = shlex.quote(str(wishes.output))
    yield from _way_to_the_product(settings, found)
    if settings.database.login is DatabaseLogin.PRODUCT and settings.database.enabled and encrypts_soon(found):
        yield NextStep(
            "Give the agent a database account of its own (--database-url): Jira 10.2 and later moves a plain "
            "password out of dbconfig.xml when it starts, and the agent then cannot log in as Jira does."
        )
    if settings.agent.mode is Mode.LINKED and settings.cloud.endpoint is None:
        yield NextStep("Set [cloud] endpoint, the address of the receiver.")
    yield NextStep("Check it:", f"portfolio-agent config check --config {config}")
    yield NextStep("See one tick:", f"portfolio-agent sample --config {config}")
    if settings.agent.mode is Mode.LINKED:
        yield NextStep("Link it:", f"portfolio-agent link --config {config}")
    yield NextStep("Start it:", "systemctl enable --now portfolio-agent")


def _way_to_the_product(settings: Settings, found: Survey) -> Iterator[NextStep]:
    """What keeps the service from the product's files: its account's rights, and the folders the unit hides."""
    owner, home = owner_of(settings.agent.state_dir), found.node
    tls = DatabaseTls() if found.database is None else found.database.address.tls
    if owner is not None and owner.uid != 0:
        files = (*home.files, *map(Path, filter(None, (tls.ca_file, tls.certificate_file))))
        commands = access_gaps(owner, files, (home.home, settings.link_dir)).commands(_name_of(owner.uid))
        if commands:
            yield NextStep(
                "Let the service account read the product's files, which it may not yet (setfacl: package acl):",
                commands,
            )
    if tls.key_file and settings.database.enabled:
        # Not by an ACL: PostgreSQL's driver refuses a key that anyone else may read.
        key = settings.agent.state_dir / "database-client.key"
        yield NextStep(
            "The product shows the database a certificate of its own. Give the agent one for its account, or a copy of "
            f'the key, and set [database.tls] key_file = "{key}":',
            f"install -m 0600 -o {SERVICE_ACCOUNT} {shlex.quote(shown(tls.key_file, 300))} {key}",
        )
    if any(path.is_relative_to(hidden) for path in (home.home, home.shared_home) for hidden in HIDDEN):
        yield NextStep(
            f"The service does not see {', '.join(map(str, HIDDEN))}:",
            "install -D -t "
            f"/etc/systemd/system/portfolio-agent.service.d {DROP_INS}/home-read-only.conf && systemctl daemon-reload",
        )


def _make_state_folder(folder: Path) -> None:
    """The state folder of one more instance, as its unit would make it at the first start.

    What `init` and `link` write belongs to whom the state folder belongs to, so it has to be there first.
    """
    if os.geteuid() != 0 or folder.parent != SERVICE_STATE or os.path.lexists(folder):
        return
    try:
        account = pwd.getpwnam(SERVICE_ACCOUNT)
    except KeyError:
        return  # not installed as a service
    try:
        folder.mkdir(mode=0o700)
        os.chown(folder, account.pw_uid, account.pw_gid, follow_symlinks=False)
    except OSError as error:
        raise ConfigError(
            f"The state folder {folder} cannot be made.",
            why=f"{error.strerror} (uid {os.geteuid()}).",
            do=f"Run: install -d -m 0700 -o {SERVICE_ACCOUNT} -g {SERVICE_ACCOUNT} {folder}",
        ) from None


def _name_of(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _check_output(path: Path, *, force: bool) -> None:
    problem = ""
    if path.is_symlink():
        problem = "is a link; the configuration must be a file of its own"
    elif path.exists() and not path.is_file():
        problem = "is not a file"
    elif path.exists() and not force:
        problem = "is there already and is not overwritten without --force"
    elif not path.parent.is_dir():
        problem = f"cannot be made: there is no folder {path.parent}"
    elif not os.access(path.parent, os.W_OK | os.X_OK):
        problem = f"cannot be made: uid {os.geteuid()} may not write to {path.parent}"
    if problem:
        raise ConfigError(
            "The configuration cannot be written.",
            (Mistake(shown(str(path), 300), "", problem),),
            do="Run the command as root, use --force, or name another file with --output.",
        )


def _write(path: Path, text: str, *, force: bool) -> int:
    """Write beside, sync, give it its name; the mode the file got."""
    group = _service_group()
    mode = 0o600 if group is None else 0o640
    owner = None if group is None else Account(0, group)
    try:
        write_whole(path, text.encode("utf-8"), mode=mode, owner=owner, replace=force)
    except OSError as error:
        raise ConfigError(
            f"The configuration {path} cannot be written.",
            why=f"{error.strerror} (uid {os.geteuid()}).",
            do="Run the command as root, or name another file with --output.",
        ) from None
    return stat.S_IMODE(path.stat().st_mode)


def _service_group() -> int | None:
    """The service's group, when it exists and this process may give a file to it."""
    if os.geteuid() != 0:
        return None
    try:
        return grp.getgrnam(SERVICE_ACCOUNT).gr_gid
    except KeyError:
        return None
