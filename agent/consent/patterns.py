"""What must never leave, by its look: patterns for the second net.

A pattern says of what kind its find is, and may ask further what no expression can say (a check digit, whether letters
change as in a key). All ignore case. They see texts of at most some hundred signs, chosen by whoever wants to be slow:
a pattern that may begin anywhere begins only where no sign of its own stands before, or 200 signs cost 40 ms in place
of 2. They are compiled at the first text, not at the import: a daemon without names never pays for them.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from itertools import pairwise

from agent.catalog import DataType

EMAIL = "an e-mail address"
CREDENTIAL = "a credential"
TOKEN = "a token or key"  # noqa: S105 -- the word for one
LINK = "a link"
ADDRESS = "a network address"
HOST = "a private host"
FOLDER = "a home folder"
NUMBER = "a telephone, card or account number"

Check = Callable[[str, DataType], bool]


def _always(_text: str, _data_type: DataType) -> bool:
    return True


@dataclass(frozen=True, slots=True)
class Pattern:
    """One look of one kind; a hit counts when `is_one` says so of the text and the field it stands in."""

    kind: str
    look: re.Pattern[str]
    is_one: Check = _always


@cache
def patterns() -> tuple[Pattern, ...]:
    """All of them; the order decides nothing."""
    groups = (_LOGINS, _EMAILS, _CREDENTIALS, _TOKENS, _PLACES, _NUMBERS)
    return tuple(
        Pattern(kind, re.compile(look, re.IGNORECASE), check) for group in groups for kind, look, check in group
    )


@cache
def harmless() -> re.Pattern[str]:
    """Words and small numbers with single signs between, without any word a find needs: most names and identifiers.

    What matches has none of the looks below, and is told in a tenth of the time: a page of an assessment is 100,000
    keys. No piece is long enough for a token, six digits are too few for a number, four numbers with dots an address.
    """
    words = r"at|ät|dot|punkt|bearer|basic|negotiate|ntlm|digest|www|hooks|local|localdomain|internal|corp|lan|intra"
    never = rf"\b(?:{words}|intranet|arpa|private)\b|{_KEYS}|{_SHORT_KEYS}|user|login|AT(?:ATT|CTT|BB|STT|OA)"
    piece = r"(?:[^\W\d_]{1,15}|[^\W\d_]{1,13}\d{1,2}|\d{1,6})(?!\w)"  # no text is two of them: nothing to try twice
    return re.compile(
        rf"(?i:(?!.*(?:{never}))(?!(?:\D*\d){{7}})(?!.*\d\.\d+\.\d+\.\d){piece}(?:(?: - | & |[ .-]){piece})*)"
    )


def base64_text(text: str) -> str:
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
    return ":" in base64_text(value) or value.endswith("=") or len(value) > 40 or any(map(str.isdigit, value))


def _is_random(text: str, _data_type: DataType) -> bool:
    """Whether letters and digits change places as in a key, and not as in words with a number behind them.

    Measured on 2,000 keys of each kind: of 32 random bytes in base64 99.9 % are found, of 16 bytes 96 %, of 24 letters
    and digits 98 %, of 16 of them 89 %, of hexadecimal all. Of the names in the catalogs of the five products none.
    """
    signs = [sign for sign in text if sign.isalnum()]
    kinds = ["d" if sign.isdigit() else "u" if sign.isupper() else "l" for sign in signs]
    changes = sum(1 for one, other in pairwise(kinds) if one != other)
    if len(signs) < 14 or changes < 3:
        return False
    if sum(map(len, _WORDS.findall(text))) > 0.8 * len(signs):
        return False  # "JiraTaskExecutionThread-12"
    share, digits = changes / len(signs), kinds.count("d")
    # "10.11.6-MariaDB-0+deb12u1-log" is made of short pieces, and changes less often than a key does.
    if share < 0.5 and max(map(len, re.split(r"[+/_-]", text.rstrip("=")))) < 10:
        return False
    return share >= 0.18 if digits >= 2 else share >= 0.45 and len(signs) >= 20 - 5 * digits


_WORDS = re.compile(r"[A-Z]?[a-z]{2,}")


def _is_ip4(text: str, data_type: DataType) -> bool:
    """Four numbers up to 255. "5.0.0.12" is also a version: there only what no version begins with is an address."""
    first, *others = (int(part) for part in re.findall(r"\d+", text))
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


def _is_host(text: str, data_type: DataType) -> bool:
    """A private host; the key of an app or a class ends like one too, but begins with the end of a domain."""
    return data_type is DataType.NAME or re.match(r"(?:com|org|net|edu|gov|info|biz|(?!db)[a-z]{2})\.", text) is None


def _has_nine_digits(text: str, _data_type: DataType) -> bool:
    return sum(map(str.isdigit, text)) >= 9


def _is_no_date(text: str, _data_type: DataType) -> bool:
    """ "20231130123045" is when a version was built."""
    return re.match(r"(?:19|20)\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])", text) is None or len(text) > 17


def _is_no_version(_text: str, data_type: DataType) -> bool:
    return data_type is not DataType.VERSION


def _is_card(text: str, data_type: DataType) -> bool:
    """By its check digit (Luhn)."""
    digits = [int(sign) for sign in text if sign.isdigit()]
    doubled = [digit if at % 2 == 0 else sum(divmod(2 * digit, 10)) for at, digit in enumerate(reversed(digits))]
    return sum(doubled) % 10 == 0 and _is_no_date("".join(map(str, digits)), data_type)


def _is_iban(text: str, _data_type: DataType) -> bool:
    """By its check digits (modulo 97)."""
    signs = re.sub(r"[ -]", "", text).upper()
    number = "".join(str(int(sign, 36)) for sign in signs[4:] + signs[:4])
    return int(number) % 97 == 1


# --- the looks. `(?<!X)X+` begins at the first sign of a run only.

_BEFORE_WORD, _BEHIND_WORD = r"(?<![a-z0-9])", r"(?![a-z0-9])"

# A login before a host, with or without a scheme: all of the address, up to the next space.
_LOGINS: tuple[tuple[str, str, Check], ...] = (
    (LINK, r"(?<![a-z])[a-z][a-z0-9+.-]*:(?:[a-z0-9]+:)*/{1,2}[^\s/@]*@\S*", _always),
    (CREDENTIAL, r"(?<![^\s/:@,;(])[^\s/:@,;(]+:[^\s@]*@[^\s@]+", _always),
)

_SIGN = r"[^\s@,;:<>()\[\]{}\"]"  # of a mail name as it mostly is
_NAME = rf"(?<!{_SIGN}){_SIGN}+"
_QUOTED = r"\"(?:\\.|[^\"\\])*\""
_OPEN, _SHUT = r"\s*+[(\[{<_*'\"|~/-]++\s*+", r"\s*+[)\]}>_*'\"|~/-]++\s*+"
_AT = rf"(?:{_OPEN}(?:at|ät|@){_SHUT}|\s+(?:at|ät)\s+)"
_DOT = rf"(?:{_OPEN}(?:dot|punkt|point|\.){_SHUT}|\s+(?:dot|punkt)\s+|\s?[.。]\s?)"
_LAST = r"(?:xn--[\w-]+|[^\W\d_]{2,})"  # the end of a domain has no digit: "CPU @ 2.50GHz" is no address
_EMAILS: tuple[tuple[str, str, Check], ...] = (
    # The name may be quoted, have a comment, or hold nearly any sign; further parts behind a second "@" too.
    (EMAIL, rf"(?:{_QUOTED}|{_NAME}(?:\([^)]*\))?|(?<!\S)\S+[)>\]}}\"])(?:@[^\s@,;<>(){{}}\"|]+)+", _always),
    (EMAIL, rf"(?:{_QUOTED}|{_NAME})\s+@\s*[\w-]+(?:\s*[.。]\s*[\w-]+)*\s*[.。]\s*{_LAST}", _always),
    (EMAIL, rf"{_NAME}@\s+[\w-]+(?:[.。][\w-]+)*[.。]{_LAST}", _always),
    # Spelled out, for people: "erika at example dot com", "erika[at]example[.]com".
    (EMAIL, rf"{_NAME}{_AT}[\w-]+(?:{_DOT}[\w-]+)*{_DOT}{_LAST}", _always),
    (EMAIL, rf"{_NAME}@[\w-]+(?:{_DOT}[\w-]+)+", _always),
)

_KEYS = (
    r"p[a4@][s5$]{2}[ _-]?w[o0]r[dt]s?|pass(?:wd|[ _-]?phrase|[ _-]?code)s?|pass?wd|pwd|psw"
    r"|secrets?|tokens?|credentials?|authori[sz]ation|sess(?:ion)?[ _.-]?id|connect\.sid|set-cookie"
    r"|(?:api|access|private|account|shared|encryption|master|licen[sc]e)[ _.-]?keys?|client[ _.-]?id"
    r"|kennw[oö]rt|mot de passe|contrase(?:ñ|n)a|senha|wachtwoord|l[öo]senord|salasana|parola|has[lł]o|heslo|parool"
    r"|пароль|密码|密碼|パスワード|비밀번호|暗証番号"
)
_SHORT_KEYS = r"pass|pw|pin|otp|auth|cookie|sig|signature|creds?"  # whole words, or "Compass: Events" were one
_WHOLE = r"(?<![^\W\d_])"
_PART = r"(?<![\w.-])[\w.-]*"  # "spring.datasource.password", "JIRA_DB_PASSWORD"
_IS = r"[\"'\])}]{0,3}\s*(?:=>|->|→|:=|[=:>]|\b(?:is|ist|lautet|est|es)\b)\s*"
_QUOTES = "[\"'\u201c\u201d\u201e\u2018\u00ab`]"
# Behind "bearer" these are words of a title, everything else is the token.
_SCHEMES = (
    r"tokens?|auth\w*|for|and|of|in|to|with|from|the|scheme|based|security|services?|login|support|plugin|app|api|sso"
)
_CREDENTIALS: tuple[tuple[str, str, Check], ...] = (
    # All that follows a key word: where a password ends nobody can know.
    (CREDENTIAL, rf"{_PART}(?:{_KEYS})[\w.-]*{_IS}\S.*", _always),
    (CREDENTIAL, rf"{_WHOLE}(?:{_SHORT_KEYS}){_IS}\S.*", _always),
    (CREDENTIAL, rf"{_PART}(?:pass|pw|key|user|usr|uid|login|account|benutzer)[\w.-]*[\"']?\s*=>?\s*\S.*", _always),
    (CREDENTIAL, r"(?<!\w)(?:user|usr|uid|login|account):(?=\S).*", _always),  # a title has a space behind it
    (CREDENTIAL, r"(?:user[ _.-]?(?:name|id)|login[ _.-]?name|benutzername)[\"']?\s*:\s*\S.*", _always),
    (CREDENTIAL, rf"{_WHOLE}(?:{_KEYS}|pass|pw)\s*{_QUOTES}.*", _always),
    # Without a sign between: only what no title has, a word with a digit in it.
    (CREDENTIAL, rf"{_WHOLE}(?:{_KEYS}|pass|pw)\s+(?=\S*\d)(?=\S*[^\W\d_])\S{{6,}}", _always),
    (CREDENTIAL, r"(?<!\S)--?(?:p|u|pw|pass\w*|pwd|token|secret|api-?key|user(?:name)?|login)[ =]\s*\S.*", _always),
    (CREDENTIAL, r"(?<!\S)-p\S*\d\S*|\bpin\s+\d{4,8}\b|\bkey\s*:\s*(?=\S*\d)\S{6,}", _always),
    (CREDENTIAL, r"(?<!\w)(?:cn|uid|ou|dc|samaccountname)\s*=\s*\S.*", _always),
    (CREDENTIAL, rf"\bbearer\s+(?!(?:{_SCHEMES})\b)[^\s,;]{{6,}}", _always),
    (CREDENTIAL, r"\b(?:basic|negotiate|ntlm|digest)\s+[a-z0-9+/_-]{6,}={0,2}", _is_login),
)

# Makers who give their tokens a beginning: Amazon, GitHub, GitLab, Slack, Atlassian, Stripe, Google, OpenAI, npm, PyPI,
# SendGrid, DigitalOcean, Hugging Face, Vault, Databricks, Shopify, Telegram, Linear, New Relic, age, Postman, Docker,
# Figma, Typeform, Square, PlanetScale, Grafana, Sentry, Facebook; Discord by its three parts.
_BEGINNINGS = (
    r"A(?:KIA|SIA|BIA|CCA|GPA|IDA|ROA|IPA|NPA|NVA)[A-Z0-9]{12,}|gh[pousr]_\w{10,}|github_pat_\w{10,}"
    r"|gl(?:pat|ptt|rt|dt|ft|soat|agent|cbt|imt|ffct)-[\w.-]{16,}|xox[a-z]-[\w-]{6,}|xapp-\d[\w-]{6,}"
    r"|AT(?:ATT|CTT|BB|STT|OA)[\w=-]{6,}|[sr]k_(?:live|test)_\w{6,}|AIza[\w-]{20,}|ya29\.[\w.-]{6,}"
    r"|sk-(?=\S*\d)[\w-]{12,}|npm_\w{10,}|pypi-(?=\S*\d)[\w-]{16,}|SG\.[\w-]{16,}\.[\w-]{16,}|do[opr]_v1_\w{10,}"
    r"|hf_\w{10,}|hv[sbr]\.[\w-]{16,}|dapi[0-9a-f]{10,}|shp(?:at|ca|pa|ss)_\w{6,}|\d{8,10}:[\w-]{30,}|lin_api_\w{6,}"
    r"|NRAK-\w{10,}|AGE-SECRET-KEY-\w{10,}|PMAK-[\w-]{10,}|whsec_\w{6,}|dckr_pat_[\w-]{6,}|figd_[\w-]{10,}|tfp_\w{10,}"
    r"|sq0[a-z]{3}-[\w-]{10,}|pscale_[a-z]+_[\w-]{6,}|gls?a_\w{10,}|sntry[su]_[\w=+/.-]{10,}|EAA[A-Z]\w{20,}"
    r"|[\w-]{23,28}\.[\w-]{6}\.[\w-]{27,}"
)
_TOKENS: tuple[tuple[str, str, Check], ...] = (
    (TOKEN, r"-----\s*BEGIN[ A-Z0-9]*-----.*?(?:-----\s*END[ A-Z0-9]*-----|$)", _always),
    (TOKEN, r"-{2,}\s*BEGIN[ A-Z0-9]*(?:KEY|CERTIFICATE).*", _always),
    (TOKEN, r"\b(?:ssh-(?:rsa|ed25519|dss)|ecdsa-sha2-\S+)\s+\S+", _always),
    (TOKEN, r"\beyJ[\w-]{5,}(?:\.[\w=-]*)+", _always),
    (TOKEN, rf"{_BEFORE_WORD}(?:{_BEGINNINGS})", _always),
    # Stored passwords: crypt, LDAP, Crowd, Jasypt.
    (TOKEN, r"\$(?:\d|2[abxy]|y|gy|apr1|argon2\w*|scrypt|pbkdf2[\w-]*)\$\S+", _always),
    (TOKEN, r"\{(?:s?sha\d*|s?md5|pkcs5s2|crypt|bcrypt|pbkdf2\w*|cipher|enc\w*|atlassian-security)\}\S+", _always),
    (TOKEN, r"\benc\([^)\s]+\)?", _always),
    # Runs: a UUID, hexadecimal, a fingerprint, and whatever changes between letters and digits as only a key does.
    (TOKEN, rf"{_BEFORE_WORD}[0-9a-f]{{8}}-(?:[0-9a-f]{{4}}-){{3}}[0-9a-f]{{12}}{_BEHIND_WORD}", _always),
    (TOKEN, rf"{_BEFORE_WORD}(?=[0-9a-f]*\d)(?=[0-9a-f]*[a-f])[0-9a-f]{{16,}}{_BEHIND_WORD}", _always),
    (TOKEN, rf"{_BEFORE_WORD}(?:[0-9a-f]{{2}}:){{7,}}[0-9a-f]{{2}}{_BEHIND_WORD}", _always),
    (TOKEN, r"[a-z0-9+/_-]{16,}={0,2}", _is_random),
)

_PLACES: tuple[tuple[str, str, Check], ...] = (
    (LINK, r"(?<![a-z])[a-z][a-z0-9+.-]*:(?:[a-z0-9]+:)*//\S+", _always),
    (LINK, r"\b(?:jdbc:|mailto:|www\.|hooks\.slack\.com)\S+", _always),
    (ADDRESS, r"(?<![\d.])(?:\d{1,3}(?:\.|\s?[\[(]\.[\])]\s?|\s\.\s?)){3}\d{1,3}(?![\d.]*\d)", _is_ip4),
    (ADDRESS, r"\bip(?:-\d{1,3}){4}\b", _is_ip4),
    (ADDRESS, r"(?<![\w:.])[0-9a-f:.]*:[0-9a-f:.]*:[0-9a-f:.]*(?:%\w+)?(?![\w:])", _is_ip6),
    (ADDRESS, rf"{_BEFORE_WORD}(?:[0-9a-f]{{2}}[:-]){{5}}[0-9a-f]{{2}}{_BEHIND_WORD}", _always),
    (ADDRESS, r"(?<!\w)(?:[0-9a-f]{4}\.){2}[0-9a-f]{4}(?!\w)", _always),
    (
        HOST,
        r"\b(?:[\w-]+\.)+(?:local|localdomain|internal|corp|lan|intra|intranet|home\.arpa|private)\b(?!\.?\w)",
        _is_host,
    ),
    (FOLDER, r"(?<![\w.])(?:/home/|/users/|/root\b|[a-z]:[\\/]+users[\\/]+|\\\\[\w.-]+\\)\S*", _always),
    (FOLDER, r"(?<![\w~/])~[^\W\d][\w.-]+", _always),  # also a person's space: "~erika.mustermann"
    (CREDENTIAL, r"(?<![\w\\])[\w.-]{2,15}\\[\w.-]{2,}", _always),  # DOMAIN\user
)

_NUMBERS: tuple[tuple[str, str, Check], ...] = (
    (NUMBER, r"(?<![\w+])\+\s?\(?\d(?:[ ()/.-]{0,2}\d){6,14}(?!\w)", _always),
    # Nine digits or more: "01-02-2024" is a day.
    (NUMBER, r"(?<![\w.])\(?0\d{1,5}\)?(?:[ /-]{1,3}\d+){1,5}(?![\w.])", _has_nine_digits),
    (NUMBER, r"(?<![\w.-])(?:\(\d{3}\) ?|\d{3}[ -])\d{3}[ -]\d{4}(?![\w.-])", _always),
    (NUMBER, r"(?<![\w.-])\d{3}\.\d{3}\.\d{4}(?![\w.-])", _is_no_version),
    (NUMBER, r"(?<![\w.-])\d{3}-\d{2}-\d{4}(?![\w.-])", _always),
    (NUMBER, r"(?<![\w.])\d{11,}(?![\w.])", _is_no_date),
    (NUMBER, r"(?<![\w.])\d(?:[ -]?\d){12,18}(?!\w)", _is_card),
    (NUMBER, rf"{_BEFORE_WORD}[A-Z]{{2}}\d{{2}}(?:[ -]?[A-Z0-9]){{11,30}}{_BEHIND_WORD}", _is_iban),
)
