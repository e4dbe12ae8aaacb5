"""The product's own files: one reader a product, each reading its home as hostile input."""
