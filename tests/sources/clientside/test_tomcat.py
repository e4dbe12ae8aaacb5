"""What is taken from a Tomcat install."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path

import pytest

from agent.errors import SourceError
from agent.sources.clientside.tomcat import JAR_LIMIT_BYTES, read_valve, read_version
from tests.support.access_logs import JIRA, make_install
from tests.support.servers import require


def test_valve_of_an_install(tmp_path: Path) -> None:
    """Folder, names, pattern and version, as server.xml and the jar tell them."""
    valve = read_valve(make_install(tmp_path / "jira", more='directory="${catalina.base}/logs" suffix=".log"'))
    assert (valve.folder, valve.pattern, valve.version) == (tmp_path / "jira" / "logs", JIRA, 9)
    assert valve.accepts("access_log.2026-11-22.log")
    assert valve.accepts("access_log.2026-11-22.log.1.gz")
    assert not valve.accepts("access_logs-of-someone.log")
    assert not valve.accepts("catalina.2026-11-22.log")


def test_crowd_keeps_tomcat_one_level_down(tmp_path: Path) -> None:
    """The folder an admin names is the product's."""
    make_install(tmp_path / "crowd" / "apache-tomcat")
    assert read_valve(tmp_path / "crowd").folder == tmp_path / "crowd" / "apache-tomcat" / "logs"


def test_own_folder_wins(tmp_path: Path) -> None:
    """access_log_dir replaces the folder, not names and pattern."""
    assert read_valve(make_install(tmp_path / "jira"), tmp_path).folder == tmp_path


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("<Server/>", "not-present"),
        ("<Server>", "not-supported"),
        ('<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><Server>&a;</Server>', "not-supported"),
        (
            '<Server><Valve className="org.apache.catalina.valves.AccessLogValve" directory="${our.logs}"/></Server>',
            "not-supported",
        ),
    ],
)
def test_files_that_do_not_tell(tmp_path: Path, text: str, reason: str) -> None:
    """Each gets its reason and what to do; nothing outside the file is opened."""
    install = make_install(tmp_path / "jira")
    (install / "conf" / "server.xml").write_text(text)
    with pytest.raises(SourceError) as caught:
        read_valve(install)
    assert caught.value.reason == reason
    assert caught.value.do


def test_version_is_known_or_zero(tmp_path: Path) -> None:
    """The jar tells, then the release notes; neither means 0, not a guess."""
    install = make_install(tmp_path / "jira", version="")
    assert read_version(install) == 0
    (install / "lib" / "catalina.jar").write_bytes(b"no zip")
    assert read_version(install) == 0
    (install / "RELEASE-NOTES").write_text("\n                     Apache Tomcat Version 11.0.2\n")
    assert read_version(install) == 11


@pytest.mark.timeout(20)
def test_pipes_and_damaged_jars_give_no_version(tmp_path: Path) -> None:
    """What the product's account can put there holds nobody and costs nothing but the version."""
    (tmp_path / "lib").mkdir()
    jar = tmp_path / "lib" / "catalina.jar"
    os.mkfifo(jar)
    os.mkfifo(tmp_path / "RELEASE-NOTES")
    assert read_version(tmp_path) == 0
    jar.unlink()
    with zipfile.ZipFile(jar, "w", zipfile.ZIP_DEFLATED) as made:
        made.writestr("META-INF/MANIFEST.MF", "Implementation-Version: 9.0.1\n" * 50)
    octets = bytearray(jar.read_bytes())
    at = 30 + len("META-INF/MANIFEST.MF")
    octets[at : at + 8] = b"\xff" * 8  # no deflate stream begins so
    jar.write_bytes(octets)
    assert read_version(tmp_path) == 0
    with open(jar, "r+b") as stream:
        stream.truncate(JAR_LIMIT_BYTES + 1)
    assert read_version(tmp_path) == 0


def test_version_of_a_real_tomcat() -> None:
    """Debian's Tomcat 10 says so in its jar."""
    home = require("tomcat").parent.parent
    assert read_version(home) == 10
