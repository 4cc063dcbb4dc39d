"""Reading runs: query by query as they come (`RunStream`), or whole (`read_run`).

The first is for what must answer while its input is still being written, the second for what
compares lists with one another, in whatever order their lines stand.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Any, BinaryIO

import numpy as np

from rerank_cli.core.candidates import Candidates
from rerank_cli.core.growing import Growing
from rerank_cli.core.ids import shown
from rerank_cli.core.run import Ranking, Run
from rerank_cli.core.texts import Document
from rerank_cli.errors import BadData, BadRow
from rerank_cli.formats.columns import Columns, read_columns
from rerank_cli.formats.compression import open_input
from rerank_cli.formats.lines import numbered
from rerank_cli.formats.rows import RowReader
from rerank_cli.formats.trec import Row

_ONCE = "each document may stand once in a query's list; --lenient keeps the best of them"


class RunStream:
    """Iterates over a run once, yielding a query's `Candidates` as soon as its block of lines has ended.

    Memory: the open block, and the ids of all queries seen (`gathers`: the whole run). Raises `BadData` with FILE:LINE on a
    malformed line, a doubled document, or a query that comes back after its block. `unordered`
    allows that and holds the whole run. `lenient` counts what is broken in `repairs` and goes on:
    the best of doubled documents stays, a line without a score is left out.
    """

    def __init__(
        self, stream: BinaryIO, name: str, *, format: str = "auto", lenient: bool = False, unordered: bool = False
    ) -> None:
        self._reader = RowReader(name, format, lenient)
        self._lines = numbered(stream, self._reader.comment)
        self._peeked: list[tuple[int, bytes]] | None = None
        self._unordered = unordered

    @property
    def header(self) -> dict[str, Any] | None:
        """What `# rerank: {json}` says; asked before the first query, reads on to the first data line."""
        if self._peeked is None:
            line = next(self._lines, None)
            self._peeked = [] if line is None else [line]
        return self._reader.header

    @property
    def tag(self) -> str:
        """The tag of the last line read."""
        return self._reader.tag

    @property
    def repairs(self) -> int:
        """How many things `lenient` has mended so far."""
        return self._reader.faults.repairs

    @property
    def gathers(self) -> bool:
        """Whether the whole run is held before the first query comes: asked for, or top1000, which is sorted by document."""
        _ = self.header
        if self._peeked:
            self._reader.settle(self._peeked[0][1])
        return self._unordered or self._reader.format == "top1000"

    def __iter__(self) -> Iterator[Candidates]:
        yield from self._all_at_end() if self.gathers else self._as_they_end()

    def _as_they_end(self) -> Iterator[Candidates]:
        block: _Block | None = None
        seen: set[bytes] = set()
        for number, line in self._remaining():
            rows = self._reader.rows(number, line)
            for row in rows:
                if block is None or block.qid != row[0]:
                    if block is not None:
                        yield block.candidates(self._reader)
                    block = self._opened(row[0], number, seen)
                block.add(row, number)
            if block is not None and rows and self._reader.closes_query(line):
                yield block.candidates(self._reader)
                block = None
        if block is not None:
            yield block.candidates(self._reader)

    def _all_at_end(self) -> Iterator[Candidates]:
        blocks: dict[bytes, _Block] = {}
        texts: dict[bytes, Document] = {}
        for number, line in self._remaining():
            for qid, docid, score, query, document in self._reader.rows(number, line):
                if qid not in blocks:
                    blocks[qid] = _Block(qid)
                once = None if document is None else texts.setdefault(docid, document)
                blocks[qid].add((qid, docid, score, query, once), number)
        for qid in list(blocks):
            yield blocks.pop(qid).candidates(self._reader)

    def _remaining(self) -> Iterable[tuple[int, bytes]]:
        peeked, self._peeked = self._peeked, []
        return chain(peeked or (), self._lines)

    def _opened(self, qid: bytes, number: int, seen: set[bytes]) -> _Block:
        if qid in seen:
            raise BadData(
                f"query {shown(qid)} comes again after its lines had ended",
                "sort the run by query, or give --unordered (which holds the whole run in memory)",
                where=f"{self._reader.faults.name}:{number}",
            )
        seen.add(qid)
        return _Block(qid)


@dataclass(frozen=True, eq=False)
class RunFile:
    """A whole run with what stood beside it: its header, and how many things `lenient` mended."""

    run: Run
    header: dict[str, Any] | None
    repairs: int


def read_run(stream: BinaryIO, name: str, *, format: str = "auto", lenient: bool = False) -> RunFile:
    """Read a whole run, its lines in any order; texts are left out.

    Raises `BadData` with FILE:LINE, as `RunStream` does. About 0.4 s for a million regular lines
    (see `formats.columns`), plus the sort where they are not in order.
    """
    reader = RowReader(name, format, lenient)
    position: dict[bytes, int] = {}
    lines: list[np.ndarray | range] = []
    owners, lengths, ids, values = Growing(), Growing(), Growing(), Growing()
    for part in read_columns(stream, reader):
        own = [position.setdefault(qid, len(position)) for qid in part.qids]
        owners.add(np.array(own, dtype=np.int32))
        lengths.add(part.lengths)
        ids.add(part.docids)
        values.add(part.scores)
        lines.append(part.lines)
    query_of = np.repeat(owners.array, lengths.array) if lines else np.empty(0, dtype=np.int32)
    docids, scores = ids.array, values.array
    if reader.format == "top1000":
        scores = 1.0 / (1 + _positions(query_of))
    try:
        run = Run.build(tuple(position), query_of, docids, scores, reader.tag)
    except BadRow as error:
        if not lenient:
            line = np.concatenate(lines)[error.row]
            raise BadData(error.message, _ONCE, where=f"{name}:{line}") from error
        keep = _best_of_each(query_of, docids, scores)
        reader.faults.repairs += len(scores) - len(keep)
        run = Run.build(tuple(position), query_of[keep], docids[keep], scores[keep], reader.tag)
    return RunFile(run, reader.header, reader.faults.repairs)


def validate_run(
    path: str, *, format: str = "auto", lenient: bool = False, unordered: bool = False
) -> list[bytes] | None:
    """Raise what `RunStream` would raise anywhere in a regular file, before anything is done with its beginning.

    Returns the run's queries in their order; None for anything but a regular file, which can be read
    only once and is left alone. About 0.35 s for a million regular lines; memory: a chunk of lines and
    the ids of all queries (`unordered`: the whole run).
    """
    if not os.path.isfile(path):
        return None
    reader = RowReader(path, format, lenient)
    with open_input(path) as stream, contextlib.suppress(BadData):
        qids = None if unordered else _whole_blocks(read_columns(stream, reader))
        if qids is not None and reader.format != "jsonl":
            return qids
    with open_input(path) as stream:
        blocks = RunStream(stream, path, format=format, lenient=lenient, unordered=unordered)
        return [candidates.ranking.qid for candidates in blocks]


def _whole_blocks(parts: Iterable[Columns]) -> list[bytes] | None:
    """The queries, when each one's lines stand together and name each document once; else None."""
    seen: dict[bytes, None] = {}
    last: bytes | None = None
    documents: set[bytes] = set()
    for part in parts:
        start = 0
        for qid, length in zip(part.qids, part.lengths.tolist(), strict=True):
            if qid != last:
                if qid in seen:
                    return None
                seen[qid] = None
                last, documents = qid, set()
            expected = len(documents) + length
            documents.update(part.docids[start : start + length].tolist())
            if len(documents) != expected:
                return None
            start += length
    return list(seen)


class _Block:
    """One query's rows while they come in."""

    def __init__(self, qid: bytes) -> None:
        self.qid = qid
        self.query: str | None = None
        self.docids: list[bytes] = []
        self.scores: list[float] = []
        self.lines: list[int] = []
        self.documents: dict[bytes, Document] = {}

    def add(self, row: Row, number: int) -> None:
        _, docid, score, query, document = row
        self.docids.append(docid)
        self.scores.append(1.0 / len(self.docids) if score is None else score)
        self.lines.append(number)
        if query is not None and self.query is None:
            self.query = query
        if document is not None:
            self.documents.setdefault(docid, document)

    def candidates(self, reader: RowReader) -> Candidates:
        try:
            ranking = Ranking.build(self.qid, self.docids, self.scores)
        except BadRow as error:
            if not reader.faults.lenient:
                raise BadData(error.message, _ONCE, where=f"{reader.faults.name}:{self.lines[error.row]}") from error
            best: dict[bytes, float] = {}
            for docid, score in zip(self.docids, self.scores, strict=True):
                best[docid] = max(score, best.get(docid, score))
            reader.faults.repairs += len(self.docids) - len(best)
            ranking = Ranking.build(self.qid, list(best), list(best.values()))
        return Candidates(ranking, self.query, self.documents or None)


def _positions(query_of: np.ndarray) -> np.ndarray:
    """The position (from 0) of each row among the rows of its query."""
    order = np.argsort(query_of, kind="stable")
    counts = np.bincount(query_of)
    positions = np.empty(len(query_of), dtype=np.int64)
    positions[order] = np.arange(len(query_of)) - np.repeat(np.cumsum(counts) - counts, counts)
    return positions


def _best_of_each(query_of: np.ndarray, docids: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """The rows that stay when each query keeps the best-scored of doubled documents, in their old order."""
    best: dict[tuple[int, bytes], int] = {}
    values = scores.tolist()
    for row, key in enumerate(zip(query_of.tolist(), docids.tolist(), strict=True)):
        kept = best.setdefault(key, row)
        if values[row] > values[kept]:
            best[key] = row
    return np.sort(np.fromiter(best.values(), dtype=np.int64, count=len(best)))
