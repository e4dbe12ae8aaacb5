"""What we ask of the operating system: accounts, processes, private files, the clock. Knows nothing of the product."""
