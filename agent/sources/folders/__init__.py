"""Sizes and ages of the product's folders."""
