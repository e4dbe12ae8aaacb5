"""The real daemon under the shipped unit, beside a product whose files belong to another account."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.installed import HOUSE, REPOSITORY, installed_root, main_pid, wheelhouse
from tests.support.machine import Machine
from tests.support.product_machine import (
    ACCOUNT,
    CONFIG,
    KEY,
    PRODUCT,
    STATE,
    Receiver,
    make_home,
    receiver_of,
    shorten,
)

__all__ = ["installed_root", "wheelhouse"]  # the fixtures

UNIT = "portfolio-agent"
INTERVAL_S = 2
HOUR_S = 10
COUNT = (
    "import sqlite3; store = sqlite3.connect('file:%s/agent.sqlite3?mode=ro', uri=True);"
    "print(store.execute('SELECT count(*) FROM tick').fetchone()[0])"
)


@dataclass(frozen=True, slots=True)
class Site:
    """A machine with the agent set up, linked and running, and the receiver it pushes to."""

    machine: Machine
    receiver: Receiver


@pytest.fixture(scope="module")
def site(installed_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Installed, `init`, `link`, `systemctl start`: as an admin does it, all as root."""
    with Machine({REPOSITORY: "/mnt/checkout"}, root=installed_root) as machine:
        make_home(machine)
        with receiver_of(machine, tmp_path_factory.mktemp("cloud") / "cloud") as receiver:
            set_up(machine, receiver)
            machine.run(f"systemctl start {UNIT}")
            yield Site(machine, receiver)


def set_up(machine: Machine, receiver: Receiver) -> None:
    """Everything before the start."""
    init = (
        f"portfolio-agent init --force --home {PRODUCT}/home --cloud-endpoint https://localhost:{receiver.port}"
        " --cloud-ca /etc/portfolio-agent/cloud-ca.pem"
    )
    # The product's files are closed to the service account: init says so, and is content once the way is open.
    assert f"setfacl -m u:portfolio-agent:x {PRODUCT} {PRODUCT}/home" in machine.run(init).stdout
    machine.run(f"usermod --append --groups {ACCOUNT} portfolio-agent")
    assert "setfacl" not in machine.run(init).stdout
    shorten(
        machine,
        {
            ("sampling", "interval"): f'"{INTERVAL_S}s"',
            ("sampling", "deadline"): '"1s"',
            ("hour", "length"): f'"{HOUR_S}s"',
            ("hour", "close_after"): '"1s"',
            ("jmx", "enabled"): "false",
        },
    )
    machine.run(f"printf '%s' {KEY} | portfolio-agent link --consent basic --yes")


def ticks(machine: Machine, state: str = STATE) -> int:
    """How many ticks lie in the store."""
    return int(machine.run(f'python3 -c "{COUNT % state}"').stdout)


def log_of(machine: Machine, unit: str = UNIT) -> list[dict[str, str]]:
    """Every line the unit wrote, with what the journal itself knows of its writer."""
    lines = machine.run(f"journalctl --output json --no-pager --unit {unit} _TRANSPORT=stdout").stdout.splitlines()
    return [json.loads(line) for line in lines]


def property_of(machine: Machine, name: str, unit: str = UNIT) -> str:
    """One property of the unit."""
    return machine.run(f"systemctl show --property {name} --value {unit}").stdout.strip()


def wait_for_event(site: Site, event: str) -> dict[str, str]:
    """The first log line with this event; waits until an hour has passed."""
    site.machine.wait_for(f"journalctl --no-pager --unit {UNIT} | grep -qF '\"{event}\"'", seconds=60)
    return next(line for line in log_of(site.machine) if f'"{event}"' in line["MESSAGE"])


def test_it_is_active_once_a_tick_is_stored(site: Site) -> None:
    """`systemctl start` returns after the first durable tick; its status line says what that tick gave."""
    site.machine.run(f"systemctl stop {UNIT}")
    before = ticks(site.machine)
    site.machine.run(f"systemctl start {UNIT}")
    assert ticks(site.machine) > before
    assert property_of(site.machine, "ActiveState") == "active"
    assert re.fullmatch(r"Last tick [\d:]{8} UTC: \d\d+ samples", property_of(site.machine, "StatusText"))


def test_no_start_compiles_anything(site: Site) -> None:
    """Each module the daemon loads comes from bytecode that the installation made: with -OO none is shipped."""
    pid = main_pid(site.machine)
    options = site.machine.run(f"tr '\\0' '\\n' < /proc/{pid}/cmdline").stdout.split()
    assert options[1:3] == ["-OO", "-X"]
    sources = ", ".join(f"agent.sources.{name}.source" for name in ("guardrails", "host", "jmx"))
    loads = f"import agent.runtime.resident.daemon, {sources}, psycopg"
    said = site.machine.run(f"{options[0]} -v -OO -X {options[3]} -I -c '{loads}' 2>&1 >/dev/null").stdout
    read = [line for line in said.splitlines() if line.startswith("# code object from ")]
    bytecode = options[3].partition("=")[2]
    assert len(read) > 300
    assert [line for line in read if f"'{bytecode}/" not in line] == []


def test_ticks_go_on(site: Site) -> None:
    """The sandbox lets every source answer, tick after tick."""
    before = ticks(site.machine)
    site.machine.wait_for(f'test $(python3 -c "{COUNT % STATE}") -ge {before + 3}')
    newest = [line["MESSAGE"] for line in log_of(site.machine) if "tick.finished" in line["MESSAGE"]][-1]
    assert json.loads(newest)["failed"] == 0


def test_the_hourly_child_works_inside_the_same_sandbox(site: Site) -> None:
    """The child runs as the service account in the unit's control group, opens the key, pushes, ends with 0."""
    finished = json.loads(wait_for_event(site, "deliver.finished")["MESSAGE"])
    assert finished["exit_code"] == 0
    sent = wait_for_event(site, "batch.acknowledged")
    account = site.machine.run("id -u portfolio-agent").stdout.strip()
    assert sent["_UID"] == account
    assert sent["_SYSTEMD_UNIT"] == f"{UNIT}.service"
    assert int(sent["_PID"]) != main_pid(site.machine)
    assert site.receiver.batches() >= 1


def test_root_gets_an_answer_and_leaves_nothing_behind(site: Site) -> None:
    """Commands of root work beside the running service, and every file stays the service account's."""
    wait_for_event(site, "batch.acknowledged")
    said = site.machine.run("portfolio-agent status").stdout
    assert "What needs attention" not in said
    assert "consent basic" in said
    for command in ("deliver", "bundle", "sample", "preview", "status --json", "deliver --no-push --json"):
        site.machine.run(f"portfolio-agent {command}")
    foreign = site.machine.run(f"find {STATE} {PRODUCT}/shared/portfolio-agent ! -user portfolio-agent").stdout
    assert foreign == ""


def test_the_log_has_no_stack_and_no_key(site: Site) -> None:
    """Neither a traceback nor the security key is ever written to the journal."""
    wait_for_event(site, "deliver.finished")
    text = "\n".join(str(line["MESSAGE"]) for line in log_of(site.machine))
    assert "Traceback" not in text
    assert KEY not in text


def test_a_daemon_that_stands_still_is_replaced(site: Site) -> None:
    """Between ticks a minute apart the watchdog of 2 s is fed; a stopped process is killed and started again."""
    machine = site.machine
    drop_in = f"/etc/systemd/system/{UNIT}.service.d/watchdog.conf"
    text = machine.run(f"cat {CONFIG}").stdout
    shorten(machine, {("sampling", "interval"): '"60s"', ("hour", "length"): '"60s"'})
    machine.write(drop_in, "[Service]\nWatchdogSec=2\nRestartSec=0\n")
    try:
        machine.run(f"systemctl daemon-reload; systemctl restart {UNIT}")
        pid = main_pid(machine)
        machine.run("sleep 7")  # more than three times what the watchdog waits
        assert main_pid(machine) == pid
        machine.run(f"kill -STOP {pid}")
        machine.wait_for(f"p=$(systemctl show -p MainPID --value {UNIT}); test $p != 0 && test $p != {pid}")
        machine.wait_for(f"systemctl -q is-active {UNIT}")
        said = [str(line["MESSAGE"]) for line in log_of(machine)]
        assert any("Fatal Python error: Aborted" in line for line in said)  # where it stood, for whoever looks later
    finally:
        machine.run(f"rm {drop_in}; systemctl daemon-reload")
        machine.write(CONFIG, text, "0640")
        machine.run(f"systemctl restart {UNIT}")


def test_it_stops_at_once(site: Site) -> None:
    """`systemctl stop` takes less than 10 s and is a success, at any moment."""
    for _ in range(3):
        site.machine.run(f"systemctl start {UNIT}")
        began_s = time.monotonic()
        site.machine.run(f"systemctl stop {UNIT}")
        assert time.monotonic() - began_s < 10
        assert property_of(site.machine, "Result") == "success"
    site.machine.run(f"systemctl start {UNIT}")


def test_a_second_instance_beside_a_product_in_home(site: Site) -> None:
    """The template unit works beside a product below /home once the drop-in that init names is in place."""
    machine, unit, config = site.machine, "portfolio-agent@two", "/etc/portfolio-agent-two/agent.toml"
    make_home(machine, "/home/jira")
    machine.run("mkdir /etc/portfolio-agent-two")
    said = machine.run(
        f"portfolio-agent init --offline --home /home/jira/home --output {config}"
        " --state-dir /var/lib/portfolio-agent-two"
    ).stdout
    assert "home-read-only.conf" in said
    shorten(
        machine,
        {
            ("sampling", "interval"): '"2s"',
            ("sampling", "deadline"): '"1s"',
            ("hour", "length"): '"4s"',
            ("hour", "close_after"): '"0s"',
            ("jmx", "enabled"): "false",
        },
        config,
    )
    machine.run(
        "install -D -m 0644 -t /etc/systemd/system/portfolio-agent@.service.d"
        " /opt/portfolio-agent/share/systemd/drop-ins/home-read-only.conf; systemctl daemon-reload"
    )
    try:
        machine.run(f"systemctl start {unit}")
        machine.wait_for("ls /var/lib/portfolio-agent-two/bundles/*.zip", seconds=60)
        tick = [line["MESSAGE"] for line in log_of(machine, unit) if "tick.finished" in line["MESSAGE"]][-1]
        assert json.loads(tick)["failed"] == 0
        assert machine.run("find /var/lib/portfolio-agent-two ! -user portfolio-agent").stdout == ""
    finally:
        machine.run(f"systemctl stop {unit}; rm -r /etc/systemd/system/portfolio-agent@.service.d")


def test_uninstalling_leaves_what_it_says(wheelhouse: Path, installed_root: Path, tmp_path: Path) -> None:
    """`uninstall` keeps configuration and state; `--purge` refuses while linked, and then leaves nothing."""
    with Machine({wheelhouse: HOUSE, REPOSITORY: "/mnt/checkout"}, root=installed_root) as machine:
        make_home(machine)
        with receiver_of(machine, tmp_path / "cloud") as receiver:
            set_up(machine, receiver)
            machine.run(f"systemctl enable --now {UNIT}")
            machine.run("/opt/portfolio-agent/share/uninstall")
            assert traces(machine) == {"/etc/portfolio-agent", "/var/lib/portfolio-agent"}
            machine.run(f"{HOUSE}/install && systemctl start {UNIT}")
            assert machine.run("/opt/portfolio-agent/share/uninstall --purge", check=False).returncode == 1
            assert property_of(machine, "ActiveState") == "active"
            machine.run("portfolio-agent unlink --yes")
            machine.run("/opt/portfolio-agent/share/uninstall --purge --last-node")
            assert traces(machine) == set()
            assert machine.run("id portfolio-agent", check=False).returncode != 0


def traces(machine: Machine) -> set[str]:
    """The outermost paths outside the product's home that carry the agent's name."""
    found = machine.run(
        "find / -xdev \\( -path /mnt -o -path /proc -o -path /sys -o -path /var/atlassian -o -path /var/log \\) -prune"
        " -o -name '*portfolio*' -prune -print"
    )
    return set(found.stdout.split())
