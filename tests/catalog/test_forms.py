"""How one statement is said to each database: the rules form by form, and what is refused because databases differ."""

from __future__ import annotations

import pytest

from agent.catalog.dialects import Strange, Tables, columns_given, columns_read, parsed, planned, translated
from agent.catalog.model import DIALECTS
from tests.support.forms import filled_mariadb, filled_postgres, filled_sqlite
from tests.support.mariadb import MariaDbServer, mariadb
from tests.support.postgres import PostgresServer, postgres

__all__ = ["mariadb", "postgres"]  # the fixtures

TABLES = Tables(
    spelling={"mysql": {"*": "upper", "cwd_*": "lower"}}, long_text={"words.body": 100}, keys={"words": "words_id"}
)
OTHERS = tuple(dialect for dialect in DIALECTS if dialect != "postgresql")
# The statement in PostgreSQL's words; what another database is told in place of it ("" where the words would do).
FORMS: tuple[tuple[str, dict[str, str]], ...] = (
    (
        "select count(*) as n from words",
        {"mysql": "select count(*) as n from WORDS", "sqlserver": "select count_big(*) as n from words"},
    ),
    (
        "select count(*) as n from cwd_user",
        {"sqlserver": "select count_big(*) as n from cwd_user"},
    ),
    (
        'select max("ID") as n from "AO_1_X" a where a."KIND" = \'x\'',
        {
            "mysql": "select max(`ID`) as n from `AO_1_X` as a where a.`KIND` = 'x'",
        },
    ),
    (
        "select sum(case when flag then 1 else 0 end) as n from cwd_user",
        dict.fromkeys(
            ("mysql", "oracle", "sqlserver"), "select sum(case when flag = 1 then 1 else 0 end) as n from cwd_user"
        ),
    ),
    (
        "select max(id) as n from cwd_user where flag and not (other or id = 1) and flag is true and other <> false",
        dict.fromkeys(
            ("mysql", "oracle", "sqlserver"),
            "select max(id) as n from cwd_user "
            "where flag = 1 and not (other = 1 or id = 1) and flag = 1 and other <> 0",
        ),
    ),
    (
        "select case when coalesce(flag, false) = false then 'off' else 'on' end as state from cwd_user",
        dict.fromkeys(
            ("mysql", "oracle", "sqlserver"),
            "select case when coalesce(flag, 0) = 0 then 'off' else 'on' end as state from cwd_user",
        ),
    ),
    (
        "select count(*) filter (where id > 1) as n, sum(id) filter (where flag) as m, "
        "count(distinct id) filter (where id < 3) as k from cwd_user",
        {
            "mysql": "select count(case when id > 1 then 1 end) as n, sum(case when flag = 1 then id end) as m, "
            "count(distinct case when id < 3 then id end) as k from cwd_user",
            "oracle": "select count(case when id > 1 then 1 end) as n, sum(case when flag = 1 then id end) as m, "
            "count(distinct case when id < 3 then id end) as k from cwd_user",
            "sqlserver": "select count_big(case when id > 1 then 1 end) as n, "
            "sum(case when flag = 1 then id end) as m, "
            "count_big(distinct case when id < 3 then id end) as k from cwd_user",
        },
    ),
    (
        "select (select max(id) from cwd_user) as n",
        {"oracle": "select (select max(id) from cwd_user) as n from dual"},
    ),
    (
        "select max(id) as n from cwd_user where name = '' or name <> '' or nullif(name, '') is null",
        {
            "oracle": "select max(id) as n from cwd_user "
            "where name is null or not name is null or nullif(name, '') is null"
        },
    ),
    (
        "select max(w.body) as n from words w group by w.body",
        {
            "mysql": "select max(w.body) as n from WORDS as w group by w.body",
            "oracle": "select max(to_char(substr(w.body, 1, 100))) as n from words w "
            "group by to_char(substr(w.body, 1, 100))",
            "sqlserver": "select max(cast(w.body as nvarchar(100))) as n from words as w "
            "group by cast(w.body as nvarchar(100))",
        },
    ),
    (
        "select length(name) as n, substr(name, 1, 2) as m, position('b' in name) as k from cwd_user",
        {
            "mysql": "select char_length(name) as n, substr(name, 1, 2) as m, locate('b', name) as k from cwd_user",
            "oracle": "select length(name) as n, substr(name, 1, 2) as m, instr(name, 'b') as k from cwd_user",
            "sqlserver": "select len(name) as n, substring(name, 1, 2) as m, charindex('b', name) as k from cwd_user",
            "sqlite": "select length(name) as n, substr(name, 1, 2) as m, instr(name, 'b') as k from cwd_user",
        },
    ),
    (
        "select name || '-' || lower(name) as n from cwd_user",
        {
            "mysql": "select concat(name, '-', lower(name)) as n from cwd_user",
            "sqlserver": "select name + '-' + lower(name) as n from cwd_user",
        },
    ),
    (
        "select cast(id as bigint) as n, cast(name as varchar(20)) as m from cwd_user",
        {
            "mysql": "select cast(id as signed) as n, cast(name as char(20)) as m from cwd_user",
            "oracle": "select cast(id as int) as n, cast(name as varchar2(20)) as m from cwd_user",
            "sqlite": "select cast(id as integer) as n, cast(name as text(20)) as m from cwd_user",
        },
    ),
    (
        "select name as n from cwd_user order by name limit 2",
        {
            "mysql": "select name as n from cwd_user order by case when name is null then 1 else 0 end, name limit 2",
            "oracle": "select name as n from cwd_user order by name fetch first 2 rows only",
            "sqlserver": "select top 2 name as n from cwd_user order by case when name is null then 1 else 0 end, name",
            "sqlite": "select name as n from cwd_user order by name nulls last limit 2",
        },
    ),
    ("select name as n from cwd_user order by name desc", {}),
    (
        "with x as (select id as k, count(*) as n from cwd_user group by id having count(*) >= 1) "
        "select max(n) as largest from x",
        {
            "sqlserver": "with x as (select id as k, count_big(*) as n from cwd_user group by id "
            "having count_big(*) >= 1) select max(n) as largest from x"
        },
    ),
    (
        "select min(a.id) as n, max(abs(a.id - 5)) as m from cwd_user a left join cwd_user b on b.id = a.id "
        "where b.id between 1 and 9 and a.name like 'a%' and a.name not like '%z' "
        "and exists (select 1 from cwd_user c where c.id = a.id)",
        {},
    ),
    (
        "select max(id) as n from cwd_user where name not in ('x', 'y')",
        dict.fromkeys(OTHERS, "select max(id) as n from cwd_user where not name in ('x', 'y')"),
    ),
    ("select name as n from cwd_user union all select upper(replace(name, 'a', 'e')) as n from cwd_user", {}),
    ("select p.id as app from cwd_user p where p.name in :public_apps", {}),
)


def one_line(text: str) -> str:
    """Layout taken out, as the table above has it."""
    return " ".join(text.split()).replace("( ", "(").replace(" )", ")")


@pytest.mark.parametrize("dialect", OTHERS)
@pytest.mark.parametrize(("statement", "others"), FORMS, ids=[statement[:60] for statement, _ in FORMS])
def test_each_form(statement: str, others: dict[str, str], dialect: str) -> None:
    """What another database is told; nothing of its own where PostgreSQL's words would do."""
    said = translated(statement, dialect, TABLES)
    assert ("" if said is None else one_line(said)) == others.get(dialect, "")
    assert columns_given(said or statement, dialect) == columns_given(statement, "postgresql")


@pytest.mark.parametrize("statement", [statement for statement, _ in FORMS if ":" not in statement])
def test_every_form_gives_the_same_everywhere(postgres: PostgresServer, mariadb: MariaDbServer, statement: str) -> None:
    """On the same rows PostgreSQL, MariaDB and SQLite answer alike."""
    tables = Tables(spelling={}, long_text=TABLES.long_text)
    answers = {
        "postgresql": filled_postgres(postgres).ask(statement),
        "mysql": filled_mariadb(mariadb).ask(translated(statement, "mysql", tables) or statement),
        "sqlite": filled_sqlite().ask(translated(statement, "sqlite", tables) or statement),
    }
    assert answers["mysql"] == answers["postgresql"]
    assert answers["sqlite"] == answers["postgresql"]
    assert answers["postgresql"]


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("select count(*) as n from t where d > now() - interval '1 day'", "not every database understands alike"),
        ("select count(*) as n from t where d > current_timestamp", "not every database understands alike"),
        ("select extract(year from d) as n from t", "not every database understands alike"),
        ("select a / 2 as n from t", "not every database understands alike"),
        ("select avg(a) as n from t", "not every database understands alike"),
        ("select greatest(a, b) as n from t", "not every database understands alike"),
        ("select string_agg(a, ',') as n from t", "not every database understands alike"),
        ("select a as n from t where a ~ 'x'", "not every database understands alike"),
        ("select a as n from t where a ilike 'x'", "not every database understands alike"),
        ("select my_function(a) as n from t", "not every database understands alike"),
        ("select row_number() over (order by a) as n from t", "not every database understands alike"),
        ("select left(a, 3) as n from t", "not every database understands alike"),
        ("select a::text as n from t", "casts to TEXT"),
        ("select cast(a as varchar) as n from t", "needs a length"),
        ("select cast(a as timestamp) as n from t", "casts to TIMESTAMP"),
        ("select substring(a from '<x>') as n from t", "a substring without start and length"),
        ("select substr(a, 2) as n from t", "a substring without start and length"),
        ("select distinct on (a) b as n from t", "distinct on"),
        ("select a as n from t order by a nulls first", "orders NULL otherwise"),
        ("select a as n from t right join u on t.id = u.id", "joins in another way"),
        ("select count(*) as n from t join u using (id)", "joins in another way"),
        ("select count(*) as n from t where (a, b) in (select c, d from u)", "several columns at once"),
        ("select a = b as n from t", "gives a condition as a value"),
        ("select exists (select 1 from t) as n", "gives a condition as a value"),
        ("select true as n from t", "gives a condition as a value"),
        ("select a as n from", "is no statement"),
        ("delete from t", "not every database understands alike"),
        ("select a as n from t for update", "not every database understands alike"),
    ],
)
def test_what_differs_is_refused(statement: str, words: str) -> None:
    """A form that is not known to mean the same everywhere is told, never guessed."""
    with pytest.raises(Strange, match=words):
        translated(statement, "mysql", Tables())


def test_oracle_takes_an_empty_text_for_null() -> None:
    """'' beside a comparison with a name, or as a value, cannot be said to Oracle."""
    with pytest.raises(Strange, match="takes it for NULL"):
        translated("select coalesce(a, '') as n from t", "oracle", Tables())
    with pytest.raises(Strange, match="takes it for NULL"):
        translated("select max(a) as n from t where a in ('', 'x')", "oracle", Tables())
    assert translated("select coalesce(a, '') as n from t", "mysql", Tables()) is None


def test_what_oracle_keeps_for_itself_is_refused() -> None:
    """In quotes, as other databases are told such a name, it would be another name on Oracle."""
    statement = "select t.level as n from t"
    with pytest.raises(Strange, match="level"):
        translated(statement, "oracle", Tables())
    assert translated('select t."LEVEL" as n from t', "oracle", Tables()) is None


def test_a_text_that_is_unpacked_stays_whole() -> None:
    """A column that holds many values is read to its end."""
    statement = "select w.body as stored from words w where w.body <> 'x'"
    said = one_line(translated(statement, "sqlserver", TABLES, "stored") or "")
    assert said == "select w.body as stored from words as w where cast(w.body as nvarchar(100)) <> 'x'"


@pytest.mark.parametrize(
    ("statement", "read"),
    [
        ("select count(*) as n from project p where p.x = 'from y' and abs(p.z) > 1", {"project": {"x", "z"}}),
        ('select max("ID") as n from "AO_1_X" where "B" > 1', {"AO_1_X": {"ID", "B"}}),
        ("select max(n) as m from (select a, count(*) as n from t group by a) q", {"t": {"a"}}),
        (
            "select (select count(*) from issue i where i.kind = e.kind and i.gone = 'y') as n "
            "from (select s.v as kind from s join r on r.id = s.id) e",
            {"issue": {"kind", "gone"}, "s": {"v", "id"}, "r": {"id"}},
        ),
        ("with x as (select a from t) select count(*) as n from x", {"t": {"a"}}),
        ("select a as n from t order by n", {"t": {"a"}}),
        ("select count(*) as n from t where exists (select 1 from u where u.a = t.b)", {"t": {"b"}, "u": {"a"}}),
    ],
)
def test_columns_that_are_read(statement: str, read: dict[str, set[str]]) -> None:
    """Of each table what is read of it, in conditions too; names of the statement's own are none."""
    assert columns_read(statement) == read


def test_a_column_says_of_which_table_it_is() -> None:
    """Between two tables a bare name could be of either, and the grants are made from it."""
    with pytest.raises(Strange, match="of which table a is"):
        columns_read("select a as n from t join u on u.id = t.id")


@pytest.mark.parametrize(
    ("statement", "column", "plan"),
    [
        ("select count(*) as n from t where a = 1", "n", "select 1 from t where a = 1"),
        ("select sum(case when a = 1 and b is null then 1 else 0 end) as n from t", "n", "where a = 1 and b is null"),
        (
            "select sum(case when a = 1 or b = 2 then 1 else 0 end) as n from t where c > 0",
            "n",
            "where c > 0 and (a = 1 or b = 2)",
        ),
        (
            "select count(*) as n from t join u on u.id = t.id where u.a = 1",
            "n",
            "select 1 from t join u on u.id = t.id where u.a = 1",
        ),
    ],
)
def test_what_a_planner_is_asked(statement: str, column: str, plan: str) -> None:
    """The rows that a column counts, as a statement of their own on the same table and what is joined to it."""
    text, table = planned(statement, column)
    assert table == "t"
    assert one_line(text).endswith(plan)
    parsed(text, "postgresql")


@pytest.mark.parametrize(
    ("statement", "column"),
    [
        ("select count(*) as n from t", "n"),
        ("select max(a) as n from t where a > 1", "n"),
        ("select sum(case when a = 1 then 2 else 0 end) as n from t", "n"),
        ("select count(*) as n from t where a in (select b from u)", "n"),
        ("select count(*) as n from t where a = 1", "m"),
    ],
)
def test_what_no_planner_can_be_asked(statement: str, column: str) -> None:
    """Anything but the rows of one SELECT under a condition."""
    with pytest.raises(Strange):
        planned(statement, column)
