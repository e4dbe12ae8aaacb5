"""`explain METRIC`: why is this number so, or why is there none.

In:   settings, the catalog and the store (read-only); with `--now` one reading of the metric's own source.
Out:  `ExplainView`, as text or JSON.
"""

from agent.views.explain.read import read_explanation
from agent.views.explain.text import render_explanation
from agent.views.explain.view import ExplainView

__all__ = ["ExplainView", "read_explanation", "render_explanation"]
