"""What `status` tells: read from the store and the link, without asking the product or the cloud.

`facts` reads, `problems` judges, `view` is what both make, `text` says it; `read_status` is all but the last.
Light on purpose (no SQLAlchemy, no HTTP): it must answer in 150 ms and also when the daemon is dead.
"""

from agent.views.status.read import read_status
from agent.views.status.text import render_status
from agent.views.status.view import Problem, StatusView

__all__ = ["Problem", "StatusView", "read_status", "render_status"]
