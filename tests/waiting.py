"""Waiting for what has to happen, and not for time: for minutes if need be, and a process that ended meanwhile is quoted."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from typing import Any

#: Seconds after which a thing that has not happened never will, on the slowest of machines.
PATIENCE = 300.0


def until(happened: Callable[[], object], process: subprocess.Popen[Any] | None = None) -> None:
    """Wait until it has happened; fails, with what it said, when `process`, which is to make it happen, has ended without it."""
    end = time.monotonic() + PATIENCE
    while not happened():
        if process is not None and process.poll() is not None and not happened():
            raise AssertionError(f"it ended before it came so far, {ending(process)}")
        if time.monotonic() > end:
            raise AssertionError(f"nothing happened in {PATIENCE:.0f} seconds")
        time.sleep(0.05)


def settled(count: Callable[[], int]) -> int:
    """What is counted, once it has not grown for a tenth of a second."""
    before = -1
    while before < count():
        before = count()
        time.sleep(0.1)
    return before


def give(process: subprocess.Popen[Any], data: Any) -> None:
    """Write to its stdin, which stays open; fails, with what it said, when it ends before it has read all."""
    assert process.stdin is not None
    try:
        process.stdin.write(data)
        process.stdin.flush()
    except BrokenPipeError:
        raise AssertionError(f"it ended before it had read all, {ending(process)}") from None


def first_line(process: subprocess.Popen[Any]) -> Any:
    """The first line of its stdout, as it comes; fails, with what it said, when it ends without one."""
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        raise AssertionError(f"it ended without a line, {ending(process)}")
    return line


def ending(process: subprocess.Popen[Any]) -> str:
    """How a process that ends now ended, and what it said."""
    said = process.communicate(timeout=PATIENCE)[1]
    told = said.decode(errors="replace") if isinstance(said, bytes) else said
    return f"with {process.returncode}: {told}"
