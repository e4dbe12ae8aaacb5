"""Who stands here: the product's type and this node's name, as far as the home tells without asking the database."""

from __future__ import annotations

import socket

from agent.product.homes.dispatch import read_home
from agent.product.model import ProductFacts
from agent.settings import Settings


def read_product_facts(settings: Settings) -> ProductFacts:
    """The facts of this node; outside a cluster its name is the host's. Names never leave: they are hashed first.

    No home tells the version (it stands in the database, if anywhere): `version` is "". `build` is what the home says.
    Raises ConfigError when the home cannot be read.
    """
    instance = settings.instance
    home = read_home(instance.product, instance.home, instance.shared_home)
    return ProductFacts(instance.product, "", home.build, home.node_name or socket.gethostname(), home.clustered)
