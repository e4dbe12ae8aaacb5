"""Commands: parse, call one function, print."""

import signal
import sys

if sys.argv[1:2] == ["run"]:
    # A hang-up (logrotate, a reload by habit) must not end the daemon while its libraries are still being imported;
    # ignored from here on, and over exec too, until the daemon has its own handler.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)

if sys.argv[0].rpartition("/")[2] in ("-m", "portfolio-agent"):
    # Ctrl-C while the libraries are imported ends the command without a stack; `main` takes over from there.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
