"""URLs round URLs, URLs of drivers that cannot be followed, and placeholders that nobody filled in.

In:   the whole URL. Out: the URL of the driver inside and why the product's login cannot be used, or BadUrl.
"""

from __future__ import annotations

import re

from agent.product.database.address import BadUrl

# Drivers that log, trace or guard, and hand what follows to the real one.
_WRAPPERS = ("p6spy", "log4jdbc", "otel", "tracing", "aws-wrapper", "spy", "jamon", "jdbcdslog")
_WRAPPED = re.compile(rf"jdbc:(?:{'|'.join(_WRAPPERS)}):(?:jdbc:)?", re.IGNORECASE)
_SECRETS_MANAGER = re.compile(r"jdbc-secretsmanager:", re.IGNORECASE)
# Drivers of Amazon's that only add a word: jdbc:mysql:aws://.
_AWS = re.compile(r"(jdbc:(?:mysql|postgresql|mariadb)):aws:(?=//)", re.IGNORECASE)
_AWS_PLUGINS = {
    "iam": "logs in with a token of AWS IAM (wrapperPlugins)",
    "federatedauth": "logs in through a federated identity (wrapperPlugins)",
    "okta": "logs in through Okta (wrapperPlugins)",
    "awssecretsmanager": "takes its password from AWS Secrets Manager (wrapperPlugins)",
    "awssecretsmanager2": "takes its password from AWS Secrets Manager (wrapperPlugins)",
}
_WAY_ON = "give the agent an account of its own, with a host and port that this machine reaches"
_REFUSED = (
    (("h2",), "names the built-in evaluation database (H2), which only the product itself can open"),
    (("hsqldb", "derby"), "names a built-in evaluation database (HSQLDB, Derby), which only the product can open"),
    (("mysql+srv", "mariadb+srv"), f"asks DNS for the hosts (SRV), which is not followed: {_WAY_ON}"),
    (("cloudspanner",), "names Cloud Spanner, which no supported product runs on"),
    (("tc",), "names a test container (Testcontainers), which has no address of its own"),
    (("pgsql",), "is for the driver pgjdbc-ng, which no supported product runs with; write jdbc:postgresql:"),
    (("edb",), f"is for EDB's own driver, which is not followed: {_WAY_ON} (dialect postgresql)"),
    (("datadirect", "weblogic", "microsoft"), f"is for another vendor's driver, which is not followed: {_WAY_ON}"),
)


def unwrapped(url: str) -> tuple[str, str]:
    """The URL of the driver inside, and why the product's login cannot be used ("" where it can). Raises BadUrl."""
    if re.match(r"java:|jdbc/", url, re.IGNORECASE):
        raise BadUrl("is a name that the application server resolves (JNDI), not a URL that begins with jdbc:")
    gap = ""
    if match := _SECRETS_MANAGER.match(url):
        gap, url = "takes user and password from AWS Secrets Manager", f"jdbc:{url[match.end() :]}"
    # Not for ever: a hostile file may nest them.
    for _ in range(3):
        match = _WRAPPED.match(url)
        if match is None:
            break
        url = f"jdbc:{url[match.end() :]}"
    url = _AWS.sub(r"\1:", url)
    plugins = re.search(r"[?&;]wrapperPlugins=([^&;]*)", url, re.IGNORECASE)
    for plugin in plugins[1].split(",") if plugins else ():
        gap = gap or _AWS_PLUGINS.get(plugin.strip().lower(), "")
    return url, gap


def refuse_known(url: str) -> None:
    """Raise BadUrl for a driver that is known by name and cannot be followed."""
    kind = url[len("jdbc:") :].partition(":")[0].lower()
    for kinds, words in _REFUSED:
        if kind in kinds:
            raise BadUrl(words)


_PLACEHOLDERS = (
    r"[$#]\{([^{}]*)\}",  # shell, Spring, Ansible's older roles, Octopus
    r"\{\{([^{}]*)\}\}",  # Jinja, Helm, Mustache
    r"\$\(([^()]*)\)",  # Kubernetes
    r"\{%([^{}]*)%\}",
    r"(?<!=)\{([^{}]*)\}",  # behind an equals sign SQL Server's driver has values in braces
    r"<([^<>]+)>",
    r"//@([\w.-]+)@",
    r"@([A-Z][A-Z0-9_.]*)@",  # Maven, autoconf
    r"%(?![0-9A-Fa-f]{2})([A-Za-z]\w*)%",  # Windows; %C3%A4 is an encoded letter
    r"%([A-Za-z]\w*)%(?![0-9A-Fa-f]{2})",
    r"%([A-Z][A-Z0-9]*_[A-Z0-9_]+)%",
    r"\$([A-Z][A-Z0-9_]{2,})\b",
    r"(?<![A-Za-z0-9])__([A-Z][A-Z0-9_]*?)__(?![A-Za-z0-9])",
)
_SHOWN_NAME = re.compile(r"\s*\.?([A-Z][A-Z0-9_.]{1,40})(?![A-Za-z0-9])")


def placeholder_in(text: str) -> str:
    """What is wrong with a text that still holds a template's placeholder or an encrypted word; "" when nothing is.

    Only a name in capitals is repeated: a default value behind it may be a secret.
    """
    if re.search(r"ENC\(.*\)", text):
        return "holds a word that was encrypted for the product's start script (ENC)"
    for pattern in _PLACEHOLDERS:
        if match := re.search(pattern, text):
            name = _SHOWN_NAME.match(match[1])
            return f"holds a placeholder that was not filled in{f' ({name[1]})' if name else ''}"
    return ""
