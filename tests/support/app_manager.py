"""An app manager of a product as a real HTTPS server on the loopback, which can answer in every wrong way.

Its answers have the keys of UPM's own and much that must not be kept: licence texts, organisations, addresses, links.
"""

from __future__ import annotations

import base64
import json
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import trustme
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tests.support.cloud import wait_until

TOKEN = "NDk3MTplanted+token/0123456789abcdefghij"
USER, PASSWORD = "portfolio", "plänted: pass\\word $1"
SEN = "SEN-L1111111"
ENDS_MS = 1_796_083_200_000
ENDS = "2026-12-01T00:00:00Z"
# Nothing of this may be kept, whatever the consent.
PERSONAL = (
    "planted-licence-text",
    "planted.person@example.com",
    "Planted Quibble Ltd",
    "Planted vendor",
    "SEN-2222222",
)
LIST_TYPE = "application/vnd.atl.plugins.installed+json"
LICENCES_TYPE = "application/vnd.atl.plugins+json"


def app(key: str, name: str, version: str | None = "1.0", **more: Any) -> dict[str, Any]:
    """One app as the list tells it."""
    path = f"/jira/rest/plugins/1.0/{key}-key"
    return {
        "enabled": True,
        "links": {
            "self": path,
            "modify": path,
            "manage": f"http://elsewhere.test/{key}",
            "plugin-icon": f"{path}/icon",
        },
        "name": name,
        "version": version,
        "userInstalled": False,
        "optional": True,
        "static": False,
        "unloadable": True,
        "description": "planted-licence-text in a description",
        "key": key,
        "usesLicensing": False,
        "remotable": False,
        "vendor": {
            "name": "Planted vendor",
            "link": "http://elsewhere.test/",
            "marketplaceLink": "http://elsewhere.test",
        },
        **more,
    }


def licence(key: str, kind: str = "COMMERCIAL", **more: Any) -> dict[str, Any]:
    """The licence of one app, with all that comes with it."""
    return {
        "valid": True,
        "evaluation": False,
        "maximumNumberOfUsers": 500,
        "licenseType": kind,
        "creationDateString": "1/Dec/25",
        "expiryDate": ENDS_MS,
        "organizationName": "Planted Quibble Ltd",
        "contactEmail": "planted.person@example.com",
        "supportEntitlementNumber": "SEN-2222222",
        "rawLicense": "planted-licence-text" * 20,
        "pluginKey": key,
        "active": True,
        **more,
    }


APPS = (
    app("com.atlassian.upm.atlassian-universal-plugin-manager-plugin", "Universal Plugin Manager", "7.1.0"),
    app(
        "com.onresolve.jira.groovy.groovyrunner",
        "ScriptRunner",
        "8.20.0",
        enabled=False,
        userInstalled=True,
        usesLicensing=True,
    ),
    app("com.quibble.planted-payroll", "Planted payroll of Quibble", "2.1-planted", userInstalled=True),
    app("com.quibble.planted-paid", "Planted paid", None, userInstalled=True, usesLicensing=True),
)
LICENCES = {"com.onresolve.jira.groovy.groovyrunner": licence("com.onresolve.jira.groovy.groovyrunner")}


def many(count: int) -> tuple[dict[str, Any], ...]:
    """That many apps, every tenth with a licence."""
    return tuple(
        app(f"com.example.app-{number}", f"Planted {number}", f"{number}.0", userInstalled=True, usesLicensing=True)
        for number in range(count)
    )


class AppManagerServer:
    """What the server tells, how it misbehaves, and what it was asked."""

    def __init__(self, ca_file: Path) -> None:
        self.ca_file = ca_file
        self.port = 0
        self.scheme = "https"
        self.apps: tuple[dict[str, Any], ...] = APPS
        self.licences: dict[str, dict[str, Any]] = dict(LICENCES)
        self.sen: object = SEN
        self.requests: list[tuple[str, str, str]] = []  # method, path with query, accept
        self.answers: dict[str, Response] = {}  # by the end of the path: said in place of the truth
        self.tokens = {f"Bearer {TOKEN}", "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()}

    @property
    def url(self) -> str:
        """The product's base URL."""
        return f"{self.scheme}://localhost:{self.port}/jira"

    def always(self, status: int = 200, body: str = "", media: str = LIST_TYPE, **headers: str) -> None:
        """Answer this to the first question from now on."""
        self.answers["/rest/plugins/1.0/"] = Response(body, status, headers, media)

    async def answer(self, request: Request) -> Response:
        """One answer, in the way of the product."""
        path = request.url.path
        query = f"?{request.url.query}" if request.url.query else ""
        self.requests.append((request.method, path + query, request.headers.get("accept", "")))
        for end, wrong in self.answers.items():
            if path.endswith(end):
                return wrong
        if request.headers.get("authorization") not in self.tokens:
            return Response("<html>Unauthorized</html>", 401, media_type="text/html")
        if path == "/jira/rest/plugins/1.0/":
            return Response(json.dumps({"plugins": list(self.apps), "links": {}}), media_type=LIST_TYPE)
        if path == "/jira/rest/plugins/1.0/installed-marketplace":
            details = [
                {"key": item["key"], "name": item["name"], "licenseDetails": self.licences.get(item["key"])}
                for item in self.apps
            ]
            host = {"supportEntitlementNumber": self.sen, "organizationName": "Planted Quibble Ltd", "valid": True}
            document = {"plugins": details, "hostStatus": {"hostLicense": host, "safeMode": False}}
            return Response(json.dumps(document), media_type=LICENCES_TYPE)
        return Response("", 404)


@contextmanager
def app_manager(folder: Path, *, secure: bool = True) -> Iterator[AppManagerServer]:
    """A running server; `ca_file` is what to trust."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    running = AppManagerServer(folder / "ca.pem")
    running.scheme = "https" if secure else "http"
    routes = [Route("/{path:path}", running.answer, methods=["GET", "POST", "PUT", "DELETE", "HEAD"])]
    config = uvicorn.Config(Starlette(routes=routes), http="h11", ws="none", lifespan="off", log_level="error")
    config.load()
    config.ssl = context if secure else None
    listener = socket.create_server(("127.0.0.1", 0))
    running.port = listener.getsockname()[1]
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    try:
        wait_until(lambda: server.started)
        yield running
    finally:
        server.should_exit = True
        thread.join(10)
        listener.close()
