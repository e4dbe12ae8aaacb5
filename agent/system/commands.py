"""The programs that run on this machine: their arguments, and single variables of their environment.

In:   /proc. Out: what this account may see; a process that ends meanwhile is left out.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

SIZE_LIMIT_BYTES = 256 * 1024


@dataclass(frozen=True, slots=True)
class RunningProgram:
    """One process; its environment is read only when asked for, and only by name: secrets stand beside."""

    folder: Path
    arguments: tuple[str, ...]

    def environment(self, wanted: Collection[str]) -> dict[str, str]:
        """The wanted variables, as they were when the program was started; none when this account may not see them."""
        pairs = (piece.partition("=") for piece in _pieces(self.folder / "environ"))
        return {name: value for name, found, value in pairs if found and name in wanted}


def running_programs(proc: Path = Path("/proc"), name: str = "java") -> Iterator[RunningProgram]:
    """Every process whose program is called `name`."""
    try:
        folders = sorted(proc.iterdir())
    except OSError:
        return
    for folder in folders:
        if folder.name.isdecimal():
            arguments = tuple(_pieces(folder / "cmdline"))
            if arguments and arguments[0].rpartition("/")[2] == name:
                yield RunningProgram(folder, arguments)


def _pieces(path: Path) -> list[str]:
    try:
        with path.open("rb") as stream:
            octets = stream.read(SIZE_LIMIT_BYTES)
    except OSError:
        return []
    return [piece for piece in octets.decode("utf-8", "replace").split("\0") if piece]
