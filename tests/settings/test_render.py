"""The commented file: every key is there with its words, and it loads to what it was made from."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.settings import (
    CloudSettings,
    DatabaseLogin,
    Dialect,
    InstanceSettings,
    Mode,
    ProductType,
    Settings,
    entries,
    render_settings,
)
from agent.settings.load import load_with_origin, parse_settings
from agent.settings.notes import EXAMPLES, KEYS, SECTIONS

SAMPLE = Path(__file__).parents[2] / "config" / "agent.toml"
HOME = Path("/var/atlassian/application-data/jira")
DEFAULTS = Settings(InstanceSettings(ProductType.JIRA, HOME, HOME / "shared"))


def test_sample_is_the_rendered_default(tmp_path: Path) -> None:
    """config/agent.toml is what `init` writes for a Jira home with nothing special, and it loads."""
    assert SAMPLE.read_text() == render_settings(DEFAULTS)
    copy = tmp_path / "agent.toml"
    copy.write_text(SAMPLE.read_text())
    copy.chmod(0o600)
    loaded = load_with_origin(copy)
    assert loaded.settings == DEFAULTS


def test_every_key_has_words_and_every_word_a_key() -> None:
    """Notes and schema agree; a key without a default has an example."""
    rows = list(entries(DEFAULTS))
    assert {row.path for row in rows} == set(KEYS)
    assert {row.path.rpartition(".")[0] for row in rows} == set(SECTIONS)
    assert {row.path for row in rows if row.value is None} == set(EXAMPLES)


def test_every_key_appears_and_unset_ones_are_comments() -> None:
    """Each key of the schema stands in the file once; one that equals its default has no effect there."""
    lines = render_settings(DEFAULTS).splitlines()
    for entry in entries(DEFAULTS):
        key = entry.path.rpartition(".")[2]
        assert any(line.removeprefix("# ").startswith(f"{key} = ") for line in lines), key
    assert '# log_level = "info"' in lines
    assert 'mode = "linked"' in lines


def test_commented_examples_are_valid_toml_when_taken_in() -> None:
    """Removing the # of any one line leaves a file that parses; only rules about combinations may object."""
    import tomllib

    text = render_settings(DEFAULTS)
    lines = text.splitlines()
    for number, line in enumerate(lines):
        if line.startswith("# ") and " = " in line and not line.startswith("# A line"):
            changed = [*lines[:number], line[2:], *lines[number + 1 :]]
            if line[2:].split(" = ")[0].isidentifier():
                tomllib.loads("\n".join(changed))


_TEXT = st.text(st.characters(codec="utf-8", exclude_categories=("C", "Z")), min_size=1, max_size=30)


@given(
    folder=_TEXT.filter(lambda text: "/" not in text and text not in (".", "..")),
    name=_TEXT,
    interval=st.integers(100, 3600),
    port=st.integers(1, 65535),
    limit=st.integers(1024**2, 1024**4),
    mode=st.sampled_from(Mode),
    retry=st.floats(0, 86400).map(lambda value: round(value, 3)),
)
def test_rendered_settings_load_to_themselves(
    folder: str, name: str, interval: int, port: int, limit: int, mode: Mode, retry: float
) -> None:
    """Any valid settings survive the file, quotes, backslashes and other alphabets included."""
    settings = replace(
        DEFAULTS,
        instance=InstanceSettings(ProductType.JIRA, Path("/srv") / folder, Path("/srv/shared"), name),
        agent=replace(DEFAULTS.agent, mode=mode),
        sampling=replace(DEFAULTS.sampling, interval_s=float(interval), deadline_s=interval / 2),
        jmx=replace(DEFAULTS.jmx, transport="jmxquery", port=port, java=name),
        delivery=replace(DEFAULTS.delivery, outbox_limit_bytes=limit, retry_for_s=retry),
        database=replace(
            DEFAULTS.database,
            login=DatabaseLogin.OWN,
            dialect=Dialect.ORACLE,
            host="db.example.com",
            name=name,
            user=name,
            password_credential="db",
        ),
        cloud=CloudSettings(endpoint="https://collector.example.com"),
    )
    assert parse_settings(render_settings(settings), "agent.toml").settings == settings


@pytest.mark.parametrize("mode", list(Mode))
def test_rendered_defaults_have_no_mistake(mode: Mode) -> None:
    """Neither mode's defaults contain an option without effect."""
    parse_settings(render_settings(replace(DEFAULTS, agent=replace(DEFAULTS.agent, mode=mode))), "agent.toml")
