"""The units as systemd itself judges them, without starting anything."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.support.servers import require

SYSTEMD = Path(__file__).parents[2] / "systemd"
UNITS = ["portfolio-agent.service", "portfolio-agent@.service"]


def settings_of(unit: str) -> list[str]:
    """The lines of a unit that say something to systemd."""
    lines = (SYSTEMD / unit).read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


@pytest.mark.parametrize("unit", UNITS)
def test_exposure_stays_low(unit: str) -> None:
    """The shipped sandbox scores 1.0 or better; every later hole shows here."""
    command = [require("systemd"), "security", "--offline=true", "--no-pager", "--threshold=10", SYSTEMD / unit]
    judged = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert judged.returncode == 0, judged.stdout[-1500:] + judged.stderr


@pytest.mark.parametrize("drop_in", sorted(path.name for path in (SYSTEMD / "drop-ins").glob("*.conf")))
def test_each_drop_in_keeps_the_exposure_low(drop_in: str, tmp_path: Path) -> None:
    """With any one of the shipped drop-ins the score stays at 1.2 or better."""
    merged = tmp_path / "portfolio-agent.service"
    # --offline reads one file; a later assignment wins, as in a drop-in.
    service = (SYSTEMD / UNITS[0]).read_text(encoding="utf-8").split("[Install]")[0]
    merged.write_text(service + (SYSTEMD / "drop-ins" / drop_in).read_text(encoding="utf-8"), encoding="utf-8")
    command = [require("systemd"), "security", "--offline=true", "--no-pager", "--threshold=12", merged]
    judged = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert judged.returncode == 0, judged.stdout[-1500:] + judged.stderr


@pytest.mark.parametrize("unit", UNITS)
def test_systemd_understands_every_line(unit: str, tmp_path: Path) -> None:
    """`systemd-analyze verify` has nothing to say but that the program is not installed on this machine."""
    for name in UNITS:
        (tmp_path / name).write_text((SYSTEMD / name).read_text(encoding="utf-8"), encoding="utf-8")
    started = tmp_path / unit.replace("@.", "@demo.")
    if started.name != unit:
        started.symlink_to(unit)
    judged = subprocess.run([require("systemd"), "verify", started], capture_output=True, text=True, timeout=60)
    # Of the other units of this machine nothing is asked, and systemd has something to say of some.
    ours = [line for line in judged.stderr.splitlines() if "portfolio-agent" in line or not line.startswith("/")]
    said = [line for line in ours if "is not executable" not in line]
    assert said == []


def test_the_template_differs_only_in_its_names() -> None:
    """One more instance gets the same sandbox: the units differ in description and paths alone."""
    one, template = settings_of(UNITS[0]), settings_of(UNITS[1])
    changed = {line.split("=")[0] for line in set(one) ^ set(template)}
    assert changed == {"Description", "ExecStart", "StateDirectory", "ReadOnlyPaths"}


def test_instances_share_no_path() -> None:
    """The configuration and the state of two instances lie in folders of their own."""
    text = (SYSTEMD / UNITS[1]).read_text(encoding="utf-8")
    assert "/etc/portfolio-agent-%i/agent.toml" in text
    assert "StateDirectory=portfolio-agent-%i\n" in text


def test_the_command_is_one_the_installation_makes() -> None:
    """ExecStart names the path that scripts/install links."""
    install = (SYSTEMD.parent / "scripts" / "install").read_text(encoding="utf-8")
    starts = [line for line in settings_of(UNITS[0]) if line.startswith("ExecStart=")]
    assert starts == ["ExecStart=/opt/portfolio-agent/bin/portfolio-agent run --config /etc/portfolio-agent/agent.toml"]
    assert "prefix=/opt/portfolio-agent\n" in install
