"""Reads the `.sql` files of one folder: one statement a question, in PostgreSQL's words, as `NAME.sql`.

The others' words are made from it (`dialects.py`). Where they cannot be, `NAME.DIALECT.sql` stands beside it and says
`why:`; so does `NAME.restricted.sql`, the question for an account that sees a filtered view only.
The header comment says `counts:`, `cost:` and `versions:`; `null:` may say that NULL means zero, `estimate: TABLE as
COLUMN` that the database's own idea of the table's rows may stand in for a slow count, and `planned: COLUMN, COLUMN`
that its planner may be asked how many rows have the condition of a count. How each dialect is asked for the rows of a
table stands in `common/estimates/DIALECT.sql`, with the table as parameter `:wanted`; for the columns that tables have
in `common/columns/DIALECT.sql`, with their names as that parameter.
`until: TABLE(COLUMN, COLUMN)` says that the product changed what is read: once it has that table with those columns
`NAME.after.sql` is asked instead, and nothing where there is no such file. With `, build NUMBER` what was right before
is wrong since: an account that cannot see whether the table is there goes by that number.
A statement that reads names says `consent: extended`; one that gives rows says how many at most (`rows:`) and how often
it is asked (`every:`), and by `unpack: COLUMN as flags` (`states`, `licences`) that a column's text holds many values.
`login: product` says that no account of the agent's own is granted what it reads, nor asked.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources.abc import Traversable
from pathlib import Path

from agent.catalog.dialects import OWN, Strange, Tables, columns_given, columns_read, parsed, planned, translated
from agent.catalog.entry import COSTS
from agent.catalog.model import (
    AFTER,
    DIALECTS,
    RESTRICTED,
    Estimate,
    Every,
    NullMeans,
    Planned,
    SqlQuery,
    Unpack,
    Until,
    file_name,
)
from agent.catalog.reader import Faults
from agent.model import ConsentLevel

HEADER = re.compile(r"^--\s*(\w+):\s*(.*\S)\s*$", re.MULTILINE)
NEEDED = ("counts", "cost", "versions")
MAY = ("null", "estimate", "planned", "consent", "rows", "every", "unpack", "until", "login")
WHY = "why"
MOST_ROWS = 5000
UNPACK = re.compile(rf"([a-z][a-z0-9_]*) as ({'|'.join(Unpack)})")
ESTIMATE = re.compile(r"(\w+) as ([a-z][a-z0-9_]*)")
UNTIL = re.compile(r"(\w+)\(([a-z_]+(?:, [a-z_]+)*)\)(?:, build ([0-9]{1,9}))?")
ESTIMATE_COLUMNS = (" as n", " as as_of")
COLUMNS_COLUMNS = (" as tab", " as col", " as seen_through")
# A second look, on the words, beside sessions that cannot write: a statement that only a rollback keeps from harm must
# not even be packed.
FORBIDDEN = re.compile(
    r"\b(insert|update|delete|merge|create|alter|drop|truncate|grant|revoke|call|execute|copy|into|lock|set)\b", re.I
)

Folder = Traversable | Path
Variants = dict[tuple[str, str], str]  # ("", "restricted" or "after", dialect) -> the file's text
KINDS = ("", RESTRICTED, AFTER)


def read_queries(folder: Folder, where: str, tables: Tables, faults: Faults) -> dict[str, SqlQuery]:
    """Every statement of `folder` by name, for every dialect; {} when there is no such folder.

    Faults go to `faults`.
    """
    if not folder.is_dir():
        return {}
    texts: dict[str, Variants] = {}
    for file in sorted(folder.iterdir(), key=lambda item: item.name):
        name, *rest = file.name.split(".")
        kind = rest[0] if rest[:1] in ([RESTRICTED], [AFTER]) else ""
        dialect = ".".join(rest[bool(kind) : -1])
        if rest[-1:] != ["sql"] or (dialect and dialect not in DIALECTS):
            words = f"NAME[.{RESTRICTED}|.{AFTER}][.DIALECT].sql with one of {', '.join(DIALECTS)}"
            faults.add(where, file.name, f"must be {words}")
            continue
        texts.setdefault(name, {})[kind, dialect] = file.read_text(encoding="utf-8")
    return {name: _query(name, variants, where, tables, faults) for name, variants in texts.items()}


def read_estimates(folder: Folder, where: str, faults: Faults) -> dict[str, str]:
    """By dialect, the statement that tells about how many rows a table has; {} when there is no such folder."""
    return _of_the_catalogue(folder, where, ESTIMATE_COLUMNS, faults)


def read_columns(folder: Folder, where: str, faults: Faults) -> dict[str, str]:
    """By dialect, the statement that tells which tables there are with which columns; {} without such a folder."""
    return _of_the_catalogue(folder, where, COLUMNS_COLUMNS, faults)


def _of_the_catalogue(folder: Folder, where: str, columns: tuple[str, ...], faults: Faults) -> dict[str, str]:
    if not folder.is_dir():
        return {}
    found = {}
    for file in sorted(folder.iterdir(), key=lambda item: item.name):
        dialect = file.name.removesuffix(".sql")
        text = statement(file.read_text(encoding="utf-8"))
        if dialect.removesuffix(f".{RESTRICTED}") not in DIALECTS:
            faults.add(where, file.name, f"must be DIALECT[.{RESTRICTED}].sql with one of {', '.join(DIALECTS)}")
        _check_statement(text, file.name, where, faults)
        for piece in (*columns, ":wanted"):
            if piece not in " ".join(text.split()):
                faults.add(where, file.name, f"must have{piece if piece[0] == ' ' else ' ' + piece}")
        found[dialect] = text
    return found


def _query(name: str, variants: Variants, where: str, tables: Tables, faults: Faults) -> SqlQuery:
    headers = _headers(name, variants, where, faults)
    if headers.get("cost", "S") not in COSTS:
        faults.add(where, f"{name}.sql", f"cost must be one of {', '.join(COSTS)}")
    estimate = ESTIMATE.fullmatch(headers.get("estimate", ""))
    if "estimate" in headers and estimate is None:
        faults.add(where, f"{name}.sql", "estimate must be: TABLE as COLUMN")

    unpack = UNPACK.fullmatch(headers.get("unpack", ""))
    if "unpack" in headers and unpack is None:
        faults.add(where, f"{name}.sql", f"unpack must be: COLUMN as {' or '.join(Unpack)}")

    def choice(key: str, words: tuple[str, ...]) -> str:
        word = headers.get(key, words[0])
        if word not in words:
            faults.add(where, f"{name}.sql", f"{key} must be one of {', '.join(words)}", word, words)
            return words[0]
        return word

    rows = headers.get("rows", "1")
    if not rows.isascii() or not rows.isdigit() or not 1 <= int(rows) <= MOST_ROWS:
        faults.add(where, f"{name}.sql", f"rows must be a number from 1 to {MOST_ROWS}")
        rows = "1"
    whole = unpack[1] if unpack is not None else ""
    say = _Dialects(where, tables, whole, faults)
    until = UNTIL.fullmatch(headers.get("until", ""))
    if "until" in headers and until is None:
        faults.add(where, f"{name}.sql", "until must be: TABLE(COLUMN, COLUMN)[, build NUMBER]")
    own = {kind: {d: statement(text) for (k, d), text in variants.items() if k == kind} for kind in KINDS}
    if own[AFTER] and until is None:
        faults.add(where, f"{name}.{AFTER}.sql", f"{name}.sql does not say 'until:' when this takes its place")
    texts = say.all_texts(name, own[""])
    limited, after = (say.all_texts(f"{name}.{kind}", own[kind]) if own[kind] else {} for kind in (RESTRICTED, AFTER))
    return SqlQuery(
        name=name,
        texts=texts,
        counts=headers.get("counts", ""),
        cost=headers.get("cost", "S"),
        versions=headers.get("versions", ""),
        null_means=NullMeans(choice("null", (NullMeans.NOT_PRESENT.value, NullMeans.ZERO.value))),
        estimate=Estimate(estimate[1], estimate[2]) if estimate is not None else None,
        restricted=limited,
        consent=ConsentLevel(choice("consent", (ConsentLevel.BASIC.value, ConsentLevel.EXTENDED.value))),
        rows=int(rows),
        every=Every(choice("every", (Every.TICK.value, Every.HOUR.value))),
        unpack=(unpack[1], Unpack(unpack[2])) if unpack is not None else None,
        planned=tuple(say.plans(name, texts, headers.get("planned", ""))),
        product_login=choice("login", ("any", "product")) == "product",
        until=_until(until),
        after=after,
        reads=_reads(texts.get("", "")),
    )


def _until(found: re.Match[str] | None) -> Until | None:
    if found is None:
        return None
    return Until(found[1], tuple(found[2].split(", ")), None if found[3] is None else int(found[3]))


def _reads(text: str) -> dict[str, tuple[str, ...]]:
    """The tables and columns of a statement in PostgreSQL's words; nothing where one does not tell, or that is no
    statement, which was told already."""
    try:
        return {table: tuple(sorted(columns)) for table, columns in sorted(columns_read(text).items())}
    except Strange:
        return {}


def _headers(name: str, variants: Variants, where: str, faults: Faults) -> dict[str, str]:
    """What the files say of the statement: the one in PostgreSQL's words says all, the others only why they are."""
    whole = dict(HEADER.findall(variants.get(("", ""), "")))
    headers: dict[str, str] = whole
    for (kind, dialect), text in sorted(variants.items()):
        file = file_name(name, dialect, kind)
        own = dict(HEADER.findall(text))
        twin = bool(kind or dialect)
        if twin and not own.get(WHY):
            faults.add(where, file, "the header comment does not say 'why:' this cannot be made from NAME.sql")
        for key in () if twin and whole else NEEDED:
            if not own.get(key):
                faults.add(where, file, f"the header comment does not say '{key}:'")
        for key in own.keys() - {*NEEDED, *MAY, *([WHY] if twin else [])}:
            faults.add(where, file, f"'{key}:' is not a known header", key, (*NEEDED, *MAY))
        headers = headers or own
        if any(own.get(key, headers.get(key)) != headers.get(key) for key in ("cost", *MAY)):
            faults.add(where, file, f"one of cost, {', '.join(MAY)} differs from the other variant")
        _check_statement(statement(text), file, where, faults)
    return headers


@dataclass(frozen=True, slots=True)
class _Dialects:
    """Says one statement to every database; what cannot be said is a fault."""

    where: str
    tables: Tables
    whole: str
    faults: Faults

    def all_texts(self, name: str, own: dict[str, str]) -> dict[str, str]:
        """The texts of the files, and one made for each dialect for which the file's own words would not do."""
        texts = {dialect: text for dialect, text in own.items() if self._is_statement(name, dialect or OWN, text)}
        for dialect in DIALECTS:
            if dialect in own or (dialect == OWN and "" in own):
                continue
            if "" not in own:
                self.faults.add(self.where, f"{name}.sql", f"is missing, and there is no {name}.{dialect}.sql")
            elif "" in texts:
                made = self._translated(name, texts[""], dialect)
                texts |= {dialect: made} if made is not None else {}
        return texts

    def plans(self, name: str, texts: dict[str, str], columns: str) -> Iterator[Planned]:
        """For each named column, the statement of which a planner may be asked how many rows it gives."""
        for column in [word.strip() for word in columns.split(",") if word.strip()]:
            try:
                text, table = planned(texts.get("", ""), column)
            except Strange as error:
                self.faults.add(self.where, f"{name}.sql", f"planned: it {error}")
                continue
            yield Planned(table, column, self.all_texts(name, {"": text}))

    def _is_statement(self, name: str, dialect: str, text: str) -> bool:
        try:
            columns_given(text, dialect)
        except Strange as error:
            self.faults.add(self.where, f"{name}.sql", str(error))
            return False
        return True

    def _translated(self, name: str, text: str, dialect: str) -> str | None:
        try:
            made = translated(text, dialect, self.tables, self.whole)
            if made is not None:
                parsed(made, dialect)
                _check_statement(made, f"{name}.sql for {dialect}", self.where, self.faults)
        except Strange as error:
            words = f"it {error}; say it otherwise, or write {name}.{dialect}.sql with a header 'why:'"
            self.faults.add(self.where, f"{name}.sql", words)
            return None
        return made


def statement(text: str) -> str:
    """The SQL of a file without its comment lines and final semicolon."""
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("--")]
    return "\n".join(lines).strip().rstrip(";").rstrip()


def _check_statement(sql: str, file: str, where: str, faults: Faults) -> None:
    if ";" in sql or not re.match(r"(select|with)\b", sql, re.I):
        faults.add(where, file, "must be one SELECT")
    # A string or quoted name may hold any word; what is left must not.
    bare = re.sub(r"'[^']*'|\"[^\"]*\"|`[^`]*`|\[[^\]]*\]", "''", sql)
    word = FORBIDDEN.search(bare)
    if word:
        faults.add(where, file, f"a statement only reads; it says '{word.group(0)}'")
