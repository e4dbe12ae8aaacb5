"""Benches: one module each, named as on the command line, with `run(as_json: bool) -> int`."""
