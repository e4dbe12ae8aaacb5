"""What was found and what was wished become settings that load.

In:   `Survey`, `SetupWishes`. Out: `Settings`. The product's own login where its file gives one; else an account of our
own at the same address; else, where no address is known, no database: everything but the database works then.
"""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from agent.errors import Mistake
from agent.product.database.jdbc import BadUrl, DatabaseAddress, parse_jdbc_url
from agent.product.database.own_login import own_login_of, where_the_script_grants
from agent.product.instance.survey import Survey
from agent.product.instance.wishes import OWN_USER, SetupWishes
from agent.settings import (
    AgentSettings,
    ClientsideSettings,
    CloudSettings,
    DatabaseSettings,
    Dialect,
    InstanceSettings,
    JmxSettings,
    JmxTlsSettings,
    Mode,
    Settings,
)

# A login in a JDBC URL, in each form that its drivers take; `user` alone is no secret.
_PASSWORD = re.compile(
    r"(?:[?&;:,(]|^)\s*(?:password|pwd|passwd)\s*=|//[^/@?;]*:[^/@?;]*@|thin:[^@]*/[^@]*@", re.IGNORECASE
)


def chosen_settings(wishes: SetupWishes, found: Survey) -> Settings:
    """The configuration that `init` writes."""
    agent = AgentSettings(mode=Mode.OFFLINE if wishes.offline else Mode.LINKED)
    return Settings(
        instance=InstanceSettings(
            found.product, found.node.home, found.node.shared_home, node=wishes.node, cluster=wishes.cluster
        ),
        agent=replace(agent, state_dir=wishes.state_dir or agent.state_dir),
        jmx=_jmx(wishes, found),
        clientside=ClientsideSettings(install=_with_tomcat(found.install)),
        database=_database(wishes, found),
        cloud=CloudSettings(endpoint=wishes.cloud_endpoint, ca_file=wishes.cloud_ca),
    )


def url_mistake(url: str | None) -> Mistake | None:
    """What is wrong with the address given on the command line; no part of it is repeated."""
    if url is None:
        return None
    if _PASSWORD.search(url):
        return Mistake(
            "option", "--database-url", "holds a password, which every user of this machine may see; leave it out"
        )
    try:
        parse_jdbc_url(url)
    except BadUrl as error:
        return Mistake("option", "--database-url", str(error))
    return None


def uses_product_login(found: Survey) -> bool:
    """Whether the product's own login can be used now, or as soon as its file is right again."""
    if found.database is not None:
        return not (found.database_mistakes or found.database.encrypted or found.database.address.login_gap)
    return file_is_broken(found)


def file_is_broken(found: Survey) -> bool:
    """Whether the file that names the database is there and cannot be read: what it says is not known."""
    return any(not mistake.key and _there(Path(mistake.file)) for mistake in found.database_mistakes)


def known_address(wishes: SetupWishes, found: Survey) -> DatabaseAddress | None:
    """Where the database is, whoever says so."""
    if wishes.database_url is not None:
        return parse_jdbc_url(wishes.database_url)
    return found.from_environment if found.database is None else found.database.address


def _database(wishes: SetupWishes, found: Survey) -> DatabaseSettings:
    if not wishes.database:
        return DatabaseSettings(enabled=False)
    if wishes.database_url is None and uses_product_login(found):
        return DatabaseSettings()
    address = known_address(wishes, found)
    if address is None:
        return DatabaseSettings(enabled=False)
    schema = "" if found.database is None or wishes.database_url is not None else found.database.schema
    own = own_login_of(address, schema)
    if wishes.database_url is None or wishes.database_user == OWN_USER:
        own = where_the_script_grants(own)
    if address.dialect is Dialect.SQLITE:
        return own
    return replace(own, user=wishes.database_user, password_file=wishes.password_file)


def _jmx(wishes: SetupWishes, found: Survey) -> JmxSettings:
    hint = found.start.jmx
    given = wishes.jmx_host is not None or wishes.jmx_port is not None
    if hint.jolokia and hint.port is None and not given:
        return JmxSettings(transport="jolokia", url=hint.jolokia)
    jmx = JmxSettings()
    if hint.port is not None:
        jmx = replace(jmx, port=hint.port, tls=JmxTlsSettings(server=hint.server_tls, registry=hint.registry_tls))
    return replace(jmx, host=wishes.jmx_host or jmx.host, port=wishes.jmx_port or jmx.port)


def _with_tomcat(install: Path | None) -> Path | None:
    """The install folder, where it holds the file that tells of the access log; Crowd keeps Tomcat one level down."""
    if install is None:
        return None
    places = (install / "conf" / "server.xml", install / "apache-tomcat" / "conf" / "server.xml")
    return install if any(place.is_file() for place in places) else None


def _there(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:
        return True
