"""Progress on stderr: a rich bar on a terminal, a plain line a minute in a log, or nothing."""

from __future__ import annotations

import os
import sys
import time
from typing import Any

#: Seconds between two lines of the plain style.
PLAIN_EVERY = 60.0


class Progress:
    """Counts what is done and shows nothing; the other styles add the showing."""

    def __init__(self, total: int | None, unit: str) -> None:
        self.total = total
        self.unit = unit
        self.done = 0

    def advance(self, n: int = 1) -> None:
        """n more are done."""
        self.done += n

    def close(self) -> None:
        """No more will come."""


class PlainProgress(Progress):
    """One line a minute: done, total, rate."""

    def __init__(self, total: int | None, unit: str) -> None:
        super().__init__(total, unit)
        self._began = self._said = time.monotonic()

    def advance(self, n: int = 1) -> None:
        super().advance(n)
        now = time.monotonic()
        if now - self._said >= PLAIN_EVERY:
            self._said = now
            of = f"/{self.total}" if self.total is not None else ""
            rate = self.done / (now - self._began)
            left = f", about {(self.total - self.done) / rate:.0f} s left" if self.total and rate > 0 else ""
            sys.stderr.write(f"rerank: {self.done}{of} {self.unit}, {rate:.1f} a second{left}\n")
            sys.stderr.flush()


class BarProgress(Progress):
    """A rich bar that leaves no trace when it is done."""

    def __init__(self, total: int | None, unit: str) -> None:
        super().__init__(total, unit)
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
        from rich.progress import Progress as RichProgress

        self._bar: Any = RichProgress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            transient=True,
        )
        self._task = self._bar.add_task(unit, total=total)
        self._bar.start()

    def advance(self, n: int = 1) -> None:
        super().advance(n)
        self._bar.advance(self._task, n)

    def close(self) -> None:
        self._bar.stop()


def progress_for(style: str, total: int | None, unit: str) -> Progress:
    """The progress for `auto|bar|plain|none`: auto is a bar where stderr is a terminal that can draw one, else plain."""
    if style == "auto":
        style = "bar" if sys.stderr.isatty() and os.environ.get("TERM") != "dumb" else "plain"
    return {"bar": BarProgress, "plain": PlainProgress, "none": Progress}[style](total, unit)
