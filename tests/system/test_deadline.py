"""No read of the shared home blocks for ever."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.errors import KeyUnreadable
from agent.link.keyfile import load_master
from agent.link.record import read_link
from agent.system.deadline import within_deadline
from tests.support.hung_mount import hung_mount
from tests.support.stopwatch import Stopwatch


@pytest.mark.fault(96)
def test_hung_shared_home_costs_the_deadline_and_no_more(tmp_path: Path) -> None:
    """On a mount whose server is gone, reading link and master key ends at the deadline with words about the mount."""
    home = tmp_path / "shared-home"
    home.mkdir()
    with hung_mount(home) as mount:
        for read in (read_link, load_master):
            watch = Stopwatch()
            with pytest.raises(KeyUnreadable) as caught:
                read(mount / "portfolio-agent", deadline_s=0.3)
            assert watch.elapsed_s < 5
            assert caught.value.code == "shared-home-hangs"
            assert "Sampling goes on" in caught.value.do
    assert read_link(home / "portfolio-agent") is None


def test_result_and_error_come_through(tmp_path: Path) -> None:
    """What the work returns is returned, what it raises is raised in the caller's thread."""
    assert within_deadline(lambda: 7, tmp_path) == 7

    def fail() -> None:
        raise LookupError("here")

    with pytest.raises(LookupError, match="here"):
        within_deadline(fail, tmp_path)
