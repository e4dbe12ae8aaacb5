"""The licence text: what is on the list is kept, all else is dropped; a hostile text is refused, unquoted."""

from __future__ import annotations

import time
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.product.instance.licence import (
    LONGEST_PROPERTIES,
    LONGEST_TEXT,
    Licence,
    UnreadableLicence,
    decode_licence,
    licence_words,
)
from tests.support.licences import PLANTED, USUAL, licence_text, packed

ENDS = "2027-01-31T00:00:00Z"
WHOLE = Licence("confluence", "SEN-12345678", "commercial", 2000, False, ENDS, ENDS, False, True)


def test_what_is_on_the_list() -> None:
    """SEN, kind, users, ends, evaluation, Data Center; of who bought it nothing."""
    (licence,) = decode_licence(licence_text(), "confluence")
    assert licence == WHOLE
    assert not [word for word in PLANTED if word in repr(licence)]


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("width", [40, 76, 10_000])
def test_both_versions_however_they_are_broken_into_lines(version: int, width: int) -> None:
    """Line ends and blanks around and inside are no part of it."""
    text = licence_text(version=version, width=width)
    for written in (text, f"\n  {text}\t\n", text.replace("\n", "\r\n")):
        assert decode_licence(written, "confluence") == (WHOLE,)


@pytest.mark.parametrize(
    ("product", "values", "expected"),
    [
        ("confluence", {"NumberOfUsers": "10", "conf.NumberOfUsers": "25"}, [("confluence", 25)]),
        ("confluence", {"NumberOfUsers": "10", "jira.NumberOfUsers": "25"}, [("confluence", 10)]),
        ("bamboo", {"NumberOfUsers": "10", "bamboo.NumberOfUsers": "25"}, [("bamboo", 25)]),
        ("crowd", {"crowd.NumberOfUsers": "25"}, [("crowd", 25)]),
        ("bitbucket", {"stash.NumberOfUsers": "25"}, [("bitbucket", 25)]),
        ("bitbucket", {"stash.NumberOfUsers": "25", "bitbucket.NumberOfUsers": "50"}, [("bitbucket", 50)]),
        ("jira", {"NumberOfUsers": "10"}, [("jira", 10)]),
        ("jira", {"jira.product.jira-software.NumberOfUsers": "500"}, [("jira-software", 500)]),
        (
            "jira",
            {"jira.product.jira-software.NumberOfUsers": "500", "jira.product.jira-servicedesk.NumberOfUsers": "25"},
            [("jira-servicedesk", 25), ("jira-software", 500)],
        ),
        ("jira", {"jira.product.jira-software.active": "true", "NumberOfUsers": "7"}, [("jira-software", 7)]),
        (
            "jira",
            {"jira.product.jira-core.active": "false", "jira.product.jira-software.active": "true"},
            [("jira-software", None)],
        ),
        ("jira", {"jira.product.com.example.planted.NumberOfUsers": "5", "NumberOfUsers": "7"}, [("jira", 7)]),
    ],
)
def test_each_product_its_own(product: str, values: dict[str, str], expected: list[tuple[str, int | None]]) -> None:
    """What a licence says of this product comes before what it says of all; Jira has one for each application."""
    assert [(item.application, item.users) for item in decode_licence(licence_text(values), product)] == expected


@pytest.mark.parametrize(
    ("key", "text", "field", "value"),
    [
        ("SEN", "SEN-L123", "sen", "SEN-L123"),
        ("SEN", "E-2AB-3CD-4EF-5GH", "sen", "E-2AB-3CD-4EF-5GH"),
        ("SEN", "SEN-1 Planted Person", "sen", None),
        ("SEN", "planted.person@example.com", "sen", None),
        ("LicenseTypeName", "OPEN_SOURCE", "kind", "open-source"),
        ("LicenseTypeName", "Planted kind", "kind", "other"),
        ("LicenseTypeName", "", "kind", None),
        ("NumberOfUsers", "-1", "users", None),
        ("NumberOfUsers", "0", "users", 0),
        ("NumberOfUsers", "²", "users", None),
        ("NumberOfUsers", "99999999999999999999", "users", None),
        ("NumberOfUsers", "many", "users", None),
        ("LicenseExpiryDate", "unlimited", "expires", None),
        ("LicenseExpiryDate", "P30D", "expires", None),
        ("LicenseExpiryDate", "2026-02-30", "expires", None),
        ("MaintenanceExpiryDate", "2028-02-29", "maintenance_ends", "2028-02-29T00:00:00Z"),
        ("Evaluation", "TRUE", "evaluation", True),
        ("DataCenter", "perhaps", "data_center", None),
    ],
)
def test_each_value_looks_as_it_must(key: str, text: str, field: str, value: object) -> None:
    """What has another form is not known; it is no zero and no word of somebody's."""
    (licence,) = decode_licence(licence_text({key: text}), "confluence")
    assert getattr(licence, field) == value


def test_no_limit_is_no_number() -> None:
    """-1 means without a limit; without the key nothing is known of one."""
    (unlimited,) = decode_licence(licence_text({"NumberOfUsers": "-1"}), "jira")
    (unknown,) = decode_licence(licence_text({"SEN": "SEN-1"}), "jira")
    assert (unlimited.users, unlimited.unlimited, unknown.users, unknown.unlimited) == (None, True, None, None)
    assert licence_words(unlimited) == {"application": "jira", "user_limit": "unlimited"}


GOOD = licence_text(width=10_000)


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            "X02",
            "planted",
            "planted-licence-text",
            GOOD[:-1],
            GOOD[:-1] + "v",
            GOOD[1:],
            GOOD + "0",
            GOOD.replace("X02", "X03"),
        ),
        *("A" * 100 + "X0238", "AAAAAAAAX028", "é" * 8 + "X028"),
        packed(b"SEN=SEN-1", prefix=b"other"),
        packed(b"SEN=SEN-1")[:8] + "!" + packed(b"SEN=SEN-1")[9:],
        packed(b"#" * (LONGEST_PROPERTIES + 1)),
        "A" * (LONGEST_TEXT + 1),
    ],
)
def test_another_text_is_refused(text: str) -> None:
    """Cut, damaged, of another form, too long, a bomb: refused at once, and the message quotes nothing."""
    began = time.process_time()
    with pytest.raises(UnreadableLicence) as caught:
        decode_licence(text, "jira")
    assert time.process_time() - began < 1
    assert str(caught.value).startswith("it is ")
    assert caught.value.__cause__ is None
    assert "planted" not in str(caught.value)


@given(st.binary(max_size=2000))
def test_any_properties_end_in_a_licence(octets: bytes) -> None:
    """Whatever stands inside: an answer whose texts have their forms."""
    for licence in decode_licence(packed(octets), "jira"):
        words = licence_words(licence)
        assert set(words) <= {
            "application",
            "sen",
            "kind",
            "users",
            "user_limit",
            *USUAL,
            "expires",
            "maintenance_ends",
            "evaluation",
            "data_center",
        }
        assert all(len(word) <= 40 and word.isascii() for word in words.values())


@given(st.text(max_size=300))
def test_any_text_is_refused_or_read(text: str) -> None:
    """Never another exception."""
    with suppress(UnreadableLicence):
        decode_licence(text, "jira")
