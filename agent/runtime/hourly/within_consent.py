"""Before anything leaves: what was sealed above the present consent is filtered again or purged.

In:   the outbox and the consent in force. Out: what became of the batches above it; without consent nothing is touched.
"""

from __future__ import annotations

from datetime import datetime

from agent.batching import reseal
from agent.batching.refilter import Resealed
from agent.runtime.pipeline import Pipeline
from agent.store.hours import aggregates_of


def keep_within_consent(pipeline: Pipeline, now: datetime) -> Resealed:
    """Bring the whole outbox within the consent in force; a run and a bundle do this first, under the run's lock."""
    if pipeline.consent is None:
        return Resealed()
    return reseal(
        pipeline.store,
        lambda hour, revision: pipeline.batches(hour, revision, aggregates_of(pipeline.store, hour, revision), now),
        pipeline.consent,
        now,
    )
