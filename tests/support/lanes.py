"""How the test files are dealt to the workers: two lanes, the long files first, one file in one worker.

In:   the collected tests, `--numprocesses` workers, of which `--waiting-workers` are of the waiting lane.
Out:  a scheduler for xdist. One session, so one closing line and one exit code, whatever was selected.

Tests that mostly wait (for ticks, hours, a service manager) leave the cores idle; tests that compute do not. So the
first workers, as many as there are cores, take the files that compute, and the rest the files of `WAITING`. A worker
of the first kind that has nothing left helps the second; never the other way round, or more would compute than there
are cores.
"""

from __future__ import annotations

from collections.abc import Iterable

import pytest

LANES = "lanes"

# Files and folders whose tests mostly wait: on a quiet machine about half of their time or less is anybody's CPU.
WAITING = (
    "tests/e2e/",
    "tests/systemd/",
    "tests/runtime/test_cluster.py",
    "tests/runtime/test_slow_counts_end_to_end.py",
    "tests/runtime/resident/test_concealing.py",
    "tests/runtime/test_upgrade.py",
    "tests/delivery/test_push.py",
    "tests/jmx/test_misbehaving.py",
)
# Files that take longest in their lane, longest first: begun last, one of them would be waited for alone.
LONG = (
    "tests/e2e/test_leaks_everywhere.py",
    "tests/runtime/test_slow_counts_end_to_end.py",
    "tests/systemd/test_daemon.py",
    "tests/scripts/test_install.py",
    "tests/e2e/test_bad_input.py",
    "tests/e2e/test_logs.py",
    "tests/e2e/test_signals.py",
    "tests/runtime/resident/test_concealing.py",
    "tests/runtime/test_cluster.py",
    "tests/e2e/test_hung_home.py",
    "tests/systemd/test_service.py",
    "tests/product/database/test_roles.py",
    "tests/sources/test_contract.py",
    "tests/jmx/test_modes.py",
    "tests/sources/guardrails/test_counts.py",
    "tests/e2e/test_leaks_of_the_machine.py",
    "tests/scripts/test_setup.py",
)


def waits(file: str) -> bool:
    """Whether a test file belongs to the waiting lane."""
    return file.startswith(WAITING)


def in_order(files: Iterable[str]) -> list[str]:
    """The files as they are begun: the long ones, then the others as they were collected."""
    rank = {file: number for number, file in enumerate(LONG)}
    return sorted(files, key=lambda file: rank.get(file, len(LONG)))


def next_file(queue: Iterable[str], *, waiting: bool) -> str | None:
    """The file that a worker of the waiting or the computing lane begins now; None: there is none for it."""
    files = list(queue)
    own = next((file for file in files if waits(file) == waiting), None)
    return own if own is not None or waiting else next(iter(files), None)


def add_option(parser: pytest.Parser) -> None:
    """The number of workers of the waiting lane."""
    parser.addoption(
        "--waiting-workers", type=int, default=0, metavar="N", help="so many of --numprocesses take tests that wait"
    )


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> object | None:
    """Two lanes when asked for; otherwise whatever --dist says."""
    waiting = config.getoption("--waiting-workers")
    if not waiting or config.getoption("dist") != "loadfile":
        return None
    from tests.support.lane_scheduler import LaneScheduler  # xdist is there: this is its hook

    return LaneScheduler(config, log, waiting)
