"""The compiled catalog: equal to its sources, never stale, never used in part, and safe where others can write."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from agent.catalog import CatalogError, load_catalog, products
from agent.catalog.compile import compiled_bytes, write_compiled
from agent.catalog.compiled import parse_compiled, render_compiled, sources_hash
from agent.catalog.packing import Foreign, pack
from agent.catalog.parse import parse_catalog

CHECKOUT = Path(__file__).parents[2]
UNIT = "import sys; from agent.catalog import load_catalog; print(load_catalog('crowd').metrics['jvm.uptime'].unit)"
COMPILER = "import sys; sys.modules['sqlglot'] = None; "  # as where it is not installed


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A fresh checkout: nothing is compiled yet."""
    shutil.copytree(CHECKOUT / "agent", tmp_path / "agent", ignore=shutil.ignore_patterns("__pycache__", "*.json"))
    (tmp_path / "requirements").mkdir()
    shutil.copy(CHECKOUT / "requirements" / "build.txt", tmp_path / "requirements")
    return tmp_path


def python(tree: Path, program: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-B", "-c", program], cwd=tree, capture_output=True, text=True, timeout=120)


def compiled(tree: Path, product: str = "crowd") -> Path:
    return tree / "agent" / "catalog" / "compiled" / f"{product}.json"


def change(tree: Path, old: str = 'unit = "ms"', new: str = 'unit = "hs"') -> None:
    """Another unit for the uptime, with size and times as before: another commit's checkout may leave them so."""
    file = next(
        file for file in (tree / "agent" / "catalog" / "common").glob("*.toml") if '"jvm.uptime"' in file.read_text()
    )
    before, text = file.stat(), file.read_text()
    head, name, rest = text.partition('"jvm.uptime"')
    assert old in rest
    file.write_text(head + name + rest.replace(old, new, 1))
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert file.stat().st_size == before.st_size


# ------------------------------------------------------------------------------------------------- what it says


@pytest.mark.parametrize("product", products())
def test_it_is_equal_to_its_sources(product: str) -> None:
    """Every metric, statement, rule and list, in their order."""
    parsed, loaded = parse_catalog(product), parse_compiled(compiled_bytes(product, "x"), product)
    assert loaded == parsed == load_catalog(product)
    assert list(loaded.metrics) == list(parsed.metrics)
    assert list(loaded.queries) == list(parsed.queries)


def test_the_same_sources_give_the_same_bytes() -> None:
    """Compiled twice, by processes of their own, byte for byte."""
    program = (
        "import sys; from agent.catalog.compile import compiled_bytes as b; sys.stdout.buffer.write(b('jira', 'x'))"
    )
    runs = [
        subprocess.run(
            [sys.executable, "-c", program],
            cwd=CHECKOUT,
            env={"PYTHONHASHSEED": seed, "PATH": ""},
            check=True,
            capture_output=True,
        ).stdout
        for seed in ("1", "2")
    ]
    assert runs[0] == runs[1]


# ------------------------------------------------------------------------------------------------- in a checkout


def test_a_fresh_checkout_compiles_once_and_leaves_it(tree: Path) -> None:
    """The first start leaves the compiled form; from then on nobody needs the compiler."""
    assert python(tree, UNIT).stdout == "ms\n"
    assert compiled(tree).stat().st_mode & 0o777 == 0o644
    assert python(tree, COMPILER + UNIT).stdout == "ms\n"


def test_changed_sources_are_never_passed_over(tree: Path) -> None:
    """Same size, same times, other bytes: the next start has the new ones."""
    assert python(tree, UNIT).stdout == "ms\n"
    change(tree)
    assert python(tree, UNIT).stdout == "hs\n"
    change(tree, 'unit = "hs"', 'unit = "ms"')
    assert python(tree, UNIT).stdout == "ms\n"


def test_the_first_start_after_a_change_may_be_any_command(tree: Path) -> None:
    """The product of a configuration, a word of an enum, compiles as well as the word itself does."""
    program = (
        "from agent.catalog import load_catalog\nfrom agent.settings import ProductType\n"
        "made = load_catalog(ProductType.CROWD)\nprint(made.metrics['jvm.uptime'].unit, type(made.product).__name__)"
    )
    assert python(tree, program).stdout == "ms str\n"
    change(tree)
    assert python(tree, program).stdout == "hs str\n"


@pytest.mark.parametrize(
    ("name", "more"),
    [
        ("agent/catalog/crowd/guardrails/users.sql", "-- why not\n"),
        ("agent/catalog/crowd/guardrails/more.txt", None),
        ("agent/catalog/shapes.toml", "\n"),
        ("agent/catalog/crowd/tables.toml", "\n"),
        ("agent/catalog/crowd/new.toml", ""),
        ("agent/catalog/dialects.py", "\n"),
        ("agent/catalog/model.py", "\n"),
        ("agent/model.py", "\n"),
        ("agent/sources/new/binding.py", ""),
        ("requirements/build.txt", "\n"),
    ],
)
def test_all_that_it_is_made_from_counts(tree: Path, name: str, more: str | None) -> None:
    """Data, code that reads it, words of the model, bindings of sources, the pinned compiler; no other file does."""
    program = "from agent.catalog.compiled import sources_hash; print(sources_hash('crowd'))"
    before = python(tree, program).stdout
    file = tree / name
    file.parent.mkdir(exist_ok=True)
    file.write_text((file.read_text() if file.exists() else "") + (more or ""))
    assert (python(tree, program).stdout == before) == (more is None)
    assert len(before) == 65


def test_a_moved_file_counts() -> None:
    """The same bytes under another name are other sources; the products' are their own."""
    assert len({sources_hash(product) for product in products()}) == len(products())


def test_without_a_compiler_changed_sources_are_told(tree: Path) -> None:
    """A stale form is not used: what happened, why, and what to do, exit 10."""
    assert python(tree, UNIT).stdout == "ms\n"
    change(tree)
    refused = python(
        tree,
        COMPILER + "from agent.catalog import CatalogError, load_catalog\n"
        "try: load_catalog('crowd')\nexcept CatalogError as error: print(error.exit_code, error)",
    )
    assert refused.stdout.splitlines() == [
        "10 The catalog of crowd is not compiled.",
        "  Why: the files it is made from differ from those it was compiled from, and sqlglot is not installed here",
        "  Do: Run: ./scripts/setup (it fetches what compiles the catalog).",
    ]


def test_faults_of_the_sources_are_told_in_place_of_an_old_catalog(tree: Path) -> None:
    """A source with a fault is an error that names it, though a form of before lies there."""
    assert python(tree, UNIT).stdout == "ms\n"
    (tree / "agent" / "catalog" / "crowd" / "new.toml").write_text("[[metrics]]\n")
    refused = python(tree, UNIT)
    assert refused.returncode != 0
    assert "crowd/new.toml" in refused.stderr


def test_many_that_start_at_once(tree: Path) -> None:
    """Each has the whole catalog, whoever compiles; nothing is left beside it."""
    with ThreadPoolExecutor(4) as pool:
        runs = list(pool.map(lambda _: python(tree, UNIT), range(4)))
    assert [run.stdout for run in runs] == ["ms\n"] * 4, runs[0].stderr
    assert sorted(file.name for file in compiled(tree).parent.iterdir()) == [".gitignore", "crowd.json"]


@pytest.mark.parametrize("what", ["writable", "foreign", "link", "pipe", "folder"])
def test_what_others_may_have_left_is_not_read(tree: Path, what: str) -> None:
    """A form that others can write, that is somebody else's or no plain file is not used, were it right to the byte."""
    assert python(tree, UNIT).stdout == "ms\n"
    file, forged = compiled(tree), compiled(tree).read_bytes().replace(b'"jvm.uptime"', b'"jvm.upfake"')
    head, _, body = forged.partition(b"\n")
    facts = json.loads(head)
    data = render_compiled(json.loads(body), "crowd", facts["sources"])
    if what == "foreign" and os.geteuid() != 0:
        pytest.skip("only root can give a file away")
    file.unlink()
    if what == "pipe":
        os.mkfifo(file)
    elif what == "folder":
        file.mkdir()
    elif what == "link":
        write_compiled(tree / "forged.json", data)
        file.symlink_to(tree / "forged.json")
    else:
        write_compiled(file, data)
        os.chmod(file, 0o664) if what == "writable" else os.chown(file, 12345, 12345)
    assert python(tree, UNIT).stdout == "ms\n"


def test_the_forgery_above_would_have_been_used(tree: Path) -> None:
    """Of our own, with the right sums, it is: owner and mode are what the refusal stands on."""
    assert python(tree, UNIT).stdout == "ms\n"
    head, _, body = compiled(tree).read_bytes().replace(b'"jvm.uptime"', b'"jvm.upfake"').partition(b"\n")
    write_compiled(compiled(tree), render_compiled(json.loads(body), "crowd", json.loads(head)["sources"]))
    assert "jvm.uptime" in python(tree, UNIT).stderr


def test_a_checkout_of_somebody_else(tree: Path) -> None:
    """Where it cannot be left it is compiled in memory; what root left is used by everyone."""
    if os.geteuid() != 0:
        pytest.skip("needs another account")
    # Imported and used once as root, since another account may not read where this Python lies.
    other = (
        "from agent.catalog.compile import compiled_bytes; compiled_bytes('crowd', 'x')\n"
        "import os, sys; os.setegid(65534); os.seteuid(65534); sys.path_importer_cache.clear()\n"
    )
    with tempfile.TemporaryDirectory() as folder:  # pytest's own is closed to others
        shared = Path(folder) / "checkout"
        shutil.copytree(tree, shared)
        for place in (Path(folder), shared):
            place.chmod(0o755)
        assert python(shared, other + UNIT).stdout == "ms\n"
        assert not compiled(shared).exists()
        assert python(shared, UNIT).stdout == "ms\n"
        assert compiled(shared).exists()
        unasked = "sys.modules['agent.catalog.compile'] = None\n"
        assert python(shared, other + unasked + UNIT).stdout == "ms\n"


# -------------------------------------------------------------------------------------------------- in a wheel


@pytest.fixture
def installed(tree: Path) -> Path:
    """What a wheel unpacks to: the compiled forms and no sources."""
    for name in ("pyproject.toml", "hatch_build.py", "LICENSE"):
        shutil.copy(CHECKOUT / name, tree)
    (tree / "README.md").write_text("x\n")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel"], cwd=tree, check=True, capture_output=True
    )
    (wheel,) = (tree / "dist").glob("*.whl")
    with zipfile.ZipFile(wheel) as packed:
        packed.extractall(tree / "site")
    return tree / "site"


def test_a_wheel_needs_no_sources_and_no_compiler(installed: Path) -> None:
    """All products load, and `catalog check` counts them; not one source file is there."""
    assert not list(installed.rglob("*.sql"))
    assert not list((installed / "agent").rglob("*.toml"))
    program = "from agent.catalog import products; print(*products()); from agent.catalog.__main__ import main; main()"
    shown = python(installed, COMPILER + program.replace("main()", "sys.argv[1:] = []; main()", 1))
    assert shown.stdout.splitlines()[0] == " ".join(products())
    assert f"jira: {len(load_catalog('jira').metrics)} metrics" in shown.stdout
    assert python(installed, COMPILER + UNIT).stdout == "ms\n"


@pytest.mark.parametrize("damage", ["cut", "flipped", "empty", "other product", "gone", "other format"])
def test_a_damaged_wheel_is_refused_whole(installed: Path, damage: str) -> None:
    """Three facts and exit 10; not one metric of it is used."""
    file = compiled(installed)
    data = file.read_bytes()
    if damage == "gone":
        file.unlink()
        (file.parent / "crowd.json").mkdir()
    else:
        broken = {
            "cut": data[: len(data) // 2],
            "flipped": data[:-40] + bytes([data[-40] ^ 1]) + data[-39:],
            "empty": b"",
            "other product": compiled(installed, "jira").read_bytes(),
            "other format": data.replace(b'"format": 1', b'"format": 2', 1),
        }
        file.write_bytes(broken[damage])
    refused = python(
        installed,
        "from agent.catalog import CatalogError, load_catalog\n"
        "try: load_catalog('crowd')\nexcept CatalogError as error: print(error.exit_code, error)",
    )
    lines = refused.stdout.splitlines()
    assert lines[0] == "10 The catalog of crowd cannot be used."
    assert lines[1].startswith("  Why: ")
    assert lines[2] == "  Do: Install the package again: its files were changed or damaged."


def test_what_was_packed_under_other_words_is_foreign() -> None:
    """A form of another version, whose classes had other fields, does not load; nor does one of other sources."""
    packed = pack(load_catalog("crowd"))
    data = render_compiled(packed, "crowd", "x")
    assert parse_compiled(data, "crowd", "x") == load_catalog("crowd")
    with pytest.raises(Foreign, match="other sources"):
        parse_compiled(data, "crowd", "y")
    number = next(place for place, row in enumerate(packed["classes"]) if row[1] == "Metric")
    packed["classes"][number][2][0] = "title"
    with pytest.raises(Foreign, match="other fields"):
        parse_compiled(render_compiled(packed, "crowd", "x"), "crowd")


def test_an_unknown_product_is_told() -> None:
    """With those there are."""
    with pytest.raises(CatalogError, match="crowd, jira"):
        load_catalog("fisheye")


# ------------------------------------------------------------------------------------------------ at run time


def test_nothing_that_runs_imports_the_compiler() -> None:
    """Loading a catalog, every command's module and the daemon come without sqlglot, and without what reads sources."""
    load_catalog("jira")  # compiled at the latest now
    program = (
        "import sys, importlib, pkgutil, agent.cli, agent.runtime, agent.views, agent.sources\n"
        "for part in (agent.cli, agent.runtime, agent.views, agent.sources):\n"
        "    for module in pkgutil.walk_packages(part.__path__, part.__name__ + '.'):\n"
        "        if not module.name.endswith('__main__'): importlib.import_module(module.name)\n"
        "from agent.catalog import load_catalog\nload_catalog('jira')\n"
        "print(sorted({name.partition('.')[0] for name in sys.modules} & {'sqlglot'}),"
        " sorted(set(sys.modules) & {'agent.catalog.parse', 'agent.catalog.dialects', 'agent.catalog.queries'}))"
    )
    shown = python(CHECKOUT, program)
    assert shown.stdout == "[] []\n", shown.stderr
