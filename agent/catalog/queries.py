"""Reads the `.sql` files of one folder: `NAME.sql` and its dialect variants `NAME.DIALECT.sql`.

The header comment of each file says `counts:`, `cost:` and `versions:`; `null:` may say that NULL means zero.
"""

from __future__ import annotations

import re
from importlib.resources.abc import Traversable
from pathlib import Path

from agent.catalog.entry import COSTS, Faults
from agent.catalog.model import NullMeans, SqlQuery

DIALECTS = ("postgresql", "mysql", "oracle", "sqlserver", "sqlite")
HEADER = re.compile(r"^--\s*(\w+):\s*(.*\S)\s*$", re.MULTILINE)
NEEDED = ("counts", "cost", "versions")
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
        for key in own.keys() - {*NEEDED, "null"}:
            faults.add(where, file, f"'{key}:' is not a known header", key, (*NEEDED, "null"))
        if headers and (own.get("cost"), own.get("null")) != (headers.get("cost"), headers.get("null")):
            faults.add(where, file, "cost or null differ from the other variant")
        headers = headers or own
        _check_statement(statement(text), file, where, faults)
    if headers.get("cost", "S") not in COSTS:
        faults.add(where, f"{name}.sql", f"cost must be one of {', '.join(COSTS)}")
    null = headers.get("null", NullMeans.NOT_PRESENT.value)
    if null not in [item.value for item in NullMeans]:
        faults.add(where, f"{name}.sql", f"null must be one of {', '.join(NullMeans)}", null, list(NullMeans))
        null = NullMeans.NOT_PRESENT.value
    return SqlQuery(
        name=name,
        texts={dialect: statement(text) for dialect, text in variants.items()},
        counts=headers.get("counts", ""),
        cost=headers.get("cost", "S"),
        versions=headers.get("versions", ""),
        null_means=NullMeans(null),
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
        faults.add(where, file, f"a guardrail only reads; it says '{word.group(0)}'")
