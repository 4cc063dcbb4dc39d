"""Blocks on their way: who has them, which wait, what has been answered before its turn; and how they are read."""

from __future__ import annotations

import queue
import threading
from collections import Counter, defaultdict, deque
from collections.abc import Iterable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

#: The number of the event that ends the input.
END = -1
_NONE: Any = object()


@dataclass(eq=False)
class Hired:
    """An actor, the node it was found on, whether it has opened, and the calls of the blocks that it has, in order."""

    actor: Any
    node: str = ""
    opened: bool = False
    has: dict[int, Future[Any]] = field(default_factory=dict)


@dataclass
class Course:
    """Blocks on their way: those not answered yet, which of them wait, answers whose turn has not come, deaths on a block by node, and how often a block failed."""

    blocks: dict[int, Any] = field(default_factory=dict)
    waiting: deque[int] = field(default_factory=deque)
    done: dict[int, Any] = field(default_factory=dict)
    deaths: dict[int, list[str]] = field(default_factory=lambda: defaultdict(list))
    failures: Counter[int] = field(default_factory=Counter)
    given: int = 0
    total: int | None = None


#: Who it is about (None: the input), the number of a block or of another call, and what came: a block, a call that ended.
Event = tuple[Hired | None, int, Any]


def read(
    blocks: Iterable[Any], events: queue.SimpleQueue[Event], room: threading.Semaphore, left: threading.Event
) -> None:
    """Put each block into `events` when there is `room` for one, at last END with their number, or with what reading raised."""
    number = 0
    try:
        coming = iter(blocks)
        while True:
            room.acquire()
            block = next(coming, _NONE) if not left.is_set() else _NONE
            if block is _NONE:
                break
            events.put((None, number, block))
            number += 1
    except BaseException as error:  # a thread has nobody else to tell
        events.put((None, END, error))
    else:
        events.put((None, END, number))
