"""Nothing is read here: events are noticed, by comparing what was read with what was read before (aggregation/)."""
