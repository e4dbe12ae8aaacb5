"""Each way a password may be not plain is known by its name; a plain one is never taken for one of them."""

from __future__ import annotations

import json

import pytest

from agent.product.homes.passwords import holds_placeholder, is_placeholder, keeping_of

OLD, NEW = "com.atlassian.db.config.password.ciphers", "com.atlassian.secrets.store"


@pytest.mark.parametrize(
    ("password", "cipher", "url", "kind"),
    [
        ("{ATL_SECURED}", "", "", "secured"),
        (" {ATL_SECURED}\n", f"{OLD}.base64.Base64Cipher", "", "secured"),
        ("c2VjcmV0", f"{OLD}.base64.Base64Cipher", "", "base64"),
        ("c2VjcmV0", f"{NEW}.base64.Base64SecretStore", "", "base64"),
        ("{}", f"{OLD}.algorithm.AlgorithmCipher", "", "algorithm"),
        ("{}", f"{NEW}.algorithm.AlgorithmSecretStore", "", "algorithm"),
        ("{}", f"{NEW}.aws.AwsSecretsManagerStore", "", "aws"),
        ("{}", f"{NEW}.vault.VaultSecretStore", "", "vault"),
        ("anything", "com.example.Cipher", "", "cipher"),
        ("", "com.example.Cipher", "", "cipher"),
        (json.dumps({"region": "r", "secretId": "s", "secretPointer": "/p"}), "", "", "aws"),
        (json.dumps({"mount": "m", "path": "p", "key": "k", "endpoint": "e"}), "", "", "vault"),
        (json.dumps({"sealedObjectFilePath": "/a", "keyFilePath": "/b"}), "", "", "algorithm"),
        (json.dumps({"other": 1}), "", "", "store"),
        ("ENC(abc=)", "", "", "sealed"),
        ("${DB_PASSWORD}", "", "", "placeholder"),
        ("${DB_PASSWORD:-x}", "", "", "placeholder"),
        ("{{ .Values.password }}", "", "", "placeholder"),
        ("@DB_PASSWORD@", "", "", "placeholder"),
        ("%DB_PASSWORD%", "", "", "placeholder"),
        ("<%= node['password'] %>", "", "", "placeholder"),
        ("$(DB_PASSWORD)", "", "", "placeholder"),
        ("$DB_PASSWORD", "", "", "placeholder"),
        ("", "", "jdbc:postgresql://h/d?a=b&authenticationPluginClassName=com.azure.Plugin", "plugin"),
        ("", "", "jdbc:postgresql://h/d", "plain"),
        ("typed", "", "jdbc:postgresql://h/d?authenticationPluginClassName=com.azure.Plugin", "plain"),
    ],
)
def test_each_way_has_its_word(password: str, cipher: str, url: str, kind: str) -> None:
    """The kind is told; the words name it and never hold the text."""
    kept = keeping_of(password, cipher, url)
    assert kept.kind == kind
    assert bool(kept.words) == (kind != "plain")
    assert not password.strip() or password.strip() in ("{ATL_SECURED}", "{}") or password.strip() not in kept.words


@pytest.mark.parametrize(
    "password",
    [
        "pl4in",
        "a${b}c",
        "{curly}",
        "{not json",
        "[1, 2]",
        "$ecret",
        "$A",
        "50%off%sale",
        "me@home@x",
        "ENC",
        "p(q)",
        "%%",
        "{{",
        "$$",
    ],
)
def test_a_plain_password_stays_one(password: str) -> None:
    """Signs that people use in passwords make none of them a placeholder or a document."""
    assert keeping_of(password, "").kind == "plain"


def test_placeholders_in_an_address() -> None:
    """Anywhere in a URL or a path; percent escapes and an Oracle login are none."""
    assert holds_placeholder("jdbc:postgresql://${DB_HOST}:5432/jira")
    assert holds_placeholder("jdbc:mysql://{{ host }}/jira")
    assert holds_placeholder("jdbc:mysql://%DB_HOST%/jira")
    assert not holds_placeholder("jdbc:mysql://h/%C3%A4%20x")
    assert not holds_placeholder("jdbc:oracle:thin:user/word@h.example.com:1521:A@B")
    assert not is_placeholder("")
