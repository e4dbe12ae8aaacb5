"""An account that sees single rows only of the tables that hold secrets too: lists and instance facts are the same.

Views of the tables' own names stand in a schema of the account, which is looked at first. So the statements are the
same for every account; these views are what each of them needs, and the role scripts of config/database must show it.
"""

from __future__ import annotations

import pytest

from agent.catalog import load_catalog
from agent.model import ConsentLevel, Sample
from agent.product.engine import open_engine
from agent.product.jdbc import DatabaseAddress
from agent.product.model import DatabaseAccess
from agent.settings import Dialect, Secret
from agent.sources import Source
from agent.sources.guardrails import Guardrails
from agent.sources.listings import Listing
from tests.support.listings import START, jira_postgres
from tests.support.postgres import PostgresServer, postgres
from tests.support.product_databases import fill_postgres

__all__ = ["postgres"]  # the fixture
LINKS = "{0} like 'applinks.admin.%' and {0} not like '%auth%' and ({0} like '%.type' or {0} like '%url' {1})"
JIRA_KEYS = "'jira.baseurl', 'jira.sid.key', 'jvm.system.timezone', 'jira.version', 'jira.version.patched'"
NAMES = "or {0} like '%.name'"  # only for consent extended
VIEWS = {
    "jira": {
        "propertyentry": (
            "id, entity_name, property_key",
            f"entity_name = 'jira.properties' and (property_key in ({JIRA_KEYS})"
            f" or {LINKS.format('property_key', NAMES.format('property_key'))})",
        ),
        "propertystring": (
            "id, propertyvalue",
            "exists (select 1 from public.propertyentry e where e.id = t.id and e.entity_name = 'jira.properties'"
            f" and (e.property_key in ({JIRA_KEYS})"
            f" or {LINKS.format('e.property_key', NAMES.format('e.property_key'))}))",
        ),
    },
    "confluence": {
        "bandana": (
            "bandanacontext, bandanakey, case when bandanakey <> 'atlassian.confluence.settings' then bandanavalue"
            " else '<baseUrl>' || substring(bandanavalue from '<baseUrl>([^<]*)</baseUrl>') || '</baseUrl>' end"
            " as bandanavalue",
            "bandanacontext = '_GLOBAL' and (bandanakey in ('confluence.server.id', 'atlassian.confluence.settings',"
            " 'confluence.darkfeature', 'plugin.manager.state.Map')"
            f" or {LINKS.format('bandanakey', NAMES.format('bandanakey'))})",
        ),
    },
    "bitbucket": {
        "plugin_setting": ("key_name, key_value", LINKS.format("key_name", NAMES.format("key_name"))),
        "app_property": ("prop_key, prop_value", "prop_key in ('instance.url', 'server.id')"),
    },
    "crowd": {
        "cwd_property": (
            "property_key, property_name, property_value",
            "property_key = 'crowd' and property_name in ('build.number', 'base.url')",
        ),
    },
}
INSTANCE = ("instance.base_url", "instance.server_id", "instance.time_zone", "product.version", "product.build")


def facts(login: DatabaseAccess, product: str) -> list[Sample]:
    """All lists under Extended, and of the guardrails what tells of the instance."""
    catalog = load_catalog(product)
    sources: list[Source] = [Guardrails(catalog, lambda: open_engine(login, 10))]
    for name in ("apps", "flags", "links", "nodes"):
        if catalog.of_source(name):
            engine = lambda: open_engine(login, 10)  # noqa: E731  # one word for two uses
            sources.append(Listing(name, catalog, engine, lambda: ConsentLevel.EXTENDED, now=lambda: START))
    samples = [sample for source in sources for sample in source.read(30).samples]
    return [one for one in samples if one.series.source != "guardrails" or one.series.metric in INSTANCE]


@pytest.mark.parametrize("product", VIEWS)
def test_views_show_all_that_is_needed(postgres: PostgresServer, product: str) -> None:
    """Through the views everything is read as from the tables, which the account may not read."""
    name = jira_postgres(postgres) if product == "jira" else fill_postgres(product, postgres)
    account, password = f"seer_{name}", f"pw-{name}"
    postgres.execute(
        name,
        f"create role {account} login password '{password}'",
        f"grant select on all tables in schema public to {account}",
        f"create schema {account}",
        f"grant usage on schema {account} to {account}",
    )
    for table, (columns, where) in VIEWS[product].items():
        postgres.execute(
            name,
            f"revoke select on {table} from {account}",
            f"create view {account}.{table} as select {columns} from public.{table} t where {where}",
            f"grant select on {account}.{table} to {account}",
        )
    address = DatabaseAddress(Dialect.POSTGRESQL, ((postgres.host, postgres.port),), name)
    whole = facts(DatabaseAccess(address, postgres.superuser, Secret(postgres.password)), product)
    seen = facts(DatabaseAccess(address, account, Secret(password), "$user,public"), product)
    assert whole
    assert seen == whole
