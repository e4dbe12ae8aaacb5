"""Third stage: the ticks of one closed hour become one aggregate per series, what changed in it becomes events.

Pure functions: no clock, no database.
"""

from agent.aggregation.events import Event, Key, Seen, Snapshot, acts, list_of, watch, with_events
from agent.aggregation.hourly import aggregate

__all__ = ["Event", "Key", "Seen", "Snapshot", "acts", "aggregate", "list_of", "watch", "with_events"]
