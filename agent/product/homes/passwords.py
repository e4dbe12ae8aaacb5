"""How a product keeps its database password: plain, or in one of the ways it has to hide it, each known by name.

In:   the password's text, the class that opens it, the JDBC URL. Out: `PasswordKeeping`; its words name the way and
      hold nothing of the text. Nothing is ever decrypted here: the key is the product's, and what can be decrypted here
      can be decrypted by whoever takes this over. Base64 is no exception: what stands there was not meant for others.
"""

from __future__ import annotations

import json
import re

from agent.product.model import PasswordKeeping
from agent.settings import shown

PLAIN = PasswordKeeping("plain", "")
SECURED = "{ATL_SECURED}"  # what Jira 10.2 and later leave in a password's place

# The end of a class name, old and new packages alike, and what it means.
_CLASSES = (
    ("Base64Cipher", "base64", "encoded by the product (Base64)"),
    ("Base64SecretStore", "base64", "encoded by the product (Base64)"),
    ("AlgorithmCipher", "algorithm", "encrypted by the product (AlgorithmCipher)"),
    ("AlgorithmSecretStore", "algorithm", "encrypted by the product (AlgorithmSecretStore)"),
    ("AwsSecretsManagerStore", "aws", "kept in AWS Secrets Manager"),
    ("VaultSecretStore", "vault", "kept in HashiCorp Vault"),
)
# What a secret store writes in the password's place, told by one key of it.
_BODIES = (
    ("secretId", "aws", "kept in AWS Secrets Manager"),
    ("mount", "vault", "kept in HashiCorp Vault"),
    ("sealedObjectFilePath", "algorithm", "encrypted by the product (files of AlgorithmCipher)"),
    ("keyFilePath", "algorithm", "encrypted by the product (files of AlgorithmCipher)"),
)
_PLUGIN = re.compile(r"[?&;]authenticationPluginClassName=([A-Za-z0-9_.$]+)", re.IGNORECASE)
_SEALED = re.compile(r"(?:ENC|DEC|CRYPT)\(.*\)", re.DOTALL)
# Forms of a value that a template left open: shell and Spring, Jinja and Helm, Ant and Maven, Windows, ERB.
_WHOLLY_OPEN = re.compile(
    r"\$\{[^{}]*\}|\{\{[^{}]*\}\}|@[A-Za-z][\w.-]+@|%[A-Za-z][\w.]{2,}%|<%=[^%]*%>|\$\([A-Za-z_]\w*\)"
    r"|\$[A-Z]+(?:_[A-Z0-9]+)+"
)
_PARTLY_OPEN = re.compile(r"\$\{[^{}]*\}|\{\{[^{}]*\}\}|%[A-Z][A-Z0-9_]{2,}%|<%=[^%]*%>|\$\([A-Za-z_]\w*\)")


def is_placeholder(text: str) -> bool:
    """Whether all of `text` is a place for a value that nobody filled in."""
    return _WHOLLY_OPEN.fullmatch(text.strip()) is not None


def holds_placeholder(text: str) -> bool:
    """Whether such a place stands anywhere in `text`."""
    return is_placeholder(text) or _PARTLY_OPEN.search(text) is not None


def keeping_of(password: str, cipher: str, url: str = "") -> PasswordKeeping:
    """How the password is kept; `cipher` is the class the product's file names to open it, "" when it names none."""
    text, cipher = password.strip(), cipher.strip()
    if text == SECURED:
        return PasswordKeeping("secured", "moved into the product's own secret store ({ATL_SECURED})")
    if cipher:
        return _by_class(cipher)
    if by_body := _by_body(text):
        return by_body
    if _SEALED.fullmatch(text):
        return PasswordKeeping("sealed", "encrypted (ENC(...))")
    if is_placeholder(text):
        return PasswordKeeping("placeholder", "a placeholder in the file, filled in elsewhere or not at all")
    if not text and (match := _PLUGIN.search(url)):
        return PasswordKeeping("plugin", f"given by the driver's plug-in {shown(match[1].rpartition('.')[2], 60)}")
    return PLAIN


def _by_class(cipher: str) -> PasswordKeeping:
    name = cipher.rpartition(".")[2]
    for end, kind, words in _CLASSES:
        if name == end:
            return PasswordKeeping(kind, words)
    return PasswordKeeping("cipher", f"encrypted by a class of its own ({shown(name, 60)})")


def _by_body(text: str) -> PasswordKeeping | None:
    if not text.startswith("{"):
        return None
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(document, dict):
        return None
    for key, kind, words in _BODIES:
        if key in document:
            return PasswordKeeping(kind, words)
    return PasswordKeeping("store", "kept in a secret store (JSON in the password's place)")
