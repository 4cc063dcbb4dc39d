"""Where the fields of regular lines begin and end, found for a whole chunk at once.

A chunk is regular when every line has the same number of fields with one blank between two of them.
Its separators are then a table, one row a line, and a column of fields is cut out of the bytes
without a Python object for any of them.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np

from rerank_cli.core.ids import id_array
from rerank_cli.formats.decimals import ROOM, plain_decimals

_ONE_BLANK = bytes.maketrans(b"\t\r\v\f", b"    ")
#: A fixed-width array may take this many times the bytes of the ids themselves, not more.
_PADDING_LIMIT = 4
#: The first k bytes of a little-endian word.
_FIRST = np.array([(1 << 8 * k) - 1 for k in range(9)], dtype="<u8")


class RegularLines:
    """Lines of as many fields each; `stops (n, fields)` are the positions in `text` where fields end.

    Behind the lines `text` has `ROOM` bytes or more that are not theirs.
    """

    def __init__(self, text: bytes | bytearray, stops: np.ndarray) -> None:
        self.text = text
        self.stops = stops

    def __len__(self) -> int:
        """The number of lines."""
        return len(self.stops)

    def starts(self, field: int) -> np.ndarray:
        """The positions (n,) where a field begins."""
        if field:
            return self.stops[:, field - 1] + 1
        starts = np.zeros(len(self), dtype=self.stops.dtype)
        np.add(self.stops[:-1, -1], 1, out=starts[1:])
        return starts

    @cached_property
    def _window(self) -> np.ndarray:
        """The eight bytes from every position on, as little-endian words."""
        return np.ndarray((len(self.text) - 7,), dtype="<u8", buffer=self.text, strides=(1,))

    def ids(self, field: int) -> np.ndarray:
        """A column as bytes (n,), padded to whole words; as objects when one long id would make that wasteful."""
        words = self._words(field)
        if words is None:
            return id_array(self.texts(field, np.arange(len(self))))
        return words.view(f"S{words.shape[1] * 8}").reshape(len(self))

    def _words(self, field: int) -> np.ndarray | None:
        """A column as words (n, words) of eight bytes, padded with zeros; None when one long field would make that wasteful."""
        starts = self.starts(field)
        lengths = self.stops[:, field] - starts
        width = int(lengths.max(initial=1))
        if width <= 8:
            return (self._window[starts] & _FIRST[lengths]).reshape(-1, 1)
        if width * len(self) > _PADDING_LIMIT * int(lengths.sum()) + 4096:
            return None
        table = np.empty((len(self), -(-width // 8)), dtype="<u8")
        for word in range(table.shape[1]):
            if word:
                # Where nothing is left, any place will do.
                lengths = np.maximum(lengths - 8, 0)
                starts = np.where(lengths > 0, starts + 8, 0)
            table[:, word] = self._window[starts] & _FIRST[np.minimum(lengths, 8)]
        return table

    def decimals(self, field: int) -> np.ndarray | None:
        """A column of short plain decimals (n,) float64; None when one is anything else (see `formats.decimals`)."""
        return plain_decimals(self._window, self.starts(field), self.stops[:, field])

    def texts(self, field: int, lines: np.ndarray) -> list[bytes]:
        """The fields of some lines as bytes."""
        places = zip(self.starts(field)[lines].tolist(), self.stops[lines, field].tolist(), strict=True)
        return [bytes(self.text[start:stop]) for start, stop in places]

    def stretches(self, field: int) -> tuple[list[bytes], np.ndarray]:
        """The field where it differs from the line above, and how many lines each of these stands for."""
        words = self._words(field)
        columns = [self.ids(field)] if words is None else words.T
        fresh = np.zeros(len(self), dtype=bool)
        fresh[0] = True
        for column in columns:
            fresh[1:] |= column[1:] != column[:-1]
        starts = np.flatnonzero(fresh)
        return self.texts(field, starts), np.diff(starts, append=len(self))

    def whole_numbers(self, field: int) -> np.ndarray | None:
        """A column of plain whole numbers (n,) int64; None when one is anything else, or longer than nine digits."""
        starts, stops = self.starts(field), self.stops[:, field]
        text = np.frombuffer(self.text, dtype=np.uint8)
        negative = text[starts] == ord("-")
        starts = starts + negative
        width = int((stops - starts).max(initial=0))
        if width > 9 or np.any(stops == starts):
            return None
        values = np.zeros(len(self), dtype=np.int64)
        for place in range(width):
            at = starts + place
            inside = at < stops
            digits = text[np.where(inside, at, starts)].astype(np.int64) - ord("0")
            if np.any((digits < 0) | (digits > 9)):
                return None
            values = np.where(inside, values * 10 + digits, values)
        return np.where(negative, -values, values)


def regular_lines(text: bytes | bytearray, fields: int, size: int | None = None) -> RegularLines | None:
    """The lines in `text[:size]` (None: all of it), blanks made one between two fields; None if they are not regular.

    Regular is ASCII without control characters, and `fields` fields in every line. Blank lines make a chunk irregular.
    Lines that are as they should be are not copied when `ROOM` bytes follow them in `text`.
    """
    size = len(text) if size is None else size
    codes = np.frombuffer(text, dtype=np.uint8, count=size)
    if not size or codes.max() > 127:
        return None
    stops = _table(codes, fields)
    if stops is None:
        plain = _squeezed(bytes(memoryview(text)[:size]))
        text, size = plain, len(plain)
        stops = _table(np.frombuffer(text, dtype=np.uint8), fields)
        if stops is None:
            return None
    return RegularLines(text if len(text) >= size + ROOM else bytes(text) + bytes(ROOM), stops)


def _table(codes: np.ndarray, fields: int) -> np.ndarray | None:
    """Where fields end (n, fields) in lines of `fields` fields with one blank between them; None for anything else."""
    separates = codes <= ord(" ")
    if not len(codes) or separates[0] or np.any(separates[1:] & separates[:-1]):
        return None
    separators = np.flatnonzero(separates)
    if not len(separators) or len(separators) % fields:
        return None
    stops = separators.reshape(-1, fields)
    blanks, ends = codes == ord(" "), codes == ord("\n")
    if np.count_nonzero(blanks) != len(stops) * (fields - 1) or np.count_nonzero(ends) != len(stops):
        return None
    return stops if ends[-1] and ends[stops[:, -1]].all() else None


def _squeezed(text: bytes) -> bytes:
    """The text with one blank where several or tabs stood, none at the ends of lines and of the text, and an end to the last."""
    text = text.translate(_ONE_BLANK)
    while b"  " in text:
        text = text.replace(b"  ", b" ")
    text = text.replace(b" \n", b"\n").replace(b"\n ", b"\n").strip(b" ")
    return text if text.endswith(b"\n") else text + b"\n"
