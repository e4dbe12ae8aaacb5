"""The second net: what is found, what is cut, what is left alone."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.catalog import DataType, load_catalog
from agent.consent import second_net
from agent.consent.second_net import REMEMBERED_TEXTS, REMOVED, search
from agent.sources.jmx.binding import JmxBinding
from tests.support.coverage import PRODUCTS
from tests.support.planted_secrets import CREDENTIALS, EMAILS, HARMLESS, MORE, PLACES, SECRETS, TOKENS, Secret

TEXTS = sorted(set(DataType) - {DataType.COUNT, DataType.MEASUREMENT, DataType.URL, DataType.INSTANT})


@pytest.mark.parametrize(
    "kind",
    [EMAILS, CREDENTIALS, TOKENS, PLACES, MORE],
    ids=["emails", "credentials", "tokens", "places", "more"],
)
def test_what_must_not_leave_is_cut_out_of_a_name(kind: tuple[Secret, ...]) -> None:
    """Of a name nothing is left that was planted; a mark stands in its place."""
    left = {}
    for text, parts in kind:
        found = search(text, DataType.NAME)
        if found is None or REMOVED not in found.without or any(part in found.without for part in parts):
            left[text] = found
    assert left == {}


@pytest.mark.parametrize("data_type", TEXTS)
def test_it_is_found_in_every_kind_of_text(data_type: DataType) -> None:
    """An identifier, a version or a state is searched like a name."""
    assert [text for text, _ in SECRETS if search(text, data_type) is None] == []


def test_every_planted_secret_is_told_once() -> None:
    """The table is about something: at least 120 different texts."""
    assert len({text for text, _ in SECRETS}) == len(SECRETS) >= 120


@pytest.mark.parametrize("name", HARMLESS)
def test_a_harmless_name_is_left_alone(name: str) -> None:
    """Names of apps with numbers, signs and key words in them, in any script, survive whole."""
    assert search(name, DataType.NAME) is None


def test_the_catalogs_own_words_are_left_alone() -> None:
    """Nothing is found in a name of a metric, a bean, a statement or a public app of any product."""
    words = set()
    for product in PRODUCTS:
        catalog = load_catalog(product)
        words |= {*catalog.metrics, *catalog.queries, *catalog.public_apps}
        bound = [found for metric in catalog.metrics.values() if (found := metric.bound(JmxBinding)) is not None]
        beans = [bean for binding in bound for bean in binding.beans]
        words |= {piece for bean in beans for piece in re.split("[:,=]", bean)}
    assert len(words) > 500
    assert [word for word in words if word and search(word, DataType.TECHNICAL_ID)] == []


@pytest.mark.parametrize(
    "text",
    [
        *("9.12.4", "17.0.9+9-Debian-1deb12u1", "25.392-b08", "10.11.6-MariaDB-0+deb12u1-log", "1.2.3-beta.4"),
        *("8.0.35-0ubuntu0.22.04.1", "15.4 (Debian 15.4-2.pgdg120+1)", "15.0.4312.2", "19.0.0.0.0", "5.0.0.12"),
        *("2.0.0-SNAPSHOT", "6.1.0-28-amd64", "5.14.0-427.13.1.el9_4.x86_64", "1.0.20240101123456", "unknown"),
    ],
)  # fmt: skip
def test_versions_are_left_alone(text: str) -> None:
    """What products, databases, JVMs and kernels call themselves is no address, no date of birth and no key."""
    assert search(text, DataType.VERSION) is None


@pytest.mark.parametrize(
    "text", ["10.1.2.3", "127.0.0.1", "172.16.4.5", "192.168.1.1", "192.0.2.7", "203.0.113.9-beta"]
)
def test_an_address_in_a_versions_place_is_found(text: str) -> None:
    """Four numbers are an address where no version begins so; "5.0.0.12" stays a version, which nobody could tell."""
    assert search(text, DataType.VERSION) is not None


@pytest.mark.parametrize("text", ["com.example.internal", "de.example.jira.private", "org.example.intranet.Keys"])
def test_a_key_that_ends_like_a_private_host_is_none(text: str) -> None:
    """Keys of apps and classes begin with the end of a domain; a host begins with its own name."""
    assert search(text, DataType.TECHNICAL_ID) is None
    assert search("db01.corp.internal", DataType.TECHNICAL_ID) is not None


def test_a_telephone_number_with_dots_may_be_a_version() -> None:
    """In a name it is cut out, where a version stands it is one."""
    assert (search("202.555.0143", DataType.NAME) or search("", DataType.NAME)) is not None
    assert search("202.555.0143", DataType.VERSION) is None


def test_a_processors_speed_is_no_mail_address() -> None:
    """ "CPU @ 2.50GHz" looks like one at first."""
    assert search("Intel(R) Xeon(R) Platinum 8259CL CPU @ 2.50GHz", DataType.TECHNICAL_ID) is None


def test_an_address_of_the_product_may_be_one() -> None:
    """Where an address belongs, host, port and path are what it is for; a token or a mail address in it is not."""
    assert search("http://192.0.2.7:8080/jira", DataType.URL) is None
    for path in ("AKIAIOSFODNN7EXAMPLE", "erika%40example.com", "password%3Dhunter2", "ghp_abcdefghijklmnopqrst"):
        assert search(f"https://jira.example.com/{path}", DataType.URL) is not None, path


def test_what_is_around_it_stays() -> None:
    """A mail address, a token or a link in a name costs itself; behind a key word all is cut."""
    for text, without in (
        ("Payroll (erika@example.com), 2.0", f"Payroll ({REMOVED}), 2.0"),
        ("a@example.com b c@example.org", f"{REMOVED} b {REMOVED}"),
        ("Payroll https://erika:pw@example.com now", f"Payroll {REMOVED} now"),
        ("Payroll 192.0.2.7 West", f"Payroll {REMOVED} West"),
        ("Payroll password: hunter2 and more", f"Payroll {REMOVED}"),
        ("Payroll erika%40example.com!", f"Payroll {REMOVED}"),
    ):
        found = search(text, DataType.NAME)
        assert found is not None
        assert found.without == without


def test_a_second_look_finds_nothing_more() -> None:
    """What was cut is whole: a name that is stored and leaves later passes the net twice and stays the same."""
    for text, _ in SECRETS:
        found = search(text, DataType.NAME)
        assert found is not None
        assert search(found.without, DataType.NAME) is None, text


def test_escaped_without_end_is_removed_whole() -> None:
    """What is wrapped deeper than anybody wraps a name is not unwrapped for ever, and not let through."""
    text = "erika@example.com"
    for _ in range(second_net.ROUNDS + 2):
        text = text.replace("%", "%25").replace("@", "%40")
    found = search(text, DataType.NAME)
    assert found is not None
    assert found.without == REMOVED


@settings(deadline=None, max_examples=300)
@given(st.text(max_size=60), st.sampled_from([text for text, _ in EMAILS]))
def test_it_is_found_wherever_it_stands(around: str, text: str) -> None:
    """Property: whatever stands around a planted text, it is found, and the same signs never break the search."""
    search(around, DataType.NAME)
    assert search(f"{around} {text}", DataType.NAME) is not None


def test_it_remembers_a_bounded_number_of_texts() -> None:
    """Ten million names of an assessment leave no trace in memory."""
    for number in range(REMEMBERED_TEXTS + 10):
        search(f"Payroll {number}", DataType.NAME)
    assert search.cache_info().currsize == REMEMBERED_TEXTS
