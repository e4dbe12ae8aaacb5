"""A Jira home inside a booted machine, owned by the product's account, and a receiver on that machine's loopback."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from scripts.demo_product.run import set_key
from tests.support.installed import REPOSITORY
from tests.support.machine import Machine

ACCOUNT = "jira"
PRODUCT = "/var/atlassian/application-data"
CONFIG = "/etc/portfolio-agent/agent.toml"
STATE = "/var/lib/portfolio-agent"
KEY = "machine-key-0123456789abcdefghijklmnop"

# Runs inside, from the checkout: the rollback journal, because a reader that may not write cannot open a WAL file that
# nobody has open (the demo's product keeps its own open; here nobody runs the product).
MAKE_HOME = """
import pathlib, sqlite3, sys
sys.path.insert(0, "/mnt/checkout")
from scripts.demo_product.database import sqlite_database
from scripts.demo_product.home import write_home
from scripts.demo_product.rows import fill
folder = pathlib.Path(sys.argv[1])
database = sqlite_database(folder)
fill(database, 50)
sqlite3.connect(database.sqlite_file).execute("PRAGMA journal_mode=DELETE")
write_home(folder, database, 8099)
"""


def make_home(machine: Machine, folder: str = PRODUCT) -> None:
    """A Jira home as its account has it, readable by its group alone; needs the checkout bound at /mnt/checkout."""
    machine.run(f"id {ACCOUNT} 2>/dev/null || useradd --system --user-group --home-dir {PRODUCT} {ACCOUNT}")
    machine.write("/run/make_home.py", MAKE_HOME)
    machine.run(f"mkdir -p {folder} && python3 -B /run/make_home.py {folder}")
    machine.run(f"chown -R {ACCOUNT}:{ACCOUNT} {folder} && chmod -R u=rwX,g=rX,o= {folder}")


def shorten(machine: Machine, values: Mapping[tuple[str, str], str], config: str = CONFIG) -> None:
    """Set keys of an agent.toml inside, as (section, key) -> TOML value."""
    text = machine.run(f"cat {config}").stdout
    for (section, key), value in values.items():
        text = set_key(text, section, key, value)
    machine.write(config, text, "0640")


@dataclass(frozen=True, slots=True)
class Receiver:
    """A running receiver: what it keeps lies in `folder` on the host."""

    folder: Path
    port: int

    def batches(self) -> int:
        """How many batches it has acknowledged."""
        return len(list((self.folder / "batches").glob("*.json.gz")))


@contextmanager
def receiver_of(machine: Machine, folder: Path) -> Iterator[Receiver]:
    """The reference receiver on the machine's loopback; its CA is copied to /etc/portfolio-agent/cloud-ca.pem."""
    folder.mkdir()
    (folder / "keys.txt").write_text(KEY + "\n", encoding="ascii")
    command = machine.on_loopback([sys.executable, "-m", "scripts.receiver", "--folder", folder])
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True, cwd=REPOSITORY)
    end = threading.Timer(60, process.kill)  # a receiver that never says READY must not hold the test for ever
    end.start()
    try:
        assert process.stdout is not None
        facts = dict(word.split("=", 1) for word in process.stdout.readline().split()[1:])
        end.cancel()
        machine.write("/etc/hosts", "127.0.0.1 localhost\n")  # a minimal root has none
        machine.write("/etc/portfolio-agent/cloud-ca.pem", Path(facts["ca"]).read_text(encoding="ascii"))
        yield Receiver(folder, int(facts["port"]))
    finally:
        end.cancel()
        process.terminate()
        process.communicate(timeout=30)
