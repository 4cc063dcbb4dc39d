"""Where the fields of regular lines begin and end, found for a whole chunk at once.

A chunk is regular when every line has the same number of fields with one blank between two of them.
Its separators are then a table, one row a line, and a column of fields is cut out of the bytes
without a Python object for any of them.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np

from rerank_cli.core.ids import id_array

_ONE_BLANK = bytes.maketrans(b"\t\r\v\f", b"    ")
#: A fixed-width array may take this many times the bytes of the ids themselves, not more.
_PADDING_LIMIT = 4
#: The first k bytes of a little-endian word.
_FIRST = np.array([(1 << 8 * k) - 1 for k in range(9)], dtype="<u8")


class RegularLines:
    """Lines of as many fields each; `stops (n, fields)` are the positions in the text where fields end."""

    def __init__(self, text: bytes, stops: np.ndarray) -> None:
        self._text = text
        self.stops = stops

    def __len__(self) -> int:
        """The number of lines."""
        return len(self.stops)

    def starts(self, field: int) -> np.ndarray:
        """The positions (n,) where a field begins."""
        if field:
            return self.stops[:, field - 1] + 1
        return np.concatenate([self.stops[:1, 0] * 0, self.stops[:-1, -1] + 1])

    @cached_property
    def _window(self) -> np.ndarray:
        """The eight bytes from every position on, as little-endian words."""
        padded = self._text + b"\0" * 8
        return np.ndarray((len(padded) - 7,), dtype="<u8", buffer=padded, strides=(1,))

    def ids(self, field: int) -> np.ndarray:
        """A column as bytes (n,), padded to whole words; as objects when one long id would make that wasteful."""
        starts = self.starts(field)
        lengths = self.stops[:, field] - starts
        width = int(lengths.max(initial=1))
        if width * len(self) > _PADDING_LIMIT * int(lengths.sum()) + 4096:
            return id_array(self.texts(field, np.arange(len(self))))
        words = -(-width // 8)
        table = np.empty((len(self), words), dtype="<u8")
        for word in range(words):
            if word:
                # Where nothing is left, any place will do.
                lengths = np.maximum(lengths - 8, 0)
                starts = np.where(lengths > 0, starts + 8, 0)
            table[:, word] = self._window[starts] & _FIRST[np.minimum(lengths, 8)]
        return table.view(f"S{words * 8}").reshape(len(self))

    def texts(self, field: int, lines: np.ndarray) -> list[bytes]:
        """The fields of some lines as bytes."""
        places = zip(self.starts(field)[lines].tolist(), self.stops[lines, field].tolist(), strict=True)
        return [self._text[start:stop] for start, stop in places]

    def stretches(self, field: int) -> tuple[list[bytes], np.ndarray]:
        """The field where it differs from the line above, and how many lines each of these stands for."""
        ids = self.ids(field)
        starts = np.flatnonzero(np.append(True, ids[1:] != ids[:-1]))
        return self.texts(field, starts), np.diff(starts, append=len(self))

    def whole_numbers(self, field: int) -> np.ndarray | None:
        """A column of plain whole numbers (n,) int64; None when one is anything else, or longer than nine digits."""
        starts, stops = self.starts(field), self.stops[:, field]
        text = np.frombuffer(self._text, dtype=np.uint8)
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


def regular_lines(text: bytes, fields: int) -> tuple[bytes, RegularLines] | None:
    """The lines of a chunk and the text they lie in, blanks made one between two fields; None if it is not regular.

    Regular is ASCII without NUL, and `fields` fields in every line. Blank lines make a chunk irregular.
    """
    if not text.isascii() or b"\0" in text:
        return None
    if any(blank in text for blank in (b"\t", b"\r", b"\v", b"\f")):
        text = text.translate(_ONE_BLANK)
    if not text.endswith(b"\n"):
        text += b"\n"
    lines = _table(text, fields)
    if lines is None and (b"  " in text or b" \n" in text or b"\n " in text or text.startswith(b" ")):
        text = _squeezed(text)
        lines = _table(text, fields)
    return None if lines is None else (text, lines)


def _table(text: bytes, fields: int) -> RegularLines | None:
    """Lines of `fields` fields with one blank between them; None for anything else."""
    codes = np.frombuffer(text, dtype=np.uint8)
    ends = codes == ord("\n")
    separates = (codes == ord(" ")) | ends
    if separates[0] or np.any(separates[1:] & separates[:-1]):
        return None
    separators = np.flatnonzero(separates)
    if len(separators) % fields:
        return None
    table = separators.reshape(-1, fields)
    if np.count_nonzero(ends) != len(table) or not ends[table[:, -1]].all():
        return None
    return RegularLines(text, table)


def _squeezed(text: bytes) -> bytes:
    """The text with one blank where several stood, and none at the ends of lines and of the text."""
    while b"  " in text:
        text = text.replace(b"  ", b" ")
    return text.replace(b" \n", b"\n").replace(b"\n ", b"\n").lstrip(b" ")
