"""Brings the whole demo product up: JVM, database, home; what a test or the demo stands the agent beside."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from scripts.demo_product.database import free_port, postgres_database, sqlite_database
from scripts.demo_product.home import write_home
from scripts.demo_product.processes import Children, Process
from scripts.demo_product.rows import Movement, fill

SOURCE = Path(__file__).with_name("DemoJira.java")
TRAP = "TRAP READ"


@dataclass(frozen=True, slots=True)
class Product:
    """A running demo product."""

    home: Path
    install: Path
    jmx_port: int
    jvm: Process

    @property
    def traps(self) -> list[str]:
        """Reads of beans that nobody may read, as the JVM reported them."""
        errors = self.jvm.errors.read_text(encoding="utf-8", errors="replace")
        return [line for line in errors.splitlines() if line.startswith(TRAP)]


def start_jvm(children: Children, port: int) -> Process:
    """Start the Java program with its remote port on loopback and wait until its beans are there."""
    remote = {
        "com.sun.management.jmxremote.port": port,
        "com.sun.management.jmxremote.rmi.port": port,
        "com.sun.management.jmxremote.host": "127.0.0.1",
        "com.sun.management.jmxremote.authenticate": "false",
        "com.sun.management.jmxremote.ssl": "false",
        "java.rmi.server.hostname": "127.0.0.1",
    }
    options = [f"-D{name}={value}" for name, value in remote.items()]
    jvm = children.start("jvm", ["java", "-Xmx64m", "-XX:TieredStopAtLevel=1", *options, SOURCE])
    jvm.wait_for_line("READY", 60)
    return jvm


@contextmanager
def running_product(
    folder: Path, children: Children, *, postgres: bool = False, issues: int = 2000
) -> Iterator[Product]:
    """The demo product, up and moving; its database ends with the block, its JVM with `children`."""
    with ExitStack() as stack:
        jmx_port = free_port()
        jvm = start_jvm(children, jmx_port)
        database = stack.enter_context(postgres_database()) if postgres else sqlite_database(folder)
        fill(database, issues)
        home = write_home(folder, database, jmx_port)
        stack.enter_context(Movement(database))
        yield Product(home, folder / "install", jmx_port, jvm)
