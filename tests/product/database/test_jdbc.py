"""JDBC URLs of every form the products write are understood; garbage gives BadUrl and nothing else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.product import BadUrl, DatabaseAddress, parse_jdbc_url
from agent.settings import Dialect

PG, MY, ORA, MS = Dialect.POSTGRESQL, Dialect.MYSQL, Dialect.ORACLE, Dialect.SQLSERVER


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("jdbc:postgresql://db.example.com:5433/jira", DatabaseAddress(PG, (("db.example.com", 5433),), "jira")),
        ("jdbc:postgresql://db/jira", DatabaseAddress(PG, (("db", 5432),), "jira")),
        ("jdbc:postgresql:jira", DatabaseAddress(PG, (("localhost", 5432),), "jira")),
        ("jdbc:postgresql:/jira", DatabaseAddress(PG, (("localhost", 5432),), "jira")),
        ("jdbc:postgresql:///jira", DatabaseAddress(PG, (("localhost", 5432),), "jira")),
        ("jdbc:postgresql://[2001:db8::7]:5444/jira", DatabaseAddress(PG, (("2001:db8::7", 5444),), "jira")),
        (
            "jdbc:postgresql://a.test,b.test:5433,[::1]/j%20x?targetServerType=primary&ssl=true&password=hunter2",
            DatabaseAddress(
                PG,
                (("a.test", 5432), ("b.test", 5433), ("::1", 5432)),
                "j x",
                options={"targetservertype": "primary", "ssl": "true"},
            ),
        ),
        (
            "jdbc:mysql://db.test/jira?useUnicode=true&sslMode=REQUIRED",
            DatabaseAddress(MY, (("db.test", 3306),), "jira", options={"sslmode": "REQUIRED"}),
        ),
        ("jdbc:mysql://u:pw@db.test:3307/jira", DatabaseAddress(MY, (("db.test", 3307),), "jira")),
        (
            "jdbc:mysql://address=(protocol=tcp)(host=db.test)(port=3310)/jira?sessionVariables=x=1",
            DatabaseAddress(MY, (("db.test", 3310),), "jira"),
        ),
        (
            "jdbc:mysql://address=(host=a.test)(port=1),address=(host=b.test)/jira",
            DatabaseAddress(MY, (("a.test", 1), ("b.test", 3306)), "jira"),
        ),
        ("jdbc:mysql://(host=db.test,port=3311)/jira", DatabaseAddress(MY, (("db.test", 3311),), "jira")),
        (
            "jdbc:mysql:replication://a.test,b.test/jira",
            DatabaseAddress(MY, (("a.test", 3306), ("b.test", 3306)), "jira"),
        ),
        ("jdbc:mariadb://db.test/jira", DatabaseAddress(MY, (("db.test", 3306),), "jira")),
        ("jdbc:oracle:thin:@db.test:1522:ORCL", DatabaseAddress(ORA, (("db.test", 1522),), sid="ORCL")),
        ("jdbc:oracle:thin:u/pw@db.test:1521:ORCL", DatabaseAddress(ORA, (("db.test", 1521),), sid="ORCL")),
        (
            "jdbc:oracle:thin:@//db.test:1521/jira.example.com",
            DatabaseAddress(ORA, (("db.test", 1521),), service="jira.example.com"),
        ),
        ("jdbc:oracle:thin:@db.test/JIRA", DatabaseAddress(ORA, (("db.test", 1521),), service="JIRA")),
        (
            "jdbc:oracle:thin:@tcps://db.test:2484/JIRA?wallet_location=/x",
            DatabaseAddress(ORA, (("db.test", 2484),), service="JIRA", options={"protocol": "tcps"}),
        ),
        (
            "jdbc:oracle:thin:@(DESCRIPTION=(ADDRESS_LIST=(ADDRESS=(PROTOCOL=TCP)(HOST=a.test)(PORT=1525))"
            "(ADDRESS = (PROTOCOL = TCP)(HOST = b.test)(PORT = 1526)))(CONNECT_DATA=(SERVICE_NAME=JIRA)))",
            DatabaseAddress(ORA, (("a.test", 1525), ("b.test", 1526)), service="JIRA"),
        ),
        (
            "jdbc:oracle:thin:@(description=(address=(host=a.test)(protocol=tcps))(connect_data=(sid=X)))",
            DatabaseAddress(ORA, (("a.test", 1521),), sid="X", options={"protocol": "tcps"}),
        ),
        ("jdbc:sqlserver://db.test:1444;databaseName=jira", DatabaseAddress(MS, (("db.test", 1444),), "jira")),
        (
            "jdbc:sqlserver://;serverName=db.test;portNumber=1445;databaseName={ji;ra};encrypt=true;password=hunter2",
            DatabaseAddress(MS, (("db.test", 1445),), "jira", options={"encrypt": "true"}),
        ),
        (
            "jdbc:sqlserver://db.test\\INST;database=jira",
            DatabaseAddress(MS, (("db.test", 1433),), "jira", options={"instancename": "INST"}),
        ),
        ("jdbc:jtds:sqlserver://db.test:1433/jira;ssl=require", DatabaseAddress(MS, (("db.test", 1433),), "jira")),
        ("jdbc:sqlite:/srv/demo/jira.db", DatabaseAddress(Dialect.SQLITE, (), "/srv/demo/jira.db")),
    ],
)
def test_known_forms(url: str, address: DatabaseAddress) -> None:
    """Each published form gives host, port and database; logins and unknown options are dropped."""
    if "{ji;ra}" in url:
        with pytest.raises(BadUrl):
            parse_jdbc_url(url)
        url = url.replace("{ji;ra}", "{jira}")
    parsed = parse_jdbc_url(url)
    assert parsed == address
    assert "hunter2" not in repr(parsed)
    assert "pw@" not in str(parsed)


@pytest.mark.parametrize(
    ("url", "word"),
    [
        ("", "jdbc:"),
        ("postgresql://db/jira", "jdbc:"),
        ("jdbc:db2://db/jira", "not known"),
        ("jdbc:h2:file:/srv/h2db", "evaluation"),
        ("jdbc:postgresql://db:0/jira", "port"),
        ("jdbc:postgresql://db:99999/jira", "port"),
        ("jdbc:postgresql://db:5x/jira", "port"),
        ("jdbc:postgresql://db/", "no database name"),
        ("jdbc:postgresql://d b/jira", "host"),
        ("jdbc:postgresql://db/ji\x1bra", "control"),
        ("jdbc:mysql:db/jira", "//"),
        ("jdbc:oracle:thin:db:1521:X", "@"),
        ("jdbc:oracle:thin:@TNSNAME", "tnsnames"),
        ("jdbc:oracle:thin:@(DESCRIPTION=(ADDRESS=(HOST=a))", "brackets"),
        ("jdbc:oracle:thin:@(DESCRIPTION=(CONNECT_DATA=(SID=x)))", "ADDRESS"),
        ("jdbc:oracle:thin:@(DESCRIPTION=(ADDRESS=(HOST=a)(PORT=1)))", "SERVICE_NAME"),
        ("jdbc:sqlserver://db", "databaseName"),
        ("jdbc:sqlite:relative.db", "absolute"),
        ("jdbc:sqlite:/srv/../etc/x", "absolute"),
        ("jdbc:postgresql://" + ",".join(["db"] * 40) + "/jira", "too many hosts"),
        ("jdbc:postgresql://db/" + "x" * 9000, "too long"),
    ],
)
def test_broken_urls_are_named(url: str, word: str) -> None:
    """Each kind of broken URL says what is wrong with it."""
    with pytest.raises(BadUrl, match=word):
        parse_jdbc_url(url)


_WORDS = [*"/:@()[]?&={};,1\\", "jdbc:", "postgresql:", "mysql:", "oracle:thin:", "sqlserver:", "jtds:sqlserver:"]
_WORDS += ["sqlite:", "//", "(ADDRESS=", "(HOST=db)", "(SID=x)", "::1", "db", "address=", "%zz", "%00", "hunter2"]
_WORDS += ["databaseName=", "\x1b", "\u202e"]
_PIECES = st.lists(st.one_of(st.sampled_from(_WORDS), st.text(max_size=4)), max_size=14)


@given(
    prefix=st.sampled_from(["", "jdbc:postgresql://", "jdbc:mysql://", "jdbc:oracle:thin:@", "jdbc:sqlserver://"]),
    rest=_PIECES,
)
def test_garbage_gives_an_address_or_bad_url(prefix: str, rest: list[str]) -> None:
    """Whatever the text, the answer is a usable address or BadUrl; the error repeats nothing of the text."""
    try:
        address = parse_jdbc_url(prefix + "".join(rest))
    except BadUrl as error:
        said = str(error)
    else:
        said = ""
        assert address.name or address.service or address.sid
        assert all(1 <= port <= 65535 and host for host, port in address.hosts)
        assert str(address).isprintable()
    assert "hunter2" not in said
