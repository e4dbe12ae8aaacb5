"""Reads the `.sql` files of one folder: `NAME.sql` and its dialect variants `NAME.DIALECT.sql`.

The header comment of each file says `counts:`, `cost:` and `versions:`; `null:` may say that NULL means zero. A
statement that reads names says `consent: extended`; one that gives rows says how many at most (`rows:`) and how often
it is asked (`every:`).
"""

from __future__ import annotations

import re
from importlib.resources.abc import Traversable
from pathlib import Path

from agent.catalog.entry import COSTS, Faults
from agent.catalog.model import Every, NullMeans, SqlQuery
from agent.model import ConsentLevel

DIALECTS = ("postgresql", "mysql", "oracle", "sqlserver", "sqlite")
HEADER = re.compile(r"^--\s*(\w+):\s*(.*\S)\s*$", re.MULTILINE)
NEEDED = ("counts", "cost", "versions")
MAY = ("null", "consent", "rows", "every")
MOST_ROWS = 5000
FORBIDDEN = re.compile(
    r"\b(insert|update|delete|merge|create|alter|drop|truncate|grant|revoke|call|execute|copy|into|lock|set)\b", re.I
)


def read_queries(folder: Traversable | Path, where: str, faults: Faults) -> dict[str, SqlQuery]:
    """Every statement of `folder` by name; {} when there is no such folder. Faults go to `faults`."""
    if not folder.is_dir():
        return {}
    texts: dict[str, dict[str, str]] = {}
    for file in sorted(folder.iterdir(), key=lambda item: item.name):
        name, _, rest = file.name.partition(".")
        dialect = rest.removesuffix("sql").rstrip(".")
        if not rest.endswith("sql") or (dialect and dialect not in DIALECTS):
            faults.add(where, file.name, f"must be NAME.sql or NAME.DIALECT.sql with one of {', '.join(DIALECTS)}")
            continue
        texts.setdefault(name, {})[dialect] = file.read_text(encoding="utf-8")
    return {name: _query(name, variants, where, faults) for name, variants in texts.items()}


def _query(name: str, variants: dict[str, str], where: str, faults: Faults) -> SqlQuery:
    headers: dict[str, str] = {}
    for dialect, text in variants.items():
        file = f"{name}.{dialect}.sql" if dialect else f"{name}.sql"
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
        texts={dialect: statement(text) for dialect, text in variants.items()},
        counts=headers.get("counts", ""),
        cost=headers.get("cost", "S"),
        versions=headers.get("versions", ""),
        null_means=NullMeans(choice("null", (NullMeans.NOT_PRESENT.value, NullMeans.ZERO.value))),
        consent=ConsentLevel(choice("consent", (ConsentLevel.BASIC.value, ConsentLevel.EXTENDED.value))),
        rows=int(rows),
        every=Every(choice("every", (Every.TICK.value, Every.HOUR.value))),
    )


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
