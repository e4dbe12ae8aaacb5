"""What the system does not give us, as an error for a person: a file out of reach is no fault of the agent.

In:   an OSError that names a path. Out: a ConfigError: the path, who was refused or what the system says, what to do.
"""

from __future__ import annotations

from pathlib import Path

from agent.errors import ConfigError
from agent.system.access import barred


def out_of_reach(error: OSError) -> ConfigError:
    """The words for `error`."""
    path = Path(str(error.filename))
    if isinstance(error, PermissionError):
        words = barred(path)
        return ConfigError(f"{path} cannot be used.", why=words.why, do=words.do)
    return ConfigError(
        f"{path} cannot be used.",
        why=f"{error.strerror or type(error).__name__}.",
        do=f"See whether it is there and its file system answers: ls -ld {path}",
    )
