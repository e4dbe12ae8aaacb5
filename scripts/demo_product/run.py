"""The demo: a product, a receiver and the real agent between them; prints what happens, ends by itself.

`python -m scripts.demo_product.run [--postgres] [--keep]`; exit 0 only if every step really happened.
The agent runs unchanged: its own commands, its own processes, a configuration that `init` wrote. Only the intervals in
that file are short, so that an "hour" passes while you watch.
"""

from __future__ import annotations

import argparse
import gzip
import json
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import zipfile
from collections import Counter
from pathlib import Path
from typing import Any

from scripts.demo_product.processes import Children, Failed, Process
from scripts.demo_product.product import Product, running_product

HOUR_S = 20
INTERVAL_S = 4
DEADLINE_S = 3
WANTED_HOURS = 2
KEY = "demo-key-0123456789abcdefghijklmnop"
# Invented content of the demo's product that no consent level of the demo allows to leave.
BASE_URL = "https://jira.example.com"
FORBIDDEN = re.compile(r"customer-z|Mustermann|Confidential|Secret|salaries|example\.com|never-read|/rest/secret", re.I)


REAL_PRODUCT = """
How to go on with a real product:
    ./scripts/wheelhouse && sudo ./scripts/install --wheelhouse dist/wheelhouse
    sudo portfolio-agent init --home /var/atlassian/application-data/jira
    portfolio-agent sample         what would be read, value by value, with its consent class
    sudo portfolio-agent link      or: mode = "offline" and portfolio-agent bundle
    sudo systemctl enable --now portfolio-agent
The README says the rest."""


class Demo:
    """The steps in their order; each raises Failed when it did not happen."""

    def __init__(self, folder: Path, children: Children) -> None:
        self.folder = folder
        self.children = children
        self.config = folder / "agent.toml"
        self.state = folder / "state"
        self.cloud = folder / "cloud"
        self._step = 0

    def say(self, text: str) -> None:
        """A numbered headline."""
        self._step += 1
        print(f"\n[{self._step}] {text}", flush=True)

    def agent(self, *arguments: str | Path, stdin: str = "", allowed: tuple[int, ...] = (0,)) -> str:
        """Run one command of the agent and return what it printed; Failed on any other exit code."""
        command = [sys.executable, "-m", "agent.cli", *map(str, arguments), "--config", str(self.config)]
        done = subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=60, check=False)
        if done.returncode not in allowed:
            raise Failed(f"portfolio-agent {arguments[0]} ended with {done.returncode}: {done.stdout}{done.stderr}")
        return done.stdout

    def start_receiver(self) -> Process:
        """Start the reference receiver, which plays the cloud, and let it know the demo's key."""
        self.cloud.mkdir()
        (self.cloud / "keys.txt").write_text(KEY + "\n", encoding="ascii")
        command: list[str | Path] = [
            sys.executable,
            "-m",
            "scripts.receiver",
            "--folder",
            self.cloud,
            "--port",
            "0",
            "--print",
        ]
        return self.children.start("receiver", command, echo=True)

    def init(self, product: Product, ready: str) -> None:
        """Write the agent's configuration from the product's home, then shorten the intervals in it."""
        facts = dict(word.split("=", 1) for word in ready.split()[1:])
        print(
            self.agent(
                "init", "--home", product.home, "--install", product.install, "--jmx-host", "127.0.0.1",
                "--cloud-endpoint", f"https://localhost:{facts['port']}", "--cloud-ca", facts["ca"],
                "--state-dir", self.state,
            )
        )  # fmt: skip
        text = self.config.read_text(encoding="utf-8")
        text = set_key(text, "sampling", "interval", f'"{INTERVAL_S}s"')
        text = set_key(text, "sampling", "deadline", f'"{DEADLINE_S}s"')
        text = set_key(text, "hour", "length", f'"{HOUR_S}s"')
        text = set_key(text, "hour", "close_after", '"1s"')
        self.config.write_text(text, encoding="utf-8")

    def sampled(self) -> str:
        """Counts by source and type of one tick; Failed when a source gave nothing."""
        taken = json.loads(self.agent("sample", "--json", allowed=(0, 1)))
        counts = Counter((row["source"], row["type"]) for row in taken["samples"])
        silent = {"jmx", "guardrails", "host"} - {source for source, _ in counts}
        if silent:
            raise Failed(f"nothing was sampled from {sorted(silent)}: {taken['sources']}")
        return "\n".join(
            f"    {source:<11} {kind:<14} {count:>4} samples" for (source, kind), count in sorted(counts.items())
        )

    def withheld(self) -> str:
        """What stayed here under Basic, with the rule; Failed when nothing did, for the demo plants names."""
        kept = json.loads(self.agent("preview", "--json"))["withheld"]
        if not kept:
            raise Failed("consent withheld nothing, although the demo plants names of people and servers")
        return "\n".join(f"    {item['metric']} {item['field']}: {item['rule']}" for item in kept)

    def check_bundle_holds_what_was_pushed(self, bundle: Path) -> None:
        """The very batches that arrived lie in the bundle, so the two can be told apart from duplicates."""
        with zipfile.ZipFile(bundle) as archive:
            names = " ".join(archive.namelist())
        missing = [batch["batchId"] for batch in self.received() if batch["batchId"] not in names]
        if missing:
            raise Failed(f"pushed, but not in the bundle: {missing}")
        if len({batch["batchId"] for batch in self.received()}) != len(self.received()):
            raise Failed("a batch arrived twice")

    def status(self) -> dict[str, Any]:
        """The agent's own word on how it is."""
        answer: dict[str, Any] = json.loads(self.agent("status", "--json", allowed=(0, 1, 3)))
        return answer

    def received(self) -> list[dict[str, Any]]:
        """The batches that lie at the receiver, oldest window first."""
        files = (self.cloud / "batches").glob("*.json.gz") if (self.cloud / "batches").is_dir() else []
        batches = [json.loads(gzip.decompress(file.read_bytes())) for file in files]
        return sorted(batches, key=lambda batch: str(batch["window"]["start"]))

    def wait_for_hours(self, daemon: Process, seconds: float) -> None:
        """Wait until enough hours have been closed and acknowledged, asking `status` as a person would."""
        pause = threading.Event()
        deadline = time.monotonic() + seconds
        last = ""
        while time.monotonic() < deadline:
            if daemon.child.poll() is not None:
                raise Failed(f"the daemon ended with {daemon.child.returncode}: {daemon.last_words()}")
            windows = {batch["window"]["start"] for batch in self.received()}
            now = f"hours at the receiver: {len(windows)}"
            if now != last:
                print(f"    {now}", flush=True)
                last = now
            if len(windows) >= WANTED_HOURS:
                return
            pause.wait(2)
        raise Failed(f"only {last} after {seconds:.0f} s: {daemon.last_words()}")

    def check_nothing_leaked(self, bundle: Path) -> int:
        """Search every byte that left for what must not; returns how many entries were searched."""
        texts = [json.dumps(batch) for batch in self.received()]
        with zipfile.ZipFile(bundle) as archive:
            for name in archive.namelist():
                content = archive.read(name)
                texts.append(name)
                texts.append((gzip.decompress(content) if name.endswith(".gz") else content).decode("utf-8"))
        for text in texts:
            # The base URL is agreed metadata and leaves under Basic; every other mention of the site is a leak.
            if found := FORBIDDEN.search(text.replace(BASE_URL, "")):
                raise Failed(f"something private left: {found.group()!r} in {text[:80]}...")
        return sum(len(batch["entries"]) for batch in self.received())


def set_key(text: str, section: str, key: str, value: str) -> str:
    """The TOML text with one key set in one section, whether it stood there, was commented out or was missing."""
    head, mark, rest = text.partition(f"[{section}]\n")
    if not mark:
        return f"{text}\n[{section}]\n{key} = {value}\n"
    body, following, tail = rest.partition("\n[")
    line = re.compile(rf"^(# *)?{re.escape(key)} *=.*$", re.M)
    body = line.sub(f"{key} = {value}", body, count=1) if line.search(body) else f"{key} = {value}\n{body}"
    return head + mark + body + following + tail


def run(demo: Demo, *, postgres: bool) -> None:
    """All steps."""
    receiver = demo.start_receiver()
    demo.say(f"A product: a JVM with Jira's MBeans, a Jira home, a {'PostgreSQL' if postgres else 'SQLite'} database")
    with running_product(demo.folder, demo.children, postgres=postgres) as product:
        print(f"    home {product.home}, JMX on 127.0.0.1:{product.jmx_port}")
        demo.say("init: the agent reads the product's home and writes its configuration")
        demo.init(product, receiver.wait_for_line("READY", 30))
        demo.say("sample: one tick, shown and not stored")
        print(demo.sampled())
        demo.say("link: the security key comes on standard input")
        print(demo.agent("link", "--consent", "basic", "--yes", stdin=KEY + "\n"))
        demo.say(f"run: a tick every {INTERVAL_S} s; an hour lasts {HOUR_S} s here")
        daemon = demo.children.start("agent", [sys.executable, "-m", "agent.cli", "run", "--config", demo.config])
        demo.wait_for_hours(daemon, 90)
        demo.say("One hourly row in full, as it arrived")
        print(json.dumps(first_jmx_entry(demo.received()), indent=2))
        demo.say("What consent withheld from that hour, and why")
        print(demo.withheld())
        demo.say("deliver: the same by hand, nothing is sent twice")
        print(demo.agent("deliver"))
        demo.say("status: the agent's own word")
        print(demo.agent("status", allowed=(0, 1)))
        if code := daemon.stop():
            raise Failed(f"the daemon ended with {code} on SIGTERM: {daemon.last_words()}")
        demo.say("bundle: the same hours as a file for a manual upload")
        print(demo.agent("bundle"))
        bundles = sorted((demo.state / "bundles").glob("*.zip"))
        if not bundles:
            raise Failed("bundle wrote no file")
        demo.check_bundle_holds_what_was_pushed(bundles[-1])
        if product.traps:
            raise Failed(f"the agent read what it must not: {product.traps[0]}")
        entries = demo.check_nothing_leaked(bundles[-1])
        kept = keep_bundle(bundles[-1])
        demo.say("Done: every step happened")
        print(f"    sent and acknowledged: {len(demo.received())} batches with {entries} entries, none twice")
        print(f"    searched for planted personal and private text: none left, in {entries} entries and the bundle")
        print(f"    bundle to look at: {kept}")
        print(REAL_PRODUCT)


def keep_bundle(bundle: Path) -> Path:
    """A copy of the bundle that outlives the demo's folder."""
    folder = Path("var", "demo")
    folder.mkdir(parents=True, exist_ok=True)
    return Path(shutil.copy(bundle, folder / bundle.name))


def first_jmx_entry(batches: list[dict[str, Any]]) -> dict[str, Any]:
    """A row of the JVM; Failed when none arrived."""
    for batch in batches:
        for entry in batch["entries"]:
            if entry["type"] == "JMX_METRIC" and "p95" in entry["attributes"]:
                return dict(entry)
    raise Failed("no JMX row arrived")


def main() -> int:
    """Parse, run, clean up; the exit code says whether every step happened."""
    parser = argparse.ArgumentParser(prog="scripts/demo", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--postgres", action="store_true", help="a PostgreSQL database instead of SQLite")
    parser.add_argument("--keep", action="store_true", help="keep the demo's folder to look around")
    options = parser.parse_args()
    # SIGTERM ends the demo as Ctrl-C does, with all children.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(143))
    folder = Path(tempfile.mkdtemp(prefix="portfolio-agent-demo-"))
    started = time.monotonic()
    try:
        with Children(folder) as children:
            run(Demo(folder, children), postgres=options.postgres)
        print(f"{time.monotonic() - started:.0f} s")
        return 0
    except (Failed, RuntimeError, subprocess.TimeoutExpired) as error:
        print(f"demo: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("demo: interrupted", file=sys.stderr)
        return 130
    finally:
        if options.keep:
            print(f"kept: {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
