"""The machine the agent stands on."""
