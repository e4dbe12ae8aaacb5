"""Portfolio Agent: watches one Data Center product and reports its health as far as its owner consented."""

__version__ = "0.1.0"
