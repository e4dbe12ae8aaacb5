"""`init` on the homes that exist: product x form x result, each with its exit code, its file and what is left to do."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from agent.settings import load_settings
from tests.support.command import run_here
from tests.support.product_homes import PASSWORD, SECRETS
from tests.support.public_homes import ROWS, PublicHome

HIDDEN = (PASSWORD, *SECRETS, "c2VjcmV0", "secretPointer", "Traceback")


def named(rows: list[PublicHome]) -> list[object]:
    return [pytest.param(home, id=f"{home.product}: {home.name}") for home in rows]


@pytest.mark.parametrize("home", named(ROWS))
def test_init_ends_with_what_can_be_had(tmp_path: Path, home: PublicHome) -> None:
    """Exit code, file and list are the row's; what is written loads; no secret is shown; each item has three facts."""
    output = tmp_path / "agent.toml"
    options = home.write(tmp_path)
    done = run_here("init", *options, "--output", output, "--state-dir", tmp_path / "state", "--json")
    said = done.out + done.err
    assert done.code == home.code, said
    assert not any(word in said for word in HIDDEN)
    for word in home.left:
        assert word in said
    assert output.exists() == (home.code != 10)
    if home.code == 10:
        return
    assert load_settings(output).instance.product == home.product
    active = "\n".join(line for line in output.read_text().splitlines() if not line.startswith("#"))
    assert not any(word in active for word in HIDDEN)
    for word in home.says:
        assert word in active
    left = done.json["leftToDo"]
    assert bool(left) == (home.code == 1)
    assert all(item["what"] and item["why"] and item["do"] for item in left)
    assert tomllib.loads(output.read_text())


def test_there_are_enough_rows() -> None:
    """Each product has its rows, and no two are called alike."""
    names = [(home.product, home.name) for home in ROWS]
    assert len(set(names)) == len(names) >= 60
