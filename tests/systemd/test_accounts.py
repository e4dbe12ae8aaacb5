"""Who runs a command, and what was not opened to the service: an answer or three facts, on a real machine."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.installed import REPOSITORY, installed_root, wheelhouse
from tests.support.machine import Machine
from tests.support.product_machine import ACCOUNT, CONFIG, KEY, PRODUCT, Receiver, make_home, receiver_of, shorten
from tests.support.words import flat

__all__ = ["installed_root", "wheelhouse"]  # the fixtures

UNIT = "portfolio-agent"
COMMANDS = (
    *("status", "config check", "config show", "catalog check", "doctor", "preview", "preview --now", "sample"),
    *(
        "explain jira.guardrail.issues",
        "consent show",
        "link --show",
        "deliver",
        "bundle",
        "unlink",
        "consent set basic",
    ),
)
# setfacl is no part of a minimal machine, and no package can be fetched here: the same rights by a group.
SETFACL = """#!/bin/sh
# Takes what the messages print: -m u:ACCOUNT:RIGHTS PATH...
account=${2#u:}; rights=${account#*:}; account=${account%%:*}; shift 2
for path in "$@"; do
    chgrp "$(id -gn "$account")" "$path" || exit 1
    chmod "g+$rights" "$path" || exit 1
done
"""


@pytest.fixture(scope="module")
def machine(installed_root: Path) -> Iterator[Machine]:
    """A product whose home is closed, as on the commonest first day; the agent installed and set up, not started."""
    with Machine({REPOSITORY: "/mnt/checkout"}, root=installed_root) as booted:
        make_home(booted)
        booted.run("useradd --groups portfolio-agent member && useradd stranger")
        booted.run(f"chown root:root {PRODUCT} && chmod 0755 {PRODUCT}")
        # A database file stands in for a server here, which asks nobody for rights on files.
        booted.run(f"chmod 0644 {PRODUCT}/*.sqlite3")
        booted.write("/usr/local/bin/setfacl", SETFACL, "0755")
        yield booted


@pytest.fixture(scope="module")
def cloud(machine: Machine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Receiver]:
    """The cloud on the machine's loopback, and a configuration that names it."""
    with receiver_of(machine, tmp_path_factory.mktemp("cloud") / "cloud") as receiver:
        init = f"portfolio-agent init --home {PRODUCT}/home --cloud-endpoint https://localhost:{receiver.port}"
        machine.run(f"{init} --cloud-ca /etc/portfolio-agent/cloud-ca.pem")
        values = {("sampling", "interval"): '"2s"', ("sampling", "deadline"): '"1s"', ("jmx", "enabled"): "false"}
        shorten(machine, values)
        machine.run(f"chgrp portfolio-agent {CONFIG}")
        yield receiver


def started_closed(machine: Machine) -> None:
    """The service as it runs on the commonest first day: nobody has opened the product's home to it."""
    machine.run(f"chgrp -R {ACCOUNT} {PRODUCT}/home && chmod -R go= {PRODUCT}/home")
    machine.run(f"systemctl restart {UNIT}")  # READY comes after the first tick


def ran(machine: Machine, command: str, account: str = "root") -> tuple[int, str]:
    """Exit code and all that a command of ours printed, without anything on standard input."""
    words = f"portfolio-agent {command} < /dev/null 2>&1"
    script = f"cd /; setpriv --reuid {account} --regid {account} --init-groups sh -c {shlex.quote(words)}"
    done = machine.run(f"{script} && code=0 || code=$?; echo; echo $code")
    text, _, code = done.stdout.rstrip().rpartition("\n")
    return int(code), text


@pytest.mark.parametrize("account", ["root", "portfolio-agent", "member", "stranger"])
def test_an_answer_or_three_facts(machine: Machine, cloud: Receiver, account: str) -> None:
    """Every command by every account, with the product closed: no stack, an exit code that the help lists."""
    started_closed(machine)
    for command in COMMANDS:
        code, text = ran(machine, command, account)
        assert "Traceback" not in text, (command, text)
        assert "fault in the agent" not in text, (command, text)
        assert code in (0, 1, 2, 3, 4, 10, 11, 12, 13), (command, text)
        if code >= 10:
            assert "Why: " in text, (command, text)
            assert "Do: " in text, (command, text)


def test_the_same_command_everywhere_and_it_opens_the_way(machine: Machine, cloud: Receiver) -> None:
    """`init`, `status`, `doctor` and `preview` print one and the same line; typed as it is, the problem is gone."""
    started_closed(machine)
    found = set()
    for command in (
        f"init --force --home {PRODUCT}/home --output /etc/portfolio-agent/other.toml",
        "status",
        "doctor",
        "preview",
    ):
        _, text = ran(machine, command)
        lines = re.findall(r"(?m)setfacl -m u:portfolio-agent:x .*$", text)
        assert lines, (command, text)
        found.add(lines[0])
    (line,) = found
    assert f"{PRODUCT}/home/dbconfig.xml" in line
    _, status = ran(machine, "status")
    assert status.count("may not read the product's files") == 1
    assert "give nothing" not in status, "one cause is one problem"
    service = flat(ran(machine, "status", "portfolio-agent")[1])
    assert f"(uid {machine.run('id -u portfolio-agent').stdout.strip()}) may not enter {PRODUCT}/home" in service
    machine.run(line)
    machine.wait_for(
        "portfolio-agent status > /run/status || true; "
        "grep -q '  guardrails  ok' /run/status && ! grep -q 'nothing (' /run/status"
    )
    code, text = ran(machine, "doctor")
    assert "Judged as the service account portfolio-agent." in text, text
    assert code == 0, text


def test_the_journal_knows_what_is_a_warning(machine: Machine, cloud: Receiver) -> None:
    """`journalctl -p warning` has the sources that failed, and no tick that went well."""
    started_closed(machine)
    journal = f"journalctl --output json --no-pager --unit {UNIT} _TRANSPORT=stdout"
    lines = [json.loads(line) for line in machine.run(f"{journal} -p warning").stdout.splitlines()]
    events = [json.loads(line["MESSAGE"])["event"] for line in lines]
    assert any(event.startswith("source.") for event in events)
    assert "tick.finished" not in events
    usual = [json.loads(line) for line in machine.run(journal).stdout.splitlines()]
    assert "6" in {line["PRIORITY"] for line in usual}


def test_a_configuration_that_the_service_cannot_read(machine: Machine, cloud: Receiver) -> None:
    """0600 of root: the service ends with 10 and says which command mends it; root's commands say the same; it does."""
    machine.run(f"systemctl stop {UNIT}; chown root:root {CONFIG}; chmod 0600 {CONFIG}")
    assert machine.run(f"systemctl start {UNIT}", check=False).returncode != 0
    assert machine.run(f"systemctl show -p ExecMainStatus --value {UNIT}").stdout.strip() == "10"
    mend = f"chown root:portfolio-agent {CONFIG} && chmod 0640 {CONFIG}"
    assert mend in machine.run(f"journalctl --no-pager -n 20 --unit {UNIT}").stdout
    for command in ("status", "doctor", "config check", "preview --now", "sample"):
        code, text = ran(machine, command)
        assert (code, mend in flat(text)) == (10, True), (command, text)
    machine.run(mend)
    machine.run(f"systemctl start {UNIT}")
    assert mend not in ran(machine, "config check")[1]


def test_what_changes_much_needs_an_answer(machine: Machine, cloud: Receiver) -> None:
    """Without a terminal `unlink` and more consent are refused; the link is as before."""
    machine.run(f"printf '%s' {KEY} | portfolio-agent link --consent basic --yes")
    for command in ("unlink", "consent set extended"):
        code, text = ran(machine, command)
        assert (code, "--yes" in text) == (2, True), text
    assert '"level": "basic"' in ran(machine, "consent show --json")[1]
