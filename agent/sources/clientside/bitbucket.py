"""Bitbucket's own access log: fields between bars, a line when a request comes in and one when it has been answered.

In:   `log/atlassian-bitbucket-access.log` in the local home, and what was rolled away beside it. Its Tomcat is inside,
      without a valve that could tell: the form is the documented one (see `REFERENCE`).
Out:  answered HTTP requests with status and milliseconds. Lines of requests that came in, of SSH and of Mesh (gRPC) are
      no HTTP answers and are passed over, not missed. Status and time are found from the line's end, where no field can
      hold a bar, so that nothing a user types moves them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from agent.sources.clientside.classes import BEGINNINGS
from agent.sources.clientside.pattern import METHOD, PROTOCOL, LineReader

REFERENCE = "https://support.atlassian.com/bitbucket-data-center/kb/how-to-read-the-bitbucket-data-center-log-formats/"
FOLDER = "log"
NAME = "atlassian-bitbucket-access"
FILES = re.compile(re.escape(NAME) + r"(?:[-.]\d[-.\d]*)?\.log(?:\.\d+)?(?:\.gz)?")
FIELD = rb"[^|\n]*+"
NUMBER = rb" (?:\d++|-) "
LINE = re.compile(
    b"^"
    + rb"\|".join(
        (
            FIELD,  # addresses
            rb" https?+ ",
            rb" o[^ |\n]++ ",
            FIELD,  # user
            FIELD,  # time
            rb" \"(?:" + (METHOD + b" (?:(?P<p>" + BEGINNINGS + rb"))?+[^ \t\n]*+ " + PROTOCOL) + rb"|[^|\n\"]*+)\" ",
            rb"[^\n]*",  # referrer and agent, where anything may stand
            rb" (?:(?P<s>\d{3})|\d++|-) ",
            NUMBER,
            NUMBER,
            FIELD,  # labels
            rb" (?:(?P<d>\d{1,15})|-) ",
            FIELD,  # session
            rb" *+\n",
        )
    ),
    re.MULTILINE,
)
NO_ANSWERS = re.compile(rb"^[^|\n]*+\| (?:https?+ \| i|ssh \||grpc \|)[^\n]*+\n", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class BitbucketLog:
    """Where the log lies. There is one, so none is passed over."""

    folder: Path
    place: str = "Bitbucket's documentation"
    passed_over: tuple[str, ...] = ()

    def accepts(self, name: str) -> bool:
        """Whether a file of this name is the log or one that was rolled away."""
        return FILES.fullmatch(name) is not None

    def reader(self) -> LineReader:
        """What reads its lines."""
        index = LINE.groupindex
        order = index["p"] - 1, index["s"] - 1, index["d"] - 1
        return LineReader(LINE, order, 1000, "", has_status=True, passed_over=NO_ANSWERS)

    @property
    def files(self) -> str:
        """How its files are named, for a person."""
        return f"{NAME}.log"


def read_bitbucket(home: Path, log_dir: Path | None = None) -> BitbucketLog:
    """Bitbucket's log below its local home; `log_dir` overrides the folder."""
    return BitbucketLog(log_dir or home / FOLDER)
