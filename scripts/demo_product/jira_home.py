"""Makes a Jira home and a Jira database with invented rows, and keeps the rows moving.

In:   an empty folder. Out: `home/` (dbconfig.xml, cluster.properties), `shared/`, and a filled database: one SQLite
      file, or a PostgreSQL cluster of its own in the folder, on a free port of 127.0.0.1.
All names are invented; some are built to look like what must never leave (names, addresses, a credential).
"""

from __future__ import annotations

import os
import pwd
import secrets
import socket
import sqlite3
import subprocess
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

SCHEMA = Path(__file__).with_name("jira_schema.sql")
SERVER_ID = "BDEM-0JIR-A000-TEST"
VERSION = "10.3.4"
BUILD = 10030004
USER = "jirauser"
NODE = "jira-node-1.example.com"


@dataclass(frozen=True, slots=True)
class DemoDatabase:
    """Where the demo's database lies; `password` is drawn anew for each PostgreSQL cluster."""

    jdbc_url: str
    type: str
    driver: str
    password: str
    sqlite_file: Path | None = None
    port: int = 0

    def connect(self) -> Any:
        """A DB-API connection as the product's own account, for filling and moving rows."""
        if self.sqlite_file is not None:
            return sqlite3.connect(self.sqlite_file, timeout=30)
        import psycopg  # only with --postgres

        return psycopg.connect(host="127.0.0.1", port=self.port, dbname="jira", user=USER, password=self.password)

    @property
    def mark(self) -> str:
        """The placeholder of this driver."""
        return "?" if self.sqlite_file is not None else "%s"


def sqlite_database(folder: Path) -> DemoDatabase:
    """A database in one file; WAL, so that the agent's reading never stands in the product's way."""
    file = folder / "jiradb.sqlite3"
    with sqlite3.connect(file) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
    connection.close()
    return DemoDatabase(f"jdbc:sqlite:{file}", "sqlite", "org.sqlite.JDBC", "not-used", sqlite_file=file)


@contextmanager
def postgres_database(folder: Path) -> Iterator[DemoDatabase]:
    """A PostgreSQL cluster of our own: made, started on a free port of 127.0.0.1, stopped at the end."""
    binaries = newest_postgres()
    data, password_file = folder / "pgdata", folder / "pgpassword"
    password = secrets.token_urlsafe(18)
    owner: dict[str, Any] = {}
    data.mkdir(mode=0o700)
    password_file.touch(mode=0o600)
    password_file.write_text(password, encoding="ascii")
    if os.geteuid() == 0:
        # PostgreSQL refuses to run as root; its package brings the account. It must reach the folder.
        account = pwd.getpwnam("postgres")
        owner = {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}
        for place in (data, password_file):
            os.chown(place, account.pw_uid, account.pw_gid)
        reach(folder)
    initdb = [binaries / "initdb", "-D", data, "-U", USER, f"--pwfile={password_file}", "-A", "scram-sha-256"]
    initdb += ["-E", "UTF8", "--locale=C", "--no-sync"]
    run_quietly(initdb, owner)
    password_file.unlink()
    port = free_port()
    command: list[str | Path] = [binaries / "postgres", "-D", data, "-p", str(port), "-c", "listen_addresses=127.0.0.1"]
    command += ["-c", "unix_socket_directories=", "-c", "fsync=off", "-c", "shared_buffers=16MB"]
    log = folder / "postgres.log"
    with log.open("wb") as output:
        server = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, cwd="/", **owner)
    try:
        database = DemoDatabase(f"jdbc:postgresql://127.0.0.1:{port}/jira", "postgres72", "org.postgresql.Driver",
                                password, port=port)  # fmt: skip
        create_jira_database(database, server, log)
        yield database
    finally:
        server.terminate()
        try:
            server.wait(10)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def create_jira_database(database: DemoDatabase, server: subprocess.Popen[bytes], log: Path) -> None:
    """Wait for the server and make the empty database."""
    import psycopg

    waiting = threading.Event()
    for _ in range(300):
        if server.poll() is not None:
            raise RuntimeError(f"PostgreSQL did not start: {log.read_text(errors='replace')[-500:]}")
        try:
            with psycopg.connect(host="127.0.0.1", port=database.port, dbname="postgres", user=USER,
                                 password=database.password, autocommit=True) as connection:  # fmt: skip
                connection.execute("CREATE DATABASE jira")
            return
        except psycopg.OperationalError:
            waiting.wait(0.1)
    raise RuntimeError("PostgreSQL did not answer within 30 s")


def newest_postgres() -> Path:
    """The folder of initdb and postgres."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[4]))
    if not found:
        raise RuntimeError("PostgreSQL is not installed; run: apt-get install postgresql")
    return found[-1].parent


def reach(folder: Path) -> None:
    """Let another account pass through a private folder of ours (execute only, so no listing)."""
    for place in (folder, *folder.parents):
        if place.stat().st_mode & 0o001 == 0:
            place.chmod(place.stat().st_mode | 0o011)


def run_quietly(command: list[str | Path], owner: dict[str, Any]) -> None:
    """Run a command; what it printed is in the exception when it fails."""
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, cwd="/", **owner)
    if done.returncode != 0:
        raise RuntimeError(f"{command[0]} failed: {done.stderr[-500:]}")


def free_port() -> int:
    """A port of 127.0.0.1 that nobody holds right now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def write_home(folder: Path, database: DemoDatabase, jmx_port: int) -> Path:
    """Write Jira's local and shared home as the product lays them out; returns the local one."""
    home, shared = folder / "home", folder / "shared"
    for place in (home / "log", shared / "plugins" / "installed-plugins"):
        place.mkdir(parents=True)
    # The shared home belongs to the product's account and to no one else.
    shared.chmod(0o700)
    dbconfig = home / "dbconfig.xml"
    dbconfig.touch(mode=0o600)
    schema = "<schema-name>public</schema-name>\n  " if database.type == "postgres72" else ""
    dbconfig.write_text(
        f"""<?xml version="1.0" encoding="UTF-8"?>

<jira-database-config>
  <name>defaultDS</name>
  <delegator-name>default</delegator-name>
  <database-type>{database.type}</database-type>
  {schema}<jdbc-datasource>
    <url>{escape(database.jdbc_url)}</url>
    <driver-class>{database.driver}</driver-class>
    <username>{USER}</username>
    <password>{escape(database.password)}</password>
    <pool-min-size>20</pool-min-size>
    <pool-max-size>20</pool-max-size>
    <validation-query>select 1</validation-query>
  </jdbc-datasource>
</jira-database-config>""",
        encoding="utf-8",
    )
    (home / "cluster.properties").write_text(
        f"jira.node.id = {NODE}\njira.shared.home = {shared}\nehcache.listener.hostName = {NODE}\n"
        "ehcache.listener.port = 40001\nehcache.object.port = 40011",
        encoding="utf-8",
    )
    install = folder / "install" / "bin"
    install.mkdir(parents=True)
    (install / "setenv.sh").write_text(
        'JVM_SUPPORT_RECOMMENDED_ARGS="-Dcom.sun.management.jmxremote'
        f" -Dcom.sun.management.jmxremote.port={jmx_port} -Dcom.sun.management.jmxremote.rmi.port={jmx_port}"
        ' -Dcom.sun.management.jmxremote.authenticate=false -Dcom.sun.management.jmxremote.ssl=false"\n',
        encoding="utf-8",
    )
    return home


def fill(database: DemoDatabase, issues: int = 2000) -> None:
    """Create Jira's tables and put invented rows into them."""
    connection = database.connect()
    cursor = connection.cursor()
    for statement in statements():
        cursor.execute(statement)
    for table, rows in rows_of(issues).items():
        rows = list(rows)
        columns = ", ".join(quote(column) for column in rows[0])
        marks = ", ".join([database.mark] * len(rows[0]))
        sql = f"INSERT INTO {quote(table)} ({columns}) VALUES ({marks})"  # noqa: S608  # names from this file only
        cursor.executemany(sql, [tuple(row.values()) for row in rows])
    connection.commit()
    connection.close()


def statements() -> list[str]:
    """The statements of the schema file, one a line."""
    lines = SCHEMA.read_text(encoding="utf-8").splitlines()
    return [line.rstrip(";") for line in lines if line.startswith("create ")]


def quote(name: str) -> str:
    """Core names are lower case and need nothing; Active Objects' and reserved ones are quoted."""
    return name if name.islower() and name != "timestamp" else f'"{name}"'


Rows = Iterable[dict[str, Any]]


def rows_of(issues: int) -> dict[str, Rows]:
    """Invented rows by table."""
    now = datetime.now(UTC).replace(tzinfo=None, microsecond=0).isoformat(sep=" ")
    users, projects, fields, groups = 320, 24, 60, 15
    people = [f"person{number}" for number in range(users)]
    return {
        "project": (
            {"id": 10000 + n, "pname": f"Secret project {n}", "pkey": f"DEMO{n}", "pcounter": issues // projects,
             "lead": people[n], "projecttype": "software", "created": now} for n in range(projects)
        ),
        "jiraissue": (
            {"id": 10000 + n, "issuenum": n // projects + 1, "project": 10000 + n % projects, "reporter": people[n % users],
             "issuetype": str(1 + n % 5), "summary": f"Confidential summary {n}", "priority": str(1 + n % 5),
             "issuestatus": str(1 + n % 4), "created": now, "updated": now, "votes": 0, "watches": 1,
             "archived": "Y" if n % 50 == 0 else None} for n in range(issues)
        ),
        "jiraaction": (
            {"id": 10000 + n, "issueid": 10000 + n * 7 % issues, "author": people[n % users], "actiontype": "comment",
             "actionbody": "A comment that nobody may see.", "created": now, "updated": now} for n in range(issues * 2)
        ),
        "fileattachment": (
            {"id": 10000 + n, "issueid": 10000 + n * 3 % issues, "mimetype": "application/pdf",
             "filename": f"salaries-{n}.pdf", "created": now, "filesize": 20_000 + n * 977, "author": people[n % users]}
            for n in range(issues // 3)
        ),
        "issuelink": (
            {"id": 10000 + n, "linktype": 10000, "source": 10000 + n, "destination": 10000 + n * 5 % issues}
            for n in range(issues // 4)
        ),
        "worklog": ({"id": 10000 + n, "issueid": 10000 + n, "author": people[n % users], "timeworked": 3600}
                    for n in range(issues // 8)),
        "changegroup": ({"id": 10000 + n, "issueid": 10000 + n * 11 % issues, "author": people[n % users], "created": now}
                        for n in range(issues * 3)),
        "cwd_directory": [{"id": 1, "directory_name": "Jira Internal Directory", "active": 1,
                           "impl_class": "com.atlassian.crowd.directory.InternalDirectory", "directory_type": "INTERNAL"}],
        "cwd_user": (
            {"id": 10000 + n, "directory_id": 1, "user_name": name, "lower_user_name": name, "active": int(n % 10 != 0),
             "created_date": now, "display_name": f"Erika Mustermann {n}", "email_address": f"{name}@example.com",
             "credential": "{PKCS5S2}never-read-this"} for n, name in enumerate(people)
        ),
        "app_user": ({"id": 10000 + n, "user_key": f"JIRAUSER{10000 + n}", "lower_user_name": name}
                     for n, name in enumerate(people)),
        "cwd_group": ({"id": 10000 + n, "group_name": f"department-{n}", "lower_group_name": f"department-{n}", "active": 1,
                       "local": 0, "group_type": "GROUP", "directory_id": 1} for n in range(groups)),
        "cwd_membership": (
            {"id": 10000 + n, "parent_id": 10000 + n % groups, "child_id": 10000 + n, "membership_type": "GROUP_USER",
             "group_type": "GROUP", "parent_name": f"department-{n % groups}", "child_name": name, "directory_id": 1}
            for n, name in enumerate(people)
        ),
        "customfield": (
            {"id": 10000 + n, "customfieldtypekey": "com.atlassian.jira.plugin.system.customfieldtypes:textfield",
             "cfname": f"Customer secret {n}", "issueswithvalue": 0 if n % 6 == 0 else n * 10} for n in range(fields)
        ),
        "customfieldvalue": ({"id": 10000 + n, "issue": 10000 + n % issues, "customfield": 10000 + n % fields,
                              "stringvalue": "private"} for n in range(issues)),
        "fieldconfigscheme": ({"id": 10000 + n, "configname": "Default", "fieldid": f"customfield_{10000 + n}"}
                              for n in range(fields)),
        "configurationcontext": ({"id": 10000 + n, "project": None if n % 3 else 10000, "customfield": f"customfield_{10000 + n}",
                                  "fieldconfigscheme": 10000 + n} for n in range(fields)),
        "component": ({"id": 10000 + n, "project": 10000 + n % projects, "cname": f"component {n}"} for n in range(48)),
        "projectversion": ({"id": 10000 + n, "project": 10000 + n % projects, "vname": f"1.{n}"} for n in range(64)),
        "searchrequest": ({"id": 10000 + n, "filtername": f"filter {n}", "authorname": people[n]} for n in range(90)),
        "filtersubscription": ({"id": 10000 + n, "filter_i_d": 10000 + n, "username": people[n]} for n in range(12)),
        "portalpage": ({"id": 10000 + n, "username": people[n], "pagename": f"dashboard {n}"} for n in range(35)),
        "jiraworkflows": ({"id": 10000 + n, "workflowname": f"workflow {n}"} for n in range(14)),
        "issuestatus": ({"id": str(n), "pname": f"status {n}"} for n in range(1, 12)),
        "issuetype": ({"id": str(n), "pname": f"type {n}"} for n in range(1, 9)),
        "priority": ({"id": str(n), "pname": f"priority {n}"} for n in range(1, 6)),
        "resolution": ({"id": str(n), "pname": f"resolution {n}"} for n in range(1, 7)),
        **{table: [{"id": 10000 + n, "name": f"{table} {n}"} for n in range(count)]
           for table, count in {"permissionscheme": 4, "notificationscheme": 3, "workflowscheme": 9,
                                "issuesecurityscheme": 2, "issuetypescreenscheme": 7, "fieldlayoutscheme": 5,
                                "fieldscreenscheme": 6, "fieldscreen": 21, "projectrole": 6}.items()},
        "pluginversion": [
            {"id": 1, "pluginname": "Demo", "pluginkey": "com.atlassian.jira.plugin.demo", "pluginversion": "1.0"},
            {"id": 2, "pluginname": "Secret app", "pluginkey": "com.customer-z.secret-app", "pluginversion": "3.1"},
        ],
        "clusternode": [{"node_id": NODE, "node_state": "ACTIVE", "timestamp": 1_700_000_000_000, "ip": "192.0.2.11",
                         "cache_listener_port": 40001, "node_build_number": BUILD, "node_version": VERSION}],
        "clusternodeheartbeat": [{"node_id": NODE, "heartbeat_time": 1_700_000_000_000, "database_time": 1_700_000_000_000}],
        "replicatedindexoperation": ({"id": 10000 + n, "node_id": NODE, "operation": "UPDATE"} for n in range(8)),
        "AO_60DB71_RAPIDVIEW": ({"ID": n, "NAME": f"board {n}", "SPRINTS_ENABLED": True} for n in range(1, 19)),
        "AO_60DB71_SPRINT": ({"ID": n, "NAME": f"sprint {n}", "RAPID_VIEW_ID": n % 18 + 1, "STARTED": True,
                              "CLOSED": n % 5 != 0} for n in range(1, 41)),
        **properties(),
    }  # fmt: skip


def properties() -> dict[str, Rows]:
    """The instance facts that Jira keeps as properties (type 5: text, type 1: switch)."""
    texts = {"jira.sid.key": SERVER_ID, "jira.version": VERSION, "jira.version.patched": str(BUILD),
             "jira.baseurl": "https://jira.example.com", "jira.title": "Demo of Example Ltd", "jira.mode": "private"}  # fmt: skip
    entries = [
        {"id": 100 + n, "entity_name": "jira.properties", "entity_id": 1, "property_key": key, "propertytype": 5}
        for n, key in enumerate(texts)
    ]
    entries.append({"id": 200, "entity_name": "jira.properties", "entity_id": 1,
                    "property_key": "jira.monitoring.jmx.enabled", "propertytype": 1})  # fmt: skip
    return {
        "propertyentry": entries,
        "propertystring": [{"id": 100 + n, "propertyvalue": text} for n, text in enumerate(texts.values())],
        "propertynumber": [{"id": 200, "propertyvalue": 1}],
    }


class Movement:
    """A thread that works in the database as people would: a few issues and comments every second."""

    def __init__(self, database: DemoDatabase, every_s: float = 1.0) -> None:
        self._database = database
        self._every_s = every_s
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._work, name="demo-product-users", daemon=True)
        self.added = 0

    def __enter__(self) -> Movement:
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._stopping.set()
        self._thread.join(timeout=40)

    def _work(self) -> None:
        connection = self._database.connect()
        mark = self._database.mark
        # Numbers far above those of `fill`, so that both can grow.
        number = 1_000_000
        while not self._stopping.wait(self._every_s):
            cursor = connection.cursor()
            for _ in range(1 + number % 3):
                number += 1
                row = (number, number, 10000 + number % 5, "A new confidential summary")
                cursor.execute(
                    f"INSERT INTO jiraissue (id, issuenum, project, summary) VALUES ({', '.join([mark] * 4)})",  # noqa: S608  # marks only
                    row,
                )
                cursor.execute(
                    f"INSERT INTO jiraaction (id, issueid, actiontype) VALUES ({', '.join([mark] * 3)})",  # noqa: S608  # marks only
                    (number, number, "comment"),
                )
                self.added += 1
            connection.commit()
        connection.close()
