"""What to do is true: usual problems are made on a real machine, the printed command is run, and they are gone.

Each begins with a machine where all is well, so none of them leans on another.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.installed import REPOSITORY, installed_root, wheelhouse
from tests.support.machine import Machine
from tests.support.product_machine import CONFIG, KEY, PRODUCT, STATE, Receiver, make_home, receiver_of, shorten
from tests.support.words import flat

__all__ = ["installed_root", "wheelhouse"]  # the fixtures

UNIT = "portfolio-agent"
LINK = f"{PRODUCT}/shared/portfolio-agent"
KEY_FILE = "/run/key.txt"
TOKEN = "/etc/portfolio-agent/apps.token"
SERVICE = "setpriv --reuid portfolio-agent --regid portfolio-agent --init-groups"


@dataclass(frozen=True, slots=True)
class Trouble:
    """One problem: how it is made, the command that shows it, its words, and the printed command that mends it.

    `cure` finds the command in the output; `more` is what a person adds where it is asked for a folder, a key or an
    answer. `gone` is the command that must not show the words any more, the same one when empty.
    """

    name: str
    make: str
    shown_by: str
    words: str
    cure: str
    more: str = ""
    gone: str = ""


HOME = f" {PRODUCT}/home"
PASTE = f" --consent basic --yes < {KEY_FILE}"
WITH_TOKEN = (
    f'sed -i \'s|^\\[apps\\]$|[apps]\\nrest_url = "https://localhost:9/jira"\\ntoken_file = "{TOKEN}"|\' {CONFIG}'
)
TROUBLES = (
    Trouble(
        "stopped", f"systemctl stop {UNIT}", "status", "The agent is not running.", r"Run: (systemctl start [\w-]+)"
    ),
    Trouble("unlinked", "portfolio-agent unlink --yes", "status", "Not linked", r"Run: (portfolio-agent link)", PASTE),
    Trouble(
        "withdrawn",
        "portfolio-agent consent set none",
        "status",
        "Consent is none",
        r"Run: (portfolio-agent consent set basic)",
        " --yes",
    ),
    Trouble(
        "config-open-to-all", f"chmod 0666 {CONFIG}", "status", "Everybody may write to it", r"Run: (chmod 0640 \S+)"
    ),
    Trouble(
        "config-closed-to-the-service",
        f"chown root:root {CONFIG}; chmod 0600 {CONFIG}",
        "status",
        "may not read it",
        r"Run: (chown root:portfolio-agent \S+ && chmod 0640 \S+)",
    ),
    Trouble(
        "no-config",
        f"mv {CONFIG} /run/aside",
        "status",
        "There is no configuration",
        r"Run: (portfolio-agent init --home) DIR",
        HOME,
    ),
    Trouble(
        "key-misspelt",
        f"sed -i 's/^interval = /intervall = /' {CONFIG}",
        "config check",
        "intervall",
        r"Did you mean 'sampling\.(\w+)'",
    ),
    Trouble(
        "closed-home", f"chmod -R go= {PRODUCT}/home", "status", "may not read the product's files", r"(setfacl .*)"
    ),
    Trouble(
        "state-open-to-all",
        f"chmod 0777 {STATE}",
        "status",
        "Others may write to the state folder",
        r"Run: (chmod 0700 \S+)",
    ),
    Trouble("link-readable", f"chmod 0644 {LINK}/link.json", "status", "[file-mode]", r"Run: (chmod 0600 [^\s;]+)"),
    Trouble("link-folder-open", f"chmod 0777 {LINK}", "status", "[folder-mode]", r"Run: (chmod 0700 \S+)"),
    Trouble(
        "hash-key-readable",
        f"chmod 0644 {LINK}/keys/pseudonym.key",
        "preview --now",
        "Others may read or change it",
        r"Run: (chmod 0600 \S+)",
    ),
    Trouble(
        "link-elsewhere",
        f"mv {LINK}/link.json /run/link.json; ln -s /run/link.json {LINK}/link.json",
        "status",
        "a symbolic link, not a file",
        r"\((mv \S+ \S+)\)",
    ),
    Trouble(
        "link-empty", f": > {LINK}/link.json", "status", "is empty", r"Put it back from a backup, or: (rm [^\s;]+)"
    ),
    Trouble(
        "no-identity",
        f"rm {LINK}/instance.json",
        "preview --now",
        "has no identity",
        r"run: (portfolio-agent init --force --home) DIR",
        HOME,
    ),
    Trouble("two-agents", "true", "run", "Another agent runs on", r"Stop it first: (systemctl stop [\w-]+)"),
    Trouble(
        "no-hour-yet",
        "true",
        "preview",
        "No hour has been closed",
        r"(portfolio-agent preview --now)",
        gone="preview --now",
    ),
    Trouble(
        "metric-misspelt",
        "true",
        "explain jira.guardrail.isues",
        "No metric of jira",
        r"Run: (portfolio-agent explain \S+)",
        gone="explain jira.guardrail.issues",
    ),
    Trouble(
        "no-terminal", "true", "unlink", "Without a terminal", r"the same command with (--yes)", gone="unlink --yes"
    ),
    Trouble(
        "no-such-level",
        "true",
        "consent set everything",
        "not a consent level",
        r"(portfolio-agent catalog show --consent basic)",
        gone="consent set basic",
    ),
    Trouble(
        "config-there-already",
        "true",
        f"init --home{HOME}",
        "is there already",
        r"(--force)",
        gone=f"init --force --home{HOME}",
    ),
    Trouble(
        "token-readable",
        f"{WITH_TOKEN}; printf x > {TOKEN}; chown portfolio-agent {TOKEN}; chmod 0644 {TOKEN}",
        "config check",
        "Others can read or change it",
        r"Run: (chmod 0600 \S+)",
    ),
    Trouble(
        "token-of-root",
        f"{WITH_TOKEN}; printf x > {TOKEN}; chmod 0600 {TOKEN}",
        "config check",
        TOKEN,
        r"(install -m 0600 -o portfolio-agent /dev/null \S+)",
        f" && printf x > {TOKEN}",
    ),
    Trouble(
        "store-damaged",
        f"systemctl stop {UNIT}; head -c 9000 /dev/urandom > {STATE}/agent.sqlite3; rm -f {STATE}/agent.sqlite3-*",
        "status",
        "damaged",
        r"(mkdir \S+ && mv \S+ \S+)",
    ),
)


@pytest.fixture(scope="module")
def machine(installed_root: Path) -> Iterator[Machine]:
    """A product, and the agent installed beside it."""
    with Machine({REPOSITORY: "/mnt/checkout"}, root=installed_root) as booted:
        make_home(booted)
        booted.run(f"chown root:root {PRODUCT} && chmod 0755 {PRODUCT} && chmod 0644 {PRODUCT}/*.sqlite3")
        booted.write(KEY_FILE, KEY + "\n", "0600")
        yield booted


@pytest.fixture(scope="module")
def cloud(machine: Machine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Receiver]:
    """The cloud on the machine's loopback."""
    with receiver_of(machine, tmp_path_factory.mktemp("cloud") / "cloud") as receiver:
        yield receiver


@pytest.fixture
def well(machine: Machine, cloud: Receiver) -> Machine:
    """The machine, set up anew: linked, running, nothing to be said but of this hour."""
    machine.run(f"systemctl stop {UNIT}; systemctl reset-failed {UNIT} || true")
    machine.run(f"rm -rf {STATE}/* {LINK} {TOKEN} && chmod 0700 {STATE} && chown portfolio-agent: {STATE}")
    machine.run(f"chmod -R u=rwX,go=rX {PRODUCT}/home {PRODUCT}/shared")
    cloud_at = f"--cloud-endpoint https://localhost:{cloud.port} --cloud-ca /etc/portfolio-agent/cloud-ca.pem"
    machine.run(f"portfolio-agent init --force --home {PRODUCT}/home {cloud_at}")
    shorten(machine, {("sampling", "interval"): '"2s"', ("sampling", "deadline"): '"1s"', ("jmx", "enabled"): "false"})
    machine.run(f"chgrp portfolio-agent {CONFIG} && portfolio-agent link{PASTE}")
    machine.run(f"systemctl start {UNIT}")
    return machine


def told(machine: Machine, command: str) -> str:
    """What a command of ours prints, to whichever of the two."""
    by = SERVICE if command == "run" else ""
    return machine.run(f"cd /; {by} timeout 5 portfolio-agent {command} < /dev/null 2>&1 || true").stdout


@pytest.mark.parametrize("trouble", TROUBLES, ids=lambda trouble: trouble.name)
def test_what_it_says_helps(well: Machine, trouble: Trouble) -> None:
    """The words are shown, the command is found in them, and when it was run the words are not shown any more."""
    well.run(trouble.make)
    text = told(well, trouble.shown_by)
    assert trouble.words in flat(text), text
    found = re.search(trouble.cure, text) or re.search(trouble.cure, flat(text))
    assert found is not None, text
    command = found[1] + trouble.more
    if trouble.name == "key-misspelt":
        command = f"sed -i 's/^intervall = /{found[1]} = /' {CONFIG}"  # the nearest key, put in by hand
    if " " in command:
        well.run(f"cd /; {command}")
    after = told(well, trouble.gone or trouble.shown_by)
    assert trouble.words not in flat(after), after
    assert "Traceback" not in text + after
