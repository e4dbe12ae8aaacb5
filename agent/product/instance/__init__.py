"""This install beside the product: its identity, setting it up, its turn in a cluster."""
