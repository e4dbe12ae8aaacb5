"""What waits is brought within the consent in force: before a push, and before a bundle by hand."""

from __future__ import annotations

from datetime import datetime

from agent.batching import reseal
from agent.runtime.pipeline import Pipeline
from agent.store.hours import aggregates_of


def keep_within_consent(pipeline: Pipeline, now: datetime) -> tuple[int, int]:
    """Filter again or purge what was sealed above the present consent; how many batches were made anew and purged."""
    consent = pipeline.consent
    if consent is None:
        return 0, 0
    done = reseal(
        pipeline.store,
        lambda hour, revision: pipeline.batches(hour, revision, aggregates_of(pipeline.store, hour, revision), now),
        consent,
        now,
    )
    return done.sealed, done.purged
