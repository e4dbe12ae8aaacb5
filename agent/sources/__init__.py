"""First stage: one product is read, each answer becomes Samples.

In:   the catalog (what to read), the settings (where it answers), a deadline for each read.
Out:  a `Reading`: Samples in the catalog's units, and a Failure with a code for everything that is missing.
      A missing value stays missing, never zero. A source that gives nothing raises SourceError and costs only itself.

A source is a folder here: `binding.py` (its words in the catalog) and `source.py` (`open_source`), found by looking.
This file imports nothing, since every catalog that is loaded passes through it to the folders' `binding.py`.
"""

__all__ = ["governor", "registry"]
