"""URLs round URLs are unwrapped, and a placeholder that nobody filled in is named as one."""

from __future__ import annotations

import pytest

from agent.product.database.jdbc import BadUrl, parse_jdbc_url, placeholder_in
from agent.product.database.urls.wrappers import unwrapped


@pytest.mark.parametrize(
    ("url", "inner", "word"),
    [
        ("jdbc:aws-wrapper:postgresql://c.test/jira?wrapperPlugins=failover", "postgresql c.test:5432/jira", ""),
        ("jdbc:aws-wrapper:mysql://c.test/jira?wrapperPlugins=failover,iam", "mysql c.test:3306/jira", "AWS IAM"),
        ("jdbc:aws-wrapper:postgresql://c.test/jira?wrapperPlugins=okta", "postgresql c.test:5432/jira", "Okta"),
        (
            "jdbc:aws-wrapper:mariadb://c.test/jira?wrapperPlugins=awsSecretsManager",
            "mysql c.test:3306/jira",
            "Secrets Manager",
        ),
        ("jdbc-secretsmanager:mysql://c.test:3307/jira", "mysql c.test:3307/jira", "Secrets Manager"),
        ("jdbc-secretsmanager:oracle:thin:@c.test:1521/J", "oracle c.test:1521/J", "Secrets Manager"),
        ("jdbc:p6spy:postgresql://c.test/jira", "postgresql c.test:5432/jira", ""),
        ("jdbc:log4jdbc:mysql://c.test/jira", "mysql c.test:3306/jira", ""),
        ("jdbc:otel:sqlserver://c.test;databaseName=jira", "sqlserver c.test:1433/jira", ""),
        ("jdbc:tracing:oracle:thin:@c.test:1521:X", "oracle c.test:1521/X", ""),
        ("jdbc:p6spy:jdbc:otel:postgresql://c.test/jira", "postgresql c.test:5432/jira", ""),
        ("jdbc:postgresql:aws://c.test/jira", "postgresql c.test:5432/jira", ""),
    ],
)
def test_wrapped(url: str, inner: str, word: str) -> None:
    """A driver that logs, traces or guards is seen through; one that brings the login too is named."""
    address = parse_jdbc_url(url)
    assert str(address) == inner
    assert word in address.login_gap
    assert bool(word) == bool(address.login_gap)


def test_nested_for_ever() -> None:
    """A file that nests wrappers without end gets an answer at once."""
    with pytest.raises(BadUrl):
        parse_jdbc_url("jdbc:" + "otel:jdbc:" * 500)
    assert unwrapped("jdbc:postgresql://a/b") == ("jdbc:postgresql://a/b", "")


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("jdbc:postgresql://${DB_HOST}:5432/jira", "DB_HOST"),
        ("jdbc:postgresql://${DB_HOST:-db.test}:5432/jira", "DB_HOST"),
        ("jdbc:postgresql://db.test/${db.name}", ""),
        ("jdbc:postgresql://{{ jira_db_host }}/jira", ""),
        ("jdbc:postgresql://{{ .Values.database.host }}/jira", ""),
        ("jdbc:oracle:thin:@@DB_HOST@:1521:X", "DB_HOST"),
        ("jdbc:sqlserver://%DB_HOST%;databaseName=jira", "DB_HOST"),
        ("jdbc:mysql://%dbhost%/jira", ""),
        ("jdbc:mysql://$(DB_HOST)/jira", "DB_HOST"),
        ("jdbc:mysql://$DB_HOST/jira", "DB_HOST"),
        ("jdbc:mysql://#{DB_HOST}/jira", "DB_HOST"),
        ("jdbc:mysql://__DB_HOST__/jira", "DB_HOST"),
        ("jdbc:mysql://<changeme>/jira", ""),
        ("jdbc:postgresql://{host}:5432/{db}", ""),
        ("jdbc:postgresql://{% if x %}a{% endif %}/jira", ""),
        ("jdbc:postgresql://@db.host@:5432/jira", ""),
        ("jdbc:postgresql://db.test:@DB_PORT@/jira", "DB_PORT"),
        ("jdbc:sqlserver://h;databaseName=${DB:-jira};encrypt=true", "DB"),
        ("ENC(Zm9vYmFy)", ""),
        ("jdbc:mysql://db/jira?password=${DB_PASSWORD:-hunter2}", "DB_PASSWORD"),
        ("jdbc:mysql://db/jira?password=ENC(hunter2)", ""),
    ],
)
def test_placeholder(text: str, name: str) -> None:
    """Every usual form is seen; only a name in capitals is repeated, never a default behind it."""
    problem = placeholder_in(text)
    assert "placeholder" in problem or "encrypted" in problem
    assert "hunter2" not in problem
    assert not name or f"({name})" in problem
    if text.startswith("jdbc:"):
        with pytest.raises(BadUrl) as caught:
            parse_jdbc_url(text)
        assert str(caught.value) == problem


@pytest.mark.parametrize(
    "text",
    [
        "jdbc:postgresql://db/jira%C3%A4?ApplicationName=%C3%A4bc%20x",
        "jdbc:mysql://u:pa$1@db/jira",
        "jdbc:oracle:thin:u/p@db.test:1521:X",
        "jdbc:sqlserver://db;databaseName={jira};password={a;b}",
        "jdbc:oracle:thin:@(DESCRIPTION=(ADDRESS=(HOST=a))(CONNECT_DATA=(SID=x)))",
        "jdbc:postgresql://db__a/jira",
    ],
)
def test_no_placeholder(text: str) -> None:
    """What only looks a little like one is none."""
    assert placeholder_in(text) == ""
