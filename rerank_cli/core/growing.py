"""A long column that comes in parts, without holding all of them twice.

What stands in fresh memory costs most of what it takes to put it there, so parts are copied to their place as they
come. Memory that is only asked for, not yet written, costs nothing: four times what is there is taken at a time.
"""

from __future__ import annotations

import numpy as np

from rerank_cli.core.ids import joined_ids


class Growing:
    """Numbers or ids, `add`ed part by part; `array` is all of them."""

    def __init__(self) -> None:
        self._room: np.ndarray | None = None
        self._size = 0

    @property
    def array(self) -> np.ndarray:
        """What was added so far (n,), in its order; a view."""
        return np.empty(0, dtype="S1") if self._room is None else self._room[: self._size]

    def add(self, part: np.ndarray) -> None:
        """Put an array behind the others; ids become objects where one array would be wasteful (`core.ids`)."""
        if self._room is None:
            self._room = part[:0]
        if not _fits(part.dtype, self._room.dtype):
            self._room = joined_ids([self.array, part])
            self._size = len(self._room)
            return
        size = self._size + len(part)
        if size > len(self._room):
            room = np.empty(4 * size, dtype=self._room.dtype)
            room[: self._size] = self.array
            self._room = room
        self._room[self._size : size] = part
        self._size = size


def _fits(part: np.dtype, room: np.dtype) -> bool:
    """Whether values of one type can stand in an array of another as they are."""
    return part == room or room.hasobject or (part.kind == room.kind == "S" and part.itemsize <= room.itemsize)
