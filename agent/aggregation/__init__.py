"""Third stage: the ticks of one closed hour become one aggregate per series. Pure functions."""

from agent.aggregation.hourly import aggregate

__all__ = ["aggregate"]
