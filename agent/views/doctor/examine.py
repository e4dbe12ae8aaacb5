"""Runs the areas one after another, each on a thread of its own within its time: a hung one cannot hold the rest."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

from agent.errors import AgentError
from agent.product.instance.way import ClosedWay
from agent.settings import Settings
from agent.settings.unreachable import out_of_reach
from agent.system.clock import monotonic_s
from agent.views.doctor.checks import Area, Check, DoctorView, State, doctor_view, failed_by
from agent.views.doctor.local import examine_account

LIMIT_S = 60.0
AREA_S = {
    Area.JMX: 25.0,
    Area.DATABASE: 15.0,
    Area.APPS: 15.0,
    Area.LOGS: 5.0,
    Area.HOST: 5.0,
    Area.STORE: 10.0,
    Area.LINK: 10.0,
    Area.CLOUD: 15.0,
}

Examine = Callable[[Settings, datetime, float], Iterator[Check]]


def examine(settings: Settings, now: datetime, limit_s: float = LIMIT_S, *, way: ClosedWay | None = None) -> DoctorView:
    """Examine everything that the configuration switches on, within `limit_s` seconds in total. Never raises.

    `way` is what keeps the service account from the product's files, where root asked for it.
    """
    began = monotonic_s()
    checks: list[Check] = [examine_account(way)]
    for area, examiner in _examiners().items():
        gone_s = monotonic_s() - began
        left_s = min(limit_s - gone_s, AREA_S[area])
        checks += _within(area, examiner, settings, now + timedelta(seconds=gone_s), left_s)
    return doctor_view(now, checks)


def _examiners() -> dict[Area, Examine]:
    from agent.views.doctor.apps import examine_apps
    from agent.views.doctor.cloud import examine_cloud
    from agent.views.doctor.database import examine_database
    from agent.views.doctor.jmx import examine_jmx
    from agent.views.doctor.local import examine_host, examine_link, examine_store
    from agent.views.doctor.logs import examine_logs

    return {
        Area.JMX: examine_jmx,
        Area.DATABASE: examine_database,
        Area.APPS: examine_apps,
        Area.LOGS: examine_logs,
        Area.HOST: examine_host,
        Area.STORE: examine_store,
        Area.LINK: examine_link,
        Area.CLOUD: examine_cloud,
    }


def _within(area: Area, examiner: Examine, settings: Settings, now: datetime, limit_s: float) -> list[Check]:
    """The checks of one area; what it had found when its time was over, and that it was."""
    found: list[Check] = []
    fault: list[Check] = []

    def run() -> None:
        try:
            for check in examiner(settings, now, limit_s):
                found.append(check)  # one by one: what was found is there when the time is over
        except AgentError as error:
            fault.append(failed_by(area, "settings", error))
        except OSError as error:
            fault.append(failed_by(area, "files", out_of_reach(error)))
        except Exception as error:  # a fault of the agent in one area must not hide what the others tell
            text = f"A fault in the agent: {type(error).__name__}."
            fault.append(Check(area, "agent", State.FAILED, text, do="Please report it.", code="internal-error"))

    if limit_s <= 0:
        return [Check(area, "time", State.FAILED, "Not examined: the minute for all areas was over.", code="timeout")]
    worker = threading.Thread(target=run, name=f"doctor-{area}", daemon=True)
    worker.start()
    worker.join(limit_s + 1.0)
    if worker.is_alive():
        text = f"Nothing more came within {limit_s:.0f} s."
        late = Check(area, "time", State.FAILED, text, do="See the stage before; run it again.", code="timeout")
        return [*found, late]
    return [*found, *fault]
