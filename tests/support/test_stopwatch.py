"""A bound on time that holds on a busy machine."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time

from tests.support.stopwatch import Stopwatch

COMPUTE = "while True: pass"


def test_waiting_counts_and_standing_in_line_does_not() -> None:
    """What the code waits for is measured; that others keep the cores from it is not."""
    rivals = [subprocess.Popen([sys.executable, "-c", COMPUTE]) for _ in range(3 * (os.cpu_count() or 1))]
    try:
        watch, began, computed_s = Stopwatch(), time.monotonic(), time.process_time()
        threading.Event().wait(0.2)
        while time.monotonic() - began < 2.0:
            pass
        took_s, needed_s = time.monotonic() - began, 0.2 + time.process_time() - computed_s
        measured_s = watch.elapsed_s
        assert measured_s > 0.1
        assert abs(measured_s - needed_s) < abs(measured_s - took_s), "nearer to what it did than to the clock"
    finally:
        for rival in rivals:
            rival.kill()
            rival.wait()
