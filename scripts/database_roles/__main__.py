"""Writes the four scripts."""

from scripts.database_roles import write_all

write_all()
