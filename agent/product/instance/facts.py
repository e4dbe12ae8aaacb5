"""Who stands here: the product's type and this node's name, as far as the home tells without asking the database."""

from __future__ import annotations

import socket

from agent.errors import ConfigError
from agent.product.homes.dispatch import read_node
from agent.product.homes.home_files import DO_READ, raise_barred
from agent.product.model import Clustering, ProductFacts
from agent.settings import InCluster, Settings, shown


def read_product_facts(settings: Settings) -> ProductFacts:
    """The facts of this node; outside a cluster its name is the host's. Names never leave: they are hashed first.

    The database part of the home is not looked at. What `[instance]` says of node and cluster goes before the files.
    No home tells the version (it stands in the database, if anywhere): `version` is "". `build` is what the home says.
    Raises ConfigError when a file that tells node or cluster is there and cannot be read.
    """
    instance = settings.instance
    home = read_node(instance.product, instance.home, instance.shared_home)
    told = instance.node is not None and instance.cluster is not InCluster.AUTO
    if home.unread and not told:
        raise_barred(home.unread)
        # A name made up for an hour would be another node to the cloud.
        raise ConfigError(f"The home {shown(str(instance.home), 300)} cannot be read.", home.unread, do=DO_READ)
    clustered = home.clustering is not Clustering.NO
    if instance.cluster is not InCluster.AUTO:
        clustered = instance.cluster is InCluster.YES
    name = instance.node or home.node_name or socket.gethostname()
    return ProductFacts(instance.product, "", home.build, name, clustered)
