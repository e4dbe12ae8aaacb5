"""A pasted key: one shape, read without showing it, refused in words that never repeat it."""

from __future__ import annotations

import io
import warnings
from getpass import GetPassWarning

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.errors import UsageError
from agent.link.paste import (
    LONGEST,
    SHAPE,
    SHORTEST,
    STDIN_CAP,
    TERMINAL_LINE,
    check_shape,
    describe,
    read_prompt,
    read_stream,
    refuse_arguments,
)
from agent.settings import Secret
from tests.support.outcome import outcome_of

KEY = "planted-key." + "0123456789" * 4
SHAPED = st.from_regex(SHAPE, fullmatch=True)


@pytest.mark.parametrize("text", [KEY, f"{KEY}\n", f"{KEY}\r\n", f"  {KEY}\t", "a" * SHORTEST, "Az09._~+/=-" * 300])
def test_key_is_taken(text: str) -> None:
    """A key of the right shape is taken; blanks and line ends around it are dropped."""
    assert check_shape(text).reveal() == text.strip()


WRONG = {
    "empty": ("", "Nothing was pasted"),
    "blank": (" \n\n ", "Nothing was pasted"),
    "two-lines": (f"{KEY}\n{KEY}", "line breaks"),
    "short": ("a" * (SHORTEST - 1), "too short"),
    "long": ("a" * (LONGEST + 1), "too long"),
    "url": ("https://admin.example.com/insights", "web address"),
    "json": ('{"key":"0123456789abcdef0123"}', "JSON"),
    "bearer": (f"Bearer {KEY}", "Bearer"),
    "mail": ("somebody.with.a.name@example.com", "e-mail"),
    "blanks-inside": ("0123456789 0123456789 0123", "blanks"),
    "quotes": (f'"{KEY}"', "quotes"),
    "dash": ("0123456789\u20130123456789abc", "word processor"),
    "escape": (f"\x1b[200~{KEY}\x1b[201~", "control characters"),
    "nul": (f"{KEY}\x00", "control characters"),
    "other": (f"{KEY}!", "letters, digits and"),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_paste_is_named(name: str) -> None:
    """Each usual mistake is told in its own words, with what to do, without any part of what was pasted."""
    text, words = WRONG[name]
    with pytest.raises(UsageError) as caught:
        check_shape(text)
    assert words in caught.value.why
    assert "portfolio-agent link" in caught.value.do
    assert KEY not in str(caught.value)


@given(text=st.text(max_size=300) | SHAPED.map(lambda key: key + "\n" + key))
def test_anything_else_is_refused_without_repeating_it(text: str) -> None:
    """Whatever is pasted is either of the one shape or refused, and no refusal holds a long part of it."""
    result = outcome_of(lambda: check_shape(text), UsageError)
    if isinstance(result, Secret):
        assert SHAPE.fullmatch(result.reveal())
        return
    windows = (text[at : at + 12] for at in range(max(len(text) - 11, 0)))
    assert not any(window in str(result) for window in windows if window.strip())
    assert result.__cause__ is None


def test_standard_input_is_one_capped_line() -> None:
    """Standard input gives one key; more than 8 KiB are refused unread; undecodable bytes are refused by shape."""
    assert read_stream(io.BytesIO(f"{KEY}\n".encode())).reveal() == KEY
    stream = io.BytesIO(b"a" * (STDIN_CAP * 100))
    with pytest.raises(UsageError, match="More than"):
        read_stream(stream)
    assert stream.tell() == STDIN_CAP + 1
    with pytest.raises(UsageError):
        read_stream(io.BytesIO(b"\xff\xfe" * 30))


def test_prompt_that_cannot_hide_is_refused() -> None:
    """When the terminal would show the key, nothing is read."""

    def ask(prompt: str) -> str:
        warnings.warn("Can not control echo on the terminal.", GetPassWarning, stacklevel=2)
        return KEY

    with pytest.raises(UsageError, match="cannot hide"):
        read_prompt(ask)


def test_paste_cut_by_the_terminal_is_noticed() -> None:
    """A line as long as the terminal keeps may have been cut: refused, with the way by standard input."""
    with pytest.raises(UsageError, match="longer than a terminal line"):
        read_prompt(lambda prompt: "a" * TERMINAL_LINE)
    assert len(read_prompt(lambda prompt: "a" * (TERMINAL_LINE - 1))) == TERMINAL_LINE - 1


def test_end_of_input_at_the_prompt_is_an_empty_paste() -> None:
    """Control-D gives the words for an empty paste."""

    def ask(prompt: str) -> str:
        raise EOFError

    with pytest.raises(UsageError) as caught:
        read_prompt(ask)
    assert "Nothing was pasted" in caught.value.why


def test_description_shows_length_and_end_only() -> None:
    """Of a key only its length and last four characters are shown."""
    shown = describe(Secret(KEY))
    assert KEY[-4:] in shown
    assert str(len(KEY)) in shown
    assert KEY[:8] not in shown


@pytest.mark.parametrize("arguments", [[KEY], ["--key", KEY], [f"--key={KEY}"], ["-k"]])
def test_arguments_are_refused_without_repeating_them(arguments: list[str]) -> None:
    """Any argument to `link` may be the key: it is refused, not repeated, and the user is told to make a new one."""
    with pytest.raises(UsageError) as caught:
        refuse_arguments(arguments)
    assert KEY not in str(caught.value)
    assert "make a new one in the cloud" in caught.value.do


def test_no_arguments_are_fine() -> None:
    """Without arguments nothing is refused."""
    refuse_arguments([])
