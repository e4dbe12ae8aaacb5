"""Access logs of invented people, a Tomcat install to go with them, and a reader of what came out."""

from __future__ import annotations

import zipfile
from collections import Counter
from pathlib import Path
from xml.sax.saxutils import quoteattr

JIRA = (
    '%a %{jira.request.id}r %{jira.request.username}r %t "%m %U%q %H" %s %b %D '
    '"%{Referer}i" "%{User-Agent}i" "%{jira.request.assession.id}r"'
)
CONFLUENCE = "%t %{X-AUSERNAME}o %I %h %r %s %Dms %b %{Referer}i %{User-Agent}i"
CONTAINER = '%h %{X-AUSERNAME}o %t "%r" %s %b %D %U %I "%{User-Agent}i"'
BITBUCKET = (
    "198.51.100.7,192.0.2.1 | https | {way}@1ABC2DEx600x{number}x3 | erika | 2026-11-22 10:00:00,123 | "
    '"{request}" | "https://git.example.com/x" "Mozilla | 5.0 \\"x" | {status} | {size} | {size} | '
    "{labels} | {took} | 1irez8i |\n"
)
PLANTED = (
    "erika.mustermann",
    "192.0.2.77",
    "erika@example.com",
    "PLANTEDKEY-4711",
    "assignee=currentUser",
    "JSESS0815",
)


def jira_line(number: int, path: str = "/rest/api/2/issue/PLANTEDKEY-4711", status: int = 200, took: int = 12) -> bytes:
    """One line as Jira's valve writes it, with planted personal words in every field that can hold them."""
    return (
        f"192.0.2.77 {number % 1440}x{number}x3 erika.mustermann [22/Nov/2026:10:{number // 60 % 60:02}:"
        f'{number % 60:02} +0000] "GET {path}?jql=assignee=currentUser&mail=erika@example.com HTTP/1.1" '
        f'{status} 512 {took} "https://jira.example.com/browse/PLANTEDKEY-4711" '
        f'"Mozilla/5.0 (X11; Linux) \\"q\\" {number}" "JSESS0815"\n'
    ).encode()


def bitbucket_lines(request: str, status: int, took: int = 41, labels: str = "-") -> bytes:
    """The two lines that Bitbucket writes of one request."""
    both = [("i", "-", "-", "-"), ("o", str(status), "77", str(took))]
    return "".join(
        BITBUCKET.format(way=way, number=1, request=request, status=code, size=size, labels=labels, took=time)
        for way, code, size, time in both
    ).encode()


def make_install(
    folder: Path, pattern: str = JIRA, version: str = "9.0.80", prefix: str = "access_log", more: str = ""
) -> Path:
    """A Tomcat as far as this program looks at it, its log still empty; version "" leaves the jar out."""
    (folder / "conf").mkdir(parents=True)
    (folder / "logs").mkdir()
    (folder / "logs" / prefix).touch()
    (folder / "lib").mkdir()
    (folder / "conf" / "server.xml").write_text(
        '<?xml version="1.0"?>\n<Server port="8005"><Service name="Catalina"><Engine name="Catalina"><Host>'
        f'<Context path="" docBase="x"/><Valve className="org.apache.catalina.valves.AccessLogValve" {more} '
        f'prefix="{prefix}" pattern={quoteattr(pattern)}/></Host></Engine></Service></Server>\n'
    )
    if version:
        with zipfile.ZipFile(folder / "lib" / "catalina.jar", "w") as jar:
            jar.writestr("org/apache/catalina/util/ServerInfo.properties", f"server.number={version}.0\n")
    return folder


class Lines:
    """Collects what a follower gives out."""

    def __init__(self) -> None:
        self.found: Counter[bytes] = Counter()

    def __call__(self, chunk: bytes) -> None:
        assert chunk.endswith(b"\n")
        self.found.update(chunk.splitlines(keepends=True))
