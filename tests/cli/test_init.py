"""`init`: writes a configuration that loads, or exits 10 with every mistake and no file."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from agent.settings import DatabaseLogin, Dialect, Mode, load_settings
from tests.support.command import run_here
from tests.support.homes import write_home

OPEN = """CATALINA_OPTS="-Dcom.sun.management.jmxremote.port=9123 -Dcom.sun.management.jmxremote.authenticate=false"
"""


def test_writes_a_configuration_that_loads(tmp_path: Path) -> None:
    """One command on a plain home: config, identity, what was found, what comes next; the password in none of it."""
    home = write_home(tmp_path)
    output = tmp_path / "agent.toml"
    done = run_here(
        "init",
        "--home",
        home,
        "--output",
        output,
        "--jmx-port",
        "8765",
        "--state-dir",
        tmp_path / "state",
        "--cloud-endpoint",
        "https://collector.example.com",
        "--cloud-ca",
        tmp_path / "ca.pem",
    )
    assert done.code == 0, done.err
    settings = load_settings(output)
    assert (settings.jmx.port, settings.agent.mode) == (8765, Mode.LINKED)
    assert settings.cloud.endpoint == "https://collector.example.com"
    assert settings.database.login is DatabaseLogin.PRODUCT
    assert settings.agent.state_dir == tmp_path / "state"
    assert (settings.link_dir / "instance.json").is_file()
    assert "postgresql db.example.com:5432/jira" in done.out
    assert f"portfolio-agent link --config {output}" in done.out
    assert "pl4in-Pass" not in done.out + done.err + output.read_text()
    assert stat.S_IMODE(output.stat().st_mode) in (0o600, 0o640)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["agent.toml", "jira-home"]


def test_config_option_names_the_output_too(tmp_path: Path) -> None:
    """`--config FILE` works as with every other command."""
    assert run_here("init", "--home", write_home(tmp_path), "--config", tmp_path / "a.toml").code == 0
    assert (tmp_path / "a.toml").is_file()


def test_offline_and_json(tmp_path: Path) -> None:
    """--offline is written down and no link step is offered; --json gives the same facts for scripts."""
    done = run_here("init", "--home", write_home(tmp_path), "--output", tmp_path / "agent.toml", "--offline", "--json")
    answer = done.json
    assert answer["found"]["product"] == "jira"
    assert not any("link" in step for step in answer["next"])
    assert load_settings(tmp_path / "agent.toml").agent.mode is Mode.OFFLINE


def test_refuses_to_overwrite(tmp_path: Path) -> None:
    """A configuration that is there stays, byte for byte, unless --force; a link is never written through."""
    home = write_home(tmp_path)
    output = tmp_path / "agent.toml"
    output.write_text("mine\n")
    done = run_here("init", "--home", home, "--output", output)
    assert done.code == 10
    assert "--force" in done.err
    assert output.read_text() == "mine\n"
    assert run_here("init", "--home", home, "--output", output, "--force").code == 0
    assert "[instance]" in output.read_text()
    link = tmp_path / "link.toml"
    link.symlink_to(output)
    before = output.read_text()
    done = run_here("init", "--home", home, "--output", link, "--force")
    assert done.code == 10
    assert "is a link" in done.err
    assert output.read_text() == before


def test_all_mistakes_of_home_and_options_at_once(tmp_path: Path) -> None:
    """Broken home, broken options, missing folder: one refusal, exit 10, nothing written."""
    home = write_home(tmp_path, kind="paradox", url="nonsense", cluster="x=y")
    done = run_here(
        "init",
        "--home",
        home,
        "--output",
        tmp_path / "no" / "agent.toml",
        "--jmx-port",
        "99999",
        "--cloud-endpoint",
        "http://collector.example.com",
    )
    assert done.code == 10
    for word in ("paradox", "does not begin with jdbc:", "jira.node.id", "there is no folder", "jmx.port", "https://"):
        assert word in done.err
    assert "Traceback" not in done.err
    assert not list((home / "shared").iterdir())


def test_encrypted_password_prepares_an_own_account(tmp_path: Path) -> None:
    """The address is taken over, the account is ours, and the report says what to create."""
    output = tmp_path / "agent.toml"
    done = run_here("init", "--home", write_home(tmp_path, password="{ATL_SECURED}"), "--output", output)
    assert done.code == 1, done.err
    database = load_settings(output).database
    assert (database.login, database.dialect, database.host) == (
        DatabaseLogin.OWN,
        Dialect.POSTGRESQL,
        "db.example.com",
    )
    assert database.password_file == tmp_path / "database.password"
    assert "install -m 0600" in done.out
    assert "{ATL_SECURED}" in done.out


@pytest.mark.parametrize(
    ("kind", "url", "lines"),
    [
        (
            "postgres72",
            "jdbc:postgresql://a.invalid,b.invalid:5433/jira?targetServerType=primary"
            "&amp;sslmode=verify-full&amp;sslrootcert=/x.pem&amp;sslcert=/c.crt&amp;sslkey=/c.pk8",
            (
                'hosts = ["a.invalid:5432", "b.invalid:5433"]',
                'target = "primary"',
                'name = "jira"',
                'mode = "verify-full"',
                'ca_file = "/x.pem"',
                'certificate_file = "/c.crt"',
                'key_file = "/c.pk8"',
            ),
        ),
        (
            "oracle10g",
            "jdbc:oracle:thin:@h.invalid:1521:ORCL",
            ('host = "h.invalid"', "port = 1521", 'sid = "ORCL"', 'schema = "PORTFOLIO_AGENT_VIEWS"'),
        ),
        (
            "mssql",
            "jdbc:sqlserver://h.invalid;instanceName=INST;encrypt=true;databaseName=jira",
            ('host = "h.invalid"', 'instance = "INST"', 'name = "jira"', 'mode = "verify-full"'),
        ),
        (
            "mysql8",
            "jdbc:mysql://h.invalid/jira?sslMode=REQUIRED",
            ('host = "h.invalid"', 'name = "portfolio_agent_jira"', 'mode = "require"'),
        ),
    ],
)
def test_own_account_says_all_of_the_products_url(tmp_path: Path, kind: str, url: str, lines: tuple[str, ...]) -> None:
    """Hosts, target, TLS, certificates, SID and instance go over, and the name is where the script's views are."""
    home = write_home(tmp_path, kind=kind, url=url, password="{ATL_SECURED}")
    done = run_here("init", "--home", home, "--output", tmp_path / "agent.toml")
    assert done.code == 1, done.err
    written = [line for line in (tmp_path / "agent.toml").read_text().splitlines() if not line.startswith("#")]
    assert [line for line in lines if line not in written] == []


def test_login_that_only_the_product_can_do_prepares_an_own_account(tmp_path: Path) -> None:
    """Windows authentication needs no user in the file; the report names it, and what of the URL is not handed on."""
    url = "jdbc:sqlserver://h.invalid;databaseName=jira;integratedSecurity=true;encrypt=true;trustStore=/x.jks"
    home = write_home(tmp_path, kind="mssql", url=url, user="", password="")
    done = run_here("init", "--home", home, "--output", tmp_path / "agent.toml")
    assert done.code == 1, done.err
    assert load_settings(tmp_path / "agent.toml").database.login is DatabaseLogin.OWN
    assert "Windows authentication" in done.out
    assert "trustStore" in done.out


def test_start_script_gives_the_jmx_port(tmp_path: Path) -> None:
    """--install reads bin/setenv.sh; a login or TLS there is said, and the configuration still loads."""
    script = tmp_path / "install" / "bin" / "setenv.sh"
    script.parent.mkdir(parents=True)
    script.write_text('CATALINA_OPTS="-Dcom.sun.management.jmxremote.port=9123"\n')
    output = tmp_path / "agent.toml"
    done = run_here("init", "--home", write_home(tmp_path), "--output", output, "--install", tmp_path / "install")
    assert done.code == 1, done.err
    jmx = load_settings(output).jmx
    assert (jmx.port, jmx.transport, jmx.tls.server) == (9123, "rmi", True)
    assert "asks for a login" in done.out


def test_second_node_keeps_the_identity(tmp_path: Path) -> None:
    """init on another node of the same shared home finds the first one's identity."""
    home = write_home(tmp_path)
    run_here("init", "--home", home, "--output", tmp_path / "one.toml")
    first = (home / "shared" / "portfolio-agent" / "instance.json").read_bytes()
    run_here("init", "--home", home, "--output", tmp_path / "two.toml")
    assert (home / "shared" / "portfolio-agent" / "instance.json").read_bytes() == first


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_root_gives_the_identity_to_the_services_account(tmp_path: Path) -> None:
    """Run as root, the files in the shared home belong to the owner of the state folder."""
    home = write_home(tmp_path)
    state = tmp_path / "state"
    state.mkdir()
    os.chown(state, 65534, 65534)
    assert run_here("init", "--home", home, "--output", tmp_path / "a.toml", "--state-dir", state).code == 0
    assert (home / "shared" / "portfolio-agent" / "keys" / "pseudonym.key").stat().st_uid == 65534


def test_help_has_exit_codes_and_an_example() -> None:
    """Help ends with exit codes and an example, and no option takes a secret."""
    text = run_here("init", "--help").out
    assert "Exit codes:" in text
    assert "portfolio-agent init --home" in text
    assert "password" not in text.replace("copies no password", "").replace("no\n  password", "").lower()


def test_install_with_tomcat_switches_the_logs_on(tmp_path: Path) -> None:
    """--install of a folder with conf/server.xml sets [clientside] install; without that file it stays unset."""
    install, output = tmp_path / "install", tmp_path / "agent.toml"
    (install / "bin").mkdir(parents=True)
    (install / "bin" / "setenv.sh").write_text(OPEN)
    (install / "conf").mkdir()
    home = write_home(tmp_path)
    for there in (False, True):
        if there:
            (install / "conf" / "server.xml").write_text("<Server/>")
        done = run_here("init", "--home", home, "--output", output, "--install", install, "--force")
        assert done.code == 0, done.err
        assert (f'\ninstall = "{install}"' in output.read_text()) == there
