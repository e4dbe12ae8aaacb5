"""The commands of README's Install section, read out of it and run in its order on a whole Debian without network.

Only what no reader could type is changed: `sudo` (the machine has root alone), the receiver's address, the pasted key.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.installed import REPOSITORY
from tests.support.machine import DEBIAN_13, RELEASE, Machine, debian_root
from tests.support.once import made_once, session_folder
from tests.support.product_machine import CONFIG, KEY, PRODUCT, Receiver, make_home, receiver_of, shorten
from tests.support.servers import require_root

HOME = f"{PRODUCT}/jira"
ADDRESS = "https://receiver.example.com"
CHECKOUT = "/mnt/checkout"


def readme_commands() -> list[str]:
    """Each command line of the Install section, without its comment."""
    text = (REPOSITORY / "README.md").read_text("utf-8")
    section = text.split("\n## Install\n")[1].split("\n## ")[0]
    return [re.split(r"\s{2,}# ", line[4:])[0].strip() for line in section.splitlines() if line.startswith("    ")]


MAKE, INSTALL, INIT, PASS, READ, ENABLE, STATUS, LINK, DELIVER, UNLINK, PURGE = range(11)


def test_the_section_has_the_steps_in_their_order() -> None:
    """What the tests below run is what is printed, all of it."""
    commands = readme_commands()
    words = r"wheelhouse$|install --w|init|setfacl|enable|status|link|deliver|purge"
    steps = ["wheelhouse", "install --w", "init", "setfacl", "setfacl", "enable", "status", "link", "deliver"]
    assert [re.findall(words, command)[0] for command in commands] == [*steps, "link", "purge"]
    assert all(one.startswith("sudo ") for one in commands[1:])


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkout in which README's first command was run, with this one's environment."""
    require_root()

    def make(folder: Path) -> None:
        folder.mkdir()
        for name in ("agent", "config", "requirements", "scripts", "systemd"):
            shutil.copytree(REPOSITORY / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        for name in ("pyproject.toml", "hatch_build.py", "README.md", "LICENSE"):
            shutil.copy(REPOSITORY / name, folder)
        (folder / ".venv").symlink_to(REPOSITORY / ".venv")
        made = subprocess.run(["bash", "-euc", readme_commands()[MAKE]], cwd=folder, capture_output=True, text=True)
        assert made.returncode == 0, made.stderr
        assert "with glibc 2.28 or newer" in made.stderr

    return made_once(session_folder(tmp_path_factory) / "readme-checkout", make)


@dataclass(frozen=True, slots=True)
class Site:
    """A machine with a Jira home that is closed to others, and a receiver."""

    machine: Machine
    receiver: Receiver

    def step(self, number: int, *, answer: str = "", more: str = "", check: bool = True) -> str:
        """Run one of README's commands as it is printed; what it said."""
        command = (
            readme_commands()[number]
            .removeprefix("sudo ")
            .replace(ADDRESS, f"https://localhost:{self.receiver.port} --cloud-ca /srv/cloud-ca.pem")
        )
        feed = f"printf '%s' '{answer}' | " if answer else ""
        done = self.machine.run(f"cd {CHECKOUT} && {feed}{command}{more}", check=check)
        return done.stdout + done.stderr


@pytest.fixture
def site(request: pytest.FixtureRequest, checkout: Path, tmp_path: Path) -> Iterator[Site]:
    """Debian 12 (Python 3.11) and Debian 13 (3.13): bare but for the product's home, mode 0700."""
    binds = {checkout: CHECKOUT, REPOSITORY / "tests": "/mnt/tests"}
    with Machine(binds, root=debian_root(request.param)) as machine:
        make_home(machine, "/srv/made")
        # One node: no cluster.properties, and the database stands where a server would, reachable for all.
        machine.run(
            f"mkdir -p {PRODUCT} && mv /srv/made/home {HOME} && rm {HOME}/cluster.properties"
            f" && chmod -R u=rwX,go= {HOME} && chmod a+rx /srv/made && chmod a+r /srv/made/jiradb.sqlite3"
        )
        with receiver_of(machine, tmp_path / "cloud") as receiver:
            machine.run("mv /etc/portfolio-agent/cloud-ca.pem /srv/ && rmdir /etc/portfolio-agent")
            yield Site(machine, receiver)


def everything(machine: Machine) -> list[str]:
    """Each file outside of what a running system writes, with mode, owner and access list."""
    places = "/etc /opt /usr /srv /var/atlassian /var/lib/portfolio-agent*"
    no_matter = "/etc/(passwd|group|shadow|gshadow|subuid|subgid)-?$|/etc/ld.so.cache|/etc/.pwd.lock"
    lines = machine.run(
        f"find {places} -xdev ! -type l -printf '%m %u %g %p\\n' 2>/dev/null | sort;"
        f" getfacl -R -s -p {places} 2>/dev/null || true"
    ).stdout.splitlines()
    return [line for line in lines if not re.search(no_matter, line)]


@pytest.mark.parametrize("site", [RELEASE], indirect=True)
def test_readme_from_the_first_command_to_the_last_twice(site: Site) -> None:
    """From install to purge, the upgrade included, each as it is printed; then the machine is as it was before."""
    machine = site.machine
    before = everything(machine)
    for _ in range(2):
        site.step(INSTALL)
        said = site.step(INIT)
        for number in (PASS, READ):
            command = readme_commands()[number].removeprefix("sudo ")
            assert command in said, said  # what README prints is what init asks for on such a home
            site.step(number)
        shorten(
            machine,
            {
                ("sampling", "interval"): '"2s"',
                ("sampling", "deadline"): '"1s"',
                ("hour", "length"): '"4s"',
                ("hour", "close_after"): '"0s"',
                ("jmx", "enabled"): "false",
            },
        )
        site.step(ENABLE)
        machine.run("systemctl is-enabled portfolio-agent && systemctl is-active portfolio-agent")
        assert "not readable" not in site.step(STATUS, check=False)
        site.step(LINK, answer=KEY, more=" --consent basic --yes")
        before_it = site.receiver.batches()
        deadline = time.monotonic() + 120
        while site.receiver.batches() == before_it:  # the receiver is on the host: nothing inside tells of it
            assert time.monotonic() < deadline, machine.run("journalctl --no-pager -n 40").stdout
            time.sleep(0.2)
        site.step(DELIVER)
        first = machine.run("systemctl show -p MainPID --value portfolio-agent").stdout
        configuration = machine.run(f"cat {CONFIG}").stdout
        site.step(INSTALL)  # the upgrade
        machine.wait_for("systemctl is-active portfolio-agent")
        assert machine.run("systemctl show -p MainPID --value portfolio-agent").stdout != first
        assert machine.run(f"cat {CONFIG}").stdout == configuration
        site.step(UNLINK)
        said = site.step(PURGE)
        assert "account and its rights" in said, said
        assert everything(machine) == before
        assert machine.run("id portfolio-agent", check=False).returncode != 0


# On the other release: its Python is newer, and each whole machine costs a minute.
@pytest.mark.parametrize("site", [DEBIAN_13], indirect=True)
def test_installed_again_after_uninstall_everything_is_there(site: Site) -> None:
    """Without --purge, configuration, state, account and rights stay, and the next installation goes on with them."""
    machine = site.machine
    for number in (INSTALL, INIT, PASS, READ):
        site.step(number)
    shorten(machine, {("jmx", "enabled"): "false"})
    site.step(ENABLE)
    identity, rights = (
        machine.run(f"cat {HOME}/portfolio-agent/instance.json; id portfolio-agent").stdout,
        everything(machine),
    )
    kept = machine.run("/opt/portfolio-agent/share/uninstall").stderr
    assert "kept:" in kept
    machine.run("test ! -e /opt/portfolio-agent")
    assert machine.run("ls /etc/systemd/system/*.wants/ | grep portfolio || true").stdout == ""
    site.step(INSTALL)
    site.step(ENABLE)
    assert machine.run(f"cat {HOME}/portfolio-agent/instance.json; id portfolio-agent").stdout == identity
    ours = [line for line in rights if HOME in line or "user:portfolio-agent" in line]
    assert [line for line in everything(machine) if HOME in line or "user:portfolio-agent" in line] == ours
