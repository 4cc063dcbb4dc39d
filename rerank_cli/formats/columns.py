"""Runs in columns, chunk by chunk: arrays where a chunk is regular, plain Python where it is not.

A chunk counts as regular only when everything the plain reader would check is certain: ASCII, no
NUL, no comment or blank line, six fields in every line, finite scores. Anything else, and every
error, is the plain reader's, so both give the same run and the same message.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

import numpy as np

from rerank_cli.core.ids import id_array
from rerank_cli.formats.decimals import ROOM
from rerank_cli.formats.lines import BYTE_ORDER_MARK, numbered
from rerank_cli.formats.regular import RegularLines, regular_lines
from rerank_cli.formats.rows import RowReader

#: Bytes read at a time: what is made of them stays in a processor's cache. A longer line makes it larger.
CHUNK = 1 << 21
_KEPT = (1 << 25) - (1 << 16)
#: Smaller chunks are read by plain Python, which is then as fast.
FAST_FROM = 1 << 16
#: Scores that are no short decimals are polars' work from this line on, before it numpy's: loading polars takes 0.3 s,
#: in which numpy reads half a million.
POLARS_FROM = 400_000

_NAMES = ("qid", "q0", "docid", "rank", "score", "tag")
#: Stands for a rank that is no whole number.
NO_RANK = np.iinfo(np.int64).min
#: The bytes of a plain number, and of what pads it.
_IN_NUMBERS = np.isin(np.arange(256), list(b"0123456789+-.eE\0"))
_RANK = re.compile(rb"-?[0-9]{1,18}")


class Columns(NamedTuple):
    """Rows of a run in the order of their lines: `qids` one a stretch of lines of the same query, `lengths (S,)` of the
    stretches, `docids (n,)`, `scores (n,)` float64 (NaN: by position), `lines (n,)` their numbers, and, where they were
    asked for and the format has them, `ranks (n,)` int64 (`NO_RANK` for what is no whole number)."""

    qids: list[bytes]
    lengths: np.ndarray
    docids: np.ndarray
    scores: np.ndarray
    lines: np.ndarray | range
    ranks: np.ndarray | None


def read_columns(stream: BinaryIO, reader: RowReader, *, ranks: bool = False) -> Iterator[Columns]:
    """Yield a run's rows, a chunk of whole lines at a time; raises `BadData` with FILE:LINE.

    About 0.13 s for a million regular lines, 2 s for others (plain Python).
    """
    # The C library keeps freed memory for what comes next, but gives back what is more than twice the largest block that
    # it has seen freed (32 MiB at most count); every chunk would else be paged in anew, a third of the time.
    np.empty(_KEPT, dtype=np.uint8)
    first = 1
    for text, size in _whole_lines(stream):
        columns = None
        if size >= FAST_FROM:
            start, first = _behind_comments(text, size, first, reader)
            if start:
                text, size = text[start:size], size - start
            if reader.format == "auto":
                line = next((line for _, line in numbered(io.BytesIO(text[:size]))), None)
                if line is not None:
                    reader.settle(line)
            if reader.format == "trec":
                columns = _regular(text, size, first, ranks)
        if columns is None:
            chunk = bytes(memoryview(text)[:size])
            columns = _irregular(chunk, first, reader, ranks)
            first += chunk.count(b"\n")
        else:
            reader.passed(_last_line(text, size))
            first += len(columns.scores)
        yield columns


def _whole_lines(stream: BinaryIO) -> Iterator[tuple[bytearray, int]]:
    """The stream in whole lines, `text[:size]`; the text is overwritten when the next are asked for."""
    text, kept = bytearray(CHUNK + ROOM), 0
    while True:
        with memoryview(text) as room:
            end = kept + stream.readinto(room[kept:-ROOM])  # type: ignore[attr-defined]
        size = end if end == kept else text.rfind(b"\n", kept, end) + 1
        if size:
            yield text, size
        if end == kept:
            return
        if size:
            text[: end - size] = text[size:end]
        elif end == len(text) - ROOM:
            text = text + bytes(len(text))
        kept = end - size


def _last_line(text: bytearray, end: int) -> bytes:
    """The last line before `end` that holds data."""
    while end and text[end - 1 : end].isspace():
        end -= 1
    return bytes(text[text.rfind(b"\n", 0, end) + 1 : end])


def _behind_comments(text: bytearray, size: int, first: int, reader: RowReader) -> tuple[int, int]:
    """Where `text[:size]` goes on behind a byte-order mark and the comment lines it begins with, and the number of that line."""
    start = len(BYTE_ORDER_MARK) if first == 1 and text.startswith(BYTE_ORDER_MARK, 0, size) else 0
    while text.startswith(b"#", start, size):
        end = text.find(b"\n", start, size) + 1 or size
        reader.comment(first, bytes(text[start:end]))
        start, first = end, first + 1
    return start, first


def _irregular(chunk: bytes, first: int, reader: RowReader, with_ranks: bool) -> Columns:
    qids: list[bytes] = []
    lengths: list[int] = []
    docids: list[bytes] = []
    scores: list[float] = []
    lines: list[int] = []
    ranks: list[int] = []
    last = None
    for number, line in numbered(chunk.split(b"\n"), reader.comment, first=first):
        for qid, docid, score, _, _ in reader.rows(number, line):
            if qid != last:
                qids.append(qid)
                lengths.append(0)
                last = qid
            lengths[-1] += 1
            docids.append(docid)
            scores.append(np.nan if score is None else score)
            lines.append(number)
            if with_ranks and reader.format == "trec":
                ranks.append(_rank(line.split(None, 4)[3]))
    return Columns(
        qids,
        np.array(lengths, dtype=np.int64),
        id_array(docids),
        np.array(scores, dtype=np.float64),
        np.array(lines, dtype=np.int64),
        np.array(ranks, dtype=np.int64) if with_ranks and reader.format == "trec" else None,
    )


def _rank(field: bytes) -> int:
    return int(field) if _RANK.fullmatch(field) else NO_RANK


def _regular(text: bytearray, size: int, first: int, with_ranks: bool) -> Columns | None:
    """The columns of TREC lines `text[:size]`, or None when it is not certain that they are all as they should be."""
    lines = regular_lines(text, 6, size)
    if lines is None:
        return None
    scores = lines.decimals(4)
    if scores is None:
        scores = _few_scores(lines.ids(4)) if first < POLARS_FROM else _many_scores(lines)
    if scores is None:
        return None
    qids, lengths = lines.stretches(0)
    if any(qid.startswith(b"#") for qid in qids):
        return None
    return Columns(
        qids, lengths, lines.ids(2), scores, range(first, first + len(lines)), _ranks(lines) if with_ranks else None
    )


def _ranks(lines: RegularLines) -> np.ndarray:
    """The fourth field of every line (n,) int64, `NO_RANK` for what is no whole number."""
    ranks = lines.whole_numbers(3)
    if ranks is None:
        ranks = np.array([_rank(field) for field in lines.texts(3, np.arange(len(lines)))], dtype=np.int64)
    return ranks


def _few_scores(fields: np.ndarray) -> np.ndarray | None:
    """By numpy, which takes all that Python's float takes, so that only digits, signs, points and exponents are let in."""
    if fields.dtype == object or not _IN_NUMBERS[np.frombuffer(fields.tobytes(), dtype=np.uint8)].all():
        return None
    try:
        scores = fields.astype(np.float64)
    except ValueError:
        return None
    return scores if np.isfinite(scores).all() else None


def _many_scores(lines: RegularLines) -> np.ndarray | None:
    """The fifth field of every line (n,) float64; None when one is not a finite number."""
    import polars as pl

    schema = {name: pl.Float64 if name == "score" else pl.String for name in _NAMES}
    text = bytes(memoryview(lines.text)[: int(lines.stops[-1, -1]) + 1])
    try:
        frame = pl.read_csv(
            text, separator=" ", has_header=False, quote_char=None, columns=[_NAMES.index("score")], schema=schema
        )
    except pl.exceptions.PolarsError:
        return None
    if frame.height != len(lines) or frame["score"].null_count():
        return None
    scores = frame["score"].to_numpy()
    return scores if np.isfinite(scores).all() else None
