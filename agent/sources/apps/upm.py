"""The product's own app manager (UPM) over REST: which apps there are, and with a second question their licences.

In:   the product's address, a login, a deadline for both questions. Nothing else is contacted: no link of an answer is
      followed, no redirect, no proxy. The second question lets the product look whether the Marketplace can be reached,
      as it does when an admin opens the page; `licences = false` leaves it out.
Out:  one row an app (`APP_COLUMNS`), and the Support Entitlement Number. Answers hold licence texts, organisations and
      e-mail addresses: whatever is not in `WANTED` is dropped while the JSON is parsed.
Raise: SourceError with a code that may leave; `wait_s` of `Refused` says how long not to ask again.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import agent
from agent.errors import SourceError
from agent.net.answer import HttpAnswer
from agent.net.deadline import Deadline
from agent.net.error import Fault, NetError
from agent.net.options import HttpLimits, OptionNames, TlsTrust
from agent.product.instance.licence import SEN, licence_kind
from agent.reasons import PASSWORD_BLOCKED, RATE_LIMITED
from agent.settings import Secret
from agent.sources.base import clean_text

LIST = "/rest/plugins/1.0/"
LICENCES = "/rest/plugins/1.0/installed-marketplace"
LIST_TYPE = "application/vnd.atl.plugins.installed+json"
LICENCES_TYPE = "application/vnd.atl.plugins+json"
TYPES = re.compile(r"application/(json|vnd\.atl\.plugins[a-z.\-]*\+json)")

MOST_BYTES = 8 * 1024 * 1024  # 1,000 apps are 2 to 4 MiB, most of it links
# A 403 says whether passwords are blocked there.
LIMITS = HttpLimits(MOST_BYTES, frozenset({200, 403}))
NAMES = OptionNames("[apps] rest_url", "[apps] ca_file")
MOST_COMMAS = 400_000  # bounds what 8 MiB can become: each value of a document but the first needs one
MOST_APPS = 5000
LONGEST_WAIT_S = 3600.0

WANTED = frozenset(
    (
        *("plugins", "key", "name", "version", "enabled", "userInstalled", "usesLicensing"),
        *("licenseDetails", "licenseType", "evaluation", "expiryDate", "maintenanceExpiryDate"),
        *("hostStatus", "hostLicense", "supportEntitlementNumber"),
    )
)
TOKEN = re.compile(r"[A-Za-z0-9._~+/=-]{1,4096}", re.ASCII)

REFUSED = frozenset({"login-refused", "permission-denied", "login-required", PASSWORD_BLOCKED})
Login = tuple[str | None, Secret]  # a user and the password, or None and a personal access token
Row = dict[str, str | None]


@dataclass(frozen=True, slots=True)
class AppManager:
    """Where the app manager answers and as whom; `login` is called for each read and its answer is not kept."""

    url: str
    login: Callable[[], Login] = field(repr=False)
    ca_file: Path | None = None
    licences: bool = True


@dataclass(frozen=True, slots=True)
class AppList:
    """What one read gave. `more`: there were more apps than are taken. `unread`: why there are no licences."""

    rows: tuple[Row, ...]
    sen: str | None = None
    more: bool = False
    unread: SourceError | None = None


class Refused(SourceError):
    """An answer that is none; `wait_s` is what the server asked for."""

    def __init__(self, reason: str, what: str, *, why: str = "", do: str = "", wait_s: float = 0.0) -> None:
        super().__init__(reason, what, why=why, do=do)
        self.wait_s = wait_s


def read_apps(manager: AppManager, deadline_s: float) -> AppList:
    """Every app, in at most two requests. Raises SourceError when there is no list."""
    from agent.net.http import (
        HttpClient,  # brings h11 and ssl: only where an admin asks for apps, at the first question
    )

    # Read for each question and dropped with it: a password changed in its file holds at the next one.
    user, secret = manager.login()
    headers = {
        "Authorization": _authorization(user, secret),
        "User-Agent": f"portfolio-agent/{agent.__version__}",
    }
    base = urlsplit(manager.url.rstrip("/")).path
    # Without it a product lets a wrong password in as anonymous; with a token it would ask for the password.
    basic = "?os_authType=basic" if user is not None else ""
    deadline = Deadline(deadline_s)
    trust = TlsTrust(ca_file=manager.ca_file, strict_chain=False)
    try:
        with HttpClient(manager.url, trust=trust, limits=LIMITS, names=NAMES, headers=headers) as http:

            def ask(path: str, accept: str) -> dict[str, Any]:
                accepted = {"Accept": f"{accept}, application/json;q=0.5"}
                answer = http.request("GET", base + path, deadline, headers=accepted)
                _check(answer, token=user is None)
                return parse(answer.body)

            listed = ask(LIST + basic, LIST_TYPE)
            rows, more = _rows(listed)
            if not manager.licences:
                return AppList(tuple(rows), None, more)
            try:
                detailed = ask(LICENCES + basic, LICENCES_TYPE)
            except (NetError, SourceError) as error:
                # anew: the frames of the attempt, which a traceback keeps, hold the login
                failed = _source_error(error)
                unread = SourceError(failed.reason, failed.what, why=failed.why, do=failed.do)
                return AppList(tuple(rows), _sen(listed), more, unread)
    except NetError as error:
        raise _source_error(error) from None
    _add_licences(rows, detailed)
    return AppList(tuple(rows), _sen(detailed) or _sen(listed), more)


def _authorization(user: str | None, secret: Secret) -> str:
    if user is not None:
        return "Basic " + base64.b64encode(f"{user}:{secret.reveal()}".encode()).decode("ascii")
    # libraries put a bad header value into their exceptions, so it is looked at first
    if not TOKEN.fullmatch(secret.reveal()):
        raise SourceError(
            "login-unreadable",
            "The personal access token is not shaped like one.",
            why="It has characters that no token has.",
            do="Put the token alone into the file, in one line.",
        )
    return "Bearer " + secret.reveal()


# answers


def _check(answer: HttpAnswer, *, token: bool) -> None:
    status, retry_after = answer.status, answer.headers.get("retry-after", "")
    if status == 200:
        media = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
        if TYPES.fullmatch(media):
            _check_who(answer, token=token)
            return
        if media == "text/html":
            raise SourceError(
                "login-required",
                "A web page came in place of the list of apps.",
                why="It is most likely a login page: single sign-on, a proxy, or a login that was not taken.",
                do="Use a personal access token, and the product's own address in [apps] rest_url.",
            )
        raise _not_the_app_manager("The answer is not JSON.")
    wait_s = float(retry_after) if re.fullmatch(r"[0-9]{1,6}", retry_after) else 0.0
    if status == 403 and not token and PASSWORDS_BLOCKED.search(answer.body[:MOST_MESSAGE]):
        raise Refused(PASSWORD_BLOCKED, "The product takes no passwords over REST.", why=_BLOCKED_WHY, do=_BLOCKED_DO)
    reason, what, do = _words(status, token=token)
    raise Refused(reason, what, why=f"HTTP status {status}.", do=do, wait_s=min(wait_s, LONGEST_WAIT_S))


def _check_who(answer: HttpAnswer, *, token: bool) -> None:
    """A token that is wrong or has ended may be answered as nobody's, with 200: what nobody sees is not the list."""
    reason = answer.headers.get("x-seraph-loginreason", "").upper()
    if answer.headers.get("x-ausername", "").lower() == "anonymous" or "AUTHENTICATED_FAILED" in reason:
        what, kind = "The product answers as if nobody had logged in.", "token" if token else "password"
        raise Refused(
            "login-refused",
            what,
            why=f"It does not take the {kind} of [apps].",
            do=_NEW_TOKEN if token else _NEW_PASSWORD,
        )


_AGAIN = "It is not tried again before that file changes or an hour has passed."
_NEW_TOKEN = f"Make a new personal access token (this one is wrong or has ended) and put it into its file. {_AGAIN}"
_NEW_PASSWORD = (
    "Put the valid password into the file of [apps], or use a personal access token; if the account is asked for a"
    f" CAPTCHA, log in once in the browser. {_AGAIN}"
)
# What the products' own filter says; it came with the SSO app and is on by default in newer lines.
PASSWORDS_BLOCKED = re.compile(rb"basic auth[a-z]* (?:has been|is) disabled", re.I)
MOST_MESSAGE = 4096
_BLOCKED_WHY = (
    "Basic authentication is switched off there, as it is by default in Jira 11, Confluence 10.2 and Bitbucket 10."
)
_BLOCKED_DO = (
    "Make a personal access token for the account and set [apps] token_file in place of user and password_file; or let"
    " an administrator allow the account: /rest/basicauth/1.0/config, allowed-users."
)


def _words(status: int, *, token: bool) -> tuple[str, str, str]:
    if status == 401:
        do = _NEW_TOKEN if token else _NEW_PASSWORD
        return "login-refused", "The product refuses the login of [apps].", do
    if status == 403:
        do = (
            "Give the account administration rights, or log in once in the browser if it is asked for a CAPTCHA."
            " It is not tried again before the file of the login changes or an hour has passed."
        )
        return "permission-denied", "The login of [apps] may not see the apps.", do
    if status == 404:
        do = "Correct [apps] rest_url: is the context path in it?"
        return "wrong-port", "There is no app manager at that address.", do
    if status == 429:
        return RATE_LIMITED, "The product limits how often it may be asked.", "Exempt the account of [apps] there."
    if 300 <= status < 400:
        return "protocol-error", "The product redirects, which is not followed.", "Set the final [apps] rest_url."
    return "remote-failure", "The product cannot answer.", "It may be starting; if it lasts, look at its log."


def _not_the_app_manager(why: str) -> SourceError:
    do = "Check [apps] rest_url."
    return SourceError("protocol-error", "What answers there is not the app manager.", why=why, do=do)


_TLS_FAILED = (
    "tls-failed",
    "No safe connection to the product.",
    "Name the authority of its certificate in [apps] ca_file; TLS 1.2 with forward secrecy is needed.",
)
_NOT_TLS = ("tls-failed", "What answers there does not speak TLS.", "Correct the port in [apps] rest_url.")
_LOST = (
    "connection-lost",
    "The product closed the connection.",
    "It is tried again; if it lasts, see its log.",
)
_NET_WORDS = {
    Fault.REFUSED: (
        "refused",
        "Nothing listens at [apps] rest_url.",
        "Start the product, or correct the address.",
    ),
    Fault.UNREACHABLE: (
        "unreachable",
        "The address in [apps] rest_url does not answer.",
        "Allow this host to connect there.",
    ),
    Fault.NAME: (
        "unknown-host",
        "The host in [apps] rest_url is not known here.",
        "Correct it, or check the name server.",
    ),
    Fault.TIMEOUT: ("timeout", "The app manager did not answer in time.", "See whether the product is busy."),
    Fault.NOT_HTTP: (
        "wrong-port",
        "What answers there does not speak HTTP.",
        "Correct [apps] rest_url; https or http?",
    ),
    Fault.TLS: _TLS_FAILED,
    Fault.TLS_FILES: _TLS_FAILED,
    Fault.UNTRUSTED: _TLS_FAILED,
    Fault.NOT_TLS: _NOT_TLS,
    Fault.TLS_CUT: _NOT_TLS,
    Fault.CERTIFICATE_WANTED: (
        "client-certificate-required",
        "The product wants a client certificate.",
        "Set an address of the product in [apps] rest_url that does not.",
    ),
    Fault.LOST: _LOST,
    Fault.TOO_LARGE: (
        "reply-too-large",
        "The list of apps is larger than the agent takes.",
        "Check [apps] rest_url.",
    ),
}


def _source_error(error: NetError | SourceError) -> SourceError:
    if isinstance(error, SourceError):
        return error
    reason, what, do = _NET_WORDS.get(error.fault, _LOST)
    return SourceError(reason, what, why=error.why, do=do)


def parse(body: bytes) -> dict[str, Any]:
    """The document, only with the keys in `WANTED`. Raises SourceError for anything else, however deep or long."""
    # Before parsing, which is what costs: three bytes of text become an object of their own.
    if body.count(b",") > MOST_COMMAS:
        raise SourceError("reply-too-large", "The list of apps is larger than the agent takes.", do="Check rest_url.")
    try:
        document = json.loads(body.decode("utf-8"), object_pairs_hook=_wanted)
    except (ValueError, RecursionError):
        # not chained: the exception carries the text
        raise _not_the_app_manager("The answer is no JSON.") from None
    if not isinstance(document, dict) or not isinstance(document.get("plugins"), list):
        raise _not_the_app_manager("The answer has no list of apps.")
    return document


def _wanted(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    # While parsing and not after it: what is not wanted (licence texts, organisations, addresses) never becomes a
    # value.
    return {key: value for key, value in pairs if key in WANTED}


# rows


def _rows(document: dict[str, Any]) -> tuple[list[Row], bool]:
    listed = [item for item in document["plugins"] if isinstance(item, dict)]
    if not any(isinstance(item.get("key"), str) for item in listed):
        # The app manager is an app itself: an empty list must not look as if all apps had been removed.
        raise _not_the_app_manager("It lists no app, not even itself.")
    return [_row(item) for item in listed[:MOST_APPS]], len(listed) > MOST_APPS


def _row(item: dict[str, Any]) -> Row:
    return {
        "app": _text(item, "key"),
        "name": _text(item, "name"),
        "version": _text(item, "version"),
        "state": _either(item.get("enabled"), "enabled", "disabled"),
        "origin": _either(item.get("userInstalled"), "user-installed", "system"),
        "licence": _either(item.get("usesLicensing"), None, "not-needed"),
    }


def _add_licences(rows: Iterable[Row], document: dict[str, Any]) -> None:
    details = {
        clean_text(item["key"]).strip(): item.get("licenseDetails")
        for item in document["plugins"]
        if isinstance(item, dict) and isinstance(item.get("key"), str)
    }
    for row in rows:
        found = details.get(row["app"] or "")
        if isinstance(found, dict):
            row["licence"] = _kind(found.get("licenseType"))
            row["evaluation"] = _either(found.get("evaluation"), "true", "false")
            row["licence_ends"] = _instant(found.get("expiryDate")) or _instant(found.get("maintenanceExpiryDate"))
        elif row["licence"] is None and row["app"] in details:
            row["licence"] = "none"


def _kind(value: object) -> str | None:
    return licence_kind(value) if isinstance(value, str) else None


def _sen(document: dict[str, Any]) -> str | None:
    """Of the product's own licence; in one of the two shapes it may have."""
    status = document.get("hostStatus")
    licence = status.get("hostLicense") if isinstance(status, dict) else None
    text = licence.get("supportEntitlementNumber") if isinstance(licence, dict) else None
    return text if isinstance(text, str) and SEN.fullmatch(text) else None


def _text(item: dict[str, Any], key: str) -> str | None:
    value = item.get(key)
    return clean_text(value).strip() or None if isinstance(value, str) else None


def _either(value: object, yes: str | None, no: str) -> str | None:
    return (yes if value else no) if isinstance(value, bool) else None


def _instant(value: object) -> str | None:
    """Milliseconds since 1970 as an instant; None for what is no date."""
    if isinstance(value, bool) or not isinstance(value, int) or not 0 < value < 253_402_300_800_000:
        return None
    return datetime.fromtimestamp(value // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
