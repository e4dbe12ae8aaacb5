"""What `init` and `config check` say of the database login: the proof in facts and in words."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.settings import DatabaseSettings, InstanceSettings, ProductType, Settings
from agent.views.database_login import LoginNotAsked, LoginProven, read_database_login
from agent.views.render_json import to_document
from tests.support.homes import write_home
from tests.support.postgres import PostgresServer, postgres

__all__ = ["postgres"]  # the fixture


@pytest.fixture(scope="module")
def database(postgres: PostgresServer) -> str:
    """An empty database."""
    return postgres.create_database("login")


def settings_of(home: Path) -> Settings:
    return Settings(InstanceSettings(ProductType.JIRA, home, home / "shared"))


def test_a_login_that_may_write_and_how_to_mend_it(postgres: PostgresServer, database: str, tmp_path: Path) -> None:
    """A product's own login may write, and the words name the script; never a password."""
    url = f"jdbc:postgresql://{postgres.host}:{postgres.port}/{database}"
    home = write_home(tmp_path, url=url, user=postgres.superuser, password=postgres.password)
    login = read_database_login(settings_of(home))
    assert isinstance(login, LoginProven)
    assert (login.asked, login.can_write) == (True, True)
    assert login.words[0].startswith("The login MAY WRITE")
    assert any("config/database/postgresql.sql" in line for line in login.words)
    assert postgres.password not in "\n".join(login.words)
    assert postgres.password not in repr(to_document(login))


def test_a_database_that_does_not_answer(tmp_path: Path) -> None:
    """Nothing is claimed: a stable word why, and a sentence; in JSON the word alone."""
    login = read_database_login(settings_of(write_home(tmp_path, url="jdbc:postgresql://127.0.0.1:1/none")))
    assert to_document(login) == {"asked": False, "why": "refused"}
    assert "was not asked" in login.words[0]


def test_a_database_that_is_not_read(tmp_path: Path) -> None:
    """Switched off: nobody is asked."""
    instance = InstanceSettings(ProductType.JIRA, tmp_path, tmp_path)
    login = read_database_login(Settings(instance, database=DatabaseSettings(enabled=False)))
    assert login == LoginNotAsked("disabled", ("The database is not read.",))
