"""Lists of sub-queries, fused into one list for the query that they were made of.

A query that was split (`rerank rewrite`) is asked as PARENT#1, PARENT#2, …; each of these lists stands for a run of its own.
Parents with as many lists are fused together, so that a rule which counts runs counts those of the parent alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from rerank_cli.core.ids import parent_of
from rerank_cli.core.run import Run
from rerank_cli.fusion.blocks import joined, of_queries
from rerank_cli.fusion.fuse import Recipe, fuse


def fused_by_parent(
    runs: Sequence[Run], separator: bytes, recipe: Recipe, tag: str, note: Callable[[str], None]
) -> Run:
    """Fuse all lists of one parent, of all runs and with equal weights; parents in the order in which they first appear.

    Raises `WrongUsage` as `fuse` does. O(N log N) in all rows.
    """
    whole = joined(runs)
    lists: dict[bytes, list[int]] = {}
    for position, qid in enumerate(whole.qids):
        lists.setdefault(parent_of(qid, separator), []).append(position)
    said: dict[str, None] = {}
    parts = []
    for count in sorted({len(own) for own in lists.values()}):
        alike = {parent: own for parent, own in lists.items() if len(own) == count}
        places = np.array(list(alike.values()), dtype=np.int64)
        each = [replace(of_queries(whole, places[:, nth]), qids=tuple(alike)) for nth in range(count)]
        names = [f"list {nth + 1} of a parent" for nth in range(count)]
        parts.append(fuse(each, names, recipe, tag, lambda text: said.setdefault(text)))
    for text in said:
        note(text)
    fused = joined(parts) if parts else whole
    place = {qid: position for position, qid in enumerate(fused.qids)}
    return of_queries(fused, np.array([place[parent] for parent in lists if parent in place], dtype=np.int64))
