"""Counts from the product's database."""
