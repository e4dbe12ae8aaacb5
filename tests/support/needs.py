"""What a test needs from the machine: absent, the test is skipped; under CI=true it fails and names the apt package."""

from __future__ import annotations

import os
from collections.abc import Sequence

import pytest


def require_packages(missing: Sequence[str]) -> None:
    """Skip the test, or fail it when CI=true, unless `missing` is empty."""
    if not missing:
        return
    sentence = f"Install the missing packages: apt-get install {' '.join(missing)}"
    if os.environ.get("CI") == "true":
        pytest.fail(sentence, pytrace=False)
    pytest.skip(sentence)
