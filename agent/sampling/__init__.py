"""Second stage: all sources are read once, side by side, under one deadline: one tick."""

from agent.sampling.sampler import Sampler

__all__ = ["Sampler"]
