"""Synthetic Jira homes for tests."""

from __future__ import annotations

from pathlib import Path

PASSWORD = "pl4in-Pass"
DBCONFIG = """<?xml version="1.0" encoding="UTF-8"?>
<jira-database-config>
  <name>defaultDS</name>
  <delegator-name>default</delegator-name>
  <database-type>{kind}</database-type>
  <schema-name>{schema}</schema-name>
  <jdbc-datasource>
    <url>{url}</url>
    <driver-class>org.postgresql.Driver</driver-class>
    <username>{user}</username>
    <password>{password}</password>
    {extra}
    <pool-max-size>20</pool-max-size>
  </jdbc-datasource>
</jira-database-config>"""


def write_home(
    folder: Path,
    *,
    url: str = "jdbc:postgresql://db.example.com:5432/jira",
    kind: str = "postgres72",
    schema: str = "public",
    user: str = "jira_user",
    password: str = PASSWORD,
    extra: str = "",
    cluster: str | None = None,
) -> Path:
    """A Jira home with dbconfig.xml and a shared folder; `cluster` is the text of cluster.properties."""
    home = folder / "jira-home"
    (home / "shared").mkdir(parents=True)
    text = DBCONFIG.format(url=url, kind=kind, schema=schema, user=user, password=password, extra=extra)
    (home / "dbconfig.xml").write_text(text)
    if cluster is not None:
        (home / "cluster.properties").write_text(cluster)
    return home
