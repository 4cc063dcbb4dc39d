"""Waiting for many answers at once: work that spends its time on others (servers), done on threads.

The threads are daemons and nobody waits for them at the end: a request that hangs for minutes must not hold up Ctrl-C,
nor the error of the request beside it.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


def side_by_side(work: Callable[[T], R], items: Sequence[T], workers: int) -> Iterator[R]:
    """`work` done for every item, at most `workers` of them at a time; yields each answer as soon as it is there.

    What `work` raises is raised here at once. Closing the iterator, or an error, lets no further item begin; those
    that have begun are not waited for. A thread goes on to its next item whether or not the last answer was taken: what
    must not be lost is kept by `work` itself. One worker, or one item, takes no thread.
    """
    workers = min(workers, len(items))
    if workers <= 1:
        yield from map(work, items)
        return
    waiting, lock, stopped = iter(items), threading.Lock(), threading.Event()
    done: queue.SimpleQueue[tuple[list[R], BaseException | None]] = queue.SimpleQueue()

    def labour() -> None:
        while True:
            with lock:
                mine = [] if stopped.is_set() else list(islice(waiting, 1))
            if not mine:
                return
            try:
                done.put(([work(mine[0])], None))
            except BaseException as error:  # a thread has nobody else to tell
                done.put(([], error))
                return

    for number in range(workers):
        threading.Thread(target=labour, name=f"side by side {number}", daemon=True).start()
    try:
        for _ in range(len(items)):
            answer, error = done.get()
            if error is not None:
                raise error
            yield answer[0]
    finally:
        stopped.set()
