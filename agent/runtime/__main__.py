"""`python -m agent.runtime --config FILE`: the resident process, without the command line's libraries."""

import sys

from agent.runtime.daemon import main

sys.exit(main())
