"""Installed apps from the product's app manager, or from its database in its place."""
