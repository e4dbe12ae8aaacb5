"""A Jira home as the product lays it out: dbconfig.xml, cluster.properties, shared home, setenv.sh."""

from __future__ import annotations

from pathlib import Path
from xml.sax.saxutils import escape

from scripts.demo_product.database import USER, DemoDatabase
from scripts.demo_product.rows import NODE


def write_home(folder: Path, database: DemoDatabase, jmx_port: int) -> Path:
    """Write Jira's local and shared home as the product lays them out; returns the local one."""
    home, shared = folder / "home", folder / "shared"
    for place in (home / "log", shared / "plugins" / "installed-plugins"):
        place.mkdir(parents=True)
    # The shared home belongs to the product's account and to no one else.
    shared.chmod(0o700)
    dbconfig = home / "dbconfig.xml"
    dbconfig.touch(mode=0o600)
    schema = "<schema-name>public</schema-name>\n  " if database.type == "postgres72" else ""
    dbconfig.write_text(
        f"""<?xml version="1.0" encoding="UTF-8"?>

<jira-database-config>
  <name>defaultDS</name>
  <delegator-name>default</delegator-name>
  <database-type>{database.type}</database-type>
  {schema}<jdbc-datasource>
    <url>{escape(database.jdbc_url)}</url>
    <driver-class>{database.driver}</driver-class>
    <username>{USER}</username>
    <password>{escape(database.password)}</password>
    <pool-min-size>20</pool-min-size>
    <pool-max-size>20</pool-max-size>
    <validation-query>select 1</validation-query>
  </jdbc-datasource>
</jira-database-config>""",
        encoding="utf-8",
    )
    (home / "cluster.properties").write_text(
        f"jira.node.id = {NODE}\njira.shared.home = {shared}\nehcache.listener.hostName = {NODE}\n"
        "ehcache.listener.port = 40001\nehcache.object.port = 40011",
        encoding="utf-8",
    )
    install = folder / "install" / "bin"
    install.mkdir(parents=True)
    (install / "setenv.sh").write_text(
        'JVM_SUPPORT_RECOMMENDED_ARGS="-Dcom.sun.management.jmxremote'
        f" -Dcom.sun.management.jmxremote.port={jmx_port} -Dcom.sun.management.jmxremote.rmi.port={jmx_port}"
        ' -Dcom.sun.management.jmxremote.authenticate=false -Dcom.sun.management.jmxremote.ssl=false"\n',
        encoding="utf-8",
    )
    return home
