"""Facts of the instance from the product's own files."""
