"""Confluence 10 in a test's database: its settings in `plugin_setting`, beside a `bandana` of the day of the upgrade.

In:   any database with the tables of `confluence_schema.sql`. Out: statements for SQLite, PostgreSQL and MariaDB.
Keys, columns and the form of the settings as a public script and a site's notes have them; the rest is invented. Every
value differs from the one that `bandana` has, and secrets stand beside them.
"""

from __future__ import annotations

import json

from tests.support.private_tables import SECRET

LINK = "1a1b1c1d-1111-3222-8333-444455556666"
BASE_URL = "https://ten.example.com/wiki"
SERVER_ID = "BTEN-0000-1111-2222"
LINKED_URL = "https://tracker.example.com/jira"
LINK_NAME = "Planted tracker of version ten"
SETTINGS = "atlassian.confluence.settings"


def settings_json(base_url: str | None = f"https://planted:planted@{BASE_URL[8:]}?planted=1") -> str:
    """The general settings, longer than any text that a database cuts, mail addresses and texts of people in them."""
    return json.dumps(
        {
            "siteTitle": "planted",
            "customHtml": 'planted, "baseUrl":"https://planted.example.com" <baseUrl>https://planted.example.com</baseUrl>',
            "filler": "planted " * 700,
            "baseUrl": base_url,
            "supportAddress": SECRET,
        },
        separators=(",", ":"),
    )


def create(table: str = "plugin_setting") -> str:
    """The table, as far as its columns are known."""
    return (
        f"create table {table} (namespace varchar(255) not null, setting_key varchar(255) not null, setting_value text)"
    )


def rows(settings: str | None = None, *, general: bool = True) -> list[tuple[str, str, str]]:
    """(namespace, key, value) of each row; without `general` as 10.0 has it, the general settings not yet moved."""
    link = f"applinks.admin.{LINK}"
    found = [
        ("_GLOBAL", "confluence.server.id", f'"{SERVER_ID}"'),
        ("planted", "confluence.server.id", '"planted-server"'),
        ("_GLOBAL", f"{link}.name", f'"{LINK_NAME}"'),
        ("_GLOBAL", f"{link}.type", '"jira"'),
        ("_GLOBAL", f"{link}.rpc.url", '"https://inside.example.com:8443/jira"'),
        ("_GLOBAL", f"{link}.display.url", '"https:\\/\\/planted:planted@tracker.example.com\\/jira\\/?planted=1"'),
        ("_GLOBAL", f"{link}.auth.planted", f'"{SECRET}"'),
        ("_GLOBAL", f"{link}.oauth.request.url", f'"https://planted.example.com/{SECRET}"'),
        ("_GLOBAL", f"{link}.auth.type", f'"{SECRET}"'),
        ("_GLOBAL", f"{link}.auth.name", f'"{SECRET}"'),
        ("_GLOBAL", "applinks.admin.99990c0d-1111-3222-8333-444455556666.auth.callback.url", f'"{SECRET}"'),
        ("_GLOBAL", "com.atlassian.confluence.license", f'"{SECRET}"'),
        ("_GLOBAL", "synchrony_collaborative_editor_app_secret", f'"{SECRET}"'),
        ("planted", SETTINGS, f'{{"baseUrl":"https://{SECRET}.example.com"}}'),
    ]
    return [*found, *([("_GLOBAL", SETTINGS, settings_json() if settings is None else settings)] if general else [])]


def inserts(found: list[tuple[str, str, str]], table: str = "plugin_setting", *, backslash: str = "\\") -> list[str]:
    """The statements that put them in; `backslash` is how the database writes one in a text."""

    def text(value: str) -> str:
        return "'" + value.replace("\\", backslash).replace("'", "''") + "'"

    return [f"insert into {table} values ({', '.join(map(text, row))})" for row in found]
