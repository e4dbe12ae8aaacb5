"""Each command once as the process that a person or the service starts; its other tests run it in the tests' own.

`run` is not here: tests/e2e and tests/systemd start the daemon.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from agent.cli.main import command_names
from tests.support.cloud import KEY, receiver, wait_until
from tests.support.site import Agent, make_site

DAEMON = {"run"}
# In the order of an agent's life: command, exit code, a word of what it prints.
LIFE: tuple[tuple[tuple[str, ...], int, str], ...] = (
    (("link", "--consent", "basic", "--yes"), 0, "Example Organisation"),
    (("consent", "show"), 0, "basic"),
    (("config", "check"), 0, "agent.toml"),
    (("catalog", "check"), 0, "every field classified"),
    (("sample",), 1, "host.memory.total"),
    (("doctor",), 1, "stages failed:"),
    (("deliver",), 0, "1"),
    (("status",), 1, "Example Organisation"),
    (("preview",), 0, '"entries"'),
    (("explain", "jvm.memory.heap.used"), 0, "Last value"),
    (("bundle",), 0, ".zip"),
    (("unlink", "--yes"), 0, "Revoked in the cloud"),
)
# What these print does not change from one second to the next.
SAME_AGAIN = ("consent", "config", "catalog", "preview")


def store_an_hour(agent: Agent) -> None:
    """One tick, and wait until its hour is over."""
    ends = agent.tick()
    wait_until(lambda: datetime.now(UTC) >= ends)


def test_each_command_as_a_process(tmp_path: Path) -> None:
    """Exit code and words of every command but the daemon's, and what only reads says the same in a test's process."""
    with receiver(tmp_path / "receiver") as cloud:
        text = f'endpoint = "{cloud.settings.endpoint}"\nca_file = "{cloud.settings.ca_file}"'
        agent = make_site(tmp_path, cloud=text, hour="2s")
        other = replace(agent, config=tmp_path / "other.toml")
        made = other.process(
            "init", "--home", str(agent.settings.instance.home), "--offline", "--state-dir", str(tmp_path)
        )
        assert (made.code, other.config.exists()) == (0, True), made.text
        for words, code, shown in LIFE:
            if words == ("deliver",):
                store_an_hour(agent)
            done = agent.process(*words, key=KEY.reveal() + "\n")
            assert done.code == code, (words, done.text)
            assert shown in done.out, words
            if words[0] in SAME_AGAIN:
                assert agent.run(*words) == done, words
    assert {"init", *(words[0] for words, _, _ in LIFE)} == set(command_names()) - DAEMON
