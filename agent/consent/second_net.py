"""The second net: what must never leave is looked for in every text that the first rules would let out.

In:   a text that people or programs chose (an app's name, a pool, a context, a version) and what its field holds.
Out:  None when nothing is found, else what was found and the text with a fixed mark in its place.
Found are: e-mail addresses (also spelled out: "erika at example dot com"), credentials by their key word or command
line, tokens by their shape or by their look, addresses with a login, any link, private keys, IP and hardware
addresses, private hosts and home folders, telephone, card and account numbers. Each also percent-encoded, HTML-escaped,
backslash-escaped, in full-width signs, or several of these over each other.

What stands behind a key word is cut to the end of the text: where a password ends cannot be known. In doubt it is cut:
a title such as "Password: the plugin" loses its end. What no look gives away (a bare "hunter2", a person's name) is not
found here; the catalog's shapes and the consent level are what keeps that.

The patterns are compiled at the first text, not at the import: the daemon's start must not pay for them.
Whoever changes what is found raises `RULES_EDITION` (a test asks for it).
"""

from __future__ import annotations

import base64
import binascii
import re
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, lru_cache

from agent.catalog import DataType

REMOVED = "[removed]"
# A tick brings the same few hundred texts again and again; ten million different ones must not stay in memory.
REMEMBERED_TEXTS = 4096
ROUNDS = 6  # of escapes within escapes; what is wrapped deeper is no name

EMAIL = "an e-mail address"
CREDENTIAL = "a credential"
TOKEN = "a token or key"
LINK = "a link"
ADDRESS = "a network address"
HOST = "a private host"
FOLDER = "a home folder"
NUMBER = "a telephone, card or account number"

# An address of the product is what such a field is for; it has no login, query or fragment (the rule for it says so).
MAY_HOLD: dict[DataType, frozenset[str]] = {DataType.URL: frozenset({LINK, ADDRESS, HOST, FOLDER})}
# Keys of apps and classes are made like a host's name ("com.example.internal").
_NO_HOSTS = frozenset({HOST})

Span = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Found:
    """What stands in a text that must not leave, in words, and the text with `REMOVED` in its place."""

    what: str
    without: str


@dataclass(frozen=True, slots=True)
class _Pattern:
    kind: str
    look: re.Pattern[str]
    is_one: Callable[[str, DataType], bool] = lambda _text, _data_type: True


@lru_cache(maxsize=REMEMBERED_TEXTS)
def search(text: str, data_type: DataType) -> Found | None:
    """What of `text` must not leave in a field of `data_type`; None when nothing is found."""
    if _harmless().fullmatch(text):
        return None
    origin = _unescaped(text)
    if origin is None:
        return Found("a text that is escaped many times over", REMOVED)
    spans: list[tuple[Span, str]] = []
    plain = "".join(sign for sign, _ in origin)
    for (first, behind), kind in _finds(plain, data_type):
        spans.append(((origin[first][1][0], origin[behind - 1][1][1]), kind))
    if not spans:
        return None
    kinds = dict.fromkeys(kind for _, kind in spans)
    return Found(" and ".join(kinds), _cut(text, sorted(span for span, _ in spans)))


def _cut(text: str, spans: list[Span]) -> str:
    """`text` with one mark for each stretch of `spans`, which are sorted and may overlap."""
    kept, at = "", 0
    for first, behind in spans:
        if first > at or not kept:
            kept += text[at:first] + REMOVED
        at = max(at, behind)
    return kept + text[at:]


def _finds(plain: str, data_type: DataType, depth: int = 0) -> Iterator[tuple[Span, str]]:
    skipped = MAY_HOLD.get(data_type, frozenset() if data_type is DataType.NAME else _NO_HOSTS)
    for pattern in _patterns():
        if pattern.kind in skipped:
            continue
        for hit in pattern.look.finditer(plain):
            if hit[0] and pattern.is_one(hit[0], data_type):
                yield hit.span(), pattern.kind
    if depth == 0:
        for hit in _encoded().finditer(plain):
            inner = _base64_text(hit[0])
            if inner and (":" in inner or any(_finds(inner, DataType.NAME, depth + 1))):
                yield hit.span(), TOKEN


@cache
def _harmless() -> re.Pattern[str]:
    """Letters of any script in short words, without the words and signs that a find needs: most names."""
    words = "at|ät|dot|bearer|basic|pass|pw|secret|token|key|auth|user|login|pin|otp|credential|cookie|sess"
    return re.compile(rf"(?i:(?!.*(?:{words}|kennw|senha|wacht|geslo|has[lł]o|[^\x00-\xff]))[^\W\d_'’&!?() -]{{1,15}}"
                      rf"(?:(?: - | & | |-)[^\W\d_]{{1,15}})*)")  # fmt: skip


# --- the text below its escapes


@cache
def _escape() -> re.Pattern[str]:
    return re.compile(
        r"(?:%[0-9a-f]{2})+|&(?:#\d{1,8}|#x[0-9a-f]{1,7}|[a-z][a-z0-9]{1,31});?"
        r"|\\u\{[0-9a-f]{1,6}\}|\\u[0-9a-f]{4}|\\x[0-9a-f]{2}|%u[0-9a-f]{4}",
        re.IGNORECASE,
    )


def _unescaped(text: str) -> list[tuple[str, Span]] | None:
    """Each sign below all escapes, with the stretch of `text` it comes from; None: escaped without end."""
    signs = _folded([(sign, (at, at + 1)) for at, sign in enumerate(text)])
    for _ in range(ROUNDS):
        plain = "".join(sign for sign, _ in signs)
        below: list[tuple[str, Span]] = []
        at = 0
        for hit in _escape().finditer(plain):
            below += signs[at : hit.start()]
            span = signs[hit.start()][1][0], signs[hit.end() - 1][1][1]
            below += [(sign, span) for sign in _meant(hit[0])]
            at = hit.end()
        signs = _folded(below + signs[at:])
        if "".join(sign for sign, _ in signs) == plain:
            return signs
    return None


def _meant(escape: str) -> str:
    """What one escape stands for; itself when it stands for nothing."""
    if escape[0] == "&":
        from html import unescape  # a table of two thousand names: only where a text has such a sign

        return unescape(escape)
    if escape[0] == "%" and escape[1] not in "uU":
        return bytes.fromhex(escape.replace("%", "")).decode("utf-8", "replace")
    try:
        return chr(int(escape[2:].strip("{}"), 16))
    except (ValueError, OverflowError):
        return escape


def _folded(signs: list[tuple[str, Span]]) -> list[tuple[str, Span]]:
    """Full-width and other forms as plain signs; what cannot be seen is gone, so that it parts nothing."""
    return [
        (one, span)
        for sign, span in signs
        for one in (sign if sign.isascii() else unicodedata.normalize("NFKC", sign))
        if one.isascii() or unicodedata.category(one)[0] != "C"
    ]


# --- what is looked for

_KEYS = (
    r"pass(?:wor[dt]|wd|phrase|code)s?|kennw[oö]rt|pwd|psswd|secrets?|tokens?|credentials?|authori[sz]ation"
    r"|(?:api|access|private|account|shared|encryption|master|licen[sc]e)[ _.-]?keys?|client[ _.-]?id"
    r"|session[ _.-]?id|jsessionid|set-cookie|mot de passe|contrase(?:ñ|n)a|senha|wachtwoord|l[öo]senord"
    r"|salasana|parola|has[lł]o|heslo|parool|пароль|密码|密碼|パスワード|비밀번호|暗証番号"
)
_SHORT_KEYS = r"pass|pw|pin|otp|auth|cookie|sig|signature|creds?"
_IS = r"[\"'\])}]{0,3}\s*(?:=>|->|→|:=|[=:>]|\b(?:is|ist|lautet|est|es)\b)\s*"
_SIGN = r"[^\s@,;:<>()\[\]{}\"]"  # of a mail name as it mostly is
_AT = r"(?:\s*[(\[{<_*-]+\s*(?:at|ät|@)\s*[)\]}>_*-]+\s*|\s+(?:at|ät)\s+)"
_DOT = r"(?:\s*[(\[{<_*-]+\s*(?:dot|punkt|point|\.)\s*[)\]}>_*-]+\s*|\s+(?:dot|punkt)\s+|[.。])"
_SCHEMES = (
    r"tokens?|auth\w*|for|and|of|in|to|with|from|the|scheme|based|security|services?|login|support|plugin|app|api|sso"
)


@cache
def _patterns() -> tuple[_Pattern, ...]:
    def one(
        kind: str, look: str, is_one: Callable[[str, DataType], bool] = lambda _text, _data_type: True
    ) -> _Pattern:
        return _Pattern(kind, re.compile(look, re.IGNORECASE), is_one)

    return (
        # A login before a host, with or without a scheme: all of the address, up to the next space.
        one(LINK, r"[a-z][a-z0-9+.-]*:(?:[a-z0-9]+:)*/{1,2}[^\s/@]*@\S*"),
        one(CREDENTIAL, r"[^\s/:@,;(]+:[^\s@]*@[^\s@]+"),
        # The name may be quoted, have a comment, or hold nearly any sign; further parts behind a second "@" too.
        one(EMAIL, rf'(?:"(?:\\.|[^"\\])*"|{_SIGN}+(?:\([^)]*\))?|\S+[)>\]}}"])(?:@[^\s@,;<>(){{}}"|]+)+'),
        one(EMAIL, rf"(?:\"[^\"]*\"|{_SIGN}+)\s+@\s*[\w-]+(?:\s*[.。]\s*[\w-]+)*\s*[.。]\s*(?:xn--[\w-]+|[^\W\d_]{{2,}})"),
        one(EMAIL, rf"{_SIGN}+@\s+[\w-]+(?:[.。][\w-]+)*[.。](?:xn--[\w-]+|[^\W\d_]{{2,}})"),
        one(EMAIL, rf"{_SIGN}+{_AT}[\w-]+(?:{_DOT}[\w-]+)*{_DOT}(?:xn--[\w-]+|[^\W\d_]{{2,}})"),
        one(EMAIL, rf"{_SIGN}+@[\w-]+(?:{_DOT}[\w-]+)+"),
        # A key word anywhere in a name ("spring.datasource.password"), and all that follows it.
        one(CREDENTIAL, rf"[\w.-]*(?:{_KEYS})[\w.-]*{_IS}\S.*"),
        one(CREDENTIAL, rf"(?<![^\W\d_])(?:{_SHORT_KEYS}){_IS}\S.*"),
        one(CREDENTIAL, r"[\w.-]*(?:pass|pw|key|user|usr|uid|login|account|benutzer)[\w.-]*[\"']?\s*=>?\s*\S.*"),
        one(CREDENTIAL, r"(?:user[ _.-]?(?:name|id)|login[ _.-]?name|benutzername)[\"']?\s*:\s*\S.*"),
        one(CREDENTIAL, rf"(?<![^\W\d_])(?:{_KEYS}|pass|pw)\s*[\"'“”„‘«`].*"),
        one(CREDENTIAL, rf"(?<![^\W\d_])(?:{_KEYS}|pw)\s+(?=\S*\d)(?=\S*[^\W\d_])\S{{6,}}"),
        one(CREDENTIAL, r"(?<!\S)--?(?:p|u|pw|pass\w*|pwd|token|secret|api-?key|user(?:name)?|login)[ =]\s*\S.*"),
        one(CREDENTIAL, rf"\bbearer\s+(?!(?:{_SCHEMES})\b)[^\s,;]{{6,}}"),
        one(CREDENTIAL, r"\b(?:basic|negotiate|ntlm|digest)\s+[a-z0-9+/_-]{6,}={0,2}", _is_login),
        one(TOKEN, r"-----\s*BEGIN[ A-Z0-9]*-----.*?(?:-----\s*END[ A-Z0-9]*-----|$)"),
        one(TOKEN, r"-{2,}\s*BEGIN[ A-Z0-9]*(?:KEY|CERTIFICATE).*"),
        one(TOKEN, r"\b(?:ssh-(?:rsa|ed25519|dss)|ecdsa-sha2-\S+)\s+\S+"),
        one(TOKEN, r"\beyJ[\w-]{5,}(?:\.[\w=-]*)+"),
        # Makers who give their tokens a beginning.
        one(
            TOKEN,
            r"(?<![a-z0-9])(?:A(?:KIA|SIA|BIA|CCA|GPA|IDA|ROA|IPA|NPA|NVA)[A-Z0-9]{12,}|gh[pousr]_\w{10,}|github_pat_\w{10,}"
            r"|gl(?:pat|ptt|rt|dt|ft|soat|agent|cbt|imt|ffct)-[\w.-]{8,}|xox[a-z]-[\w-]{6,}|xapp-[\w-]{6,}"
            r"|AT(?:ATT|CTT|BB|STT|OA)[\w=-]{6,}|[sr]k_(?:live|test)_\w{6,}|AIza[\w-]{20,}|ya29\.[\w.-]{6,}"
            r"|sk-[\w-]{12,}|npm_\w{10,}|pypi-[\w-]{10,}|SG\.[\w-]{6,}\.[\w-]{6,}|do[opr]_v1_\w{10,}|hf_\w{10,}"
            r"|hv[sbr]\.[\w-]{6,}|dapi[0-9a-f]{10,}|shp(?:at|ca|pa|ss)_\w{6,}|\d{8,10}:[\w-]{30,}|lin_api_\w{6,})",
        ),
        one(TOKEN, r"(?<![a-z0-9])[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}(?![a-z0-9])"),
        one(TOKEN, r"(?<![a-z0-9])(?=[0-9a-f]*\d)(?=[0-9a-f]*[a-f])[0-9a-f]{16,}(?![a-z0-9])"),
        one(TOKEN, r"(?<![a-z0-9])(?:[0-9a-f]{2}[:]){7,}[0-9a-f]{2}(?![a-z0-9])"),
        one(TOKEN, r"[a-z0-9+/_-]{16,}={0,2}", _is_random),
        one(LINK, r"[a-z][a-z0-9+.-]*:(?:[a-z0-9]+:)*//\S+|\bjdbc:\S+|\bmailto:\S+|\bwww\.\S+"),
        one(ADDRESS, r"(?<![\d.])(?:\d{1,3}\.){3}\d{1,3}(?![\d.]*\d)", _is_ip4),
        one(ADDRESS, r"(?<![\w:.])[0-9a-f:.]*:[0-9a-f:.]*:[0-9a-f:.]*(?:%\w+)?(?![\w:])", _is_ip6),
        one(ADDRESS, r"(?<![0-9a-z])(?:[0-9a-f]{2}[:-]){5}[0-9a-f]{2}(?![0-9a-z])|(?<!\w)(?:[0-9a-f]{4}\.){2}[0-9a-f]{4}(?!\w)"),
        one(HOST, r"\b(?:[\w-]+\.)+(?:local|localdomain|internal|corp|lan|intra|intranet|home\.arpa|private)\b"),
        one(FOLDER, r"(?<![\w.])(?:/home/|/users/|/root\b|[a-z]:[\\/]+users[\\/]+|\\\\[\w.-]+\\)\S*"),
        one(NUMBER, r"(?<![\w+])\+\s?\(?\d(?:[ ()/.-]{0,2}\d){6,14}(?!\w)"),
        one(NUMBER, r"(?<![\w.])\(?0\d{1,5}\)?(?:[ /-]{1,3}\d+){1,5}(?![\w.])", _has_digits(8)),
        one(NUMBER, r"(?<![\w.-])(?:\(\d{3}\) ?|\d{3}[ -])\d{3}[ -]\d{4}(?![\w.-])"),
        one(NUMBER, r"(?<![\w.-])\d{3}-\d{2}-\d{4}(?![\w.-])"),
        one(NUMBER, r"(?<![\w.])\d{11,}(?![\w.])", _is_no_date),
        one(NUMBER, r"(?<![\w.])\d(?:[ -]?\d){12,18}(?!\w)", _is_card),
        one(NUMBER, r"(?<![a-z0-9])[A-Z]{2}\d{2}(?: ?[A-Z0-9]){11,30}(?![a-z0-9])", _is_iban),
    )  # fmt: skip


@cache
def _encoded() -> re.Pattern[str]:
    return re.compile(r"(?<![a-z0-9+/_-])[a-z0-9+/_-]{12,}={0,2}", re.IGNORECASE)


def _base64_text(text: str) -> str:
    """What a run reads when it is base64 of printable text; "" when it is none."""
    bare = text.rstrip("=").replace("-", "+").replace("_", "/")
    try:
        plain = base64.b64decode(bare + "=" * (-len(bare) % 4), validate=True).decode("utf-8")
    except (binascii.Error, ValueError):
        return ""
    return plain if plain.isprintable() else ""


def _is_login(text: str, _data_type: DataType) -> bool:
    """A scheme with what only a program would write behind it, not "Basic Gantt"."""
    value = text.split()[-1]
    return ":" in _base64_text(value) or value.endswith("=") or len(value) > 40 or any(map(str.isdigit, value))


def _is_random(text: str, _data_type: DataType) -> bool:
    """Whether letters and digits change places as in a key, and not as in words with a number behind them.

    Measured on 2,000 keys of each kind: of 32 random bytes in base64 99.9 % are found, of 16 bytes 96 %, of 24 letters
    and digits 98 %, of 16 of them 89 %, of hexadecimal all. Of the names in the catalogs of the five products none.
    """
    signs = [sign for sign in text if sign.isalnum()]
    kinds = ["d" if sign.isdigit() else "u" if sign.isupper() else "l" for sign in signs]
    changes = sum(1 for one, other in zip(kinds, kinds[1:], strict=False) if one != other)
    if len(signs) < 14 or changes < 3:
        return False
    share, digits = changes / len(signs), kinds.count("d")
    # "10.11.6-MariaDB-0+deb12u1-log" is made of short pieces, and changes less often than a key does.
    if share < 0.5 and max(map(len, re.split(r"[+/_-]", text.rstrip("=")))) < 10:
        return False
    return share >= 0.18 if digits >= 2 else share >= 0.45 and len(signs) >= 20 - 5 * digits


def _is_ip4(text: str, data_type: DataType) -> bool:
    """Four numbers up to 255. "5.0.0.12" is also a version: there only what no version begins with is an address."""
    first, *others = (int(part) for part in text.split("."))
    if any(part > 255 for part in (first, *others)):
        return False
    return data_type is not DataType.VERSION or first in (10, 127) or first >= 100


def _is_ip6(text: str, _data_type: DataType) -> bool:
    if not any(sign in "0123456789abcdef" for sign in text.lower()):
        return False
    from ipaddress import AddressValueError, IPv6Address  # rarely wanted

    try:
        IPv6Address(text.rstrip("."))
    except AddressValueError:
        return False
    return True


def _has_digits(least: int) -> Callable[[str, DataType], bool]:
    return lambda text, _data_type: sum(map(str.isdigit, text)) >= least


def _is_no_date(text: str, _data_type: DataType) -> bool:
    """"20231130123045" is when a version was built."""
    return re.match(r"(?:19|20)\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])", text) is None or len(text) > 17


def _is_card(text: str, data_type: DataType) -> bool:
    """By its check digit (Luhn)."""
    digits = [int(sign) for sign in text if sign.isdigit()]
    doubled = [digit if at % 2 == 0 else sum(divmod(2 * digit, 10)) for at, digit in enumerate(reversed(digits))]
    return sum(doubled) % 10 == 0 and _is_no_date("".join(map(str, digits)), data_type)


def _is_iban(text: str, _data_type: DataType) -> bool:
    """By its check digits (modulo 97)."""
    signs = text.replace(" ", "").upper()
    number = "".join(str(int(sign, 36)) for sign in signs[4:] + signs[:4])
    return int(number) % 97 == 1
