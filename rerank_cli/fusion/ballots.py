"""Each query's runs as the lists that rank aggregation takes.

Documents come sorted by id, so that what a rule makes of them depends neither on the order of the runs nor on
where a document happens to stand in the pool. An aggregation works on one dense matrix a query: a union of n
documents takes n² numbers, so `--depth` says what it costs.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np

from rerank_cli.aggregation.pairs import wins
from rerank_cli.core.ids import shown
from rerank_cli.core.steps import joined
from rerank_cli.errors import WrongUsage
from rerank_cli.fusion.pool import Pool
from rerank_cli.fusion.rule import Param, Settings

#: Of the rules that count duels; a document that stands in one run only has otherwise met only that run's documents.
UNRANKED_LOSE = Param("unranked_lose", 0, "1: what a run holds also beats what it lacks", low=0, high=1)
#: Documents of a query that all pairs are compared of; a matrix of them takes 0.8 GB.
MOST = 10_000


def each_query(
    pool: Pool, score: Callable[[np.ndarray], np.ndarray], tied: bool = False, dense: bool = True
) -> np.ndarray:
    """Scores (D,) from `score(ranks (m, n)) -> (n,)`, asked once a query; rank 0 where a run lacks a document.

    With `tied` documents of equal score share the rank of the first of them. A `dense` rule, one that needs n²
    numbers, is `WrongUsage` for more documents than memory would hold.
    """
    largest = int(pool.size.max(initial=0))
    if dense and largest > MOST:
        raise WrongUsage(
            f"the rule compares all pairs of a query's documents, but query {shown(pool.qids[int(pool.size.argmax())])} "
            f"has {largest:,} of them",
            f"read less of each run (--depth), for {MOST:,} documents in all at most",
        )
    by_docid = np.argsort(pool.docids, kind="stable")
    order = by_docid[np.argsort(pool.query[by_docid], kind="stable")]
    ranks = np.zeros((len(pool.votes), len(pool)), dtype=np.int64)
    for row, votes in zip(ranks, pool.votes, strict=True):
        row[votes.document] = _tied(votes.score, votes.rank, votes.offsets) if tied else votes.rank
    scores = np.empty(len(pool))
    starts = np.concatenate([[0], np.cumsum(pool.size)]).tolist()
    for start, stop in itertools.pairwise(starts):
        scores[order[start:stop]] = score(ranks[:, order[start:stop]])
    return scores


def each_duel(pool: Pool, settings: Settings, score: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """Scores (D,) from `score(wins (n, n)) -> (n,)`, asked once a query; obeys the weights and `unranked_lose`."""
    lose, weights = settings.number("unranked_lose") > 0, votes_of(settings)
    return each_query(pool, lambda ranks: score(wins(ranks, weights, lose)))


def votes_of(settings: Settings) -> np.ndarray:
    """The runs' weights (m,) as numbers of votes; `WrongUsage` when one is negative or none is positive."""
    if np.any(settings.weights < 0) or not np.any(settings.weights > 0):
        raise WrongUsage("a run's weight is its number of votes: zero or more, not all zero", "for example -w 1,2")
    return settings.weights


def _tied(scores: np.ndarray, rank: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """The rank of the first row of each group of equal scores, (n,)."""
    if not len(scores):
        return rank
    values = joined(scores, offsets)
    fresh = np.concatenate([[True], values[1:] != values[:-1]])
    fresh[offsets[:-1]] = True
    return np.asarray(rank[np.maximum.accumulate(np.where(fresh, np.arange(len(rank)), 0))])
