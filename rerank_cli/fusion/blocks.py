"""Fusing block by block: some queries of all runs at a time, on every core.

No rule looks from one query to another, so a few hundred lists can be fused by themselves. Their arrays stay
in a processor's cache, and the memory that fusion takes beside runs and result no longer grows with them.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Lock

import numpy as np

from rerank_cli.core.ids import joined_ids
from rerank_cli.core.run import Run, blocks_of_lists

#: Rows of all runs that are fused at a time, and up to which a fusion is one block.
BLOCK_ROWS = 1 << 17


def in_blocks(
    fuse: Callable[[Sequence[Run], Callable[[str], None]], Run],
    runs: Sequence[Run],
    note: Callable[[str], None],
    rows: int = BLOCK_ROWS,
) -> Iterator[Run]:
    """What `fuse(runs, note)` gives for blocks of queries, each as soon as it and all before it are fused.

    Queries keep their order: the first run's, then new ones. What several blocks have to say is said once.
    """
    if sum(len(run.docids) for run in runs) <= rows:
        yield fuse(runs, note)
        return
    qids = tuple(dict.fromkeys(qid for run in runs for qid in run.qids))
    positions = [_positions(run, qids) for run in runs]
    lengths = sum(np.where(own < 0, 0, np.diff(run.offsets)[own]) for run, own in zip(runs, positions, strict=True))
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    said: set[str] = set()
    lock = Lock()

    def say_once(text: str) -> None:
        with lock:
            if text not in said:
                said.add(text)
                note(text)

    def fused(block: slice) -> Run:
        first, last = np.searchsorted(offsets, [block.start, block.stop])
        parts = [of_queries(run, own[first:last]) for run, own in zip(runs, positions, strict=True)]
        return fuse(parts, say_once)

    with ThreadPoolExecutor(min(os.cpu_count() or 1, 4)) as pool:
        yield from pool.map(fused, blocks_of_lists(offsets, rows))


def _positions(run: Run, qids: Sequence[bytes]) -> np.ndarray:
    """Where each of `qids` stands in the run, -1 for one it lacks."""
    position = {qid: number for number, qid in enumerate(run.qids)}
    return np.array([position.get(qid, -1) for qid in qids], dtype=np.int64)


def of_queries(run: Run, positions: np.ndarray) -> Run:
    """The lists of a run at these positions, in their order; -1 is passed over. A view where they stand together."""
    own = positions[positions >= 0]
    qids = tuple(run.qids[position] for position in own.tolist())
    lengths = np.diff(run.offsets)[own]
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    if len(own) and np.all(np.diff(own) == 1):
        rows: slice | np.ndarray = slice(run.offsets[own[0]], run.offsets[own[-1] + 1])
    else:
        rows = np.arange(offsets[-1]) + np.repeat(run.offsets[own] - offsets[:-1], lengths)
    return replace(run, qids=qids, offsets=offsets, docids=run.docids[rows], scores=run.scores[rows])


def joined(parts: Sequence[Run]) -> Run:
    """Blocks of queries as one run, tagged as the first."""
    qids = tuple(qid for part in parts for qid in part.qids)
    lengths = np.concatenate([np.diff(part.offsets) for part in parts])
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    scores = np.concatenate([part.scores for part in parts])
    return Run(qids, offsets, joined_ids([part.docids for part in parts]), scores, parts[0].tag)
