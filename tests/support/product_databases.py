"""Small invented databases of Confluence, Bitbucket, Bamboo and Crowd, on SQLite, PostgreSQL or MariaDB."""

from __future__ import annotations

import re
import uuid
from pathlib import Path

from sqlalchemy import Engine

from agent.product.database.engine import open_engine
from agent.product.database.jdbc import DatabaseAddress
from agent.product.model import DatabaseAccess
from agent.settings import Dialect, Secret
from tests.support.jira_database import write_sqlite
from tests.support.mariadb import MariaDbServer
from tests.support.postgres import PostgresServer

FOLDER = Path(__file__).parent
PLANTED = "planted"  # in every name, title, key and secret of the rows
ACCOUNT = "product_user"
ACCOUNT_PASSWORD = "s3cret-%s-$$"
# What PRODUCT_rows.sql puts in, counted by hand; every guardrail of the catalog is here.
COUNTS: dict[str, dict[str, int | str]] = {
    "confluence": {
        "product.build": "9012",
        "instance.base_url": "https://wiki.example.com/wiki",
        "instance.server_id": "BCNF-0000-1111-2222",
        "confluence.guardrail.spaces": 40,
        "confluence.guardrail.spaces.personal": 15,
        "confluence.guardrail.spaces.archived": 4,
        "confluence.guardrail.spaces.opensearch": 40,
        "confluence.guardrail.users": 300,
        "confluence.guardrail.users.active": 240,
        "confluence.guardrail.groups": 12,
        "confluence.guardrail.groups.in_restrictions": 2,
        "confluence.guardrail.memberships": 494,
        "confluence.guardrail.memberships.nested": 6,
        "confluence.guardrail.permissions.per_space.max": 250,
        "confluence.guardrail.restrictions.per_page.max": 22,
        "confluence.guardrail.pages.per_space.max": 90,
        "confluence.guardrail.pages.depth.max": 6,
        "confluence.guardrail.attachments.per_page.max": 22,
        "confluence.guardrail.content": 977,
        "confluence.guardrail.pages": 400,
        "confluence.guardrail.blog_posts": 50,
        "confluence.guardrail.comments": 120,
        "confluence.guardrail.attachments": 200,
        "confluence.guardrail.drafts": 9,
        "confluence.guardrail.pages.trash": 11,
        "confluence.guardrail.index.objects": 770,
        "confluence.guardrail.pages.version.max": 36,
        "confluence.guardrail.pages.versions_kept.max": 35,
        "confluence.guardrail.attachments.bytes": 215_000,
        "confluence.guardrail.webhooks": 3,
        "confluence.guardrail.webhooks.active": 2,
        "confluence.guardrail.scheduler_runs": 5,
    },
    "bitbucket": {
        "instance.base_url": "https://git.example.com/bitbucket",
        "instance.server_id": "BBKT-0000-1111-2222",
        "bitbucket.guardrail.projects": 30,
        "bitbucket.guardrail.projects.personal": 8,
        "bitbucket.guardrail.repositories": 200,
        "bitbucket.guardrail.repositories.available": 190,
        "bitbucket.guardrail.repositories.public": 120,
        "bitbucket.guardrail.forks": 8,
        "bitbucket.guardrail.forks.families": 2,
        "bitbucket.guardrail.pull_requests": 500,
        "bitbucket.guardrail.pull_requests.open": 120,
        "bitbucket.guardrail.pull_requests.merged": 330,
        "bitbucket.guardrail.pull_requests.declined": 50,
        "bitbucket.guardrail.pull_requests.activities": 900,
        "bitbucket.guardrail.pull_requests.rescoped_commits": 310,
        "bitbucket.guardrail.pull_requests.commits": 640,
        "bitbucket.guardrail.activities": 950,
        "bitbucket.guardrail.users": 140,
        "bitbucket.guardrail.users.service": 3,
        "bitbucket.guardrail.accounts": 160,
        "bitbucket.guardrail.accounts.active": 140,
        "bitbucket.guardrail.groups": 9,
        "bitbucket.guardrail.groups.active": 8,
        "bitbucket.guardrail.memberships": 295,
        "bitbucket.guardrail.memberships.nested": 5,
        "bitbucket.guardrail.permissions.global": 7,
        "bitbucket.guardrail.permissions.project": 60,
        "bitbucket.guardrail.permissions.repository": 110,
        "bitbucket.guardrail.webhooks": 3,
        "bitbucket.guardrail.webhooks.active": 2,
    },
    "bamboo": {
        "bamboo.guardrail.results": 900,
        "bamboo.guardrail.results.jobs": 600,
        "bamboo.guardrail.results.plans": 250,
        "bamboo.guardrail.results.branches": 50,
        "bamboo.guardrail.results.per_plan.max": 77,
        "bamboo.guardrail.plans": 25,
        "bamboo.guardrail.plans.branches": 15,
        "bamboo.guardrail.projects": 6,
        "bamboo.guardrail.agents": 12,
    },
    "crowd": {
        "product.build": "1891",
        "instance.base_url": "http://crowd.example.com:8095/crowd",
        "crowd.guardrail.users": 400,
        "crowd.guardrail.users.active": 200,
        "crowd.guardrail.groups": 15,
        "crowd.guardrail.groups.active": 14,
        "crowd.guardrail.memberships": 448,
        "crowd.guardrail.memberships.nested": 2,
        "crowd.guardrail.directories": 4,
        "crowd.guardrail.directories.active": 3,
        "crowd.guardrail.applications": 7,
        "crowd.guardrail.applications.active": 5,
        "crowd.guardrail.directory_mappings": 10,
        "crowd.guardrail.directory_mappings.allow_all": 3,
        "crowd.guardrail.nodes": 2,
        "crowd.guardrail.licensing.users.max": 120,
        "crowd.guardrail.licensing.crowd_users.max": 85,
    },
}
PRODUCTS = tuple(COUNTS)
# On MySQL Confluence's and Bamboo's own tables are upper case, the cwd_ ones are not.
UPPER_ON_MYSQL = ("confluence", "bamboo")


def tables(product: str) -> tuple[str, ...]:
    """The tables of a product's schema, lower case."""
    return tuple(re.findall(r'(?m)^create table "?(\w+)', _text(product, "schema")))


def fill_sqlite(product: str, path: Path, *, without: str = "", rows: bool = True) -> Path:
    """A new SQLite database at `path`; `without` names a table that is dropped afterwards."""
    scripts = [_text(product, "schema"), *([_text(product, "rows")] if rows else [])]
    return write_sqlite(path, *scripts, without=without)


def fill_postgres(product: str, server: PostgresServer, *, rows: bool = True) -> str:
    """The name of a new PostgreSQL database with the product's tables and rows."""
    return server.filled_database(product, _text(product, "schema"), *([_text(product, "rows")] if rows else []))


def fill_mariadb(product: str, server: MariaDbServer) -> str:
    """The name of a new MariaDB database, names in the case the product gives them there; ACCOUNT may read it."""
    name = f"{product}_{uuid.uuid4().hex[:8]}"
    text = _text(product, "schema") + _text(product, "rows")
    for table in tables(product) if product in UPPER_ON_MYSQL else ():
        if not table.startswith(("cwd_", "AO_")):
            text = re.sub(rf"(?m)^(create table|insert into) {table} ", rf"\1 {table.upper()} ", text)
    text = re.sub(r'"(AO_\w+|[A-Z]+)"', r"`\1`", text)  # names of an app's tables and columns
    statements = [part.strip() for part in text.split(";\n") if part.strip()]
    server.execute(
        f"create database {name} character set utf8mb4 collate utf8mb4_bin",
        f"use {name}",
        "set session sql_mode = concat(@@sql_mode, ',PIPES_AS_CONCAT')",
        *statements,
        f"create user if not exists '{ACCOUNT}'@'127.0.0.1' identified by '{ACCOUNT_PASSWORD}'",
        f"grant select on {name}.* to '{ACCOUNT}'@'127.0.0.1'",
    )
    return name


def mariadb_engine(server: MariaDbServer, database: str) -> Engine:
    """The read-only engine on a MariaDB database."""
    address = DatabaseAddress(Dialect.MYSQL, ((server.host, server.port),), database)
    return open_engine(DatabaseAccess(address, ACCOUNT, Secret(ACCOUNT_PASSWORD)), 10.0)


def _text(product: str, kind: str) -> str:
    return (FOLDER / f"{product}_{kind}.sql").read_text()
