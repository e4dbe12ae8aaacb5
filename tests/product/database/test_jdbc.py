"""JDBC URLs of every form the products write are understood; garbage gives BadUrl and nothing else.

What the options of each driver mean stands in urls/, one file a database.
"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.product import BadUrl, parse_jdbc_url
from agent.settings import Dialect

PG, MY, ORA, MS = Dialect.POSTGRESQL, Dialect.MYSQL, Dialect.ORACLE, Dialect.SQLSERVER


@pytest.mark.parametrize(
    ("url", "dialect", "hosts", "name"),
    [
        ("jdbc:postgresql://db.example.com:5433/jira", PG, (("db.example.com", 5433),), "jira"),
        ("jdbc:postgresql://db/jira", PG, (("db", 5432),), "jira"),
        ("jdbc:postgresql://db:/jira", PG, (("db", 5432),), "jira"),
        ("jdbc:postgresql:jira", PG, (("localhost", 5432),), "jira"),
        ("jdbc:postgresql:/jira", PG, (("localhost", 5432),), "jira"),
        ("jdbc:postgresql:///jira", PG, (("localhost", 5432),), "jira"),
        ("jdbc:postgresql://:5433/jira", PG, (("localhost", 5433),), "jira"),
        ("jdbc:postgresql://db,/jira", PG, (("db", 5432), ("localhost", 5432)), "jira"),
        ("jdbc:postgresql:///?PGHOST=db.test&PGPORT=5434&PGDBNAME=jira", PG, (("db.test", 5434),), "jira"),
        ("jdbc:postgresql://[2001:db8::7]:5444/jira", PG, (("2001:db8::7", 5444),), "jira"),
        (
            "jdbc:postgresql://a.test,b.test:5433,[::1]/j%20x?password=hunter2",
            PG,
            (("a.test", 5432), ("b.test", 5433), ("::1", 5432)),
            "j x",
        ),
        ("jdbc:mysql://db.test/jira?useUnicode=true", MY, (("db.test", 3306),), "jira"),
        ("jdbc:mysql:///jira", MY, (("localhost", 3306),), "jira"),
        ("jdbc:mysql://u:pw@db.test:3307/jira", MY, (("db.test", 3307),), "jira"),
        (
            "jdbc:mysql://address=(protocol=tcp)(host=db.test)(port=3310)/jira?sessionVariables=x=1",
            MY,
            (("db.test", 3310),),
            "jira",
        ),
        (
            "jdbc:mysql://address=(host=a.test)(port=1),address=(host=b.test)/jira",
            MY,
            (("a.test", 1), ("b.test", 3306)),
            "jira",
        ),
        ("jdbc:mysql://(host=db.test,port=3311)/jira", MY, (("db.test", 3311),), "jira"),
        ("jdbc:mysql://[(host=a.test,port=1),(host=b.test)]/jira", MY, (("a.test", 1), ("b.test", 3306)), "jira"),
        ("jdbc:mysql://u:pw@[a.test:1,b.test]/jira", MY, (("a.test", 1), ("b.test", 3306)), "jira"),
        ("jdbc:mysql://[2001:db8::7]:3307/jira", MY, (("2001:db8::7", 3307),), "jira"),
        ("jdbc:mysql:replication://a.test,b.test/jira", MY, (("a.test", 3306), ("b.test", 3306)), "jira"),
        ("jdbc:mysql:loadbalance://a.test,b.test:1/jira", MY, (("a.test", 3306), ("b.test", 1)), "jira"),
        ("jdbc:mysql:aws://db.test/jira", MY, (("db.test", 3306),), "jira"),
        ("jdbc:mariadb://db.test/jira", MY, (("db.test", 3306),), "jira"),
        ("jdbc:mariadb:sequential://a.test,b.test/jira", MY, (("a.test", 3306), ("b.test", 3306)), "jira"),
        ("jdbc:mariadb:load-balance-read://a.test,b.test/j", MY, (("a.test", 3306), ("b.test", 3306)), "j"),
        (
            "jdbc:mariadb:replication://address=(host=a.test)(type=primary),address=(host=b.test)(type=replica)/j",
            MY,
            (("a.test", 3306), ("b.test", 3306)),
            "j",
        ),
        ("jdbc:sqlserver://db.test:1444;databaseName=jira", MS, (("db.test", 1444),), "jira"),
        (
            "jdbc:sqlserver://;serverName=db.test;portNumber=1445;databaseName={jira};password={a;b}hunter2",
            MS,
            (("db.test", 1445),),
            "jira",
        ),
        ("jdbc:sqlserver://[2001:db8::7]:1444;database=jira", MS, (("2001:db8::7", 1444),), "jira"),
        ("jdbc:sqlserver://;serverName=2001:db8::7;database=jira", MS, (("2001:db8::7", 1433),), "jira"),
        (
            "jdbc:sqlserver://a.test;database=jira;failoverPartner=b.test",
            MS,
            (("a.test", 1433), ("b.test", 1433)),
            "jira",
        ),
        ("jdbc:jtds:sqlserver://db.test:1433/jira;ssl=require", MS, (("db.test", 1433),), "jira"),
        ("jdbc:jtds:sqlserver://db.test;databaseName=jira", MS, (("db.test", 1433),), "jira"),
        ("jdbc:sqlite:/srv/demo/jira.db", Dialect.SQLITE, (), "/srv/demo/jira.db"),
    ],
)
def test_known_forms(url: str, dialect: Dialect, hosts: tuple[tuple[str, int], ...], name: str) -> None:
    """Each published form gives hosts, ports and database; a login in it is dropped."""
    address = parse_jdbc_url(url)
    assert (address.dialect, address.hosts, address.name) == (dialect, hosts, name)
    assert "hunter2" not in repr(address)
    assert "pw@" not in str(address)


@pytest.mark.parametrize(
    ("url", "hosts", "service", "sid"),
    [
        ("jdbc:oracle:thin:@db.test:1522:ORCL", (("db.test", 1522),), "", "ORCL"),
        ("jdbc:oracle:thin:u/pw@db.test:1521:ORCL", (("db.test", 1521),), "", "ORCL"),
        ("jdbc:oracle:thin:u/p@w@//db.test:1521/JIRA", (("db.test", 1521),), "JIRA", ""),
        ("jdbc:oracle:oci:@db.test:1521:ORCL", (("db.test", 1521),), "", "ORCL"),
        ("jdbc:oracle:thin:@//db.test:1521/jira.example.com", (("db.test", 1521),), "jira.example.com", ""),
        ("jdbc:oracle:thin:@db.test/JIRA", (("db.test", 1521),), "JIRA", ""),
        ("jdbc:oracle:thin:@//[2001:db8::7]:1522/JIRA:dedicated", (("2001:db8::7", 1522),), "JIRA", ""),
        ("jdbc:oracle:thin:@tcp://a.test,b.test:1522/JIRA", (("a.test", 1522), ("b.test", 1522)), "JIRA", ""),
        ("jdbc:oracle:thin:@a.test:1,b.test;c.test:3/J", (("a.test", 1), ("b.test", 3), ("c.test", 3)), "J", ""),
        (
            "jdbc:oracle:thin:@(DESCRIPTION=(ADDRESS_LIST=(ADDRESS=(PROTOCOL=TCP)(HOST=a.test)(PORT=1525))"
            "(ADDRESS = (PROTOCOL = TCP)(HOST = b.test)(PORT = 1526)))(CONNECT_DATA=(SERVICE_NAME=JIRA)))",
            (("a.test", 1525), ("b.test", 1526)),
            "JIRA",
            "",
        ),
        (
            "jdbc:oracle:thin:@(DESCRIPTION_LIST=(DESCRIPTION=(ADDRESS=(HOST=a.test))(CONNECT_DATA=(SERVICE_NAME=J)))"
            "(DESCRIPTION=(ADDRESS=(HOST=b.test))(CONNECT_DATA=(SERVICE_NAME=J))))",
            (("a.test", 1521), ("b.test", 1521)),
            "J",
            "",
        ),
        ("jdbc:oracle:thin:@(description=(address=(host=a.test))(connect_data=(sid=X)))", (("a.test", 1521),), "", "X"),
    ],
)
def test_oracle_by_service_or_sid(url: str, hosts: tuple[tuple[str, int], ...], service: str, sid: str) -> None:
    """Oracle's forms give hosts and either a service or a SID; one never becomes the other."""
    address = parse_jdbc_url(url)
    assert (address.dialect, address.hosts, address.service, address.sid) == (ORA, hosts, service, sid)
    assert "pw" not in repr(address)


@pytest.mark.parametrize(
    ("url", "word"),
    [
        ("", "jdbc:"),
        ("postgresql://db/jira", "jdbc:"),
        ("java:comp/env/jdbc/jira", "JNDI"),
        ("jdbc:as400://db/jira", "not known"),
        ("jdbc:h2:file:/srv/h2db", "evaluation"),
        ("jdbc:hsqldb:file:/srv/db", "evaluation"),
        ("jdbc:postgresql://db:0/jira", "port"),
        ("jdbc:postgresql://db:99999/jira", "port"),
        ("jdbc:postgresql://db:5x/jira", "port"),
        ("jdbc:postgresql://db/", "no database name"),
        ("jdbc:postgresql://d b/jira", "host"),
        ("jdbc:postgresql://db/ji\x1bra", "control"),
        ("jdbc:postgresql://db/jira?sslmode=verify-al", "TLS mode"),
        ("jdbc:postgresql://db/jira?targetServerType=leader", "targetServerType"),
        ("jdbc:postgresql://db/jira?service=jira", "service file"),
        ("jdbc:postgresql://db/jira?gssEncMode=require", "Kerberos"),
        ("jdbc:postgresql:///jira?cloudSqlInstance=a:b:c", "Cloud SQL"),
        ("jdbc:postgresql:///jira?socketFactory=com.google.cloud.sql.postgres.SocketFactory", "Cloud SQL"),
        ("jdbc:postgresql:///jira?socketFactory=org.newsclub.net.unix.AFUNIXSocketFactory", "socket factory"),
        ("jdbc:mysql:db/jira", "//"),
        ("jdbc:mysql:///jira?socketFactory=com.google.cloud.sql.mysql.SocketFactory", "Cloud SQL"),
        ("jdbc:mysql://db/jira?socksProxyHost=p", "SOCKS"),
        ("jdbc:mysql://db/jira?dnsSrv=true", "dnsSrv"),
        ("jdbc:mysql+srv://db/jira", "SRV"),
        ("jdbc:mysql://(protocol=pipe)/jira", "pipe"),
        ("jdbc:mariadb://db/jira?localSocket=/run/x", "socket"),
        ("jdbc:mariadb://db/jira?sslMode=sometimes", "TLS mode"),
        ("jdbc:oracle:thin:db:1521:X", "@"),
        ("jdbc:oracle:thin:@TNSNAME", "tnsnames"),
        ("jdbc:oracle:thin:@TNSNAME?TNS_ADMIN=/etc/oracle", "tnsnames"),
        ("jdbc:oracle:thin:@db.test:1521", "no service name or SID"),
        ("jdbc:oracle:thin:@ldap://oid.test:3060/SVC,cn=OracleContext", "LDAP"),
        ("jdbc:oracle:thin:@ldaps://oid.test:3060/SVC,cn=OracleContext", "LDAP"),
        ("jdbc:oracle:thin:@config-azure://store?key=x", "configuration provider"),
        ("jdbc:oracle:thin:@https://web.test/x", "web address"),
        ("jdbc:oracle:thin:@ipc://x/y", "tcp and tcps"),
        ("jdbc:oracle:thin:@tcps://a/x?https_proxy=p", "proxy"),
        ("jdbc:oracle:thin:@tcp://a/x?oracle.net.encryption_client=REQUIRED", "native network encryption"),
        ("jdbc:oracle:thin:@(DESCRIPTION=(ADDRESS=(HOST=a))", "brackets"),
        ("jdbc:oracle:thin:@(DESCRIPTION=(ADDRESS=(HOST=a))))", "brackets"),
        ("jdbc:oracle:thin:@" + "(A=" * 40 + ")" * 40, "nested"),
        ("jdbc:oracle:thin:@(DESCRIPTION=(CONNECT_DATA=(SID=x)))", "ADDRESS"),
        ("jdbc:oracle:thin:@(DESCRIPTION=(ADDRESS=(HOST=a)(PORT=1)))", "SERVICE_NAME"),
        (
            "jdbc:oracle:thin:@(DESCRIPTION=(SOURCE_ROUTE=yes)(ADDRESS=(HOST=a))(CONNECT_DATA=(SID=x)))",
            "Connection Manager",
        ),
        ("jdbc:oracle:thin:@(DESCRIPTION=(ADDRESS=(PROTOCOL=ipc)(HOST=a))(CONNECT_DATA=(SID=x)))", "protocol"),
        (
            "jdbc:oracle:thin:@(DESCRIPTION_LIST=(DESCRIPTION=(ADDRESS=(HOST=a))(CONNECT_DATA=(SID=x)))"
            "(DESCRIPTION=(ADDRESS=(HOST=b))(CONNECT_DATA=(SID=y))))",
            "different services",
        ),
        ("jdbc:sqlserver://db", "databaseName"),
        ("jdbc:sqlserver://db,1433;databaseName=x", "comma"),
        ("jdbc:sqlserver://db;databaseName=x;encrypt=perhaps", "encrypt"),
        ("jdbc:sqlserver://db;databaseName=x;socketFactoryClass=a.B", "socket factory"),
        ("jdbc:sqlserver://db;databaseName=x;instanceName=a b", "instance"),
        ("jdbc:jtds:sqlserver://db/x;namedPipe=true", "named pipe"),
        ("jdbc:cloudspanner:/projects/x", "Cloud Spanner"),
        ("jdbc:pgsql://db/jira", "pgjdbc-ng"),
        ("jdbc:tc:postgresql:15:///jira", "test container"),
        ("jdbc:sqlite:relative.db", "absolute"),
        ("jdbc:sqlite:/srv/../etc/x", "absolute"),
        ("jdbc:postgresql://" + ",".join(["db"] * 40) + "/jira", "too many hosts"),
        ("jdbc:postgresql://db/" + "x" * 9000, "too long"),
    ],
)
def test_what_cannot_be_followed_is_named(url: str, word: str) -> None:
    """Each kind of broken URL, and each way to a database that only the product knows, says what it is."""
    with pytest.raises(BadUrl, match=word):
        parse_jdbc_url(url)


_WORDS = [*"/:@()[]?&={};,1\\", "jdbc:", "postgresql:", "mysql:", "oracle:thin:", "sqlserver:", "jtds:sqlserver:"]
_WORDS += ["sqlite:", "//", "(ADDRESS=", "(HOST=db)", "(SID=x)", "::1", "db", "address=", "%zz", "%00", "hunter2"]
_WORDS += ["databaseName=", "\x1b", "\u202e", "sslmode=", "sslrootcert=", "encrypt=", "options=-c search_path=", "${"]
_PIECES = st.lists(st.one_of(st.sampled_from(_WORDS), st.text(max_size=4)), max_size=14)


@given(
    prefix=st.sampled_from(
        ["", "jdbc:postgresql://", "jdbc:mysql://", "jdbc:oracle:thin:@", "jdbc:oracle:thin:@(", "jdbc:sqlserver://"]
    ),
    rest=_PIECES,
)
def test_garbage_gives_an_address_or_bad_url(prefix: str, rest: list[str]) -> None:
    """Whatever the text, the answer is a usable address or BadUrl; the error repeats nothing of the text."""
    try:
        address = parse_jdbc_url(prefix + "".join(rest))
    except BadUrl as error:
        said = str(error)
    else:
        said = address.login_gap + "".join(address.notes)
        assert address.name or address.service or address.sid
        assert all(1 <= port <= 65535 and host for host, port in address.hosts)
        assert str(address).isprintable()
    assert "hunter2" not in said
