"""First stage: one product is read, each answer becomes Samples.

In:   the catalog (what to read), the settings (where it answers), a deadline for each read.
Out:  a `Reading`: Samples in the catalog's units, and a Failure with a code for everything that is missing.
      A missing value stays missing, never zero. A source that gives nothing raises SourceError and costs only itself.
"""

from agent.sources.governor import CostGovernor, governor_of
from agent.sources.registry import open_cluster_sources, open_sources

__all__ = ["CostGovernor", "governor_of", "open_cluster_sources", "open_sources"]
