"""Stored texts that hold many values: what is taken from them, what is refused."""

from __future__ import annotations

import pytest

from agent.catalog import Unpack
from agent.sources.listings.unpack import LIMIT, Unreadable, unpack


@pytest.mark.parametrize(
    "text",
    [
        "<string>a.flag,b-flag</string>",
        "<string> a.flag , b-flag </string>",
        "<set><string>b-flag</string><string>a.flag</string></set>",
        "<list><string>a.flag</string><string>b-flag</string><string>a.flag</string></list>",
        "<map><entry><string>a.flag</string><boolean>true</boolean></entry><entry><string>b-flag</string></entry></map>",
    ],
)
def test_flags_in_any_form(text: str) -> None:
    """The form is not published: whatever wraps the names, each is told once, in order."""
    assert [row["flag"] for row in unpack(text, Unpack.FLAGS)] == ["a.flag", "b-flag"]


@pytest.mark.parametrize(
    ("text", "form"),
    [
        *((text, form) for text in ("", "  ") for form in Unpack),
        *((text, form) for text in ("<map/>", "<string></string>") for form in (Unpack.FLAGS, Unpack.STATES)),
    ],
)
def test_nothing_stored(text: str, form: Unpack) -> None:
    """An empty text holds nothing, which is no fault."""
    assert list(unpack(text, form)) == []


def test_states_of_apps() -> None:
    """Each app with its state; modules of an app are left out."""
    text = (
        "<map>\n <entry>\n  <string>com.example.a</string>\n  <boolean>false</boolean>\n </entry>\n"
        " <entry><string>com.example.b</string><boolean>true</boolean></entry>\n"
        " <entry><string>com.example.b:module</string><boolean>false</boolean></entry>\n</map>"
    )
    assert list(unpack(text, Unpack.STATES)) == [
        {"app": "com.example.a", "state": "disabled"},
        {"app": "com.example.b", "state": "enabled"},
    ]


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("planted, not XML", Unpack.FLAGS),
        ("<string>planted", Unpack.FLAGS),
        ("<!DOCTYPE a [<!ENTITY b 'planted'>]><string>&b;</string>", Unpack.FLAGS),
        (f"<string>{'x' * LIMIT}</string>", Unpack.FLAGS),
        ("<map><entry><string>planted</string><int>3</int></entry></map>", Unpack.STATES),
        ("<map><entry><string>planted</string><boolean>maybe</boolean></entry></map>", Unpack.STATES),
    ],
)
def test_other_forms_are_refused(text: str, form: Unpack) -> None:
    """What is not understood is refused in words that hold nothing of it."""
    with pytest.raises(Unreadable) as caught:
        list(unpack(text, form))
    assert "planted" not in str(caught.value)
