"""Work done ahead, on a thread of its own, while what came before is used."""

from __future__ import annotations

import queue
import threading
from collections.abc import Generator, Iterable
from contextlib import suppress
from typing import Any, TypeVar

T = TypeVar("T")
_END: Any = object()


def ahead(items: Iterable[T], room: int) -> Generator[T]:
    """Iterate over `items` on a thread: `room` of them wait at most, ready, and one more is being made.

    Order is kept, and what `items` raises is raised here in its place. Closing this iterator (or an error where it is
    used) stops the thread before its next item; the item being made is not waited for, so that a read or a
    model's batch never holds up an end.
    """
    ready: queue.Queue[tuple[T, BaseException | None]] = queue.Queue(room)
    left = threading.Event()

    def work() -> None:
        try:
            for item in items:
                ready.put((item, None))
                if left.is_set():
                    break
            if isinstance(items, Generator):
                items.close()
            last: tuple[Any, BaseException | None] = (_END, None)
        except BaseException as error:  # a thread has nobody else to tell
            last = (_END, error)
        if not left.is_set():
            ready.put(last)

    threading.Thread(target=work, name="ahead", daemon=True).start()
    try:
        while True:
            item, error = ready.get()
            if error is not None:
                raise error
            if item is _END:
                return
            yield item
    finally:
        left.set()
        with suppress(queue.Empty):  # a thread that waits for room finds it, and sees that nobody wants more
            while True:
                ready.get_nowait()
