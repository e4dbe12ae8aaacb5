"""How test files are dealt to workers, and which of them are quick."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.lanes import LONG, WAITING, in_order, next_file
from tests.support.quick import ROOT, starts_processes

WAITS, COMPUTES = "tests/e2e/test_kill.py", "tests/link/test_paste.py"


def test_each_lane_takes_its_own() -> None:
    """A worker that waits never takes what computes; one that computes takes the rest when its own is done."""
    both = [WAITS, COMPUTES]
    assert next_file(both, waiting=False) == COMPUTES
    assert next_file(both, waiting=True) == WAITS
    assert next_file([WAITS], waiting=False) == WAITS
    assert next_file([COMPUTES], waiting=True) is None
    assert next_file([], waiting=False) is None


def test_long_files_are_begun_first() -> None:
    """The files of LONG come in its order, before all others in theirs."""
    assert in_order(["b", LONG[1], "a", LONG[0]]) == [LONG[0], LONG[1], "b", "a"]


@pytest.mark.parametrize("path", sorted({*WAITING, *LONG}))
def test_what_the_lists_name_is_there(path: str) -> None:
    """A file that moved is noticed: otherwise it would end up last, or in the wrong lane."""
    assert (ROOT / path).exists()


CASES = {
    "test_waits.py": "def test_one(worker_id):\n    assert worker_id in ('gw1', 'gw2')\n",
    "test_computes.py": "def test_one(worker_id):\n    assert worker_id == 'gw0'\n",
    "test_more.py": "import pytest\n@pytest.mark.parametrize('n', range(9))\ndef test_one(n):\n    pass\n",
    "conftest.py": (
        "from tests.support import lanes\n"
        "from tests.support.lanes import pytest_xdist_make_scheduler\n"
        "lanes.WAITING = ('test_waits.py',)\n"
        "def pytest_addoption(parser):\n    lanes.add_option(parser)\n"
    ),
}


def test_one_session_runs_both_lanes(tmp_path: Path) -> None:
    """With one worker that computes and two that wait, each file runs in its lane and one line counts them all."""
    for name, text in CASES.items():
        (tmp_path / name).write_text(text)
    command = [sys.executable, "-m", "pytest", "-c", "/dev/null", f"--rootdir={tmp_path}", "-p", "no:cacheprovider"]
    command += ["--numprocesses", "3", "--waiting-workers", "2", "--dist", "loadfile", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stdout
    assert "11 passed" in done.stdout.splitlines()[-1]


def test_imports_tell_what_is_quick(tmp_path: Path) -> None:
    """A file that starts processes, itself or by what it imports, is not quick; nor is one that asks for a server."""
    texts = {
        "tests/__init__.py": "",
        "tests/support/__init__.py": "",
        "tests/support/plain.py": "import json\n",
        "tests/support/starts.py": "import subprocess\n",
        "tests/support/between.py": "from tests.support import plain, starts\n",
        "a.py": "from tests.support.plain import x\n",
        "b.py": "from tests.support.between import x\n",
        "c.py": "from tests.support import plain\n    from tests.support.servers import require\n",
        "d.py": "def test():\n    import subprocess\n",
    }
    for name, text in texts.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    found = {name: starts_processes(tmp_path / f"{name}.py", tmp_path) for name in "abcd"}
    assert found == {"a": False, "b": True, "c": True, "d": True}


def test_a_quick_test_that_starts_a_process_fails(tmp_path: Path) -> None:
    """Under --quick the code under test may start none either: the check stays one for any machine."""
    (tmp_path / "conftest.py").write_text(
        "from tests.support import quick\n"
        "from tests.support.quick import pytest_collection_modifyitems, starts_nothing\n"
        f"import pathlib\nquick.ROOT = pathlib.Path({str(tmp_path)!r})\n"
        "def pytest_addoption(parser):\n    quick.add_option(parser)\n"
    )
    (tmp_path / "test_some.py").write_text(
        "import os\ndef test_does():\n    os.system('true')\ndef test_does_not():\n    pass\n"
        "def test_server(postgres):\n    pass\n"
    )
    command = [sys.executable, "-m", "pytest", "-c", "/dev/null", f"--rootdir={tmp_path}", "--quick", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)
    assert "2 passed, 1 deselected, 1 error" in done.stdout.splitlines()[-1], done.stdout
