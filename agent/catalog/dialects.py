"""One statement in PostgreSQL's words becomes that of each other database: read by sqlglot, changed, written again.

In:   the text of a `.sql` file and what is known of the product's tables (`Tables`).
Out:  the same question for MySQL, Oracle, SQL Server or SQLite; the tables and columns that it reads.
Deny by default: a form that is not known to mean the same in every database is a `Strange`, never a guess.
Only the build imports this: sqlglot is no package of the running agent.
"""

from __future__ import annotations

import fnmatch
import functools
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib.resources.abc import Traversable
from pathlib import Path

from sqlglot import ErrorLevel, exp, parse_one
from sqlglot.dialects.dialect import Dialect
from sqlglot.errors import SqlglotError
from sqlglot.optimizer.scope import Scope, traverse_scope
from sqlglot.tokenizer_core import TokenType

from agent.catalog.reader import Faults

# Our names for the databases, and sqlglot's.
SQLGLOT = {"postgresql": "postgres", "mysql": "mysql", "oracle": "oracle", "sqlserver": "tsql", "sqlite": "sqlite"}
OWN = "postgresql"  # the dialect of a file without a dialect in its name
LINE = 120

# What means the same everywhere once the rules below were applied; tests/catalog/test_forms.py has each.
KNOWN: frozenset[type[exp.Expr]] = frozenset(
    {
        *(exp.Select, exp.From, exp.Table, exp.TableAlias, exp.Join, exp.Where, exp.Group, exp.Having, exp.Order),
        *(exp.Ordered, exp.Limit, exp.Distinct, exp.Subquery, exp.With, exp.CTE, exp.Union, exp.Exists),
        *(exp.Identifier, exp.Column, exp.Alias, exp.Literal, exp.Boolean, exp.Null, exp.Star, exp.Placeholder),
        *(exp.Paren, exp.And, exp.Or, exp.Not, exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE, exp.Is, exp.In),
        *(
            exp.Between,
            exp.Like,
            exp.Case,
            exp.If,
            exp.Add,
            exp.Sub,
            exp.Mul,
            exp.Neg,
            exp.DPipe,
            exp.Cast,
            exp.DataType,
        ),
        *(exp.DataTypeParam, exp.Count, exp.Sum, exp.Min, exp.Max, exp.Abs, exp.Coalesce, exp.Nullif, exp.Filter),
        *(exp.Lower, exp.Upper, exp.Length, exp.Substring, exp.StrPosition, exp.Replace),
    }
)
# What Oracle's own V$RESERVED_WORDS calls reserved, as far as it could be the name of a column or table.
_ORACLE_WORDS = (
    "access add audit char check cluster column comment compress connect current date decimal default exclusive "
    "file float for grant group identified immediate increment index initial integer level lock long maxextents "
    "mode modify noaudit nocompress nowait number of offline online option order pctfree prior public raw rename "
    "resource revoke row rowid rownum rows session set share size smallint start successful synonym sysdate table "
    "then to trigger uid unique user validate values varchar varchar2 view whenever"
)
ORACLE_WORDS = frozenset(_ORACLE_WORDS.split())
# A text without a length is a CLOB on Oracle, which it can neither compare nor group.
CASTS = ("BIGINT", "INT", "DECIMAL", "VARCHAR")
CONDITIONS = (exp.Predicate, exp.And, exp.Or, exp.Not, exp.Boolean)


class Strange(ValueError):
    """This statement cannot be made into another database's; the words say what of it."""


@dataclass(frozen=True, slots=True)
class Tables:
    """What no statement can tell of a product's tables.

    `spelling`: by dialect, patterns of table names and the case they have there; the last that fits counts.
    `long_text`: columns (table.column) without a length limit, and how many characters of them are wanted at most.
    `keys`: by table, a column that each version has, or some where versions differ: what an account must be able to
    read where rows are counted and no column is named; without one it is `id`.
    """

    spelling: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    long_text: Mapping[str, int] = field(default_factory=dict)
    keys: Mapping[str, str] = field(default_factory=dict)

    def __hash__(self) -> int:
        return hash(repr(self))


def read_tables(file: Traversable | Path, where: str, faults: Faults) -> Tables:
    """What `tables.toml` of a product says; nothing when there is no such file. Faults go to `faults`."""
    if not file.is_file():
        return Tables()
    try:
        document = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        faults.add(where, "file", f"cannot be read: {error}")
        return Tables()
    for key in document.keys() - {"spelling", "long_text", "keys"}:
        faults.add(where, key, "is not a known table", key, ("spelling", "long_text", "keys"))
    spelling = document.get("spelling", {})
    for dialect, patterns in spelling.items():
        if dialect not in SQLGLOT or not set(patterns.values()) <= {"upper", "lower"}:
            faults.add(where, f"spelling.{dialect}", "must map patterns to upper or lower, for a known dialect")
    long_text = document.get("long_text", {})
    for column, most in long_text.items():
        # What Oracle can turn into a plain text: 4,000 bytes, and a character may take four.
        if column.count(".") != 1 or not isinstance(most, int) or not 1 <= most <= 1000:
            faults.add(where, f"long_text.{column}", "must be table.column and a number from 1 to 1000")
    return Tables(spelling, long_text, document.get("keys", {}))


@functools.lru_cache(maxsize=4096)  # products share statements, and a test reads a catalog a hundred times
def translated(text: str, dialect: str, tables: Tables, whole: str = "") -> str | None:
    """The statement for `dialect`; None when `text` is it, word for word. `whole` is a column that must not be cut.

    Raises Strange.
    """
    tree = _read(text)
    # Before any rule: a rule may only ever see what it was written for, so that a new form is refused and never half
    # made.
    _known(tree)
    for rule in RULES[dialect]:
        tree = rule(tree, tables, whole)
    written = _written(tree, dialect)
    # Words and not bytes: what differs in layout alone is stored once for all databases.
    return None if _words(written, dialect) == _words(text, dialect) else written


def parsed(text: str, dialect: str) -> exp.Expr:
    """The tree of a statement in its own dialect. Raises Strange when it is none."""
    try:
        return parse_one(text, read=SQLGLOT[dialect], error_level=ErrorLevel.RAISE)
    except SqlglotError as error:
        raise Strange(f"is no statement of {dialect}: {' '.join(str(error).split())[:200]}") from error


@functools.lru_cache(maxsize=4096)
def columns_given(text: str, dialect: str) -> tuple[str, ...]:
    """The names of the columns that a statement gives, in order."""
    return tuple(_given(parsed(text, dialect)))


def columns_read(text: str, dialect: str = OWN) -> dict[str, set[str]]:
    """By table, the columns that a statement reads; a table whose rows are only counted has none.

    Names that stand in quotes keep their case, the others are in small letters. Raises Strange where a column does not
    say of which table it is.
    """
    found: dict[str, set[str]] = {}
    for scope in traverse_scope(parsed(text, dialect)):
        for source in scope.sources.values():
            if isinstance(source, exp.Table):
                found.setdefault(_name(source.this), set())
        for column in _columns(scope):
            table = _owner(column, scope)
            if table is not None:
                found.setdefault(table, set()).add(_name(column.this))
    return found


def planned(text: str, column: str) -> tuple[str, str]:
    """For a counted column, the statement that gives as many rows as are counted, and the table they are rows of.

    What is joined decides which of them count; a planner knows as many rows of a join as it expects of a table.
    Raises Strange when the column is neither count(*) nor sum(case when CONDITION then 1 else 0 end) of one SELECT.
    """
    tree = _read(text)
    counted = (
        next((item for item in tree.selects if item.alias == column), None) if isinstance(tree, exp.Select) else None
    )
    source = tree.find(exp.Table)
    selects = list(tree.find_all(exp.Select))
    if counted is None or source is None or len(selects) != 1:
        raise Strange(f"has no column {column} that counts rows of one SELECT")
    where = tree.args.get("where")
    joins = tree.args.get("joins") or []
    conditions = [where.this] if where is not None else []
    figure = counted.this
    if isinstance(figure, exp.Sum):
        conditions.append(_condition(figure.this, column))
    elif not (isinstance(figure, exp.Count) and isinstance(figure.this, exp.Star)):
        raise Strange(f"counts {column} in a way of which no planner can be asked")
    if not conditions:
        raise Strange(f"counts all rows as {column}: that is an estimate, not a plan")
    rows = exp.select("1").from_(source.copy()).where(*(item.copy() for item in conditions))
    rows.set("joins", [join.copy() for join in joins])
    return _written(rows, OWN), _name(source.this)


# ------------------------------------------------------------------------------------------------------- the rules

Rule = Callable[[exp.Expr, Tables, str], exp.Expr]


def _numbers_for_booleans(tree: exp.Expr, tables: Tables, whole: str) -> exp.Expr:
    """Neither Oracle nor SQL Server knows TRUE, nor takes a column for a condition; what they store is 0 or 1."""
    for truth in [node for node in tree.find_all(exp.Is) if isinstance(node.expression, exp.Boolean)]:
        truth.replace(exp.EQ(this=truth.this.copy(), expression=truth.expression.copy()))
    for column in list(tree.find_all(exp.Column)):
        if _is_condition(column):
            column.replace(exp.EQ(this=column.copy(), expression=exp.Literal.number(1)))
    for word in list(tree.find_all(exp.Boolean)):
        word.replace(exp.Literal.number(int(word.this)))
    return tree


def _cases_for_filters(tree: exp.Expr, tables: Tables, whole: str) -> exp.Expr:
    """`count(*) filter (where C)` is known to PostgreSQL and SQLite only: `count(case when C then 1 end)` to all."""
    for filtered in list(tree.find_all(exp.Filter)):
        figure, condition = filtered.this.copy(), filtered.expression.this.copy()
        counted = figure.this
        if isinstance(counted, exp.Distinct):
            (only,) = counted.expressions
            only.replace(exp.case().when(condition, only.copy()))
        else:
            value = exp.Literal.number(1) if isinstance(counted, exp.Star) else counted.copy()
            counted.replace(exp.case().when(condition, value))
        filtered.replace(figure)
    return tree


def _something_to_select_from(tree: exp.Expr, tables: Tables, whole: str) -> exp.Expr:
    """Oracle before 23 refuses a SELECT without FROM."""
    for select in tree.find_all(exp.Select):
        if select.args.get("from_") is None:
            select.from_(exp.table_("dual"), copy=False)
    return tree


def _no_word_of_oracle(tree: exp.Expr, tables: Tables, whole: str) -> exp.Expr:
    """A column that is named with such a word has another name on Oracle, and which one no rule can tell."""
    for identifier in tree.find_all(exp.Identifier):
        if not identifier.quoted and identifier.name.lower() in ORACLE_WORDS:
            raise Strange(f"names {identifier.name}, a word that Oracle keeps for itself")
    return tree


def _null_for_empty(tree: exp.Expr, tables: Tables, whole: str) -> exp.Expr:
    """To Oracle '' is NULL, and nothing is ever equal to it."""
    for node in list(tree.find_all(exp.EQ, exp.NEQ)):
        if _is_empty(node.expression):
            null: exp.Expr = exp.Is(this=node.this.copy(), expression=exp.Null())
            node.replace(null if isinstance(node, exp.EQ) else exp.Not(this=null))
    for literal in tree.find_all(exp.Literal):
        # Taken out (`replace(a, 'x', '')`) and turned into NULL (`nullif(a, '')`) come to the same with NULL.
        if _is_empty(literal) and not isinstance(literal.parent, exp.Replace | exp.Nullif):
            raise Strange("says '' where Oracle takes it for NULL")
    return tree


def _cut_for_oracle(tree: exp.Expr, tables: Tables, whole: str) -> exp.Expr:
    return _cut(tree, tables, whole, lambda text, most: exp.func("to_char", exp.func("substr", text, "1", str(most))))


def _cut_for_sqlserver(tree: exp.Expr, tables: Tables, whole: str) -> exp.Expr:
    return _cut(tree, tables, whole, lambda text, most: exp.cast(text, exp.DataType.build(f"nvarchar({most})", "tsql")))


def _cut(tree: exp.Expr, tables: Tables, whole: str, cut: Callable[[exp.Expr, int], exp.Expr]) -> exp.Expr:
    """A text without a length limit can be neither compared nor grouped before it is cut."""
    places = [
        (column, most)
        for scope in traverse_scope(tree)
        for column in _columns(scope)
        if (most := tables.long_text.get(f"{_owner(column, scope)}.{_name(column.this)}")) is not None
    ]
    for column, most in places:
        parent = column.parent
        if not (isinstance(parent, exp.Alias) and parent.alias == whole):
            column.replace(cut(column.copy(), most))
    return tree


def _spelt(dialect: str) -> Rule:
    def rule(tree: exp.Expr, tables: Tables, whole: str) -> exp.Expr:
        """MySQL on Linux tells `content` from `CONTENT`; a name in quotes is as it must be."""
        patterns = tables.spelling.get(dialect, {})
        own = {cte.alias for cte in tree.find_all(exp.CTE)}
        for table in tree.find_all(exp.Table):
            name = table.this
            fits = [case for pattern, case in patterns.items() if fnmatch.fnmatchcase(name.name, pattern)]
            if fits and not name.quoted and name.name not in own:
                name.set("this", name.name.upper() if fits[-1] == "upper" else name.name.lower())
        return tree

    return rule


def _substr(tree: exp.Expr, tables: Tables, whole: str) -> exp.Expr:
    """SQLite before 3.34 has no `substring`; all but SQL Server have `substr`."""
    for node in list(tree.find_all(exp.Substring)):
        node.replace(exp.Anonymous(this="substr", expressions=[node.this, node.args["start"], node.args["length"]]))
    return tree


def _no_order_of_nulls(tree: exp.Expr, tables: Tables, whole: str) -> exp.Expr:
    """Where NULL stands differs; to keep it as on PostgreSQL costs the use of an index, and only a LIMIT needs it."""
    for ordered in tree.find_all(exp.Ordered):
        select = ordered.find_ancestor(exp.Select, exp.Union)
        if select is None or select.args.get("limit") is None:
            ordered.set("nulls_first", not ordered.args.get("desc"))  # what these databases do without being told
    return tree


RULES: Mapping[str, tuple[Rule, ...]] = {
    OWN: (),
    "sqlite": (_no_order_of_nulls, _substr),
    "mysql": (_cases_for_filters, _numbers_for_booleans, _no_order_of_nulls, _substr, _spelt("mysql")),
    "sqlserver": (
        *(_cases_for_filters, _numbers_for_booleans, _no_order_of_nulls, _cut_for_sqlserver),
        _spelt("sqlserver"),
    ),
    "oracle": (
        *(_no_word_of_oracle, _cases_for_filters, _numbers_for_booleans, _null_for_empty, _cut_for_oracle),
        *(_something_to_select_from, _spelt("oracle")),
    ),
}


# ------------------------------------------------------------------------------------------------- what may be said


def _read(text: str) -> exp.Expr:
    return parsed(text, OWN)


def _known(tree: exp.Expr) -> None:
    """Nothing but what is known to mean the same in each database."""
    for node in tree.walk():
        if type(node) not in KNOWN:
            raise Strange(f"says '{node.sql('postgres')[:60]}', which not every database understands alike")
        _check_node(node)


def _check_node(node: exp.Expr) -> None:
    if isinstance(node, exp.Cast) and node.to.this.name not in CASTS:
        raise Strange(f"casts to {node.to.sql('postgres')}: only {', '.join(CASTS).lower()} are alike")
    if isinstance(node, exp.Cast) and node.to.this.name in ("VARCHAR", "DECIMAL") and not node.to.expressions:
        raise Strange("casts to a type that needs a length")
    if isinstance(node, exp.Substring) and (node.args.get("length") is None or node.args["start"].is_string):
        raise Strange("takes a substring without start and length as numbers")
    if isinstance(node, exp.Select) and node.args.get("distinct") and node.args["distinct"].args.get("on"):
        raise Strange("says distinct on")
    if isinstance(node, exp.Ordered) and bool(node.args.get("nulls_first")) != bool(node.args.get("desc")):
        raise Strange("orders NULL otherwise than by default")
    if isinstance(node, exp.Join) and (node.side not in ("", "LEFT") or node.args.get("using")):
        raise Strange("joins in another way than [left] join … on")
    if isinstance(node, exp.In) and any(isinstance(item, exp.Tuple) for item in (node.this, *node.expressions)):
        raise Strange("compares several columns at once")
    given = node.unalias() if isinstance(node, exp.Alias) else node
    if isinstance(node.parent, exp.Select) and node.arg_key == "expressions" and isinstance(given, CONDITIONS):
        raise Strange("gives a condition as a value")


def _is_condition(column: exp.Column) -> bool:
    """Whether the column stands where a condition is wanted."""
    node: exp.Expr = column
    while isinstance(node.parent, exp.Paren):
        node = node.parent
    parent, key = node.parent, node.arg_key
    if isinstance(parent, exp.If):  # a branch of a searched CASE; `case a when b` has a value there
        case = parent.parent
        return key == "this" and isinstance(case, exp.Case) and case.args.get("this") is None
    if isinstance(parent, exp.Join):
        return key == "on"
    return isinstance(parent, exp.And | exp.Or | exp.Not | exp.Where | exp.Having)


def _condition(case: exp.Expr, column: str) -> exp.Expr:
    """The condition of `case when CONDITION then 1 else 0 end`."""
    branches: list[exp.If] = case.args.get("ifs") or []
    if len(branches) == 1 and case.args.get("this") is None:
        branch = branches[0]
        if branch.args["true"] == exp.Literal.number(1) and case.args.get("default") == exp.Literal.number(0):
            return exp.paren(branch.this) if isinstance(branch.this, exp.Or) else branch.this
    raise Strange(f"counts {column} in a way of which no planner can be asked")


def _given(tree: exp.Expr) -> list[str]:
    return tree.named_selects if isinstance(tree, exp.Query) else []


def _is_empty(node: exp.Expr) -> bool:
    return isinstance(node, exp.Literal) and node.is_string and node.this == ""


def _name(identifier: exp.Expr) -> str:
    return identifier.name if isinstance(identifier, exp.Identifier) and identifier.quoted else identifier.name.lower()


def _owner(column: exp.Column, scope: Scope) -> str | None:
    """The table whose column it is; None for one of a derived table, or of the statement's own alias."""
    if column.table:
        for place in _outwards(scope):
            source = place.sources.get(column.table)
            if source is not None:
                return _name(source.this) if isinstance(source, exp.Table) else None
        raise Strange(f"names {column.sql()}, and there is no table of this name")
    sources = list(scope.sources.values())
    for source in sources:
        if isinstance(source, Scope) and column.name in _given(source.expression):
            return None
    if column.find_ancestor(exp.Order) is not None and column.name in _given(scope.expression):
        return None
    tables = [source for source in sources if isinstance(source, exp.Table)]
    if len(tables) == 1 and len(sources) == 1:
        return _name(tables[0].this)
    raise Strange(f"does not say of which table {column.name} is")


def _columns(scope: Scope) -> list[exp.Column]:
    """Those of this SELECT itself; sqlglot counts a bare name below it as one of its own too."""
    return [
        column for column in scope.columns if column.find_ancestor(exp.Select, exp.SetOperation) is scope.expression
    ]


def _outwards(scope: Scope) -> Iterator[Scope]:
    place: Scope | None = scope
    while place is not None:
        yield place
        place = place.parent


# ------------------------------------------------------------------------------------------------------- the words


def _written(tree: exp.Expr, dialect: str) -> str:
    """The statement in the words of `dialect`, keywords in small letters as in the files."""
    try:
        text = tree.sql(
            dialect=SQLGLOT[dialect],
            pretty=True,
            indent=2,
            max_text_width=LINE,
            normalize_functions="lower",
            unsupported_level=ErrorLevel.RAISE,
        )
    except SqlglotError as error:
        raise Strange(f"cannot be said to {dialect}: {' '.join(str(error).split())[:200]}") from error
    names = {node.name for node in tree.find_all(exp.Identifier)}
    pieces, at = [], 0
    for token in Dialect.get_or_raise(SQLGLOT[dialect]).tokenize(text):
        word = text[token.start : token.end + 1]
        if word.replace(" ", "").isidentifier() and word not in names:  # "ORDER BY" is one token
            pieces += [text[at : token.start], word.lower()]
            at = token.end + 1
    return "".join([*pieces, text[at:]])


def _words(text: str, dialect: str) -> list[tuple[TokenType, str]]:
    """The statement without its layout, and without the AS before an alias, which each of these databases may miss."""
    tokens = Dialect.get_or_raise(SQLGLOT[dialect]).tokenize(text)
    return [(token.token_type, token.text) for token in tokens if token.token_type is not TokenType.ALIAS]
