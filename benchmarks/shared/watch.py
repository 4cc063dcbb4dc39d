"""Named seconds of a process and its children, and the corpus that they are spent on."""

from __future__ import annotations

import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class Watch:
    """Named seconds, wall and processor."""

    def __init__(self) -> None:
        self.seconds: dict[str, list[float]] = {}

    @contextmanager
    def __call__(self, name: str) -> Iterator[None]:
        began, processor = time.perf_counter(), _processor_seconds()
        yield
        self.seconds[name] = [time.perf_counter() - began, _processor_seconds() - processor]


def _processor_seconds() -> float:
    told = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in told)


def corpus(folder: Path) -> Iterator[tuple[str, str]]:
    with open(folder / "corpus.tsv", encoding="ascii") as lines:
        for line in lines:
            docid, text = line.rstrip("\n").split("\t")
            yield docid, text
