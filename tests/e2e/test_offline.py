"""Offline mode: bundles on schedule, and not one connection (T2)."""

from __future__ import annotations

from pathlib import Path

from agent.delivery.bundle import verify_bundle
from tests.support.agent import running_agent
from tests.support.servers import require


def test_offline_daemon_bundles_without_any_network(tmp_path: Path) -> None:
    """In a namespace without a network the offline daemon writes its bundles; no socket is ever connected."""
    unshare, strace = require("unshare"), require("strace")
    trace = tmp_path / "trace"
    slower = {"hour__length": "4s", "bundle__every": "1s", "bundle__keep": 3}
    with running_agent(tmp_path, offline=True, **slower) as agent:
        calls = "trace=connect,sendto,sendmsg,sendmmsg,bind,listen"
        agent.prefix = [str(unshare), "--user", "--map-root-user", "--net", str(strace), "-f", "-e", calls]
        agent.prefix = [*agent.prefix, "-o", str(trace)]
        agent.start()
        folder = agent.state / "bundles"
        agent.wait(lambda: len(list(folder.glob("*.zip"))) >= 2, 60)
        bundles = sorted(folder.glob("*.zip"))
        manifest = verify_bundle(bundles[-1])
        assert manifest["consent"]["level"] == "basic"
        status = agent.status()
        assert [one for one in status["problems"] if one["exitCode"] != 1] == []
        assert status["mode"] == "offline"
        daemon = next(one for one in agent.processes() if "agent.runtime" in one.cmdline())
        daemon.terminate()
        assert agent.daemon is not None
        assert agent.daemon.wait(10) == 0
        agent.daemon = None
    assert trace.stat().st_size >= 0
    lines = [line for line in trace.read_text().splitlines() if "AF_INET" in line or "AF_NETLINK" in line]
    assert lines == []
