"""ObjectNames as text, by the rules of javax.management.ObjectName."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.jmx.names import is_pattern, key_properties, matches, parse_object_name, quote, unquote

DB_POOL = "com.atlassian.jira:connectionpool=connections,connection=*,name=BasicDataSource"


def test_key_properties_become_tags() -> None:
    """Values come without quotes and escapes; commas and equal signs in quotes belong to the value."""
    name = 'com.atlassian.jira:type=metrics,tag.invoker="a,b=c0",odd="q\\"\\\\\\*\\n"'
    assert key_properties(name) == {"type": "metrics", "tag.invoker": "a,b=c0", "odd": 'q"\\*\n'}
    assert key_properties("java.lang:name=CodeHeap 'non-nmethods',type=MemoryPool")["name"] == "CodeHeap 'non-nmethods'"


@pytest.mark.parametrize(
    "name", ["", "domain", "d:", "d:a", "d:a=1,", "d:,a=1", "d:a=1,a=2", 'd:a="x', "d:a=b=c", "d:=1"]
)
def test_a_malformed_name_is_refused(name: str) -> None:
    """The rules are Java's; the message shows the name."""
    with pytest.raises(ValueError, match="is not an ObjectName"):
        parse_object_name(name)


@pytest.mark.parametrize(
    ("pattern", "name", "fits"),
    [
        ("*:*", "d:a=1", True),
        ("d:*", "e:a=1", False),
        ("d:type=x,*", "d:name=n,type=x", True),
        ("d:type=x,*", "d:type=x", True),
        ("d:type=x", "d:name=n,type=x", False),
        ("d:a=1,b=2", "d:b=2,a=1", True),
        ("d:a=x*", "d:a=xyz", True),
        ("d:a=?", "d:a=xy", False),
        ("d?:a=1", "d2:a=1", True),
        ('d:a="x*"', 'd:a="x,y"', True),
        ('d:a="x\\*"', 'd:a="xy"', False),
        ('d:a="x\\*"', 'd:a="x\\*"', True),
        ("d:a=*", 'd:a="quoted"', True),
        (DB_POOL, "com.atlassian.jira:name=BasicDataSource,connectionpool=connections,connection=db", True),
        (DB_POOL, "com.atlassian.jira:name=Other,connectionpool=connections,connection=db", False),
        ("d:*", "no name", False),
    ],
)
def test_patterns_match_by_the_rules_of_jmx(pattern: str, name: str, fits: bool) -> None:
    """Wildcards in domain and values, a bare star for further properties, escapes in quotes; order plays no part."""
    assert matches(pattern, name) is fits


def test_what_is_a_pattern() -> None:
    """A star counts in a domain, a value or as a property, but not escaped in quotes."""
    assert [is_pattern(name) for name in ("d:a=1", "d:a=*", "d:*", "*:a=1", 'd:a="\\*"', 'd:a="*"')] == [
        False,
        True,
        True,
        True,
        False,
        True,
    ]


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=20))
def test_a_quoted_value_comes_back(value: str) -> None:
    """Quoting makes any text a value that parses, matches only itself, and reads back."""
    name = f"d:a={quote(value)}"
    assert unquote(quote(value)) == value
    assert key_properties(name) == {"a": value}
    assert not is_pattern(name)
    assert matches(name, name)
