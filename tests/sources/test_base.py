"""Text at the edge: addresses without secrets, versions without words."""

from __future__ import annotations

import pytest

from agent.sources.base import clean_url, clean_version, text_of


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("https://jira.example.com", "https://jira.example.com"),
        ("HTTPS://Jira.Example.COM:8443/jira/", "https://jira.example.com:8443/jira"),
        ("https://user:word@jira.example.com/x?token=1#me", "https://jira.example.com/x"),
        ("http://[2001:db8::1]:8080/wiki;jsessionid=1", "http://[2001:db8::1]:8080/wiki"),
        ("https://jira.example.com/name@host", "https://jira.example.com"),
        ("https://jira.example.com/with words", "https://jira.example.com"),
        ("ftp://jira.example.com", ""),
        ("jira.example.com", ""),
        ("https://", ""),
        ("https://ho st/", ""),
        ("https://jira.example.com:99999/", ""),
        ("https://[broken", ""),
        ("javascript:alert(1)", ""),
        ("", ""),
    ],
)
def test_clean_url(text: str, clean: str) -> None:
    """Scheme, host, port and a plain path stay; user, query and fragment go; no address is empty."""
    assert clean_url(text) == clean


@pytest.mark.parametrize(
    ("text", "clean"),
    [("1.4.2", "1.4.2"), ("1.4.2-quibble", "1.4.2"), ("8", "8"), ("v2", ""), ("", ""), ("1.", "1"), ("2..3", "2")],
)
def test_clean_version(text: str, clean: str) -> None:
    """The leading numbers."""
    assert clean_version(text) == clean


def test_text_of_a_databases_value() -> None:
    """Text stays, bytes are text where they are UTF-8, and else no text at all: never the words of a Python object."""
    assert [text_of(value) for value in ("Größe", 7, "Größe".encode(), memoryview(b"a"), b"Gr\xf6\xdfe")] == [
        "Größe", "7", "Größe", "a", None,
    ]  # fmt: skip
