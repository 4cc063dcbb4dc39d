"""Waiting for many answers at once: work that spends its time on others (servers), done on threads.

The threads are daemons and nobody waits for them at the end: a request that hangs for minutes must not hold up Ctrl-C,
nor the error of the request beside it.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Generic, TypeVar

T = TypeVar("T")
R = TypeVar("R")


class Workers(Generic[T, R]):
    """Threads that do `work`, one item each at a time; what it raises is an answer too, with `until_error` the last one.

    No item begins after that, not even before whoever waits has seen the error.
    """

    def __init__(self, work: Callable[[T], R], count: int, *, until_error: bool = False) -> None:
        self._work = work
        self._until_error = until_error
        self._count = count
        self._items: queue.SimpleQueue[tuple[int, T] | None] = queue.SimpleQueue()
        self._done: queue.SimpleQueue[tuple[int, R | BaseException]] = queue.SimpleQueue()
        self._left = threading.Event()
        for number in range(count):
            threading.Thread(target=self._labour, name=f"side by side {number}", daemon=True).start()

    def ask(self, number: int, item: T) -> None:
        """Have the item worked on by the first thread that is free."""
        self._items.put((number, item))

    def answered(self, seconds: float | None = None) -> tuple[int, R | BaseException] | None:
        """The next answer with its item's number; None when there is none in `seconds`."""
        try:
            return self._done.get(timeout=seconds)
        except queue.Empty:
            return None

    def leave(self) -> None:
        """Let no further item begin; those that have begun are not waited for."""
        self._left.set()
        for _ in range(self._count):
            self._items.put(None)

    def _labour(self) -> None:
        while (task := self._items.get()) is not None and not self._left.is_set():
            number, item = task
            try:
                self._done.put((number, self._work(item)))
            except BaseException as error:  # a thread has nobody else to tell
                if self._until_error:
                    self._left.set()
                self._done.put((number, error))


def side_by_side(work: Callable[[T], R], items: Sequence[T], workers: int) -> Iterator[R]:
    """`work` done for every item, at most `workers` of them at a time; yields each answer as soon as it is there.

    What `work` raises is raised here at once. Closing the iterator, or an error, lets no further item begin; those
    that have begun are not waited for. A thread goes on to its next item whether or not the last answer was taken: what
    must not be lost is kept by `work` itself. One worker, or one item, takes no thread.
    """
    count = min(workers, len(items))
    if count <= 1:
        yield from map(work, items)
        return
    threads = Workers(work, count, until_error=True)
    try:
        for number, item in enumerate(items):
            threads.ask(number, item)
        for _ in items:
            done = threads.answered()
            assert done is not None
            if isinstance(done[1], BaseException):
                raise done[1]
            yield done[1]
    finally:
        threads.leave()


def in_order(work: Callable[[T], R], items: Iterable[T], workers: int) -> Iterator[R]:
    """`work` done for every item, at most `workers` at a time; yields the answers in the items' order.

    At most twice `workers` items are taken beyond the one whose answer is due, so that memory is bounded whatever their
    number. What `work` raises is raised here at once; closing the iterator lets no further item begin.
    """
    threads = Workers(work, workers, until_error=True)
    waiting: dict[int, R] = {}
    coming = enumerate(items)
    taken = given = 0
    try:
        while True:
            while taken < given + 2 * workers and (item := next(coming, None)) is not None:
                threads.ask(*item)
                taken += 1
            if given == taken:
                return
            while given not in waiting:
                done = threads.answered()
                assert done is not None
                if isinstance(done[1], BaseException):
                    raise done[1]
                waiting[done[0]] = done[1]
            yield waiting.pop(given)
            given += 1
    finally:
        threads.leave()
