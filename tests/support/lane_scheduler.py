"""xdist's scheduling by file, with two lanes (see `lanes`)."""

from __future__ import annotations

from typing import Any

import pytest
from xdist.scheduler import LoadFileScheduling
from xdist.workermanage import WorkerController

from tests.support.lanes import in_order, next_file


class LaneScheduler(LoadFileScheduling):
    """The last `waiting` workers take files that wait, the others files that compute, then what is left."""

    def __init__(self, config: pytest.Config, log: Any, waiting: int) -> None:
        super().__init__(config, log)
        self._waiting = waiting
        self._dealt = False

    def schedule(self) -> None:
        """Put the queue in order once, then deal as before."""
        if self.collection is None:
            self.config.option.loadscopereorder = False  # xdist's own order is by number of tests, which is not time
        super().schedule()

    def _first(self, node: WorkerController) -> str | None:
        """The file that this worker would begin now."""
        number = int(node.gateway.id.removeprefix("gw"))
        # A worker that took a dead one's place has a number beyond: it computes, and so takes everything.
        waiting = self.numnodes - self._waiting <= number < self.numnodes
        return next_file(in_order(self.workqueue), waiting=waiting)

    def _assign_work_unit(self, node: WorkerController) -> None:
        file = self._first(node)
        if file is None:
            node.shutdown()  # nothing for its lane; it ends what it has and the others go on
            return
        self.workqueue.move_to_end(file, last=False)
        super()._assign_work_unit(node)

    def _reschedule(self, node: WorkerController) -> None:
        # A worker begins a test only when it knows the next one, so it must be told more when one is left. Any earlier,
        # and a file would lie with a worker that is busy for long while another has nothing to do.
        if not node.shutting_down and self._pending_of(self.assigned_work[node]) <= 1:
            self._assign_work_unit(node)
