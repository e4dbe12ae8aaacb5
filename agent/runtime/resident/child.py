"""The hourly child: `portfolio-agent deliver` as a short process, so that its libraries never stay resident."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import subprocess
import sys
from pathlib import Path

from agent.log import log, logger

LOG = logger("daemon")
GRACE_S = 120.0  # beyond its retry time: closing hours, sealing, one last request
STOP_WAIT_S = 5.0
KILL_WAIT_S = 1.0
EXPLAINED = frozenset({0, 3, 4, 10, 11, 12, 13})
# No more than this: proxies, certificate files and key logs named in the environment are nobody's decision.
PASSED_ON = ("PATH", "LANG", "LC_ALL", "TZ", "CREDENTIALS_DIRECTORY", "TMPDIR")
DAEMON = "PORTFOLIO_AGENT_DAEMON"  # tells the child whose it is: with that process it ends


class HourlyChild:
    """At most one `deliver` process at a time, ended when it outstays its time."""

    def __init__(self, config: Path, retry_for_s: float) -> None:
        # -I: no PYTHON variable and no folder of the caller's decides what this process imports.
        self._command = [sys.executable, "-I", "-m", "agent.cli", "deliver", "--scheduled", "--config", str(config)]
        self._longest_s = retry_for_s + GRACE_S
        self._process: subprocess.Popen[bytes] | None = None
        self._started_s = 0.0

    def running(self) -> bool:
        """Whether a child is at work."""
        return self._process is not None and self._process.poll() is None

    def start(self, now_s: float) -> None:
        """Start one; the caller asked `running()` first."""
        environment = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
        environment[DAEMON] = str(os.getpid())
        try:
            self._process = subprocess.Popen(
                self._command, stdin=subprocess.DEVNULL, stdout=sys.stderr.fileno(), env=environment
            )
        except OSError as error:
            log(LOG, logging.ERROR, "deliver.not_started", why=str(error), do="Run: portfolio-agent deliver")
            return
        self._started_s = now_s

    def watch(self, now_s: float) -> None:
        """Note the end of the child, and end one that hangs."""
        if self._process is None:
            return
        if self._process.poll() is None:
            if now_s - self._started_s > self._longest_s:
                log(LOG, logging.ERROR, "deliver.hung", for_s=round(now_s - self._started_s))
                self.stop()
            return
        code = self._process.returncode
        # A documented exit code was explained by the child itself, in a line of its own.
        level = logging.INFO if code in EXPLAINED else logging.WARNING
        log(LOG, level, "deliver.finished", exit_code=code, took_s=round(now_s - self._started_s, 1))
        self._process = None

    def stop(self) -> None:
        """End the child: politely, then by force."""
        if self._process is None or self._process.poll() is not None:
            return
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(STOP_WAIT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            # Even that waits while the kernel holds the child in a call to a file system that hangs (a dead NFS
            # server): it ends by itself when the call does, and no second one is started on top of it.
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(KILL_WAIT_S)
