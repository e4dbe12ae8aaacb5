"""Which apps leave with their name: those that a product brings, and those of a vendor who publishes them."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.catalog import load_catalog, products
from agent.consent.rules import Rules, TreatedSeries
from agent.model import ConsentLevel, Series
from agent.pseudonym import Pseudonyms

BUNDLED = [
    line
    for line in (Path(__file__).parent / "data" / "bundled_apps.txt").read_text(encoding="utf-8").splitlines()
    if not line.startswith("#")
]
# What looks like one of them, and is called so by whoever made it.
HOME_MADE = (
    # Atlassian's own name is nobody's property
    *("com.atlassian", "com.atlassian.evil", "com.atlassian.quibble.payroll", "com.atlassian.payroll-1.0"),
    *("com.atlassianx.jira.plugins", "com.atlassian_jira.x", "xcom.atlassian.jira.x", "COM.ATLASSIAN.JIRA.X"),
    *("com.atlassian.jiraffe", "com.atlassian.jira", "com.atlassian.jira.", "com.atlassian.plugins.tutorial.mine"),
    *("com.atlassian.tutorial.mine", "com.atlassian.plugin.tutorial.mine", "com.atlassian.labs.quibble"),
    *("com.atlassian.auiplugin.mine", "com.atlassian.servicedeskx", "com.atlassian.jira.payroll of Quibble"),
    # parts of the product, and one more
    *("jira.core.payroll", "jira.corex", "jira.webfragments.quibble", "jira", "jira.", "confluence.extra.quibble"),
    *("confluence.sections.space", "confluence.macros.advanced.quibble", "crowd-rest-plugin-quibble"),
    # libraries
    *("rome.rome-quibble", "rome.rome-1.0-quibble", "rome.rome-1.0.quibble", "rome.romex", "rome", "io.atlassian.evil"),
    *("io.atlassian.fugue.evil", "org.apache.httpcomponents.quibble", "org.apache.quibble", "com.springsource.evil"),
    # languages
    *("tac.jira core.languages.quibble", "tac.jira core.languages.de_DE.mine", "tac.jira core.languages.de_de"),
    *("tac.quibble.languages.de_DE", "tac.jira core.languages.", "tac.jira  core.languages.de_DE"),
    # vendors
    *("com.pyxis.greenhopper.jira.quibble", "com.riadalabs.jira.plugins.insightx", "com.onresolve.jira.groovy"),
    "com.onresolve.jira.groovy.groovyrunner-quibble",
    *("", " ", ".", "*", "jira.core\n", "\njira.core", "jira.core:module", "com.atlassian.jira.x\n"),
)


def leaving(key: str) -> object:
    """The series of an app of this key, as it leaves under Basic."""
    rules = Rules(load_catalog("jira"), ConsentLevel.BASIC, Pseudonyms(b"k" * 32))
    treated = rules.series(series_of(key))
    assert isinstance(treated, TreatedSeries)
    return treated.series


def series_of(key: str) -> Series:
    return Series("apps", "app.installed", (("pluginKey", key),))


@pytest.mark.parametrize("product", products())
def test_what_a_product_brings(product: str) -> None:
    """Every app of a plain Jira or Confluence is public, whatever it is called; one site has several products."""
    catalog = load_catalog(product)
    assert [key for key in BUNDLED if not catalog.is_public(key)] == []


@pytest.mark.parametrize("key", HOME_MADE)
def test_what_looks_like_it(key: str) -> None:
    """A key that only begins or ends like one of them may be anybody's."""
    assert not load_catalog("jira").is_public(key)
    if key:
        assert leaving(key) != series_of(key)


def test_leaves_as_it_is() -> None:
    """What is public leaves under its own key, a language pack with the space in it too.

    Behind it stands the second net: a version that could be the address of a machine is hashed, here as everywhere.
    """
    hashed = [key for key in BUNDLED if leaving(key) != series_of(key)]
    assert hashed == ["com.atlassian.bundles.icu4j-3.8.0.1", "com.atlassian.bundles.nekohtml-1.9.12.1"]
