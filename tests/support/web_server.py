"""Debian's Tomcat 10, writing its own access log: what it logs is what a client really did."""

from __future__ import annotations

import http.client
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from xml.sax.saxutils import quoteattr

from tests.support.access_logs import JIRA
from tests.support.cloud import wait_until
from tests.support.servers import missing, require

PAGES = {
    "slow.jsp": "<% Thread.sleep(300); %>done",
    "rest/found.txt": "found",
    "rest/broken.jsp": "<% response.sendError(500); %>",
    "download/attachments/a.txt": "attached",
    # Says who asks as the products do: in a header of the answer and in an attribute of the request.
    "user.jsp": '<% String user = request.getParameter("u"); response.setHeader("X-AUSERNAME", user);'
    'request.setAttribute("jira.request.username", user);'
    'response.setStatus(Integer.parseInt(request.getParameter("s"))); %>done',
}
RELAXED = '[]|{}^\\`"<>'  # as the products' own server.xml allow
EACH_SECOND = ".yyyy-MM-dd.HH-mm-ss"  # as `fileDateFormat`: Tomcat begins a new file each second it writes in


@dataclass(frozen=True)
class WebServer:
    """A running Tomcat: its base folder (with conf/server.xml and logs) and its port."""

    base: Path
    port: int

    def get(self, path: str) -> int:
        """One request; the status of its answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            answer.read()
            return answer.status
        finally:
            connection.close()

    def send(self, octets: bytes) -> int:
        """What is sent as it is, by whatever rules it breaks; the status of the answer."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=30) as connection:
            connection.sendall(octets)
            with connection.makefile("rb") as answer:
                return int(answer.readline().split()[1])

    def lines(self) -> int:
        """Complete lines in all files of the log."""
        return sum(path.read_bytes().count(b"\n") for path in (self.base / "logs").iterdir())

    def wait_for_lines(self, count: int) -> None:
        """Tomcat writes a line after its answer has gone."""
        wait_until(lambda: self.lines() >= count, 20)


@contextmanager
def web_server(
    base: Path, pattern: str = JIRA, file_date_format: str = ".yyyy-MM-dd", more: str = ""
) -> Iterator[WebServer]:
    """Start Tomcat with an access log of `pattern` and the pages of PAGES; one request has been answered. `more` are
    further valves."""
    home = require("tomcat").parent.parent
    require("java")
    web = Path("/etc/tomcat10/web.xml")
    if not web.exists():
        missing("Debian's web.xml for Tomcat is not there; run: apt-get install tomcat10")
    for name in ("conf", "logs", "webapps/ROOT", "temp", "work", "lib"):
        (base / name).mkdir(parents=True)
    (base / "lib" / "catalina.jar").symlink_to(home / "lib" / "catalina.jar")
    for name, text in PAGES.items():
        page = base / "webapps" / "ROOT" / name
        page.parent.mkdir(parents=True, exist_ok=True)
        page.write_text(text)
    shutil.copyfile(web, base / "conf" / "web.xml")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    (base / "conf" / "server.xml").write_text(
        f'<Server port="-1"><Service name="Catalina"><Connector port="{port}" address="127.0.0.1" '
        f'relaxedPathChars="[]|" relaxedQueryChars={quoteattr(RELAXED)}/>'
        '<Engine name="Catalina" defaultHost="localhost"><Host name="localhost" appBase="webapps">'
        f'<Valve className="org.apache.catalina.valves.AccessLogValve" buffered="false" prefix="access_log" '
        f'fileDateFormat="{file_date_format}" pattern={quoteattr(pattern)}/>{more}</Host></Engine></Service></Server>'
    )
    folders = {"CATALINA_HOME": str(home), "CATALINA_BASE": str(base), "CATALINA_TMPDIR": str(base / "temp")}
    process = subprocess.Popen(
        [str(home / "bin" / "catalina.sh"), "run"],
        env={**os.environ, **folders},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    server = WebServer(base, port)
    try:
        _wait_for_answer(server, process)
        yield server
    finally:
        process.terminate()
        process.wait(30)


def _wait_for_answer(server: WebServer, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            assert server.get("/slow.jsp") == 200
            return
        except OSError:
            assert process.poll() is None, "Tomcat ended"
            assert time.monotonic() < deadline, "Tomcat did not come up"
            time.sleep(0.2)  # a port to open has no event to wait for
