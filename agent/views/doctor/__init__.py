"""What `doctor` does: goes through everything the agent stands on, stage by stage, and says which one fails and why.

In:   settings and the time. Out: a DoctorView of Checks: what was seen, and for a failure the cause and what mends it.
Asks the product's JVM, database and app manager, this machine, the store, the link, and the cloud (with
mode = "offline" never, and never with the security key). Changes nothing. Every area has a time limit and the whole
run one of a minute.
"""

from agent.views.doctor.checks import Area, Check, DoctorView, State, render_doctor
from agent.views.doctor.examine import LIMIT_S, examine

__all__ = ["LIMIT_S", "Area", "Check", "DoctorView", "State", "examine", "render_doctor"]
