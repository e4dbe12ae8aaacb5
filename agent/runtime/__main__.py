"""`python -m agent.runtime --config FILE`: the resident process, without the command line's libraries."""

import os
import sys

from agent.runtime.resident.daemon import main

code = main()
try:
    sys.stderr.flush()
except OSError:
    # Whoever read the log is gone. Without this the interpreter would fail to flush at exit and return 120.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())
sys.exit(code)
