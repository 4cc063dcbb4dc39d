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
from rerank_cli.formats.lines import BYTE_ORDER_MARK, numbered
from rerank_cli.formats.regular import RegularLines, regular_lines
from rerank_cli.formats.rows import RowReader

#: Bytes read at a time. Bounds the memory that parsing takes beside its result; larger ones are slower, because the
#: allocator gives memory of more than 32 MiB back, and every chunk would be paged in anew.
CHUNK = 1 << 23
#: Smaller chunks are read by plain Python, to the same end.
FAST_FROM = 1 << 16
#: Scores of smaller chunks are numpy's work: loading polars takes longer (0.3 s; numpy reads a million in 0.2 to 0.4 s).
#: The chunks of a file that has several are larger, but for the last.
POLARS_FROM = CHUNK - (1 << 20)

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
    ranks: np.ndarray | None = None


def read_columns(stream: BinaryIO, reader: RowReader, *, ranks: bool = False) -> Iterator[Columns]:
    """Yield a run's rows, a chunk of whole lines at a time; raises `BadData` with FILE:LINE.

    About 0.3 s for a million regular lines, 2 s for others (plain Python).
    """
    first = 1
    for chunk in _whole_lines(stream):
        columns = None
        if len(chunk) >= FAST_FROM:
            chunk, first = _behind_comments(chunk, first, reader)
            line = next((line for _, line in numbered(io.BytesIO(chunk))), None)
            if line is not None:
                reader.settle(line)
            if reader.format == "trec":
                columns = _regular(chunk, first, ranks)
        if columns is None:
            columns = _irregular(chunk, first, reader, ranks)
            first += chunk.count(b"\n")
        else:
            reader.passed(_last_line(chunk))
            first += len(columns.scores)
        yield columns


def _whole_lines(stream: BinaryIO) -> Iterator[bytes]:
    rest = b""
    while piece := stream.read(CHUNK):
        cut = piece.rfind(b"\n") + 1
        if cut:
            yield rest + piece[:cut]
            rest = piece[cut:]
        else:
            rest += piece
    if rest:
        yield rest


def _last_line(chunk: bytes) -> bytes:
    """The last line that holds data."""
    end = len(chunk)
    while end and chunk[end - 1 : end].isspace():
        end -= 1
    return chunk[chunk.rfind(b"\n", 0, end) + 1 :]


def _behind_comments(chunk: bytes, first: int, reader: RowReader) -> tuple[bytes, int]:
    """The chunk without a byte-order mark and without the comment lines it begins with, and its first line's number."""
    start = len(BYTE_ORDER_MARK) if first == 1 and chunk.startswith(BYTE_ORDER_MARK) else 0
    while chunk.startswith(b"#", start):
        end = chunk.find(b"\n", start) + 1 or len(chunk)
        reader.comment(first, chunk[start:end])
        start, first = end, first + 1
    return chunk[start:], first


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


def _regular(chunk: bytes, first: int, with_ranks: bool) -> Columns | None:
    """The columns of a chunk of TREC lines, or None when it is not certain that they are all as they should be."""
    found = regular_lines(chunk, fields=6)
    if found is None:
        return None
    text, lines = found
    scores = _scores(text, lines)
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


def _scores(text: bytes, lines: RegularLines) -> np.ndarray | None:
    """The fifth field of every line (n,) float64; None when one is not certain to be a finite number."""
    scores = _few_scores(lines.ids(4)) if len(text) < POLARS_FROM else _many_scores(text, len(lines))
    return scores if scores is not None and np.isfinite(scores).all() else None


def _few_scores(fields: np.ndarray) -> np.ndarray | None:
    """By numpy, which takes all that Python's float takes, so that only digits, signs, points and exponents are let in."""
    if fields.dtype == object or not _IN_NUMBERS[np.frombuffer(fields.tobytes(), dtype=np.uint8)].all():
        return None
    try:
        return fields.astype(np.float64)
    except ValueError:
        return None


def _many_scores(text: bytes, height: int) -> np.ndarray | None:
    import polars as pl

    schema = {name: pl.Float64 if name == "score" else pl.String for name in _NAMES}
    try:
        frame = pl.read_csv(
            text, separator=" ", has_header=False, quote_char=None, columns=[_NAMES.index("score")], schema=schema
        )
    except pl.exceptions.PolarsError:
        return None
    whole = frame.height == height and not frame["score"].null_count()
    return frame["score"].to_numpy() if whole else None
