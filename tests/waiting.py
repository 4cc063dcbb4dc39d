"""Tests wait for the thing itself and not for a time: how long a machine takes says nothing about what is tested."""

from __future__ import annotations

import time
from collections.abc import Callable

#: Seconds after which a thing that has not happened never will, on the slowest of machines.
PATIENCE = 120.0


def until(happened: Callable[[], object]) -> None:
    """Return as soon as it has happened; it is an error when it never does."""
    end = time.monotonic() + PATIENCE
    while not happened():
        assert time.monotonic() < end, "what a test waits for never happened"
        time.sleep(0.005)
