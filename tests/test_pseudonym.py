"""Pseudonyms: stable, keyed, separate by purpose."""

from __future__ import annotations

import hashlib
import re

import pytest

from agent.consent import Pseudonyms

KEY = b"0123456789abcdef" * 2


def test_form() -> None:
    """A prefix and 16 hexadecimal digits."""
    assert re.fullmatch(r"n-[0-9a-f]{16}", Pseudonyms(KEY).node("node-one"))
    assert re.fullmatch(r"h-[0-9a-f]{16}", Pseudonyms(KEY).app("com.example.app"))


def test_same_name_same_hash() -> None:
    """The same name gives the same pseudonym in every process of the instance."""
    assert Pseudonyms(KEY).app("x") == Pseudonyms(bytes(KEY)).app("x")


def test_another_instance_has_other_hashes() -> None:
    """Two instances' pseudonyms cannot be joined."""
    assert Pseudonyms(KEY).app("x") != Pseudonyms(b"z" * 32).app("x")


def test_purposes_are_separate() -> None:
    """A node and an app of one name are not seen to have one name; nor are two tags."""
    own = Pseudonyms(KEY)
    found = {own.node("x")[2:], own.app("x")[2:], own.tag("server", "x")[2:], own.tag("lock", "x")[2:]}
    assert len(found) == 4


def test_app_key_is_the_same_wherever_it_stands() -> None:
    """A pluginKey tag and an app's own entry name one app alike."""
    assert Pseudonyms(KEY).tag("pluginKey", "com.example.app") == Pseudonyms(KEY).app("com.example.app")


def test_bare_hash_is_not_enough() -> None:
    """Guessing names does not find them: the digits are no plain SHA-256."""
    digits = Pseudonyms(KEY).app("com.example.app")[2:]
    assert not hashlib.sha256(b"com.example.app").hexdigest().startswith(digits)


def test_short_key_is_refused_and_the_key_is_not_shown() -> None:
    """A key that could be tried out is refused; the object does not print its key."""
    with pytest.raises(ValueError, match="16 bytes"):
        Pseudonyms(b"short")
    assert KEY.decode() not in repr(Pseudonyms(KEY))


def test_any_text_has_a_pseudonym() -> None:
    """Names from outside may hold anything, lone surrogates included."""
    assert Pseudonyms(KEY).app("\ud800") != Pseudonyms(KEY).app("")
