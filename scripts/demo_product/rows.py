"""Jira's tables and invented rows for them; some are built to look like what must never leave.

In:   an empty database. Out: the schema of jira_schema.sql, filled; `Movement` keeps adding issues and comments.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from scripts.demo_product.database import DemoDatabase

SCHEMA = Path(__file__).with_name("jira_schema.sql")
SERVER_ID = "BDEM-0JIR-A000-TEST"
VERSION = "10.3.4"
BUILD = 10030004
NODE = "jira-node-1.example.com"


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
            {
                "id": 10000 + n,
                "pname": f"Secret project {n}",
                "pkey": f"DEMO{n}",
                "pcounter": issues // projects,
                "lead": people[n],
                "projecttype": "software",
                "created": now,
            }
            for n in range(projects)
        ),
        "jiraissue": (
            {
                "id": 10000 + n,
                "issuenum": n // projects + 1,
                "project": 10000 + n % projects,
                "reporter": people[n % users],
                "issuetype": str(1 + n % 5),
                "summary": f"Confidential summary {n}",
                "priority": str(1 + n % 5),
                "issuestatus": str(1 + n % 4),
                "created": now,
                "updated": now,
                "votes": 0,
                "watches": 1,
                "archived": "Y" if n % 50 == 0 else None,
            }
            for n in range(issues)
        ),
        "jiraaction": (
            {
                "id": 10000 + n,
                "issueid": 10000 + n * 7 % issues,
                "author": people[n % users],
                "actiontype": "comment",
                "actionbody": "A comment that nobody may see.",
                "created": now,
                "updated": now,
            }
            for n in range(issues * 2)
        ),
        "fileattachment": (
            {
                "id": 10000 + n,
                "issueid": 10000 + n * 3 % issues,
                "mimetype": "application/pdf",
                "filename": f"salaries-{n}.pdf",
                "created": now,
                "filesize": 20_000 + n * 977,
                "author": people[n % users],
            }
            for n in range(issues // 3)
        ),
        "issuelinktype": [
            {"id": 10000, "linkname": "Relates", "inward": "relates to", "outward": "relates to", "pstyle": None}
        ],
        "issuelink": (
            {"id": 10000 + n, "linktype": 10000, "source": 10000 + n, "destination": 10000 + n * 5 % issues}
            for n in range(issues // 4)
        ),
        "worklog": (
            {"id": 10000 + n, "issueid": 10000 + n, "author": people[n % users], "timeworked": 3600}
            for n in range(issues // 8)
        ),
        "changegroup": (
            {"id": 10000 + n, "issueid": 10000 + n * 11 % issues, "author": people[n % users], "created": now}
            for n in range(issues * 3)
        ),
        "cwd_directory": [
            {
                "id": 1,
                "directory_name": "Jira Internal Directory",
                "active": 1,
                "impl_class": "com.atlassian.crowd.directory.InternalDirectory",
                "directory_type": "INTERNAL",
                "directory_position": 0,
            }
        ],
        "cwd_user": (
            {
                "id": 10000 + n,
                "directory_id": 1,
                "user_name": name,
                "lower_user_name": name,
                "active": int(n % 10 != 0),
                "created_date": now,
                "display_name": f"Erika Mustermann {n}",
                "email_address": f"{name}@example.com",
                "credential": "{PKCS5S2}never-read-this",
            }
            for n, name in enumerate(people)
        ),
        "app_user": (
            {"id": 10000 + n, "user_key": f"JIRAUSER{10000 + n}", "lower_user_name": name}
            for n, name in enumerate(people)
        ),
        "cwd_group": (
            {
                "id": 10000 + n,
                "group_name": f"department-{n}",
                "lower_group_name": f"department-{n}",
                "active": 1,
                "local": 0,
                "group_type": "GROUP",
                "directory_id": 1,
            }
            for n in range(groups)
        ),
        "cwd_membership": (
            {
                "id": 10000 + n,
                "parent_id": 10000 + n % groups,
                "child_id": 10000 + n,
                "membership_type": "GROUP_USER",
                "group_type": "GROUP",
                "parent_name": f"department-{n % groups}",
                "child_name": name,
                "directory_id": 1,
            }
            for n, name in enumerate(people)
        ),
        "customfield": (
            {
                "id": 10000 + n,
                "customfieldtypekey": "com.atlassian.jira.plugin.system.customfieldtypes:textfield",
                "cfname": f"Customer secret {n}",
                "issueswithvalue": 0 if n % 6 == 0 else n * 10,
            }
            for n in range(fields)
        ),
        "customfieldvalue": (
            {"id": 10000 + n, "issue": 10000 + n % issues, "customfield": 10000 + n % fields, "stringvalue": "private"}
            for n in range(issues)
        ),
        "fieldconfigscheme": (
            {"id": 10000 + n, "configname": "Default", "fieldid": f"customfield_{10000 + n}"} for n in range(fields)
        ),
        "configurationcontext": (
            {
                "id": 10000 + n,
                "project": None if n % 3 else 10000,
                "customfield": f"customfield_{10000 + n}",
                "fieldconfigscheme": 10000 + n,
            }
            for n in range(fields)
        ),
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
        **{
            table: [{"id": 10000 + n, "name": f"{table} {n}"} for n in range(count)]
            for table, count in {
                "permissionscheme": 4,
                "notificationscheme": 3,
                "workflowscheme": 9,
                "issuesecurityscheme": 2,
                "issuetypescreenscheme": 7,
                "fieldlayoutscheme": 5,
                "fieldscreenscheme": 6,
                "fieldscreen": 21,
                "projectrole": 6,
            }.items()
        },
        "pluginversion": [
            {"id": 1, "pluginname": "Demo", "pluginkey": "com.atlassian.jira.plugin.demo", "pluginversion": "1.0"},
            {"id": 2, "pluginname": "Secret app", "pluginkey": "com.customer-z.secret-app", "pluginversion": "3.1"},
        ],
        "clusternode": [
            {
                "node_id": NODE,
                "node_state": "ACTIVE",
                "timestamp": 1_700_000_000_000,
                "ip": "192.0.2.11",
                "cache_listener_port": 40001,
                "node_build_number": BUILD,
                "node_version": VERSION,
            }
        ],
        "clusternodeheartbeat": [
            {"node_id": NODE, "heartbeat_time": 1_700_000_000_000, "database_time": 1_700_000_000_000}
        ],
        "replicatedindexoperation": ({"id": 10000 + n, "node_id": NODE, "operation": "UPDATE"} for n in range(8)),
        "AO_60DB71_RAPIDVIEW": ({"ID": n, "NAME": f"board {n}", "SPRINTS_ENABLED": True} for n in range(1, 19)),
        "AO_60DB71_SPRINT": (
            {"ID": n, "NAME": f"sprint {n}", "RAPID_VIEW_ID": n % 18 + 1, "STARTED": True, "CLOSED": n % 5 != 0}
            for n in range(1, 41)
        ),
        **properties(),
    }


def properties() -> dict[str, Rows]:
    """The instance facts that Jira keeps as properties (type 5: text, type 1: switch)."""
    texts = {
        "jira.sid.key": SERVER_ID,
        "jira.version": VERSION,
        "jira.version.patched": str(BUILD),
        "jira.baseurl": "https://jira.example.com",
        "jira.title": "Demo of Example Ltd",
        "jira.mode": "private",
    }
    entries = [
        {"id": 100 + n, "entity_name": "jira.properties", "entity_id": 1, "property_key": key, "propertytype": 5}
        for n, key in enumerate(texts)
    ]
    entries.append(
        {
            "id": 200,
            "entity_name": "jira.properties",
            "entity_id": 1,
            "property_key": "jira.monitoring.jmx.enabled",
            "propertytype": 1,
        }
    )
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
