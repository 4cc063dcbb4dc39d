"""What changed from one run to another, query by query: values, order, and which documents moved."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from rerank_cli.core.run import Ranking, Run
from rerank_cli.evaluation.measures import Evaluation
from rerank_cli.evaluation.rank_similarity import kendall_tau, overlap, rbo
from rerank_cli.evaluation.significance import differences


@dataclass(frozen=True)
class Change:
    """One query in two runs: a measure's values where it is judged, and how alike the two lists are."""

    qid: bytes
    before: float | None
    after: float | None
    #: `after - before`; rounding noise is 0.
    difference: float | None
    overlap: float
    #: None with fewer than two shared documents.
    tau: float | None
    rbo: float


@dataclass(frozen=True)
class Move:
    """One document of a query: its ranks from 1 (None where a run lacks it) and its grade (None where not judged)."""

    docid: bytes
    before: int | None
    after: int | None
    grade: int | None


def changes(
    first: Run, second: Run, evaluations: tuple[Evaluation, Evaluation] | None, k: int, p: float
) -> list[Change]:
    """Every query of either run or of the evaluations (over the same topics, one measure, of `first` and `second`).

    Order: the judged topics', then the first run's, then the second's. A query that a run lacks has an empty list.
    """
    values: dict[bytes, tuple[float, float, float]] = {}
    if evaluations is not None:
        before, after = (evaluation.values[0] for evaluation in evaluations)
        rows = zip(before.tolist(), after.tolist(), differences(after, before).tolist(), strict=True)
        values = dict(zip(evaluations[0].topics, rows, strict=True))
    found = []
    for qid in dict.fromkeys([*values, *first.qids, *second.qids]):
        old, new = (run[qid].docids.tolist() if qid in run else [] for run in (first, second))
        before_after: tuple[float | None, float | None, float | None] = values.get(qid, (None, None, None))
        found.append(Change(qid, *before_after, overlap(old, new, k), kendall_tau(old, new), rbo(old, new, p)))
    return found


def moves(first: Ranking | None, second: Ranking | None, k: int, grades: Mapping[bytes, int] | None) -> list[Move]:
    """The documents among the first `k` of either list, those first whose reciprocal rank changed most.

    Documents that stayed where they were are left out. The reciprocal rank makes 1 -> 2 a larger move than 8 -> 10.
    """
    old, new = (_ranks(ranking) for ranking in (first, second))
    top = [docid for ranks in (old, new) for docid, rank in ranks.items() if rank <= k]
    found = [
        Move(docid, old.get(docid), new.get(docid), None if grades is None else grades.get(docid))
        for docid in dict.fromkeys(top)
        if old.get(docid) != new.get(docid)
    ]
    return sorted(found, key=lambda move: -abs(_reciprocal(move.before) - _reciprocal(move.after)))


def _ranks(ranking: Ranking | None) -> dict[bytes, int]:
    return {} if ranking is None else {docid: place + 1 for place, docid in enumerate(ranking.docids.tolist())}


def _reciprocal(rank: int | None) -> float:
    return 1 / rank if rank else 0.0


def mean(values: list[float]) -> float | None:
    """The mean; None of nothing."""
    return float(np.mean(values)) if values else None
