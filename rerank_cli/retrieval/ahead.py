"""Work given to processes, its answers taken in order."""

from __future__ import annotations

import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future
from typing import Any, TypeVar

from rerank_cli.errors import WorkFailed

T = TypeVar("T")
R = TypeVar("R")
#: What a process of a pool does with an item; told to it when it begins.
_work: Callable[[Any], Any] = repr


def in_order(pool: Executor, work: Callable[[T], R], items: Iterable[T], room: int) -> Iterator[R]:
    """`work` of each item in the items' order; at most `room` items are taken before their answer is wanted."""
    waiting: deque[Future[R]] = deque()
    try:
        for item in items:
            waiting.append(pool.submit(work, item))
            if len(waiting) >= room:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        for future in waiting:
            future.cancel()


def in_processes(work: Callable[[T], R], items: Iterable[T], *, processes: int) -> Iterator[R]:
    """The same by processes of its own, each of which unpickles `work` once; they end with this one.

    Raises what the work raises, and `WorkFailed` when a process is killed.
    """
    from concurrent.futures.process import BrokenProcessPool, ProcessPoolExecutor
    from multiprocessing import get_context

    pool = ProcessPoolExecutor(processes, get_context("spawn"), initializer=_begin, initargs=(work,))
    try:
        yield from in_order(pool, _worked, items, processes + 1)
        pool.shutdown()
    except BrokenProcessPool:
        raise WorkFailed(
            "a process that worked for this one was killed, most likely for want of memory",
            "--threads 1 needs less of it",
        ) from None
    except BaseException:
        # Not waited for: one that was killed while it answered (a signal to the whole group) leaves half an answer, for
        # whose rest the pool waits without end.
        for process in list(pool._processes.values()):
            process.kill()
        pool.shutdown(wait=False, cancel_futures=True)
        raise


def _begin(work: Callable[[Any], Any]) -> None:
    """A process begins: leave Ctrl-C to the parent, and end when it is gone, killed perhaps."""
    from multiprocessing import parent_process

    global _work
    _work = work
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = parent_process()

    def wait() -> None:
        if parent is not None:
            parent.join()
            os._exit(1)

    threading.Thread(target=wait, daemon=True).start()


def _worked(item: Any) -> Any:
    return _work(item)
