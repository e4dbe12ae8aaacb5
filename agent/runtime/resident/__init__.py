"""The resident process: the loop that samples, the hourly child it starts, what systemd is told."""
