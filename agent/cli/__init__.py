"""Commands: parse, call one function, print."""

import signal
import sys

if sys.argv[1:2] == ["run"]:
    # A hang-up (logrotate, a reload by habit) must not end the daemon while its libraries are still being imported;
    # ignored from here on, and over exec too, until the daemon has its own handler.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
