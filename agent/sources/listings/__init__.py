"""Rows from the product's database: apps, flags, links, nodes."""
