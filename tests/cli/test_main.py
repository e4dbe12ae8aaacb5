"""The command line as a whole: help, exit codes and README say the same; `status` stays light."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from typer.main import get_command

from agent import __version__, errors
from agent.cli.main import EXIT_CODES, asked_for, command_line, command_names
from tests.support.command import run_here
from tests.support.site import make_site

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
OPTIONAL_CONFIG = {"catalog check"}  # checks the catalog that is installed; no configuration has a say in it


def commands() -> dict[str, typer.models.CommandInfo]:
    """Every command and sub-command by its words, as typer builds them."""
    found = {}
    root = get_command(command_line())
    for name, command in sorted(root.commands.items()):  # type: ignore[attr-defined]  # typer's group
        inner = getattr(command, "commands", None)
        if inner:
            found |= {f"{name} {word}": sub for word, sub in inner.items()}
        else:
            found[name] = command
    return found


@pytest.mark.parametrize("name", command_names())
def test_a_command_alone_is_the_command_among_all(name: str) -> None:
    """Only what is asked for is imported; its help and its sub-commands are the same as with all the others there."""
    alone, among_all = (get_command(app) for app in (command_line(name), command_line()))
    assert asked_for([name, "--json"]) == name
    assert list(alone.commands) == [name]  # type: ignore[attr-defined]  # typer's group
    texts = [
        root.commands[name].get_help(typer.Context(root.commands[name], info_name=name))  # type: ignore[attr-defined]
        for root in (alone, among_all)
    ]
    assert texts[0] == texts[1]


@pytest.mark.parametrize("line", [[], ["--help"], ["--json", "status"], ["nonsense"], ["__init__"], ["../main"]])
def test_without_a_command_all_are_there(line: list[str]) -> None:
    """Help and a wrong word need the whole list."""
    assert asked_for(line) == ""


def test_readme_lists_every_command() -> None:
    """The README's table of commands is the registered commands, no more and no fewer."""
    listed = set(re.findall(r"^\| `portfolio-agent (\w+)` \|", README, re.MULTILINE))
    assert listed == {words.split()[0] for words in commands()}


def test_readme_and_help_list_every_exit_code() -> None:
    """README, --help and the error types agree on the exit codes."""
    table = {int(code) for code in re.findall(r"^\| (\d+) \| [^|]+ \|$", README, re.MULTILINE)}
    types = {
        kind.exit_code
        for kind in vars(errors).values()
        if isinstance(kind, type) and issubclass(kind, errors.AgentError)
    }
    assert types <= table
    assert table == {int(code) for code in re.findall(r"\b(\d+) ", EXIT_CODES)}


def test_readme_names_only_commands_that_exist() -> None:
    """Every `portfolio-agent WORD` anywhere in the README is a command."""
    used = set(re.findall(r"portfolio-agent ([a-z]+)\b", README)) - {"run"}
    assert used <= {words.split()[0] for words in commands()}


def test_readme_names_only_options_that_exist() -> None:
    """Every option the README shows for a command of ours is one that the command has."""
    known = commands()
    for line in re.findall(r"^.*portfolio-agent [a-z]+.*$", README, re.MULTILINE):
        for words in re.findall(r"portfolio-agent ([a-z]+(?: [a-z]+)?)", line):
            command = known.get(words) or known.get(words.split()[0])
            if command is None:
                continue
            options = {option for parameter in command.params for option in parameter.opts}  # type: ignore[attr-defined]  # typer's command
            assert set(re.findall(r"(?<=\s)--[a-z-]+", line.split("#")[0])) <= options | {"--purge"}, line


@pytest.mark.parametrize("words", ["", *sorted({words.split()[0] for words in commands() if " " in words})])
def test_a_list_of_commands_is_whole_at_80_columns(words: str) -> None:
    """No line of a list is cut short, and no option's value is called by the name of a Python type."""
    command = get_command(command_line())
    for word in words.split():
        command = command.commands[word]  # type: ignore[attr-defined]  # typer's group
    text = command.get_help(typer.Context(command, info_name="x", terminal_width=80))
    assert "Commands:" in text
    assert "..." not in text.partition("Commands:")[2]
    assert all(len(line) <= 80 for line in text.splitlines())


@pytest.mark.parametrize("words", list(commands()))
def test_values_are_named_for_people(words: str) -> None:
    """An option's value has a word (LEVEL, FILE), never the name of a Python type."""
    command = commands()[words]
    text = command.get_help(typer.Context(command, info_name="x"))  # type: ignore[attr-defined]  # typer's command
    assert not re.findall(r"<(?:str|int|path)>", text)


@pytest.mark.parametrize("words", list(commands()))
def test_each_command_has_help_with_exit_codes_and_an_example(words: str) -> None:
    """`--help` of each command tells what it does, its exit codes, and one example that names it."""
    command = commands()[words]
    text = re.sub(r"\s+", " ", f"{command.help} {command.epilog or ''}")  # type: ignore[attr-defined]  # typer's command
    assert "Exit codes:" in text
    assert f"Example: portfolio-agent {words}" in text
    options = {option for parameter in commands()[words].params for option in parameter.opts}  # type: ignore[attr-defined]  # typer's command
    assert "--config" in options or words in OPTIONAL_CONFIG
    assert "--json" in options or words == "run"


@pytest.mark.parametrize("words", ["", "catalog", *commands()])
def test_help_has_a_short_name(words: str) -> None:
    """`-h` is `--help`, everywhere."""
    short, long = (run_here(*words.split(), option) for option in ("-h", "--help"))
    assert (short.code, short.out) == (0, long.out)
    assert short.out.startswith("Usage:")


@pytest.mark.parametrize("option", ["--version", "-V"])
def test_version(option: str) -> None:
    """One line: the agent's version, and the Python it runs on."""
    done = run_here(option)
    assert (done.code, done.err) == (0, "")
    assert re.fullmatch(rf"portfolio-agent {re.escape(__version__)} \(Python 3\.\d+\.\d+\)\n", done.out)


@pytest.mark.parametrize("words", list(commands()))
def test_no_command_takes_a_secret_as_an_option(words: str) -> None:
    """No option of any command is for a key, password or token."""
    options = {option for parameter in commands()[words].params for option in parameter.opts}  # type: ignore[attr-defined]  # typer's command
    assert not [option for option in options if re.search(r"key|password|token|secret", option)]


def test_status_imports_nothing_heavy(tmp_path: Path) -> None:
    """`status` answers within its budget only without these libraries."""
    agent = make_site(tmp_path)
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "agent.cli", "status", "--config", str(agent.config)],
        capture_output=True,
        text=True,
        check=False,
    )
    imported = {line.rpartition("|")[2].strip().split(".")[0] for line in done.stderr.splitlines() if "|" in line}
    assert not imported & {"h11", "cryptography", "sqlalchemy", "rich", "pydantic", "asyncio", "psutil", "structlog"}
    assert "sqlite3" in imported


def test_error_is_three_facts_and_an_exit_code(tmp_path: Path) -> None:
    """An unreadable configuration ends with 10 and words, not with a traceback."""
    command = [sys.executable, "-m", "agent.cli", "status", "--config", str(tmp_path / "absent.toml")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 10
    assert "absent.toml" in done.stderr
    assert "Do:" in done.stderr
    assert "Traceback" not in done.stderr


def test_reader_that_goes_away_is_no_error(tmp_path: Path) -> None:
    """`portfolio-agent catalog show | head -1` ends quietly (fault 9)."""
    agent = make_site(tmp_path)
    command = f"{sys.executable} -m agent.cli catalog show --config {agent.config} | head -1"
    done = subprocess.run(["bash", "-c", f"set -o pipefail; {command}"], capture_output=True, text=True, check=False)
    assert "Traceback" not in done.stderr
    assert "BrokenPipe" not in done.stderr
