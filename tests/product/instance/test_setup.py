"""`init` beyond the home's own files: the machine around it, the options, and that what it advises works."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from agent.errors import ConfigError
from agent.product.instance.setup import SetupReport, set_up
from agent.product.instance.wishes import SetupWishes
from agent.settings import DatabaseLogin, Dialect, InCluster, ProductType, Settings, load_settings
from tests.support.any_home import FILES, SETTING, write_any_home
from tests.support.command import run_here
from tests.support.folders import open_to_all

JIRA, BITBUCKET, BAMBOO = ProductType.JIRA, ProductType.BITBUCKET, ProductType.BAMBOO
PORT = "-Dcom.sun.management.jmxremote.port=8686 -Dcom.sun.management.jmxremote.authenticate=false"


def wishes(folder: Path, home: Path, **more: Any) -> SetupWishes:
    """Those of a machine of its own below `folder`."""
    root = folder / "root"
    root.mkdir(exist_ok=True)
    values = {"output": folder / "agent.toml", "state_dir": folder / "state", "root": root, "force": True, **more}
    return SetupWishes(home, **values)


def done(given: SetupWishes) -> tuple[SetupReport, Settings]:
    """What `init` says and what it wrote."""
    return set_up(given), load_settings(given.output)


def put(folder: Path, files: Mapping[str, str]) -> None:
    for name, text in files.items():
        path = folder / "root" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def container(folder: Path) -> Path:
    """A Bitbucket home in a container: all properties come from the environment."""
    home = folder / "bitbucket"
    (home / "shared").mkdir(parents=True)
    return home


def test_the_running_jvm_tells_installation_and_port(tmp_path: Path) -> None:
    """Without --install: the JVM's own arguments name Tomcat's folder and the port; its access log is found there."""
    home, install = write_any_home(tmp_path, JIRA), tmp_path / "opt" / "jira"
    (install / "conf").mkdir(parents=True)
    (install / "conf" / "server.xml").write_text("<Server/>")
    line = ["/usr/bin/java", *PORT.split(), f"-Djira.home={home}", f"-Dcatalina.home={install}", "start"]
    put(tmp_path, {"proc/7/cmdline": "\0".join(line)})
    report, settings = done(wishes(tmp_path, home))
    assert (settings.jmx.port, settings.clientside.install) == (8686, install)
    assert [item.what for item in report.left] == ["The JVM asks for a login."] * 0


def test_the_containers_environment_gives_the_address(tmp_path: Path) -> None:
    """JDBC_URL of the running JVM: an account of our own at that address; its password is read by nobody."""
    home = container(tmp_path)
    environment = {"JDBC_URL": "jdbc:postgresql://db.example.com:5433/bb", "JDBC_PASSWORD": "s3cret-Word"}
    environment["HAZELCAST_NETWORK_KUBERNETES"] = "true"
    put(
        tmp_path,
        {
            "proc/7/cmdline": f"java\0-Dbitbucket.home={home}\0",
            "proc/7/environ": "\0".join(f"{name}={value}" for name, value in environment.items()),
        },
    )
    report, settings = done(wishes(tmp_path, home, product=BITBUCKET, jmx_port=3333))
    database = settings.database
    assert (database.login, database.host, database.port, database.name) == (
        DatabaseLogin.OWN,
        "db.example.com",
        5433,
        "bb",
    )
    assert dict(report.found)["node"] == "cluster"
    assert "s3cret-Word" not in repr(report) + (tmp_path / "agent.toml").read_text()
    (item,) = report.left
    assert "JDBC_URL" in item.why
    assert "database.password" in item.commands[0]


@pytest.mark.parametrize("name", ["BAMBOO_SHARED_HOME", "ATL_PRODUCT_HOME_SHARED"])
def test_a_shared_home_in_the_environment(tmp_path: Path, name: str) -> None:
    """Bamboo's shared home elsewhere, named where the image names it."""
    home = write_any_home(tmp_path, BAMBOO)
    shared = (home / "shared").rename(tmp_path / "shared-home")
    report, settings = done(wishes(tmp_path, home, environment={name: str(shared)}))
    assert settings.instance.shared_home == shared
    assert report.left == ()


def test_a_shared_home_in_the_start_options(tmp_path: Path) -> None:
    """The same in a systemd unit's -D option."""
    home = write_any_home(tmp_path, BAMBOO)
    shared = (home / "shared").rename(tmp_path / "shared-home")
    unit = f'[Service]\nEnvironment="JAVA_OPTS=-Dbamboo.shared.home={shared} {PORT}"\n'
    put(tmp_path, {"etc/systemd/system/bamboo.service": unit})
    _, settings = done(wishes(tmp_path, home))
    assert (settings.instance.shared_home, settings.jmx.port) == (shared, 8686)


@pytest.mark.parametrize(
    ("version", "advised"), [("9.12.4", False), ("10.1.2", False), ("10.2.0", True), ("11.3.0", True)]
)
def test_an_own_account_is_advised_where_jira_will_hide_its_password(
    tmp_path: Path, version: str, advised: bool
) -> None:
    """From Jira 10.2 on a plain password is gone after the next start."""
    home, install = write_any_home(tmp_path, JIRA), tmp_path / "install"
    pom = install / "atlassian-jira/META-INF/maven/com.atlassian.jira/jira-webapp-dist/pom.properties"
    pom.parent.mkdir(parents=True)
    pom.write_text(f"version={version}\n")
    report, _ = done(wishes(tmp_path, home, install=install, jmx_port=8686))
    assert any("Jira 10.2 and later" in step.words for step in report.next_steps) == advised


@pytest.mark.parametrize(
    "url",
    [
        "jdbc:postgresql://u:w0rd@db.example.com/jira",
        "jdbc:postgresql://db.example.com/jira?user=u&password=w0rd",
        "jdbc:mysql://db.example.com/jira?PASSWORD=w0rd",
        "jdbc:sqlserver://db.example.com;databaseName=jira;password=w0rd",
        "jdbc:sqlserver://db.example.com;databaseName=jira;pwd = w0rd",
        "jdbc:oracle:thin:u/w0rd@//db.example.com:1521/JIRA",
        "jdbc:mysql://address=(host=db.example.com)(user=u)(password=w0rd)/jira",
    ],
)
def test_a_password_on_the_command_line_is_refused(tmp_path: Path, url: str) -> None:
    """Every user of the machine could read it there; the refusal does not repeat it, and nothing is written."""
    with pytest.raises(ConfigError) as caught:
        set_up(wishes(tmp_path, write_any_home(tmp_path, JIRA), database_url=url))
    assert "holds a password" in str(caught.value)
    assert "w0rd" not in str(caught.value)
    assert not (tmp_path / "agent.toml").exists()


@pytest.mark.parametrize(
    ("url", "dialect", "host", "port", "name"),
    [
        ("jdbc:postgresql://db.example.com:5433/jira", Dialect.POSTGRESQL, "db.example.com", 5433, "jira"),
        ("jdbc:mysql://db.example.com/jira", Dialect.MYSQL, "db.example.com", 3306, "jira"),
        ("jdbc:oracle:thin:@//db.example.com:1521/JIRA", Dialect.ORACLE, "db.example.com", 1521, "JIRA"),
        ("jdbc:sqlserver://db.example.com;databaseName=jira", Dialect.SQLSERVER, "db.example.com", 1433, "jira"),
    ],
)
def test_an_address_given_by_hand(tmp_path: Path, url: str, dialect: Dialect, host: str, port: int, name: str) -> None:
    """--database-url makes an account of our own, whatever the home says; another name by --database-user."""
    home = write_any_home(tmp_path, JIRA)
    _, settings = done(wishes(tmp_path, home, database_url=url, database_user="reader"))
    database = settings.database
    assert (database.login, database.dialect, database.host, database.port, database.name, database.user) == (
        DatabaseLogin.OWN,
        dialect,
        host,
        port,
        name,
        "reader",
    )


def test_node_and_cluster_by_hand(tmp_path: Path) -> None:
    """What the admin says of them stands in the file."""
    home = write_any_home(tmp_path, BAMBOO)
    report, settings = done(wishes(tmp_path, home, node="one", cluster=InCluster.YES))
    assert (settings.instance.node, settings.instance.cluster) == ("one", InCluster.YES)
    assert dict(report.found)["node"] == "one (cluster, as you say)"


@pytest.mark.parametrize(
    ("option", "words"),
    [
        (("--install", "/no/such/folder"), "--install: is not a folder"),
        (("--no-database", "--database-url", "jdbc:postgresql://h/d"), "does not go with --database-url"),
        (("--database-url", "nonsense"), "does not begin with jdbc:"),
        (("--node-name", "x" * 300), "instance.node: is longer"),
    ],
)
def test_wrong_options_are_refused(tmp_path: Path, option: tuple[str, ...], words: str) -> None:
    """Exit 10 with the option's name, and nothing is written."""
    home, output = write_any_home(tmp_path, JIRA), tmp_path / "agent.toml"
    refused = run_here("init", "--home", home, "--output", output, *option)
    assert refused.code == 10
    assert words in refused.err
    assert not output.exists()


def test_what_is_advised_works_as_typed(tmp_path: Path) -> None:
    """Each command of the list, run one after the other, takes its item off it; the last `init` ends with 0."""
    home = write_any_home(tmp_path, BAMBOO, url="", more=SETTING[BAMBOO])
    (home / "shared").rmdir()
    (tmp_path / "shared").mkdir()
    options = ["--home", str(home), "--output", str(tmp_path / "agent.toml"), "--state-dir", str(tmp_path / "state")]
    done = run_here("init", *options, "--json")
    last: list[str] = []
    for _ in range(4):
        if done.code == 0:
            break
        commands = [command for item in done.json["leftToDo"] for command in item["commands"]]
        typed = shlex.split(commands[0].replace("--shared-home DIR", f"--shared-home {tmp_path / 'shared'}"))
        if typed[0] == "install":
            Path(typed[-1]).write_text("w0rd-Of-Ours\n")
            typed = last
        last = typed
        done = run_here(*typed[1:], "--json")
        assert done.code in (0, 1), done.text
    assert done.code == 0, done.text
    settings = load_settings(tmp_path / "agent.toml")
    assert (settings.database.login, settings.instance.shared_home) == (DatabaseLogin.OWN, tmp_path / "shared")


def test_text_fits_a_terminal(tmp_path: Path) -> None:
    """Words are wrapped at 80 columns; commands and paths stand whole."""
    home = write_any_home(tmp_path, JIRA, password="{ATL_SECURED}")
    text = run_here("init", "--home", home, "--output", tmp_path / "agent.toml").out
    lines = [line for line in text.splitlines() if str(tmp_path) not in line]
    assert max(map(len, lines)) <= 80
    assert "Left to do:" in text


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become another user")
@pytest.mark.parametrize("product", ProductType)
def test_a_file_that_may_not_be_read_is_left_to_do(tmp_path: Path, product: ProductType) -> None:
    """As somebody without rights: a configuration all the same, and the command that gives the right; it then works."""
    open_to_all(tmp_path)
    home = write_any_home(tmp_path, product)
    for folder in (tmp_path, home, home / "shared"):
        folder.chmod(0o777)
    (home / FILES[product]).chmod(0o600)
    given = wishes(tmp_path, home, jmx_port=8686)
    child = os.fork()
    if child == 0:
        code = 1
        try:
            os.setgroups([])
            os.setgid(65534)
            os.setuid(65534)
            report = set_up(given)
            (item, *_) = report.left
            code = 0 if ("may not read" in item.why and "rX" in item.why) or "as root" in item.why else 3
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert load_settings(given.output).database.login is DatabaseLogin.PRODUCT
