"""The scheduler's arithmetic: missed ticks are skipped, pushes of many sites are spread."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.runtime.resident.daemon import LONGEST_SPREAD_S, following_tick, spread_of
from agent.settings import Settings
from agent.settings.schema import HourSettings, InstanceSettings, ProductType

SITES = 1000


def site(number: int, length_s: int = 3600) -> Settings:
    """One site among many."""
    shared = Path(f"/srv/site-{number}/shared")
    return Settings(InstanceSettings(ProductType.JIRA, shared.parent, shared), hour=HourSettings(length_s))


@pytest.mark.fault(11)
def test_missed_ticks_are_skipped() -> None:
    """After three hours of suspension the next tick is the next instant of the grid: no burst of 90 ticks."""
    assert following_tick(1000.0, 1000.4, 120.0) == 1120.0
    assert following_tick(1000.0, 1000.0 + 3 * 3600 + 7, 120.0) == 1000.0 + 3 * 3600 + 120


@given(st.floats(0, 1e6), st.floats(0, 1e6), st.sampled_from([1.0, 60.0, 120.0]))
def test_next_tick_lies_ahead_by_at_most_one_interval(planned: float, late: float, interval_s: float) -> None:
    """Whatever a tick took, the next one is in the future and not more than one interval away."""
    following = following_tick(planned, planned + late, interval_s)
    assert 0 <= following - (planned + late) <= interval_s + 1e-6


def test_spread_is_fixed_for_a_site() -> None:
    """A site pushes at the same moment of each hour; hours shortened for a demo have no spread."""
    assert spread_of(site(7)) == spread_of(site(7))
    assert spread_of(site(7)) != spread_of(site(8))
    assert spread_of(site(7, length_s=20)) == 0


def test_a_thousand_sites_do_not_come_together() -> None:
    """Of 1,000 sites no 10 s window of the spread holds more than 3 % (Q15), and none is beyond its bound."""
    moments = sorted(spread_of(site(number)) for number in range(SITES))
    assert moments[0] >= 0
    assert moments[-1] < LONGEST_SPREAD_S
    most = max(sum(start <= other < start + 10 for other in moments) for start in moments)
    assert most <= 0.03 * SITES, Counter(int(moment // 10) for moment in moments)
