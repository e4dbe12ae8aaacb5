"""What stands in the role scripts: made from the statements, current, and what the page about them says."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts.database_roles import DIALECTS, FOLDER, Hidden, load_readable, render, write_all


@pytest.mark.parametrize("dialect", DIALECTS)
def test_scripts_are_current(dialect: str) -> None:
    """config/database/*.sql is what `python3 -m scripts.database_roles` writes."""
    assert (FOLDER / f"{dialect}.sql").read_text() == render(dialect, load_readable())


@pytest.mark.parametrize("dialect", DIALECTS)
def test_the_page_gives_the_commands_of_the_script(dialect: str) -> None:
    """docs/database-account.md: each command for a database stands in the header of its script, word for word."""
    page = (FOLDER.parents[1] / "docs" / "database-account.md").read_text()
    title = {"postgresql": "PostgreSQL", "mysql": "MySQL", "sqlserver": "SQL Server", "oracle": "Oracle"}[dialect]
    section = page.split(f"## {title}")[1].split("\n## ")[0]
    commands = [line.strip() for line in section.splitlines() if line.startswith("    ")]
    script = (FOLDER / f"{dialect}.sql").read_text()
    header = [line.removeprefix("--").strip() for line in script.splitlines() if line.startswith("--")]
    assert len(commands) >= 2
    assert [command for command in commands if command not in header] == []
    unrun = "NOT YET RUN" in script
    assert unrun == (dialect in ("sqlserver", "oracle"))


def test_a_statement_grants_itself_what_it_reads() -> None:
    """Of each table the columns that the statements name; of one whose rows are counted a key, never all."""
    tables = load_readable().tables
    assert tables["AO_60DB71_SPRINT"] == ("CLOSED",)
    assert tables["fileattachment"] == ("filesize",)
    assert tables["customfieldvalue"] == ("id",)
    assert tables["sta_normal_project"] == ("is_public", "project_id")
    assert {"pluginkey", "pluginname", "pluginversion"} == set(tables["pluginversion"])


def test_what_has_a_view_is_granted_through_it_only() -> None:
    """A table with secrets is in the list of views and not in that of tables, and so is a column that is counted."""
    readable = load_readable()
    assert not readable.tables.keys() & {view.name for view in readable.views}
    assert "author" not in readable.tables["jiraaction"]
    assert "groupname" not in readable.tables["content_perm"]
    assert "credential" not in readable.tables["cwd_user"]


def test_a_column_that_no_view_shows_is_told(tmp_path: Path) -> None:
    """A statement that reads more of such a table than its view shows is named, and nothing is written."""
    views = (FOLDER / "views.toml").read_text()
    assert 'columns = "id number, propertyvalue text"' in views
    (tmp_path / "views.toml").write_text(views.replace("id number, propertyvalue text", "id number"))
    with pytest.raises(Hidden, match="reads propertyvalue of propertystring"):
        write_all(tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == ["views.toml"]
