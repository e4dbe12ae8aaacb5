"""`config check` and `config show`."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.command import run_here
from tests.support.homes import write_home


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A configuration written by init."""
    path = tmp_path / "agent.toml"
    assert run_here("init", "--home", write_home(tmp_path), "--output", path).code == 0
    return path


def test_check_says_that_all_is_right(config: Path) -> None:
    """A right file: exit 0, one line for it, one for the database login (here nobody answers)."""
    done = run_here("config", "check", "--config", config)
    assert (done.code, done.out.count("\n")) == (0, 2)
    assert "was not asked" in done.out
    answer = run_here("config", "check", "--config", config, "--json").json
    assert (answer["ok"], answer["mistakes"], answer["product"]) == (True, [], "jira")
    assert answer["databaseLogin"] == {"asked": False, "why": "unknown-host"}


def test_check_names_every_mistake(config: Path) -> None:
    """Exit 10 and each mistake with file, line and key; the same as JSON."""
    config.write_text(config.read_text() + "\n[delivrey]\nx = 1\n[samplin]\n")
    done = run_here("config", "check", "--config", config)
    assert done.code == 10
    assert "delivrey: is not a known section. Did you mean 'delivery'?" in done.err
    assert "samplin: is not a known section. Did you mean 'sampling'?" in done.err
    done = run_here("config", "check", "--config", config, "--json")
    assert done.code == 10
    error = done.json["error"]
    keys = {mistake["key"]: mistake for mistake in error["mistakes"]}
    assert keys["delivrey"]["nearest"] == "delivery"
    assert keys["delivrey"]["line"] == len(config.read_text().splitlines()) - 2


def test_check_looks_at_the_files_named(config: Path, tmp_path: Path) -> None:
    """A configuration that parses but names a file that is not there is not right."""
    text = config.read_text().replace("[cloud]\n", f'[cloud]\nca_file = "{tmp_path}/none.pem"\n')
    config.write_text(text)
    done = run_here("config", "check", "--config", config)
    assert done.code == 10
    assert "cloud.ca_file" in done.err


def test_show_tells_value_and_origin(config: Path) -> None:
    """Each key with its value and whether it comes from the file or is the default; secrets' places, never secrets."""
    done = run_here("config", "show", "--config", config, "--json")
    settings = done.json["settings"]
    assert settings["sampling.interval"] == {"value": '"2m"', "origin": "file"}
    assert settings["sampling.deadline"] == {"value": '"1m"', "origin": "default"}
    assert settings["cloud.endpoint"] == {"value": None, "origin": "default"}
    text = run_here("config", "show", "--config", config).out
    assert len(text.splitlines()) == len(settings) + 1
    assert "pl4in-Pass" not in text


def test_show_never_opens_a_secret(config: Path, tmp_path: Path) -> None:
    """A password file is shown by its path only."""
    secret = tmp_path / "jmx.password"
    secret.write_text("hunter2-hunter2\n")
    secret.chmod(0o600)
    text = config.read_text().replace(
        "[jmx]\n", f'[jmx]\ntransport = "rmi"\nuser = "watcher"\npassword_file = "{secret}"\n'
    )
    config.write_text(text)
    done = run_here("config", "show", "--config", config)
    assert done.code == 0, done.err
    assert str(secret) in done.out
    assert "hunter2" not in done.out + done.err


def test_missing_file_and_help() -> None:
    """No file: exit 10 with the command that makes one; help has exit codes and an example."""
    done = run_here("config", "show", "--config", "/nonexistent/agent.toml")
    assert done.code == 10
    assert "portfolio-agent init" in done.err
    for command in ("check", "show"):
        text = run_here("config", command, "--help").out
        assert "Exit codes:" in text
        assert "Example:" in text
