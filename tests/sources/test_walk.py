"""docs/contributing.md, followed step by step on a copy of the tree: each addition touches what the page says."""

from __future__ import annotations

import ast
import json
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.agent import RunningAgent, running_agent
from tests.support.jvm_beans import Jvm

CHECKOUT = Path(__file__).parents[2]
PAGE = (CHECKOUT / "docs" / "contributing.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"```(\w+) (\S+)\n(.*?)```", re.DOTALL)
COMMANDS = re.compile(r"```sh\n(.*?)```", re.DOTALL)


def files_of(chapter: str) -> dict[str, str]:
    """The files that a chapter of the page makes, by path."""
    (text,) = re.findall(rf"^## {chapter}$(.*?)(?=^## |\Z)", PAGE, re.DOTALL | re.MULTILINE)
    return {path: content for _, path, content in BLOCK.findall(text)}


class Tree:
    """A copy of what the commands of the page need."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        ignored = shutil.ignore_patterns("__pycache__")
        for name in ("agent", "scripts", "docs", "config", "requirements"):
            shutil.copytree(CHECKOUT / name, folder / name, ignore=ignored)
        (folder / ".venv").symlink_to(CHECKOUT / ".venv")

    def follow(self, chapter: str) -> dict[str, str]:
        """Make the files of a chapter, none of which was there, and run the page's commands: what each printed."""
        for path, content in files_of(chapter).items():
            place = self.folder / path
            assert not place.exists(), path
            place.parent.mkdir(exist_ok=True)
            place.write_text(content)
        (commands,) = COMMANDS.findall(PAGE)
        return {line: self.run(line) for line in commands.splitlines()}

    def run(self, line: str) -> str:
        """One command line in the copy."""
        done = subprocess.run(
            shlex.split(line, comments=True), cwd=self.folder, capture_output=True, text=True, check=False, timeout=120
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def sample(self, agent: RunningAgent) -> dict[str, dict[str, object]]:
        """What `sample` shows of that site, by metric."""
        document = json.loads(self.run(f".venv/bin/python -m agent.cli sample --json --config {agent.config}"))
        return {row["metric"]: row for row in document["samples"]}

    def page(self) -> str:
        """docs/what-we-collect.md as `scripts/docs` left it."""
        return (self.folder / "docs" / "what-we-collect.md").read_text(encoding="utf-8")


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return Tree(tmp_path / "tree")


@pytest.fixture
def site(tmp_path: Path) -> Iterator[RunningAgent]:
    """A product with a database and an agent beside it."""
    (tmp_path / "site").mkdir()
    with running_agent(
        tmp_path / "site", sampling__deadline="30s", sampling__interval="1m", hour__length="1h"
    ) as agent:
        yield agent


def test_a_jmx_metric_is_one_entry(tree: Tree, site: RunningAgent, jvm: Jvm) -> None:
    """Checked, shown, in the page, and read from a JVM; one new file, none changed."""
    assert len(files_of("A JMX metric")) == 1
    printed = "".join(tree.follow("A JMX metric").values())
    assert "read from:    MBean java.lang:type=Compilation TotalCompilationTime" in printed
    assert "`jvm.compilation.time`" in tree.page()
    site.configure(jmx__enabled=True, jmx__port=jvm.port)
    found = tree.sample(site)["jvm.compilation.time"]
    assert (found["source"], found["unit"], found["sent"]) == ("jmx", "ms", True)


def test_a_guardrail_is_one_entry_and_one_statement(tree: Tree) -> None:
    """Checked, shown with its text, in the page; two new files, none changed."""
    assert len(files_of("A guardrail")) == 2
    printed = "".join(tree.follow("A guardrail").values())
    assert "read from:    avatars.sql, column total" in printed
    assert "statement `avatars.sql`: avatars" in tree.page()


def test_a_source_is_one_folder_and_its_entries(tree: Tree, site: RunningAgent) -> None:
    """Checked, shown with where it looks, in the page, and read; one new folder and one file of entries."""
    files = files_of("A source")
    assert {path.rpartition("/")[0] for path in files} == {"agent/sources/uptime", "agent/catalog/common"}
    printed = "".join(tree.follow("A source").values())
    assert "== uptime: /proc/uptime of this machine (1)" in printed
    assert "read from:    /proc/uptime of this machine" in printed
    assert "| /proc/uptime |" in tree.page()
    samples = tree.sample(site)
    found = samples["machine.uptime"]
    assert isinstance(found["value"], float)
    assert (found["source"], found["sent"]) == ("uptime", True)
    sources = [row["source"] for row in samples.values()]
    assert sources.index("host") < sources.index("uptime") < sources.index("home"), "in its declared order"


def test_a_fault_on_the_way_is_told_and_changes_nothing(tree: Tree) -> None:
    """Each command of the page names the file and the key; the pages stay as they were, with nothing beside them."""
    entry = files_of("A JMX metric")["agent/catalog/common/compilation.toml"]
    (tree.folder / "agent/catalog/common/compilation.toml").write_text(
        entry.replace('source = "jmx"', 'source = "jmxx"')
    )
    before = sorted((file.name, file.read_bytes()) for file in (tree.folder / "docs").iterdir() if file.is_file())
    (commands,) = COMMANDS.findall(PAGE)
    for line in commands.splitlines():
        done = subprocess.run(
            shlex.split(line, comments=True), cwd=tree.folder, capture_output=True, text=True, check=False, timeout=120
        )
        assert done.returncode != 0
        assert "common/compilation.toml: jvm.compilation.time.source: must be one of" in done.stderr
        assert "Traceback" not in done.stderr
    assert before == sorted(
        (file.name, file.read_bytes()) for file in (tree.folder / "docs").iterdir() if file.is_file()
    )


@pytest.mark.parametrize("chapter", ["A JMX metric", "A guardrail", "A source"])
def test_the_code_of_the_page_is_as_the_house_writes(tmp_path: Path, chapter: str) -> None:
    """It passes the same linter, formatter and types as the rest."""
    for path, content in files_of(chapter).items():
        if path.endswith(".py"):
            ast.parse(content)
            place = tmp_path / path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(content)
    for check in (["check"], ["format", "--check"]):
        command = [
            str(CHECKOUT / ".venv/bin/ruff"),
            *check,
            "--config",
            str(CHECKOUT / "pyproject.toml"),
            str(tmp_path),
        ]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout
