"""Reads the `.sql` files of one folder: `NAME.sql` and its variants `NAME.DIALECT.sql`, `NAME.restricted.DIALECT.sql`.

The header comment of each file says `counts:`, `cost:` and `versions:`; `null:` may say that NULL means zero, and
`estimate: TABLE as COLUMN` that the database's own idea of the table's rows may stand in for a slow count.
How each dialect is asked for that idea stands in `common/estimates/DIALECT.sql`, with the table as parameter `:wanted`.
For a count with a condition, `PRODUCT/estimates/QUERY.COLUMN[.DIALECT].sql` is a statement on one table of which the
planner is asked how many rows it would give.
A statement that reads names says `consent: extended`; one that gives rows says how many at most (`rows:`) and how often
it is asked (`every:`), and by `unpack: COLUMN as flags` (or `states`) that a column's text holds many values.
"""

from __future__ import annotations

import re
from importlib.resources.abc import Traversable
from pathlib import Path

from agent.catalog.entry import COSTS
from agent.catalog.model import Estimate, Every, NullMeans, Planned, SqlQuery, Unpack
from agent.catalog.reader import Faults
from agent.model import ConsentLevel

DIALECTS = ("postgresql", "mysql", "oracle", "sqlserver", "sqlite")
RESTRICTED = "restricted"
HEADER = re.compile(r"^--\s*(\w+):\s*(.*\S)\s*$", re.MULTILINE)
NEEDED = ("counts", "cost", "versions")
MAY = ("null", "estimate", "consent", "rows", "every", "unpack")
MOST_ROWS = 5000
UNPACK = re.compile(rf"([a-z][a-z0-9_]*) as ({'|'.join(Unpack)})")
ESTIMATE = re.compile(r"(\w+) as ([a-z][a-z0-9_]*)")
PLANNED = re.compile(r"select 1 from (\w+) where (?:(?!\b(?:select|join|from)\b).)+", re.IGNORECASE)
ESTIMATE_COLUMNS = (" as n", " as as_of")
FORBIDDEN = re.compile(
    r"\b(insert|update|delete|merge|create|alter|drop|truncate|grant|revoke|call|execute|copy|into|lock|set)\b", re.I
)

Folder = Traversable | Path
Variants = dict[tuple[bool, str], str]  # (restricted, dialect) -> the file's text


def read_queries(folder: Folder, where: str, faults: Faults) -> dict[str, SqlQuery]:
    """Every statement of `folder` by name; {} when there is no such folder. Faults go to `faults`."""
    if not folder.is_dir():
        return {}
    texts: dict[str, Variants] = {}
    for file in sorted(folder.iterdir(), key=lambda item: item.name):
        name, *rest = file.name.split(".")
        restricted = rest[:1] == [RESTRICTED]
        dialect = ".".join(rest[restricted:-1])
        if rest[-1:] != ["sql"] or (dialect and dialect not in DIALECTS):
            words = f"NAME[.{RESTRICTED}][.DIALECT].sql with one of {', '.join(DIALECTS)}"
            faults.add(where, file.name, f"must be {words}")
            continue
        texts.setdefault(name, {})[restricted, dialect] = file.read_text(encoding="utf-8")
    return {name: _query(name, variants, where, faults) for name, variants in texts.items()}


def read_estimates(folder: Folder, where: str, faults: Faults) -> dict[str, str]:
    """By dialect, the statement that tells about how many rows a table has; {} when there is no such folder."""
    if not folder.is_dir():
        return {}
    found = {}
    for file in sorted(folder.iterdir(), key=lambda item: item.name):
        dialect = file.name.removesuffix(".sql")
        text = statement(file.read_text(encoding="utf-8"))
        if dialect.removesuffix(f".{RESTRICTED}") not in DIALECTS:
            faults.add(where, file.name, f"must be DIALECT[.{RESTRICTED}].sql with one of {', '.join(DIALECTS)}")
        _check_statement(text, file.name, where, faults)
        for piece in (*ESTIMATE_COLUMNS, ":wanted"):
            if piece not in " ".join(text.split()):
                faults.add(where, file.name, f"must have{piece if piece[0] == ' ' else ' ' + piece}")
        found[dialect] = text
    return found


def read_planned(folder: Folder, where: str, faults: Faults) -> dict[str, tuple[Planned, ...]]:
    """By query, the statements whose rows a planner may guess for a column; {} when there is no such folder."""
    if not folder.is_dir():
        return {}
    texts: dict[tuple[str, str], dict[str, str]] = {}
    for file in sorted(folder.iterdir(), key=lambda item: item.name):
        parts = file.name.split(".")
        if len(parts) not in (3, 4) or parts[-1] != "sql" or (len(parts) == 4 and parts[2] not in DIALECTS):
            faults.add(where, file.name, f"must be QUERY.COLUMN[.DIALECT].sql with one of {', '.join(DIALECTS)}")
            continue
        text = statement(file.read_text(encoding="utf-8"))
        _check_statement(text, file.name, where, faults)
        if not PLANNED.fullmatch(" ".join(text.split())):
            faults.add(where, file.name, "must be: select 1 from TABLE where CONDITION")
        texts.setdefault((parts[0], parts[1]), {})[parts[2] if len(parts) == 4 else ""] = text
    found: dict[str, tuple[Planned, ...]] = {}
    for (query, column), variants in texts.items():
        first = PLANNED.match(" ".join(next(iter(variants.values())).split()))
        planned = Planned(first[1].lower() if first is not None else "", column, variants)
        found[query] = (*found.get(query, ()), planned)
    return found


def _query(name: str, variants: Variants, where: str, faults: Faults) -> SqlQuery:
    headers: dict[str, str] = {}
    for (restricted, dialect), text in variants.items():
        file = file_name(name, dialect, restricted=restricted)
        own = dict(HEADER.findall(text))
        for key in NEEDED:
            if not own.get(key):
                faults.add(where, file, f"the header comment does not say '{key}:'")
        for key in own.keys() - {*NEEDED, *MAY}:
            faults.add(where, file, f"'{key}:' is not a known header", key, (*NEEDED, *MAY))
        if headers and any(own.get(key) != headers.get(key) for key in ("cost", *MAY)):
            faults.add(where, file, f"one of cost, {', '.join(MAY)} differs from the other variant")
        headers = headers or own
        _check_statement(statement(text), file, where, faults)
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
    return SqlQuery(
        name=name,
        texts={dialect: statement(text) for (restricted, dialect), text in variants.items() if not restricted},
        counts=headers.get("counts", ""),
        cost=headers.get("cost", "S"),
        versions=headers.get("versions", ""),
        null_means=NullMeans(choice("null", (NullMeans.NOT_PRESENT.value, NullMeans.ZERO.value))),
        estimate=Estimate(estimate[1], estimate[2]) if estimate is not None else None,
        restricted={dialect: statement(text) for (restricted, dialect), text in variants.items() if restricted},
        consent=ConsentLevel(choice("consent", (ConsentLevel.BASIC.value, ConsentLevel.EXTENDED.value))),
        rows=int(rows),
        every=Every(choice("every", (Every.TICK.value, Every.HOUR.value))),
        unpack=(unpack[1], Unpack(unpack[2])) if unpack is not None else None,
    )


def file_name(name: str, dialect: str, *, restricted: bool = False) -> str:
    """The name of the file that holds this variant."""
    return ".".join([name, *([RESTRICTED] if restricted else []), *([dialect] if dialect else []), "sql"])


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
