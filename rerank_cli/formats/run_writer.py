"""Writing runs: ranks from 1, scores that every reader orders the same way.

Scores are written as the shortest decimal that reads back to the same float, and strictly
decreasing as 32-bit floats (`core.steps`): trec_eval before 10 compares in single precision, and
evaluators break ties each in its own way.
"""

from __future__ import annotations

import json
import os
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import chain
from typing import Any, BinaryIO

import numpy as np

from rerank_cli.core.ids import shown
from rerank_cli.core.run import Ranking, Run, blocks_of_lists
from rerank_cli.core.steps import separate
from rerank_cli.core.texts import Document
from rerank_cli.errors import BadData, WrongUsage
from rerank_cli.formats.run_lines import trec_lines

#: Rows whose lines are made at a time.
BLOCK_ROWS = 1 << 17
#: Fewer rows are written before polars is loaded.
POLARS_FROM = 1 << 17

OUTPUT_FORMATS = ("trec", "msmarco", "jsonl")


class RunWriter:
    """Writes rankings to a stream, each handed on at once; `steps` counts the scores that were moved to untie them."""

    def __init__(self, stream: BinaryIO, tag: str, format: str = "trec") -> None:
        _check(tag, format)
        self.steps = 0
        self._stream, self._tag, self._format = stream, tag, format

    def header(self, facts: Mapping[str, Any]) -> None:
        """Write provenance as one `# rerank: {json}` line; before the first ranking."""
        self._stream.write(comment(facts))

    def copy(self, lines: bytes) -> None:
        """Write lines that are a run's already, as they are."""
        self._stream.write(lines)

    def write(
        self, ranking: Ranking, query: str | None = None, documents: Mapping[bytes, Document] | None = None
    ) -> None:
        """Write one query's list and flush; texts go out only as jsonl. Raises `BadData` on an id the format cannot hold."""
        scores, moved = _separated(ranking)
        self._stream.write(_lines(ranking, scores, self._tag, self._format, query, documents))
        self._stream.flush()
        self.steps += moved

    def write_runs(self, runs: Iterable[Run], rows: int) -> None:
        """Write all lists of runs, of about `rows` documents, many at a time on every core where the format allows.

        As `write` would; raises as it does.
        """
        if self._format != "trec":
            for ranking in chain.from_iterable(runs):
                self.write(ranking)
            return
        workers = os.cpu_count() or 1
        many = rows >= POLARS_FROM
        with ThreadPoolExecutor(workers) as pool:
            waiting: deque[Future[tuple[bytes, int]]] = deque()
            for run in runs:
                for block in blocks_of_lists(run.offsets, BLOCK_ROWS):
                    waiting.append(pool.submit(_block_lines, _lists(run, block), self._tag, many))
                    if len(waiting) > workers:
                        self._write_block(*waiting.popleft().result())
            for future in waiting:
                self._write_block(*future.result())
        self._stream.flush()

    def _write_block(self, text: bytes, moved: int) -> None:
        self._stream.write(text)
        self.steps += moved


def _lists(run: Run, rows: slice) -> Run:
    """The lists that these rows are."""
    first, last = np.searchsorted(run.offsets, [rows.start, rows.stop])
    offsets = run.offsets[first : last + 1] - rows.start
    return Run(run.qids[first:last], offsets, run.docids[rows], run.scores[rows])


def _block_lines(run: Run, tag: str, many: bool) -> tuple[bytes, int]:
    """The lines of a block of lists, and how many scores were moved."""
    with np.errstate(over="ignore"):
        scores, moved = separate(run.scores, run.offsets)
        certain = np.isfinite(scores.astype(np.float32)).all()
    lines = trec_lines(run, scores, tag.encode("utf-8", "surrogateescape"), many=many) if certain else None
    if lines is None:
        separated = [_separated(ranking) for ranking in run]
        moved = sum(steps for _, steps in separated)
        lists = zip(run, separated, strict=True)
        lines = b"".join([_lines(ranking, own, tag, "trec", None, None) for ranking, (own, _) in lists])
    return lines, moved


def comment(facts: Mapping[str, Any]) -> bytes:
    """A comment line `# rerank: {json}`, in ASCII."""
    return b"# rerank: " + json.dumps(facts, separators=(", ", ": ")).encode("ascii") + b"\n"


def _lines(
    ranking: Ranking,
    scores: np.ndarray,
    tag: str,
    format: str,
    query: str | None,
    documents: Mapping[bytes, Document] | None,
) -> bytes:
    docids: list[bytes] = ranking.docids.tolist()
    if not docids:
        return b""
    if format == "jsonl":
        return _json_line(ranking.qid, docids, scores.tolist(), tag, query, documents)
    _refuse_unwritable(ranking.qid, docids)
    qid = ranking.qid
    if format == "msmarco":
        return b"".join([b"%b\t%b\t%d\n" % (qid, docid, rank) for rank, docid in enumerate(docids, 1)])
    front, back = qid + b" Q0 ", b" " + tag.encode("utf-8", "surrogateescape") + b"\n"
    texts = map(repr, scores.tolist())
    return b"".join(
        [
            b"%b%b %d %b%b" % (front, docid, rank, text.encode(), back)
            for rank, (docid, text) in enumerate(zip(docids, texts), 1)
        ]
    )


def _json_line(
    qid: bytes,
    docids: Sequence[bytes],
    scores: Sequence[float],
    tag: str,
    query: str | None,
    documents: Mapping[bytes, Document] | None,
) -> bytes:
    candidates: list[dict[str, Any]] = []
    for docid, score in zip(docids, scores, strict=True):
        candidate: dict[str, Any] = {"docid": _text(docid), "score": score}
        document = documents.get(docid) if documents else None
        if document is not None:
            candidate["doc"] = {"title": document.title, "text": document.text}
        candidates.append(candidate)
    asked = {"qid": _text(qid)} if query is None else {"qid": _text(qid), "text": query}
    record = {"query": asked, "candidates": candidates, "tag": tag}
    # ASCII with escapes: an id that is not UTF-8 becomes a lone surrogate, which reads back to its bytes.
    return json.dumps(record).encode("ascii") + b"\n"


def _text(identifier: bytes) -> str:
    return identifier.decode("utf-8", "surrogateescape")


def _separated(ranking: Ranking) -> tuple[np.ndarray, int]:
    with np.errstate(over="ignore"):
        scores, moved = separate(ranking.scores)
    if not np.isfinite(scores).all():
        raise BadData(
            f"scores of query {shown(ranking.qid)} are beyond what a 32-bit float can tell apart",
            "scale them into the range of a 32-bit float (3.4e38)",
        )
    return scores, moved


def _refuse_unwritable(qid: bytes, docids: Sequence[bytes]) -> None:
    """Ids that a line of fields cannot hold would read back as something else."""
    if b"\n".join(docids).split() == docids and qid.split() == [qid]:
        if not qid.startswith(b"#"):
            return
        raise BadData(f"query {shown(qid)} would be read as a comment", "ids of queries may not begin with '#' here")
    for identifier in (qid, *docids):
        if identifier.split() != [identifier]:
            raise BadData(
                f"the id {shown(identifier)!r} is empty or holds a blank, which a line of fields cannot",
                "use other ids, or --output-format jsonl",
            )
    raise AssertionError("an id with a blank was counted but not found")


def _check(tag: str, format: str) -> None:
    if format not in OUTPUT_FORMATS:
        raise WrongUsage(f"there is no output format {format!r}", f"the formats are {', '.join(OUTPUT_FORMATS)}")
    encoded = tag.encode("utf-8", "surrogateescape")
    if encoded.split() != [encoded]:
        raise WrongUsage(f"the tag {tag!r} is empty or holds a blank", "a tag is one word")
