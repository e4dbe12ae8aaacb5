"""`python -m agent.cli` is `portfolio-agent`; the resident process starts its hourly child this way."""

from agent.cli.main import main

main()
