"""Third stage: the ticks of one closed hour become one aggregate per series, what changed in it becomes events.

Pure functions: no clock, no database.
"""

from agent.aggregation.aggregate import aggregate
from agent.aggregation.events import Event, audit_events, events_between, list_of, with_events

__all__ = ["Event", "aggregate", "audit_events", "events_between", "list_of", "with_events"]
