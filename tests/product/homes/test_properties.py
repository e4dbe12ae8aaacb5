"""Properties files are read as java.util.Properties reads them."""

from __future__ import annotations

import pytest

from agent.product.homes.formats import holds_properties, read_properties


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("k=v", "v"),
        ("k:v", "v"),
        ("k v", "v"),
        ("k\tv", "v"),
        ("  k  =  v", "v"),
        ("k = v ", "v "),  # blanks at the end belong to the value
        ("k==v", "=v"),
        ("k", ""),
        ("k=", ""),
        ("k=a\\\n   b", "ab"),
        ("k=a\\\r\n\tb", "ab"),
        ("k=a\\\\\nk2=b", "a\\"),  # an escaped backslash at the end goes on nowhere
        ("# c \\\nk=v", "v"),
        ("#share \\\\srv\\bb\\\nk=v", "v"),
        ("! c\nk=v", "v"),
        ("k=v # no comment", "v # no comment"),
        ("k=a\\\n# b", "a# b"),  # within a line that goes on it is none
        ("k=a\\\n\\\nb", "ab"),
        ("k=\\u0041\\u00e4", "Aä"),
        ("k=a\\tb\\nc", "a\tb\nc"),
        ("k=a\\:b\\=c\\ d", "a:b=c d"),
        ("\\u006b=v", "v"),
        ("k=1\nk=2", "2"),
        ("k=1\r\nk=2\r\n", "2"),
        ("k=1\rk=2", "2"),
        ("k=v\\", "v"),
    ],
)
def test_one_key(text: str, value: str) -> None:
    """Separators, escapes, comments, lines that go on, keys twice."""
    assert read_properties(text.encode(), ("k",)) == {"k": value}


@pytest.mark.parametrize("key", ["a b", "a=b", "a:b"])
def test_escaped_separators_in_a_key(key: str) -> None:
    """An escaped separator belongs to the key."""
    escaped = "".join("\\" + sign if sign in " =:" else sign for sign in key)
    assert read_properties(f"{escaped}=v".encode(), (key,)) == {key: "v"}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "latin-1", "utf-16"])
def test_encodings(encoding: str) -> None:
    """As Java writes it, as people save it, with or without a mark in front."""
    assert read_properties("k=ä\n".encode(encoding), ("k",)) == {"k": "ä"}


def test_comments_alone_hold_nothing() -> None:
    """A file of comments and blank lines says nothing; one key does."""
    assert not holds_properties(b"# a\n! b\n\n   \n#c")
    assert not holds_properties(b"")
    assert holds_properties(b"# a\nk=\n")
