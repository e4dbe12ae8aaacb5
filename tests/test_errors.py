"""Endless patience: every error says what to do, and what it says can be typed."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent import errors
from tests.cli.test_main import commands

AGENT = Path(errors.__file__).parent
KINDS = {
    name
    for name, kind in vars(errors).items()
    if isinstance(kind, type) and issubclass(kind, errors.AgentError) and kind is not errors.AgentError
} | {"Refused", "LoginGap"}
# What stands in a message in place of something that is not known there.
OURS = re.compile(r"portfolio-agent ([a-z]+)((?: [^ ,;.()`]+)*)")


def made() -> Iterator[tuple[str, ast.Call]]:
    """Where each error of ours is made."""
    for path in sorted(AGENT.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in KINDS:
                yield f"{path.relative_to(AGENT)}:{node.lineno}", node


def texts() -> Iterator[tuple[str, str]]:
    """Every text of the agent that names one of its own commands; what is filled in stands as "{}"."""
    for path in sorted(AGENT.rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        inner = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
        for node in ast.walk(tree):
            if isinstance(node, ast.JoinedStr):
                parts = [part.value if isinstance(part, ast.Constant) else "{}" for part in node.values]
                yield f"{path.relative_to(AGENT)}:{node.lineno}", "".join(map(str, parts))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in inner:
                yield f"{path.relative_to(AGENT)}:{node.lineno}", node.value


def test_every_error_says_what_to_do() -> None:
    """Each place that makes an error gives `do`, or hands on what another error said."""
    places = list(made())
    assert len(places) > 150
    silent = [
        place
        for place, call in places
        if not {"do", None} & {word.arg for word in call.keywords}
        and not any(isinstance(argument, ast.Starred) for argument in call.args)
    ]
    assert silent == []


def test_nothing_to_do_is_said_and_not_left_empty() -> None:
    """An empty `do` is no advice: where nothing has to be done that is what it says."""
    empty = [
        place
        for place, call in made()
        for word in call.keywords
        if word.arg == "do" and isinstance(word.value, ast.Constant) and not word.value.value
    ]
    assert empty == []


@pytest.mark.parametrize("first", sorted({words.split()[0] for words in commands()}))
def test_every_command_that_is_named_can_be_typed(first: str) -> None:
    """Wherever a text names a command of ours, that command exists and has the options the text shows."""
    known = {words: command for words, command in commands().items() if words.split()[0] == first}
    for place, text in texts():
        for named in OURS.finditer(text):
            if named[1] != first:
                continue
            rest = named[2].split()
            words = f"{first} {rest[0]}" if rest and f"{first} {rest[0]}" in known else first
            if words not in known:  # a group is named, "consent and catalog"
                continue
            options = {"--help"} | {option for item in known[words].params for option in item.opts}  # type: ignore[attr-defined]  # typer's command
            wrong = [word for word in rest if word.startswith("--") and word not in options]
            assert wrong == [], (place, named[0])


def test_no_text_names_a_command_that_is_not() -> None:
    """`portfolio-agent WORD` in a text of ours is a command, or no command at all is meant."""
    firsts = {words.split()[0] for words in commands()}
    meant = re.compile(r"(?:Run|run|See|see|use|with)(?: it)?: portfolio-agent ([a-z]+)")
    wrong = {(place, found) for place, text in texts() for found in meant.findall(text) if found not in firsts}
    assert wrong == set()
