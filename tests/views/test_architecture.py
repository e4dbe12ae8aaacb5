"""Views read, they never write: asked of the source itself."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.test_architecture import AGENT, imports

WRITERS_OF_STORE = {"transaction", "record", "record_turn", "note_problem", "adopt_machine", "check_clone", "set_meta"}
WRITERS_OF_FILES = {
    *("write_text", "write_bytes", "touch", "mkdir", "makedirs", "rmdir", "unlink", "remove", "rmtree", "rename"),
    *("chmod", "chown", "lchown", "symlink_to", "hardlink_to", "truncate", "ftruncate", "fchmod", "fchown", "copyfile"),
    *("make_folder", "replace_private", "remove_private", "save_record", "remove_link", "ensure_instance"),
    *("NamedTemporaryFile", "TemporaryFile", "mkstemp", "mkdtemp", "write", "dump"),
}
OPENED_TO_READ = {"open_store", "open_pipeline"}  # with read_only=True, said on the spot
WRITING_FLAGS = {"O_WRONLY", "O_RDWR", "O_CREAT", "O_TRUNC", "O_APPEND"}


def writes_in(tree: ast.AST) -> Iterator[str]:
    """What a file does that could change the store or a file, as the call is written."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr in WRITING_FLAGS:
            yield f"os.{node.attr}"
        if not isinstance(node, ast.Call):
            continue
        called = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
        said = {keyword.arg: keyword.value for keyword in node.keywords}
        if called in WRITERS_OF_STORE | WRITERS_OF_FILES or called.startswith(("put_", "save_", "store_")):
            yield called
        elif called in OPENED_TO_READ:
            value = said.get("read_only")
            if not (isinstance(value, ast.Constant) and value.value is True):
                yield f"{called} to write"
        elif called in ("open", "fdopen") and not reads_only(node, said):
            yield f"{called} to write"
        elif called == "connect" and "sqlite3" in ast.unparse(node.func):
            yield "sqlite3.connect"


def reads_only(node: ast.Call, said: Mapping[str | None, ast.expr]) -> bool:
    """Whether a call of `open` names no mode that writes; one that is not written out could be any."""
    function = ast.unparse(node.func)
    if function == "os.open":
        return True  # its flags are looked at above
    place = 1 if function in ("open", "os.fdopen", "io.open") else 0  # else `path.open(mode)`
    mode = said.get("mode", node.args[place] if len(node.args) > place else ast.Constant("r"))
    return isinstance(mode, ast.Constant) and not set(str(mode.value)) & set("wax+")


def test_views_write_nothing() -> None:
    """What a person looks at changes nothing: no view stores or writes a file, and the store is opened to read."""
    wrong = {
        f"{path.relative_to(AGENT)}: {found}"
        for path in (AGENT / "views").rglob("*.py")
        for found in writes_in(ast.parse(path.read_text()))
    }
    assert sorted(wrong) == []


def writers_of_the_store() -> Iterator[str]:
    """Public functions of store/ that need a transaction, by their own text or by the connection they are given."""
    for path in (AGENT / "store").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
                given = any(argument.arg == "connection" for argument in node.args.args)
                if given or ".transaction()" in ast.unparse(node):
                    yield f"{path.stem}.{node.name}"


def test_views_call_no_writer_of_the_store() -> None:
    """The same asked of the store: nothing that it can only do in a transaction is named in a view."""
    writers = set(writers_of_the_store())
    assert {"outbox.put", "delivery_state.save", "audit.record", "losses.count_loss"} <= writers
    named = {
        f"{path.relative_to(AGENT)}: {name}"
        for path in (AGENT / "views").rglob("*.py")
        for name in named_of_the_store(path)
        if name in writers
    }
    assert sorted(named) == []


def named_of_the_store(path: Path) -> Iterator[str]:
    """`module.function` of store/ that a file imports by name or calls through its module."""
    for module, name in imports(path):
        if module.startswith("agent.store."):
            yield f"{module.rpartition('.')[2]}.{name}"
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            yield f"{node.value.id}.{node.attr}"


@pytest.mark.parametrize(
    "line",
    [
        "with store.transaction() as connection: pass",
        "audit.record(store, now, actor, event, {})",
        "open_store(folder)",
        "open_store(folder, read_only=wanted)",
        "open_pipeline(settings)",
        "path.write_text('x')",
        "open(path, 'w')",
        "path.open(mode='ab')",
        "open(path, mode)",
        "os.open(path, os.O_RDONLY | os.O_CREAT)",
        "sqlite3.connect(path)",
        "save_record(folder, record)",
        "outbox.put_many(connection)",
    ],
)
def test_the_rule_of_views_would_notice(line: str) -> None:
    """Each way to write that the rule above is about is found by it."""
    assert list(writes_in(ast.parse(line)))
