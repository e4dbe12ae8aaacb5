"""OpenSearch is seen wherever a product can be told to use it, and nowhere else."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.product.instance.search import searches_elsewhere

OPTION = "-Dsearch.platform=opensearch"
XML = "<confluence-configuration><properties>{}</properties></confluence-configuration>"


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """Empty folders of a home, an installation and /proc."""
    for name in ("home", "install/bin", "proc/12"):
        (tmp_path / name).mkdir(parents=True)
    return tmp_path


def seen(site: Path) -> bool:
    return searches_elsewhere((site / "home",), site / "install", site / "proc")


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("install/bin/setenv.sh", f'CATALINA_OPTS="{OPTION} ${{CATALINA_OPTS}}"\n'),
        ("install/bin/setenv.sh", 'JVM="-Dsearch.platform=\\"opensearch\\""\n'.replace("\\", "")),
        ("install/bin/setenv.sh", "export ATL_SEARCH_PLATFORM=opensearch\n"),
        ("install/bin/setenv.sh", "ATL_SEARCH_PLATFORM='OpenSearch'\n"),
        ("home/jira-config.properties", "# search\nsearch.platform = opensearch\n"),
        ("home/jira-config.properties", "search.platform:opensearch"),
        ("home/confluence.cfg.xml", XML.format('<property name="search.platform">opensearch</property>')),
        ("proc/12/cmdline", f"/usr/bin/java\0{OPTION}\0-Dx=@home@\0start"),
        ("proc/12/cmdline", f"/usr/bin/java\0-Dcatalina.home=@install@\0{OPTION}\0start"),
    ],
)
def test_where_it_is_said(site: Path, file: str, text: str) -> None:
    """Start script, properties of a home, command line of a JVM that is of this home or installation."""
    (site / file).write_text(text.replace("@home@", f"{site}/home").replace("@install@", f"{site}/install"))
    assert seen(site)


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("install/bin/setenv.sh", f"# {OPTION}\n"),
        ("install/bin/setenv.sh", "-Dsearch.platform=lucene\n"),
        ("install/bin/setenv.sh", "-Dsearch.platform=${PLATFORM}\n"),
        ("home/jira-config.properties", "# search.platform = opensearch\n"),
        ("home/jira-config.properties", "my.search.platform = opensearch\n"),
        ("home/confluence.cfg.xml", XML.format('<!-- <property name="search.platform">opensearch</property> -->')),
        ("home/confluence.cfg.xml", XML.format('<property name="search.platform">lucene</property>')),
        ("proc/12/cmdline", f"/usr/bin/java\0{OPTION}\0-Dx=/another/home\0start"),
        ("proc/12/cmdline", f"grep\0{OPTION}\0@home@"),
        ("home/nothing", ""),
    ],
)
def test_where_it_is_not_said(site: Path, file: str, text: str) -> None:
    """Comments, other platforms, other instances on the machine, processes that are no JVM."""
    (site / file).write_text(text.replace("@home@", f"{site}/home"))
    assert not seen(site)


def test_without_anything(tmp_path: Path) -> None:
    """Folders that are not there say nothing."""
    assert not searches_elsewhere((tmp_path / "none",), None, tmp_path / "no-proc")
