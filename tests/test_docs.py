"""The pages for who reads or changes the code: what they name is there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.catalog import declared_sources

ROOT = Path(__file__).parents[1]
PAGES = (
    "README.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
    "CHANGELOG.md",
    "docs/architecture.md",
    "docs/contributing.md",
    "docs/database-account.md",
    "docs/json.md",
)
CODE = ("docs/architecture.md", "docs/contributing.md", "CONTRIBUTING.md")  # every path in them is one of this tree
FENCED = re.compile(r"^```([^\n]*)\n(.*?)^```", re.DOTALL | re.MULTILINE)
QUOTED = re.compile(r"`([^`\s]+)`")
LINKED = re.compile(r"\]\(([^)\s]+)\)")
SCRIPT = re.compile(r"(?<![\w/.])(?:\./)?(scripts/[\w.-]*\w)")
IS_PATH = re.compile(r"[\w.*-]+(?:/[\w.*-]+)*/|[\w.*-]+(?:/[\w.*-]+)+|[\w-]+\.(?:py|md|toml|sql)")
# What lies on a machine that runs the agent, and not in this tree.
ELSEWHERE = {"docs/architecture.md": {"keys/"}}


def text_of(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


def made_by(page: str) -> list[str]:
    """The files that following the page makes: each block of code with a name."""
    return [head.split()[1] for head, _ in FENCED.findall(text_of(page)) if " " in head]


def paths_of(page: str) -> Iterator[str]:
    """Every path in a page's running text, capitals in it standing for any name."""
    for word in QUOTED.findall(FENCED.sub("", text_of(page))):
        if IS_PATH.fullmatch(word) and word not in ELSEWHERE.get(page, ()):
            yield re.sub(r"\b[A-Z]{2,}\b", "*", word) if not word.endswith(".md") else word


def is_there(path: str) -> bool:
    """Whether the tree has it: from its root, below agent/, or, for a bare name, anywhere below agent/."""
    if any(next(base.glob(path.rstrip("/")), None) for base in (ROOT, ROOT / "agent")):
        return True
    return "/" not in path.rstrip("/") and next((ROOT / "agent").rglob(path.rstrip("/")), None) is not None


@pytest.mark.parametrize("page", CODE)
def test_every_path_is_there(page: str) -> None:
    """A file or folder that a page names exists, but for what the reader makes while following it."""
    walked = {part for made in made_by(page) for part in (Path(made).parent.name,) if made.startswith("agent/sources/")}
    missing = [path for path in paths_of(page) if not is_there(path) and not walked & set(Path(path).parts)]
    assert missing == []
    assert len(list(paths_of(page))) > 4, "the check above is about something"


@pytest.mark.parametrize("page", PAGES)
def test_every_script_and_link_is_there(page: str) -> None:
    """A script that a page tells to run, and a page it points to, exist."""
    text = text_of(page)
    scripts = [script for script in SCRIPT.findall(text) if not (ROOT / script).exists()]
    links = [link.partition("#")[0] for link in LINKED.findall(text) if "://" not in link]
    assert scripts == []
    assert [link for link in links if not (ROOT / page).parent.joinpath(link).exists()] == []


def test_the_map_of_the_sources_is_true() -> None:
    """Its rows are folders that are there, in the order in which they are opened, and say rightly who reads them.

    One that is added stands on docs/what-we-collect.md by itself; a row here is for what a reader would not guess.
    """
    (chapter,) = re.findall(r"^## The sources$(.*?)(?=^## )", text_of("docs/architecture.md"), re.DOTALL | re.MULTILINE)
    rows = re.findall(r"^\| `(\w+)/` \|[^|]*\|([^|]*)\|", chapter, re.MULTILINE)
    once = {
        source.package.rpartition(".")[2]: source.declaration.once_per_cluster for source in declared_sources().values()
    }
    assert [name for name, _ in rows] == [name for name in once if name in dict(rows)]
    assert {name for name, whose in rows if whose.strip() == "one node"} == {name for name, _ in rows if once[name]}
    assert len(rows) > 5
