"""Runs in columns, chunk by chunk: polars where a chunk is regular, plain Python where it is not.

A chunk counts as regular only when everything the plain reader would check is certain: ASCII, no
NUL, no comment or blank line, six fields in every line, finite scores. Anything else, and every
error, is the plain reader's, so both give the same run and the same message.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

import numpy as np

from rerank_cli.core.ids import id_array
from rerank_cli.formats.lines import BYTE_ORDER_MARK, numbered
from rerank_cli.formats.rows import RowReader

#: Bytes read at a time; bounds the memory that parsing takes beside its result.
CHUNK = 1 << 25
#: Smaller chunks are read by plain Python: loading polars takes longer than reading them.
FAST_FROM = 1 << 20

_ONE_BLANK = bytes.maketrans(b"\t\r\v\f", b"    ")
_NAMES = ("qid", "q0", "docid", "rank", "score", "tag")


class Columns(NamedTuple):
    """Rows of a run in the order of their lines: `qids` one a stretch of lines of the same query, `lengths (S,)` of the
    stretches, `docids (n,)`, `scores (n,)` float64 (NaN: by position), `lines (n,)` their numbers."""

    qids: list[bytes]
    lengths: np.ndarray
    docids: np.ndarray
    scores: np.ndarray
    lines: np.ndarray


def read_columns(stream: BinaryIO, reader: RowReader) -> Iterator[Columns]:
    """Yield a run's rows, a chunk of whole lines at a time; raises `BadData` with FILE:LINE.

    About 0.1 s for a million regular lines, ten times that for others (plain Python).
    """
    first = 1
    for chunk in _whole_lines(stream):
        following = first + chunk.count(b"\n")
        columns = None
        if len(chunk) >= FAST_FROM:
            chunk, first = _behind_comments(chunk, first, reader)
            line = next((line for _, line in numbered(io.BytesIO(chunk))), None)
            if line is not None:
                reader.settle(line)
            if reader.format == "trec":
                columns = _regular(chunk, first)
        if columns is None:
            columns = _irregular(chunk, first, reader)
        else:
            reader.passed(chunk[chunk.rstrip().rfind(b"\n") + 1 :])
        yield columns
        first = following


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


def _behind_comments(chunk: bytes, first: int, reader: RowReader) -> tuple[bytes, int]:
    """The chunk without a byte-order mark and without the comment lines it begins with, and its first line's number."""
    start = len(BYTE_ORDER_MARK) if first == 1 and chunk.startswith(BYTE_ORDER_MARK) else 0
    while chunk.startswith(b"#", start):
        end = chunk.find(b"\n", start) + 1 or len(chunk)
        reader.comment(first, chunk[start:end])
        start, first = end, first + 1
    return chunk[start:], first


def _irregular(chunk: bytes, first: int, reader: RowReader) -> Columns:
    qids: list[bytes] = []
    lengths: list[int] = []
    docids: list[bytes] = []
    scores: list[float] = []
    lines: list[int] = []
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
    return Columns(
        qids,
        np.array(lengths, dtype=np.int64),
        id_array(docids),
        np.array(scores, dtype=np.float64),
        np.array(lines, dtype=np.int64),
    )


def _regular(chunk: bytes, first: int) -> Columns | None:
    """The columns of a chunk of TREC lines, or None when it is not certain that they are all as they should be."""
    text = _single_blanks(chunk)
    if text is None:
        return None
    import polars as pl

    try:
        frame = pl.read_csv(
            text,
            separator=" ",
            has_header=False,
            quote_char=None,
            schema={name: pl.Float64 if name == "score" else pl.String for name in _NAMES},
            columns=[0, 2, 4, 5],
        )
    except pl.exceptions.PolarsError:
        return None
    # A line of fewer fields shows as a null tag; then a line of more, which polars cuts, shows in the count of blanks.
    if frame["tag"].null_count() or frame["score"].null_count() or text.count(b" ") != 5 * frame.height:
        return None
    scores = frame["score"].to_numpy()
    if not np.isfinite(scores).all():
        return None
    qids, docids = frame["qid"], frame["docid"]
    starts = (qids != qids.shift(1)).fill_null(True).arg_true()
    lengths = np.diff(starts.to_numpy().astype(np.int64), append=frame.height)
    names = [qid.encode("ascii") for qid in qids.gather(starts).to_list()]
    sizes = docids.str.len_bytes()
    width = int(sizes.max())  # type: ignore[arg-type]
    if width * frame.height > 4 * int(sizes.sum()) + 4096:
        ids = id_array([docid.encode("ascii") for docid in docids.to_list()])
    else:
        padded = docids.str.pad_end(width, "\0").str.join("").item()
        ids = np.frombuffer(padded.encode("ascii"), dtype=f"S{width}")
    return Columns(names, lengths, ids, scores, np.arange(first, first + frame.height, dtype=np.int64))


def _single_blanks(chunk: bytes) -> bytes | None:
    """The chunk with one blank between fields and none at line ends, or None when a line may be no plain row."""
    if not chunk.isascii() or b"\0" in chunk:
        return None
    if any(blank in chunk for blank in (b"\t", b"\r", b"\v", b"\f")):
        chunk = chunk.translate(_ONE_BLANK)
    while b"  " in chunk:
        chunk = chunk.replace(b"  ", b" ")
    if b" \n" in chunk:
        chunk = chunk.replace(b" \n", b"\n")
    chunk = chunk.rstrip(b" \n")
    if not chunk or chunk[:1] in b" \n#" or b"\n\n" in chunk or b"\n " in chunk or b"\n#" in chunk:
        return None
    return chunk
