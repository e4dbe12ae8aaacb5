"""What is broken around the agent costs only itself: one clear error, sampling goes on, healing is said once."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from agent.link.keyfile import master_path
from scripts.demo_product.database import DemoDatabase
from scripts.demo_product.rows import fill
from tests.support.agent import ISSUES, RunningAgent, arrived, running_agent
from tests.support.cloud import KEY, ROOT, Receiver, receiver
from tests.support.postgres import PostgresServer
from tests.support.servers import require

OTHER_KEY = "another-synthetic-key-0123456789"


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[Receiver]:
    """A running reference receiver."""
    with receiver(tmp_path / "receiver") as running:
        yield running


def told_once(agent: RunningAgent, event: str) -> dict[str, str]:
    """The one log line of a lasting fault; it says why and what to do."""
    (line,) = agent.log_lines(event)
    assert line.get("why") or line.get("answer")
    assert line["do"]
    assert line["level"] in ("warning", "error")
    return {name: str(value) for name, value in line.items()}


def refused(agent: RunningAgent, seconds: float) -> tuple[int, str]:
    """What `run` says when it cannot start, within `seconds`."""
    command = [sys.executable, "-m", "agent.cli", "run", "--config", str(agent.config)]
    began = time.monotonic()
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=30)
    assert time.monotonic() - began < seconds
    return done.returncode, done.stderr


@pytest.mark.fault(41)
def test_jvm_down(tmp_path: Path) -> None:
    """A closed JMX port: told once, shown in status with what to do; host and database are sampled on."""
    require("java")
    slower = {"sampling__interval": "3s", "sampling__deadline": "2900ms", "hour__length": "1h"}
    with running_agent(tmp_path, jmx__enabled=True, **slower) as agent:
        agent.start(ticks=3)
        line = told_once(agent, "source.jmx.failed")
        assert line["reason"] == "refused"
        assert agent.problem("jmx gives nothing")
        sources = {one["name"]: one["outcome"] for one in agent.status()["sources"]}
        others = ("host", "folders", "home", "guardrails", "apps", "flags", "links", "nodes", "licence")
        assert sources == {"jmx": "failed", **dict.fromkeys(others, "ok")}
        assert agent.stop() == 0


@pytest.mark.fault(54)
def test_database_file_gone_and_back(tmp_path: Path) -> None:
    """The database vanishes and comes back: told once, healed once, the rest is sampled on, nothing is invented."""
    with running_agent(tmp_path, hour__length="1h") as agent:
        file = agent.database.sqlite_file
        assert file is not None
        agent.start(ticks=2)
        aside = file.rename(file.with_suffix(".aside"))
        agent.wait(lambda: agent.log_lines("source.guardrails.failed"))
        agent.wait_ticks(3)
        told_once(agent, "source.guardrails.failed")
        assert agent.problem("guardrails, nodes give nothing")
        assert not file.exists(), "a reader must not make a database"
        aside.rename(file)
        agent.wait(lambda: agent.log_lines("source.guardrails.healed"))
        agent.wait_ticks(2)
        assert len(agent.log_lines("source.guardrails.healed")) == 1
        told_once(agent, "source.guardrails.failed")
        assert agent.problem("nothing (") is None
        assert agent.stop() == 0


@pytest.mark.fault(54)
def test_database_refuses_the_login(tmp_path: Path, postgres: PostgresServer) -> None:
    """A wrong password: one error that names the user and never the password; healed once it is right."""
    user = "jirauser"
    right, wrong = "right-canary-5f1e", "wrong-canary-7a2b"
    postgres.execute("postgres", f"CREATE ROLE {user} LOGIN PASSWORD '{right}'", f"CREATE DATABASE jira OWNER {user}")
    url = f"jdbc:postgresql://127.0.0.1:{postgres.port}/jira"
    database = DemoDatabase(url, "postgres72", "org.postgresql.Driver", right, port=postgres.port)
    try:
        fill(database, ISSUES)
        with running_agent(tmp_path, database=database, password=wrong, hour__length="1h") as agent:
            agent.start(ticks=3)
            line = told_once(agent, "source.guardrails.failed")
            assert line["reason"] == "login-refused"
            assert "refuses user and password" in line["why"]
            assert agent.problem("guardrails, licence, links, nodes give nothing")
            dbconfig = agent.home / "dbconfig.xml"
            dbconfig.write_text(dbconfig.read_text().replace(wrong, right))
            agent.wait(lambda: agent.log_lines("source.guardrails.healed"))
            agent.wait_ticks(2)
            assert len(agent.log_lines("source.guardrails.healed")) == 1
            assert agent.stop() == 0
            assert "canary" not in agent.log_text()
    finally:
        postgres.execute("postgres", "DROP DATABASE jira WITH (FORCE)", f"DROP ROLE {user}")


@pytest.mark.fault(76)
def test_cloud_does_not_know_the_key(tmp_path: Path, cloud: Receiver) -> None:
    """A refused key: everything is held, told once, status says how to renew; a new key delivers all of it."""
    with running_agent(tmp_path, cloud) as agent:
        agent.link()
        (cloud.folder / "keys.txt").write_text(OTHER_KEY + "\n")
        agent.start()
        agent.wait(lambda: agent.log_lines("delivery.held"))
        agent.wait(lambda: len(agent.log_lines("hour.closed")) >= 3)
        told_once(agent, "delivery.held")
        problem = agent.problem("The cloud refuses the key")
        assert problem is not None
        assert "portfolio-agent link" in problem["do"]
        assert agent.status()["exitCode"] == 3
        assert len([line for line in cloud.log() if line["call"] == "batches"]) == 1, "one probe an hour at most"
        agent.link(key=OTHER_KEY)
        agent.wait(lambda: agent.status()["waiting"]["batches"] == 0)
        assert agent.stop() == 0
        sealed = agent.query("SELECT hour_s, state FROM batch")
        closed = agent.query("SELECT DISTINCT start_s FROM hour")
    # An hour may have been closed after the last look and before the stop: it waits, and nothing else does.
    assert {state for _, state in sealed} <= {"acknowledged", "waiting"}
    assert {hour for hour, _ in sealed} == {hour for (hour,) in closed}
    assert len(arrived(cloud)) == sum(state == "acknowledged" for _, state in sealed) >= 3
    assert KEY.reveal() not in agent.log_text()
    assert OTHER_KEY not in agent.log_text()


def _open_to_all(path: Path) -> None:
    path.chmod(0o644)


def _truncate(path: Path) -> None:
    path.chmod(0o600)
    path.write_bytes(path.read_bytes()[:7])
    path.chmod(0o400)


@pytest.mark.fault(95)
@pytest.mark.parametrize("spoil", [_open_to_all, Path.unlink, _truncate], ids=["0644", "missing", "truncated"])
def test_key_file_unreadable(tmp_path: Path, cloud: Receiver, spoil: Callable[[Path], None]) -> None:
    """An unusable key file is named with what to do; sampling goes on, and all arrives once the file is right."""
    with running_agent(tmp_path, cloud) as agent:
        agent.link()
        path = master_path(agent.link_dir)
        content, mode = path.read_bytes(), path.stat().st_mode & 0o777
        spoil(path)
        agent.start()
        agent.wait(lambda: agent.log_lines("delivery.failed") and agent.status()["waiting"]["batches"])
        line = agent.log_lines("delivery.failed")[0]
        assert line["level"] == "error"
        assert line["exit_code"] == 11
        assert path.name in line["why"]
        assert line["do"]
        assert agent.problem(path.name)
        assert agent.status()["exitCode"] == 3
        assert not [entry for entry in cloud.log() if entry["call"] == "batches"]
        agent.wait_ticks(1)
        path.unlink(missing_ok=True)
        path.write_bytes(content)
        path.chmod(mode)
        agent.wait(lambda: arrived(cloud))
        agent.wait(lambda: agent.status()["exitCode"] == 0)
        assert agent.stop() == 0
        first = agent.query("SELECT min(start_s) FROM hour")[0][0]
    starts = [one["window"]["start"] for one in arrived(cloud)]
    assert starts[0] == time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(first))


@pytest.mark.fault(12)
def test_unknown_config_key(tmp_path: Path) -> None:
    """A mistyped key: exit 10 with file, line, key and the nearest right one; nothing is started."""
    with running_agent(tmp_path) as agent:
        agent.config.write_text(agent.config.read_text().replace("[sampling]\n", '[sampling]\nintervall = "2m"\n'))
        code, words = refused(agent, 5)
        assert code == 10
        number = agent.config.read_text().splitlines().index('intervall = "2m"') + 1
        assert f"{agent.config}:{number}: sampling.intervall" in words
        assert "Did you mean 'sampling.interval'?" in words
        assert "Do: " in words
        assert not (agent.state / "agent.sqlite3").exists()


@pytest.mark.fault(31)
def test_second_daemon(tmp_path: Path) -> None:
    """A second daemon on one state folder: exit 13 within 5 s, naming the first, which is not disturbed."""
    with running_agent(tmp_path) as agent:
        agent.start()
        assert agent.daemon is not None
        code, words = refused(agent, 5)
        assert code == 13
        assert f"process {agent.daemon.pid}" in words
        assert "Do: " in words
        agent.wait_ticks(1)
        assert agent.stop() == 0


@pytest.mark.fault(24)
def test_state_folder_that_others_may_write(tmp_path: Path) -> None:
    """A state folder of mode 0777 is refused with the exact command that mends it."""
    with running_agent(tmp_path) as agent:
        agent.state.mkdir(exist_ok=True)
        os.chmod(agent.state, 0o777)  # noqa: S103  # the fault itself
        code, words = refused(agent, 5)
        assert code == 12
        assert f"chmod 0700 {agent.state}" in words


def test_home_of_the_product_gone(tmp_path: Path) -> None:
    """With the product's home out of reach the daemon runs on and says which file it misses."""
    with running_agent(tmp_path, hour__length="1h") as agent:
        agent.home.rename(tmp_path / "aside")
        agent.start(ticks=2)
        line = told_once(agent, "source.guardrails.failed")
        assert "dbconfig.xml" in line["why"] or str(agent.home) in line["why"]
        assert agent.stop() == 0
