"""`init`: read the product's home, write the configuration, say what comes next."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from agent.cli.options import DEFAULT_CONFIG, AsJson, print_view
from agent.settings.schema import InCluster, ProductType

EPILOG = """\
Exit codes: 0 written, 1 written, but a part is not read until what is listed is done (each with why and the command),
10 an option is not right, or the folder is no product's local home (nothing was written).

\b
Example:
  portfolio-agent init --home /var/atlassian/application-data/jira \\
    --install /opt/atlassian/jira
  portfolio-agent init --product bitbucket --home /var/atlassian/bitbucket \\
    --shared-home /mnt/shared --cluster yes \\
    --database-url jdbc:postgresql://db.example.com:5432/bitbucket
"""

HOME = typer.Option("--home", metavar="DIR", help="The product's local home folder on this node.", readable=False)
PRODUCT = typer.Option("--product", help="The product that lives there, when the home does not tell it.")
SHARED_HOME = typer.Option(
    "--shared-home", metavar="DIR", help="The shared home, when the home does not name it.", readable=False
)
INSTALL = typer.Option(
    "--install", metavar="DIR", help="Where the product is installed; its start scripts name JMX.", readable=False
)
NODE_NAME = typer.Option("--node-name", metavar="NAME", help="This node's name, when the home does not tell it.")
CLUSTER = typer.Option("--cluster", help="Is it one of several nodes? auto: as the product's files say.")
DATABASE_URL = typer.Option(
    "--database-url",
    metavar="JDBC-URL",
    help="Where the database is, for an account of the agent's own; no secret in it.",
)
DATABASE_USER = typer.Option("--database-user", metavar="NAME", help="That account's name.")
NO_DATABASE = typer.Option("--no-database", help="Do not read the database.")
JMX_HOST = typer.Option("--jmx-host", metavar="HOST", help="Where the JVM's remote port listens.")
JMX_PORT = typer.Option("--jmx-port", metavar="PORT", help="The JVM's remote port.")
ENDPOINT = typer.Option("--cloud-endpoint", metavar="URL", help="Address of the receiver (https).")
CLOUD_CA = typer.Option("--cloud-ca", metavar="FILE", help="A private authority to trust for it (PEM).", readable=False)
STATE_DIR = typer.Option("--state-dir", metavar="DIR", help="Where measured data waits.", readable=False)
OFFLINE = typer.Option("--offline", help="Never open a connection to the cloud; write bundles.")
OUTPUT = typer.Option(
    "--output", metavar="FILE", help="The configuration to write.  [default: the --config file]", readable=False
)
CONFIG = typer.Option("--config", metavar="FILE", help="The agent's configuration file.", readable=False)
FORCE = typer.Option("--force", help="Replace a configuration that is there already.")


def register(app: typer.Typer) -> None:
    """Add `init`."""
    app.command(short_help="Read the product's home, write the configuration.", epilog=EPILOG)(init)


def init(
    home: Annotated[Path, HOME],
    product: Annotated[ProductType | None, PRODUCT] = None,
    shared_home: Annotated[Path | None, SHARED_HOME] = None,
    install: Annotated[Path | None, INSTALL] = None,
    node_name: Annotated[str | None, NODE_NAME] = None,
    cluster: Annotated[InCluster, CLUSTER] = InCluster.AUTO,
    database_url: Annotated[str | None, DATABASE_URL] = None,
    database_user: Annotated[str, DATABASE_USER] = "portfolio_agent",
    no_database: Annotated[bool, NO_DATABASE] = False,
    jmx_host: Annotated[str | None, JMX_HOST] = None,
    jmx_port: Annotated[int | None, JMX_PORT] = None,
    cloud_endpoint: Annotated[str | None, ENDPOINT] = None,
    cloud_ca: Annotated[Path | None, CLOUD_CA] = None,
    state_dir: Annotated[Path | None, STATE_DIR] = None,
    offline: Annotated[bool, OFFLINE] = False,
    output: Annotated[Path | None, OUTPUT] = None,
    force: Annotated[bool, FORCE] = False,
    config: Annotated[Path, CONFIG] = DEFAULT_CONFIG,
    as_json: AsJson = False,
) -> None:
    """Read the product's home folder and write the agent's configuration. Asks nothing, copies no password."""
    import os

    from agent.product.instance.setup import set_up
    from agent.product.instance.wishes import SetupWishes
    from agent.settings.load import load_settings
    from agent.views.init import init_view, render_init

    report = set_up(
        SetupWishes(
            home=home,
            output=output or config,
            product=product,
            shared_home=shared_home,
            install=install,
            node=node_name,
            cluster=cluster,
            database_url=database_url,
            database_user=database_user,
            database=not no_database,
            jmx_host=jmx_host,
            jmx_port=jmx_port,
            cloud_endpoint=cloud_endpoint,
            cloud_ca=cloud_ca,
            state_dir=state_dir,
            offline=offline,
            force=force,
            environment=os.environ,
        )
    )
    view = init_view(report, load_settings(output or config))
    print_view(view, render_init, as_json=as_json)
    raise typer.Exit(view.exit_code)
