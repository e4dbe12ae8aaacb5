"""How fast access logs are read, and that memory stays flat; beside it, in the same run, other ways over the same file.

A file of lines in Jira's form is read by the source's own parts (follow, parse, classify, count) and, as peers, by
`grep -c`, by awk that sums one field, and by a Python loop that splits each line. CPU seconds of each process count, so
figures are per core; the source is measured in a process of its own, over a small and a large file, for its memory.
"""

from __future__ import annotations

import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from scripts.benches._measure import Figure, show

ROOT = Path(__file__).parents[2]
SMALL_MIB, LARGE_MIB = 8, 1024
RUNS = 3
AGENTS = ("Chrome/128.0.0.0 Safari/537.36", "Firefox/131.0", "Edg/129.0.0.0")
PATHS = (
    *(
        "/browse/DEMO-%d",
        "/rest/api/2/issue/DEMO-%d",
        "/secure/Dashboard.jspa",
        "/status",
        "/rest/analytics/1.0/publish/bulk",
    ),
    *(
        "/s/en_GB-abc/940/1dlckms/%d/_/download/batch/web/web.js",
        "/download/attachments/%d/a.png",
        "/plugins/servlet/x",
    ),
)
OWN = """
import json, resource, sys, time
from pathlib import Path
from agent.sources.clientside.figures import Requests
from agent.sources.clientside.pattern import compile_pattern
from agent.sources.clientside.tail import Follower
pattern, folder = sys.argv[1], Path(sys.argv[2])
reader, requests = compile_pattern(pattern, "", 10), Requests(5)
follower = Follower(folder, lambda name: name == "access_log")
follower.load({"floor": 0, "files": [], "copies": []})
began = time.process_time()
follower.read(lambda lines: requests.count(reader.rows(lines), reader.order, reader.unit_us), time.monotonic() + 600)
told = sum(value for metric, value, tags in requests.tell() if metric == "clientside.requests")
spent = time.process_time() - began
print(json.dumps([spent, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, told]))
"""
SPLIT = """
import sys
total = lines = 0
with open(sys.argv[1], encoding="utf-8") as stream:
    for line in stream:
        fields = line.split()
        total += int(fields[10])
        lines += 1
"""
PATTERN = (
    '%a %{jira.request.id}r %{jira.request.username}r %t "%m %U%q %H" %s %b %D '
    '"%{Referer}i" "%{User-Agent}i" "%{jira.request.assession.id}r"'
)


def write_log(path: Path, size_mib: int) -> int:
    """A log of about `size_mib`; how many lines it has."""
    chance = random.Random(7)  # noqa: S311  # the same file in each run; no secret
    block = []
    for number in range(20_000):
        place = chance.choice(PATHS)
        place = place % chance.randrange(10**5) if "%d" in place else place
        status, agent = chance.choice((200, 200, 200, 304, 404, 500)), chance.choice(AGENTS)
        block.append(
            f"192.0.2.{number % 250} {number % 1440}x{number}x{number % 9} user{number % 500} "
            f'[22/Nov/2026:10:00:00 +0000] "GET {place}?a={number} HTTP/1.1" {status} {number % 70000} '
            f'{int(chance.expovariate(1 / 80_000))} "https://jira.example.com/secure/RapidBoard.jspa?view={number}" '
            f'"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML) {agent}" "{number:x}a5s7"\n'
        )
    octets = "".join(block).encode()
    copies = max(1, size_mib * 1024 * 1024 // len(octets))
    with open(path, "wb") as stream:
        for _ in range(copies):
            stream.write(octets)
    return copies * len(block)


def cpu_of(command: Sequence[str | Path]) -> float:
    """CPU seconds of one run of a peer, median of RUNS."""
    spent = []
    for _ in range(RUNS):
        environment = {**os.environ, "LC_ALL": "C.UTF-8"}
        # Into a file: grep stops at its first match when what it writes to is /dev/null.
        with tempfile.TemporaryFile() as output:
            process = subprocess.Popen(command, stdout=output, env=environment)
            _, status, usage = os.wait4(process.pid, 0)
        process.returncode = status
        spent.append(usage.ru_utime + usage.ru_stime)
    return statistics.median(spent)


def own(folder: Path, lines: int) -> tuple[float, float]:
    """CPU seconds and largest resident size in MiB of the source's own reading; every line must have been counted."""
    runs = []
    for _ in range(RUNS):
        command = [sys.executable, "-c", OWN, PATTERN, str(folder)]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
        spent, peak_mib, told = json.loads(done.stdout)
        if told != lines:
            raise SystemExit(f"{told} of {lines} lines were counted")
        runs.append((spent, peak_mib))
    return statistics.median(run[0] for run in runs), max(run[1] for run in runs)


def run(as_json: bool) -> int:
    """Measure, print, and say by the exit code whether every target was reached."""
    with tempfile.TemporaryDirectory(prefix="portfolio-agent-bench-") as temporary:
        small, large = Path(temporary, "small"), Path(temporary, "large")
        for folder in (small, large):
            folder.mkdir()
        small_lines, lines = write_log(small / "access_log", SMALL_MIB), write_log(large / "access_log", LARGE_MIB)
        path = large / "access_log"
        megabytes = path.stat().st_size / 1e6
        _, small_mib = own(small, small_lines)
        spent_s, large_mib = own(large, lines)
        peers = {
            "grep -c": cpu_of(["grep", "-c", " 500 ", path]),
            "awk, sum of one field": cpu_of(["awk", "{ total += $11 } END { print total }", path]),
            "Python, split of each line": cpu_of([sys.executable, "-c", SPLIT, path]),
        }
    figures = [
        Figure("access log, whole way", megabytes / spent_s, "MB/s", at_least=50, note="per core, CPU time"),
        Figure("  lines", lines / spent_s / 1000, "k/s"),
        Figure("  largest resident size", large_mib, "MiB", note=f"{LARGE_MIB} MiB file"),
        Figure(
            "  growth from small to large file", large_mib - small_mib, "MiB", at_most=2, note=f"{SMALL_MIB} MiB before"
        ),
    ]
    for name, peer_s in peers.items():
        figures.append(Figure(name, megabytes / peer_s, "MB/s"))
        figures.append(Figure("  our throughput as a ratio to it", peer_s / spent_s, "x"))
    return show("logs", figures, as_json=as_json, about=f"{lines:,} lines, {megabytes:.0f} MB; median of {RUNS} runs")
