"""The only place that knows the order of the stages: the resident process and the hourly run."""
