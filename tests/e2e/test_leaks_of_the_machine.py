"""Names of the machine, its folders, and the beans that a failure tells of: where may each of them be found?

The rule: a path, as a folder may be named after a person, is told to the admin on this machine, by `status`, `sample`,
the log and the answer of `bundle` (which says where its file is). It is in no tick, hour, batch, bundle or preview.
Names of the host, its network cards, processes and mount points, and its machine id, are told nowhere.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest
from sqlalchemy import create_engine

from agent.catalog import load_catalog
from agent.sources.host.source import Host
from tests.support.listings import jira_sqlite
from tests.support.planted import Beans, PlantedSite, close_hour, leaks, left_behind, planted, run_daemon, two_ticks
from tests.support.planting import FOUND, Plants, travelling_bytes
from tests.support.servers import missing, require, require_root

MACHINE_ID = "ZitaMustermann000000000000000000"
# Card, host name and machine id of its own; the folder of the product becomes a mount point.
SURROUNDINGS = """
ip link add name "$1" type veth && ip link set "$1" up && ip link set lo up && hostname "$2" &&
mount --bind "$3" /etc/machine-id && mount --bind "$4" "$4" && shift 4 && exec "$@"
"""


def sqlite_place(folder: Path) -> tuple[str, Path]:
    """[database] of Jira's test schema with rows in `folder`."""
    folder.mkdir()
    path = jira_sqlite(folder / "product.db")
    return f'login = "own"\ndialect = "sqlite"\nname = "{path}"\n', path


def assert_only_paths_are_told(site: PlantedSite, log: bytes) -> dict[str, bytes]:
    """Nothing that travels has anything planted; what the admin sees has names of folders only."""
    left = left_behind(site, log)
    travelling = {"store": b"\n".join(travelling_bytes(site.agent.settings.agent.state_dir))}
    travelling |= {name: left[name] for name in left if name.startswith("preview")}
    assert not (found := leaks(travelling, site.plants)), "\n".join(found[:20])
    assert site.plants.where(b"\n".join(left.values())) <= {"folder", "?"}
    return left


def test_names_of_the_machine_are_told_nowhere(tmp_path: Path) -> None:
    """Card, host, machine id, process, mount point and folders with a person's name, in namespaces of their own."""
    require_root()
    unshare = require("unshare")
    plants = Plants()
    folder = tmp_path / f"{plants.name('folder')} Mustermann"
    card, host = plants.name("network card").lower(), f"{plants.name('host name')}.mustermann.example.net"
    (tmp_path / "id").write_text(f"{MACHINE_ID}\n")
    if not Path("/etc/machine-id").exists():
        missing("/etc/machine-id is not there: systemd-machine-id-setup")
    database, path = sqlite_place(folder)
    inside = (str(unshare), "--net", "--uts", "--mount", "sh", "-c", SURROUNDINGS, "sh")
    inside += (card, host, str(tmp_path / "id"), str(folder))
    tried = subprocess.run([*inside, "sh", "-c", "hostname; ls /sys/class/net"], capture_output=True, text=True)
    if tried.returncode != 0 or host not in tried.stdout:
        missing(f"namespaces of an own are not allowed here: {tried.stderr.strip()}")
    process = tmp_path / plants.name("process")
    shutil.copy("/bin/sleep", process)
    engine = create_engine(f"sqlite:///{path}")
    with planted("jira", folder, database, engine, jmx=False, plants=plants, inside=inside) as site:
        running = subprocess.Popen([process, "600"], env={"USER": plants.name("environment of a process")})
        try:
            left = assert_only_paths_are_told(site, run_daemon(site))
        finally:
            running.kill()
            running.wait()
        # The card was counted, its name was not.
        assert b"host.network.sent" in left["preview --json"]
        assert MACHINE_ID.lower().encode() not in b"\n".join(left.values()).lower()


def test_folders_named_after_people_stay_on_this_machine(tmp_path: Path) -> None:
    """Sources that fail tell the admin which folder it is; nothing that is kept to be sent has it."""
    plants = Plants()
    folder = tmp_path / f"{plants.name('folder')} Mustermann"
    database, path = sqlite_place(folder)
    with planted("jira", folder, database, create_engine(f"sqlite:///{path}"), jmx=False, plants=plants) as site:
        two_ticks(site)
        (site.install / "conf" / "server.xml").unlink()
        (site.home / "log").rename(tmp_path / "away")
        two_ticks(site, logs=False)
        close_hour(site)
        left = assert_only_paths_are_told(site, b"")
        assert "folder" in site.plants.where(left["status --json"]), "no failure told a path: nothing was proven"


def test_what_failures_quote_is_hashed_before_it_is_stored(tmp_path: Path) -> None:
    """Beans that were cut, that broke a reply and are left alone, or that threw what a person typed."""

    def spoil(beans: Beans, plants: Plants) -> Beans:
        # Without those whose value is a text: `status` shows the first fifty failures.
        beans = [bean for bean in beans if bean[2] == "7"]
        named = list(dict.fromkeys(bean for bean, _, _ in beans if "Zita-" in bean))
        refused = f"!refused {plants.name('exception of a bean')} Mustermann"
        words = {named[0]: "!broken", named[1]: "!broken", named[2]: refused, named[3]: refused}
        return [(bean, attribute, words.get(bean, value)) for bean, attribute, value in beans]

    folder = tmp_path / "place"
    database, path = sqlite_place(folder)
    engine = create_engine(f"sqlite:///{path}")
    with planted("jira", folder, database, engine, more_jmx="max_beans = 70\n", spoil=spoil) as site:
        two_ticks(site, ticks=3)
        close_hour(site)
        left = left_behind(site, b"")
        jmx = next(item for item in json.loads(left["status --json"])["sources"] if item["name"] == "jmx")
        # What was quoted stands in the detail, as a pseudonym.
        for reason, words in (("cut", "leaves out"), ("quarantined", "not-serializable"), ("remote-failure", "")):
            details = [item["detail"] for item in jmx["failures"] if item["reason"] == reason]
            assert any(words in detail and "h-" in detail for detail in details), (reason, jmx["failures"])
        seen = site.plants.where(site.agent.run("sample", "--json").out.encode())
        assert any(item.startswith("bean tag") for item in seen)
        assert not (found := leaks(left, site.plants)), "\n".join(found[:20])


def test_host_source_reads_no_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the system tells of cards and of itself has names; no sample and no failure of the source has one."""
    card = SimpleNamespace(bytes_sent=1, bytes_recv=2, errin=0, errout=0, dropin=0, dropout=0)
    monkeypatch.setattr(psutil, "net_io_counters", lambda pernic: {"zita-1": card})
    monkeypatch.setattr(psutil, "net_if_stats", lambda: {"zita-1": SimpleNamespace(flags="up,running")})
    monkeypatch.setattr(socket, "gethostname", lambda: "zita-2.mustermann.example.net")
    uname = os.uname()
    named = SimpleNamespace(nodename="zita-2", release="6.1.0-zita-3-mustermann", machine=uname.machine)
    monkeypatch.setattr(os, "uname", lambda: named)
    folder = tmp_path / "Zita-4 Mustermann"
    folder.mkdir()
    host = Host(
        load_catalog("jira"), {"local-home": folder, "shared-home": folder / "gone"}, writable={"state": folder}
    )
    reading = host.read(5.0)
    numbers = {sample.series.metric: sample.value for sample in reading.samples}
    assert numbers["host.network.sent"] == 1
    assert numbers["host.os.kernel"] == "6.1.0"
    told = repr([(sample.series, sample.value, sample.attributes) for sample in reading.samples])
    assert not FOUND.search(told.encode())
