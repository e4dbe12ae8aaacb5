"""Dates of SimpleDateFormat as expressions; checked against names that a real JVM or Tomcat wrote."""

from __future__ import annotations

import re

import pytest

from agent.sources.clientside.dates import expression_of

# (format, dates it writes, texts it does not)
FORMS = [
    (".yyyy-MM-dd", [".2026-11-27"], ["", ".2026-11-27.1", ".26-11-27", "2026-11-27"]),
    (".dd-MMM-yyyy", [".27-Nov-2026", ".27-févr.-2026"], [".27-11-2026", ".27-No v-2026"]),
    ("_yyyyMMdd'T'HH", ["_20261127T09"], ["_20261127T", "_20261127 09"]),
    (".yyyy-MM-dd.HH-mm-ss", [".2026-11-27.01-02-03"], [".2026-11-27"]),
    ("yy.M.d", ["26.11.7", "26.1.27"], ["2026.11.7"]),
    ("EEEE", ["Friday", "vendredi"], ["5", ""]),
    ("yyyy-'w'ww", ["2026-w48"], ["2026-48"]),
    ("YYYY-DDD", ["2026-331"], ["2026-31"]),
    ("u F W", ["5 4 4"], ["Fri 4 4"]),
    ("hh'h'a", ["01hAM"], ["01h"]),
    ("kk:mm:ss,SSS", ["24:00:00,007"], ["24:00:00"]),
    ("HHmmZ", ["0101+0100", "0101-0800"], ["0101CET"]),
    ("HHmmX", ["0101Z", "0101+01"], ["0101"]),
    ("HHmmz", ["0101CET", "0101GMT+01:00"], ["0101"]),
    ("'o''clock' yyyy", ["o'clock 2026"], ["oclock 2026"]),
    ("HH''mm", ["09'30"], ["0930"]),
    ("", [""], ["x"]),
    ("LLL LL", ["Nov 11"], ["11 Nov"]),
    ("G yyyy", ["AD 2026"], ["2026"]),
]


@pytest.mark.parametrize(("form", "dates", "others"), FORMS)
def test_dates_of_a_form(form: str, dates: list[str], others: list[str]) -> None:
    """What the form writes fits, whole; what it does not write does not."""
    expression = re.compile(expression_of(form))
    assert all(expression.fullmatch(date) for date in dates)
    assert not any(expression.fullmatch(other) for other in others)


@pytest.mark.parametrize("form", ["yyyy-bb", "'open", "yyyyT"])
def test_what_java_refuses_is_refused(form: str) -> None:
    """A letter that is none, or a quote without its end: ValueError with the words."""
    with pytest.raises(ValueError, match=r"letter|quote"):
        expression_of(form)
