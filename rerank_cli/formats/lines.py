"""Lines with their numbers: what every text reader here does before it looks at fields.

A byte-order mark at the start, blank lines and `#` comments are passed over but counted, so that
an error names the line an editor shows. Only a `#` at the very start makes a comment: ids hold it too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from rerank_cli.errors import BadData

BYTE_ORDER_MARK = b"\xef\xbb\xbf"


def numbered(
    lines: Iterable[bytes], on_comment: Callable[[int, bytes], None] | None = None, *, first: int = 1
) -> Iterator[tuple[int, bytes]]:
    """Yield (line number, line) of the lines that hold data; comments go to `on_comment`. Line endings stay as they are."""
    for number, line in enumerate(lines, first):
        if number == 1 and line.startswith(BYTE_ORDER_MARK):
            line = line[len(BYTE_ORDER_MARK) :]
        if line[:1] == b"#":
            if on_comment is not None:
                on_comment(number, line)
        elif line and not line.isspace():
            yield number, line


class Faults:
    """What is wrong with lines of one file: an error with FILE:LINE, or (lenient) a count of what was mended."""

    def __init__(self, name: str, lenient: bool = False) -> None:
        self.name = name
        self.lenient = lenient
        self.line = 0
        self.repairs = 0

    def __call__(self, message: str, hint: str = "") -> None:
        """Something is wrong in the current line: raises `BadData`, or counts it and returns for the line to be mended."""
        if not self.lenient:
            raise BadData(message, hint, where=f"{self.name}:{self.line}")
        self.repairs += 1


def shown_field(field: bytes) -> str:
    """A field as a message shows it, quoted and cut when long."""
    text = field[:40].decode("utf-8", "backslashreplace")
    return repr(text if len(field) <= 40 else text + "…")
