"""`init`: a product's home becomes a configuration file, and the instance gets its identity.

In:   the home folder and a few wishes.
Out:  agent.toml (never with a secret in it), the agent's folder in the shared home, and a report of what was found and
      what is left to do. Nothing is written unless everything that was read is right.
"""

from __future__ import annotations

import contextlib
import grp
import os
import pwd
import stat
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from agent.errors import ConfigError, Mistake
from agent.product.database.own_login import own_login_of, where_the_script_grants
from agent.product.homes.dispatch import read_home
from agent.product.homes.formats import Malformed, read_octets
from agent.product.homes.setenv import JmxHint, parse_setenv
from agent.product.instance.identity import ensure_instance
from agent.product.model import HomeFacts, ProductDatabase
from agent.settings import (
    AgentSettings,
    ClientsideSettings,
    CloudSettings,
    DatabaseLogin,
    DatabaseSettings,
    InstanceSettings,
    JmxSettings,
    JmxTlsSettings,
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
OWN_USER = "portfolio_agent"
HIDDEN = (Path("/home"), Path("/root"), Path("/run/user"))  # ProtectHome= of the shipped unit
DROP_INS = "/opt/portfolio-agent/share/systemd/drop-ins"


@dataclass(frozen=True, slots=True)
class SetupWishes:
    """What the admin said on the command line; None means: take what the home or the default says."""

    home: Path
    output: Path
    product: ProductType = ProductType.JIRA
    shared_home: Path | None = None
    install: Path | None = None
    jmx_host: str | None = None
    jmx_port: int | None = None
    cloud_endpoint: str | None = None
    cloud_ca: Path | None = None
    state_dir: Path | None = None
    offline: bool = False
    force: bool = False


@dataclass(frozen=True, slots=True)
class SetupReport:
    """What `init` found and wrote, and what the admin does next."""

    found: tuple[tuple[str, str], ...]
    written: tuple[str, ...]
    next_steps: tuple[str, ...]


def set_up(wishes: SetupWishes) -> SetupReport:
    """Read the home, write the configuration, make the instance's identity.

    Raises ConfigError with all mistakes named; then no file was changed.
    """
    wishes = _absolute(wishes)
    home, hint = _read_all(wishes)
    settings = _settings(wishes, home, hint)
    text = render_settings(settings)
    parse_settings(text, str(wishes.output))  # what is written must load
    _make_state_folder(settings.agent.state_dir)
    ensure_instance(settings.link_dir, owner_of(settings.agent.state_dir))
    mode = _write(wishes.output, text, force=wishes.force)
    return SetupReport(
        found=tuple(_found(settings, home, hint)),
        written=(f"{wishes.output} (mode {mode:04o})", f"{settings.link_dir} (identity of this instance)"),
        next_steps=tuple(_next_steps(wishes, settings, home, hint)),
    )


def _read_all(wishes: SetupWishes) -> tuple[HomeFacts, JmxHint | None]:
    """Home and start script; raises one ConfigError for the mistakes of both, of the options and of the output."""
    mistakes: list[Mistake] = []
    home: HomeFacts | None = None
    hint: JmxHint | None = None
    with _collecting(mistakes):
        _check_output(wishes.output, force=wishes.force)
    with _collecting(mistakes):
        home = read_home(wishes.product, wishes.home, wishes.shared_home)
    with _collecting(mistakes):
        hint = _jmx_hint(wishes.install)
    mistakes.extend(_option_mistakes(wishes))
    if mistakes or home is None:
        raise ConfigError(
            "The agent cannot be set up.",
            tuple(mistakes),
            do="Correct what is listed and run init again; nothing was written.",
        )
    return home, hint


@contextlib.contextmanager
def _collecting(mistakes: list[Mistake]) -> Iterator[None]:
    """Go on after a ConfigError that names mistakes; one without them is final."""
    try:
        yield
    except ConfigError as error:
        if not error.mistakes:
            raise
        mistakes.extend(error.mistakes)


def _option_mistakes(wishes: SetupWishes) -> tuple[Mistake, ...]:
    """What is wrong with the options themselves, found by the loader's own rules."""
    settings = Settings(
        instance=InstanceSettings(wishes.product, wishes.home, wishes.shared_home or wishes.home),
        agent=AgentSettings(state_dir=wishes.state_dir or AgentSettings().state_dir),
        jmx=JmxSettings(host=wishes.jmx_host or "localhost", port=wishes.jmx_port or JmxSettings().port),
        cloud=CloudSettings(endpoint=wishes.cloud_endpoint, ca_file=wishes.cloud_ca),
    )
    try:
        parse_settings(render_settings(settings), "option")
    except ConfigError as error:
        return tuple(replace(mistake, line=None) for mistake in error.mistakes)
    return ()


def _absolute(wishes: SetupWishes) -> SetupWishes:
    """Paths as the service will see them: a shell's working folder means nothing to it."""

    def full(path: Path | None) -> Path | None:
        return None if path is None else Path(os.path.abspath(path))

    return replace(
        wishes,
        home=Path(os.path.abspath(wishes.home)),
        output=Path(os.path.abspath(wishes.output)),
        shared_home=full(wishes.shared_home),
        install=full(wishes.install),
        cloud_ca=full(wishes.cloud_ca),
        state_dir=full(wishes.state_dir),
    )


def _settings(wishes: SetupWishes, home: HomeFacts, hint: JmxHint | None) -> Settings:
    jmx = JmxSettings()
    if hint is not None and hint.port is not None:
        tls = JmxTlsSettings(server=hint.server_tls, registry=hint.registry_tls)
        jmx = replace(jmx, port=hint.port, tls=tls)
    jmx = replace(jmx, host=wishes.jmx_host or jmx.host, port=wishes.jmx_port or jmx.port)
    agent = AgentSettings(mode=Mode.OFFLINE if wishes.offline else Mode.LINKED)
    return Settings(
        instance=InstanceSettings(wishes.product, home.home, home.shared_home),
        agent=replace(agent, state_dir=wishes.state_dir or agent.state_dir),
        jmx=jmx,
        clientside=ClientsideSettings(install=_with_tomcat(wishes.install)),
        database=_database(home, wishes.output),
        cloud=CloudSettings(endpoint=wishes.cloud_endpoint, ca_file=wishes.cloud_ca),
    )


def _with_tomcat(install: Path | None) -> Path | None:
    """The install folder, where it holds the file that tells of the access log; Crowd keeps Tomcat one level down."""
    if install is None:
        return None
    places = (install / "conf" / "server.xml", install / "apache-tomcat" / "conf" / "server.xml")
    return install if any(place.is_file() for place in places) else None


def _database(home: HomeFacts, output: Path) -> DatabaseSettings:
    """The product's own login; where only the product can use it, a place for an account of ours at its address."""
    database = home.database
    if not (database.encrypted or database.address.login_gap):
        return DatabaseSettings()
    secret = output.parent / "database.password"
    return where_the_script_grants(own_login_of(database.address, database.schema, OWN_USER, secret))


def _jmx_hint(install: Path | None) -> JmxHint | None:
    if install is None:
        return None
    # Crowd keeps its Tomcat in a folder of its own.
    tomcat = install / "apache-tomcat"
    path = (tomcat if tomcat.is_dir() else install) / "bin" / "setenv.sh"
    try:
        return parse_setenv(read_octets(path).decode("utf-8", "replace"))
    except (OSError, Malformed) as error:
        problem = error.strerror or "cannot be read" if isinstance(error, OSError) else str(error)
        raise ConfigError(
            "The product's start script cannot be read.",
            (Mistake(shown(str(path), 300), "", problem),),
            do="Name the folder the product is installed in with --install, or give --jmx-port instead.",
        ) from None


def _found(settings: Settings, home: HomeFacts, hint: JmxHint | None) -> Iterator[tuple[str, str]]:
    yield "product", str(settings.instance.product)
    if home.build:
        yield "build", home.build
    yield "home", str(home.home)
    yield "shared home", str(home.shared_home)
    yield "node", f"{shown(home.node_name)} (cluster)" if home.clustered else "not clustered"
    yield "database", shown(str(home.database.address), 200)
    yield "database schema", home.database.schema or "(default)"
    yield "database password", _password_words(home.database)
    for number, note in enumerate(home.database.address.notes, start=1):
        yield f"database note {number}", note
    yield "JMX", f"{settings.jmx.host}:{settings.jmx.port}" + ("" if hint is None else _hint_words(hint))
    yield "access log", _access_log_words(settings)


def _why_own(database: ProductDatabase) -> str:
    if database.address.login_gap:
        return f"The product {database.address.login_gap}"
    return "The product's database password is encrypted"


def _password_words(database: ProductDatabase) -> str:
    if database.address.login_gap:
        return f"not used: the product {database.address.login_gap}"
    return "encrypted by the product" if database.encrypted else "stays in the product's file, read when needed"


def _access_log_words(settings: Settings) -> str:
    install = settings.clientside.install
    return "not read (no --install, or no conf/server.xml there)" if install is None else f"as Tomcat in {install} says"


def _hint_words(hint: JmxHint) -> str:
    if hint.port is None:
        return " (the start script opens no JMX port)"
    return " (from the start script" + (", with a login)" if hint.authenticate else ")")


def _next_steps(wishes: SetupWishes, settings: Settings, home: HomeFacts, hint: JmxHint | None) -> Iterator[str]:
    config = wishes.output
    yield from _way_to_the_product(settings, home)
    if settings.database.login is DatabaseLogin.OWN:
        yield (
            f"{_why_own(home.database)}: create the read-only account '{OWN_USER}' with the "
            "database's script in config/database, and put its password into "
            f"{settings.database.password_file} (mode 0600, owner portfolio-agent)."
        )
    if hint is not None and hint.port is None:
        yield "Open a JMX port on loopback in the product's bin/setenv.sh and restart the product, or set jmx.enabled."
    if hint is not None and hint.port is not None and hint.authenticate:
        yield "The JVM asks for a login: set [jmx] user and password_file."
    if settings.agent.mode is Mode.LINKED and settings.cloud.endpoint is None:
        yield "Set [cloud] endpoint, the address of the receiver."
    yield f"Check it: portfolio-agent config check --config {config}"
    yield f"See one tick: portfolio-agent sample --config {config}"
    if settings.agent.mode is Mode.LINKED:
        yield f"Link it: portfolio-agent link --config {config}"
    yield "Start it: systemctl enable --now portfolio-agent"


def _way_to_the_product(settings: Settings, home: HomeFacts) -> Iterator[str]:
    """What keeps the service from the product's files: its account's rights, and the folders the unit hides."""
    owner = owner_of(settings.agent.state_dir)
    tls = home.database.address.tls
    if owner is not None and owner.uid != 0:
        files = (*home.files, *map(Path, filter(None, (tls.ca_file, tls.certificate_file))))
        commands = access_gaps(owner, files, (home.home, settings.link_dir)).commands(_name_of(owner.uid))
        if commands:
            yield (
                "Let the service account read the product's files, which it may not yet (setfacl: package acl): "
                f"{commands}"
            )
    if tls.key_file:
        # Not by an ACL: PostgreSQL's driver refuses a key that anyone else may read.
        key = settings.agent.state_dir / "database-client.key"
        yield (
            "The product shows the database a certificate of its own. Give the agent one for its account, or a copy of "
            f"the key: install -m 0600 -o {SERVICE_ACCOUNT} {shown(tls.key_file, 300)} {key}   and set [database.tls] "
            f'key_file = "{key}"'
        )
    if any(path.is_relative_to(hidden) for path in (home.home, home.shared_home) for hidden in HIDDEN):
        yield (
            f"The service does not see {', '.join(map(str, HIDDEN))}: install -D -t "
            f"/etc/systemd/system/portfolio-agent.service.d {DROP_INS}/home-read-only.conf && systemctl daemon-reload"
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
