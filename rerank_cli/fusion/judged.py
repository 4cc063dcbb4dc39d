"""What a trained rule learns from: which documents of the pool are relevant, and which queries it may look at."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rerank_cli.core.ids import id_array
from rerank_cli.core.qrels import Qrels
from rerank_cli.fusion.pool import Pool, Votes


@dataclass(frozen=True, eq=False)
class Judged:
    """Judgements laid over a pool: `relevant (D,)` bool, `total (Q,)` relevant documents a query (found or not).

    `training (Q,)` bool marks the queries that may be learned from; of the others nothing is to be looked at.
    """

    relevant: np.ndarray
    total: np.ndarray
    training: np.ndarray

    def hits(self, votes: Votes) -> tuple[np.ndarray, np.ndarray]:
        """Of one run's rows those of training queries: their positions (t,), and 1.0 where relevant, else 0.0, (t,)."""
        rows = np.flatnonzero(self.training[votes.query])
        return rows, self.relevant[votes.document[rows]].astype(np.float64)

    def lists(self, votes: Votes) -> int:
        """How many training queries the run has a list for."""
        return int(np.count_nonzero(self.training[votes.query[votes.offsets[:-1]]]))


def judged_of(pool: Pool, qrels: Qrels, training: np.ndarray, rel: int = 1) -> Judged:
    """Lay judgements over a pool; documents of grade `rel` or more are relevant. O(N log N)."""
    total = np.zeros(len(pool.qids), dtype=np.int64)
    query: list[int] = []
    docids: list[bytes] = []
    for position in np.flatnonzero(training).tolist():
        good = [d for d, grade in qrels.by_query.get(pool.qids[position], {}).items() if grade >= rel]
        total[position] = len(good)
        query += [position] * len(good)
        docids += good
    relevant = pool.holds(np.array(query, dtype=np.int64), id_array(docids))
    return Judged(relevant, total, training)
