"""Normalisations: making the scores of one list comparable with those of another.

All work on one list (query, run) at a time, on scores in which neighbours one float32 step apart count
as the tie they were (`core.steps`). A list whose scores are all equal says only "these are my hits",
so its documents get the best value where a best value exists, not that of a miss.

Not here, because it changes no order: the (s - (min + max)/2)/(max - min) of Pyserini's hybrid search, where a
miss counts as the list's last, is `min-max` with the same number taken off every document.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from rerank_cli.core.ids import shown
from rerank_cli.core.steps import joined
from rerank_cli.errors import WrongUsage
from rerank_cli.fusion.pool import Pool, Votes


@dataclass(frozen=True)
class Norm:
    """A normalisation: its name, what it gives, and the function over a whole pool (`floors (m,)` is for tmm)."""

    name: str
    summary: str
    apply: Callable[[Pool, np.ndarray], Pool]
    #: For distances: the lists are turned round, scores negated, before they are cut and normalised.
    low_is_best: bool = False


def _each(one: Callable[[Lists], np.ndarray]) -> Callable[[Pool, np.ndarray], Pool]:
    """A normalisation that sees one run's lists at a time."""

    def apply(pool: Pool, floors: np.ndarray) -> Pool:
        return replace(pool, votes=tuple(votes.scored(one(Lists(votes))) for votes in pool.votes))

    return apply


class Lists:
    """One run's `votes`, and per-list figures of them, spread over their rows (n,): `scores` joined, best, worst."""

    def __init__(self, votes: Votes) -> None:
        self.votes = votes
        self.scores = joined(votes.score, votes.offsets)
        self.best = self.spread(self.scores[votes.offsets[:-1]])
        self.worst = self.spread(self.scores[votes.offsets[1:] - 1])
        self.flat = self.best == self.worst

    def spread(self, values: np.ndarray) -> np.ndarray:
        """One value a list (L,) -> one a row (n,)."""
        return np.repeat(values, np.diff(self.votes.offsets))

    def sums(self, values: np.ndarray) -> np.ndarray:
        """The sum over its list, for every row (n,)."""
        if not len(values):
            return values.copy()
        return self.spread(np.add.reduceat(values, self.votes.offsets[:-1]))


def _divided(above: np.ndarray, below: np.ndarray, otherwise: np.ndarray | float) -> np.ndarray:
    """above / below, and `otherwise` where below is 0."""
    out = np.broadcast_to(np.asarray(otherwise, dtype=np.float64), above.shape).copy()
    return np.divide(above, below, out=out, where=below != 0)


def _min_max(lists: Lists) -> np.ndarray:
    return _divided(lists.scores - lists.worst, lists.best - lists.worst, 1.0)


def _max(lists: Lists) -> np.ndarray:
    below = np.flatnonzero(lists.best < 0)
    if len(below):
        raise WrongUsage(
            f"--norm max divides by the best score, but {lists.votes.name} has a list whose best is {lists.best[below[0]]:g}",
            "use --norm min-max, which works on scores of any sign",
        )
    return _divided(lists.scores, lists.best, 0.0)


def _sum(lists: Lists) -> np.ndarray:
    above = lists.scores - lists.worst
    return _divided(above, lists.sums(above), 1.0 / lists.votes.size)


def _z_score(lists: Lists) -> np.ndarray:
    off_mean = np.where(lists.flat, 0.0, lists.scores - lists.sums(lists.scores) / lists.votes.size)
    return _divided(off_mean, np.sqrt(lists.sums(off_mean**2) / lists.votes.size), 0.0)


def _dbsf(lists: Lists) -> np.ndarray:
    """Deviations of a sample, and nothing cut off beyond three of them: as Qdrant has it."""
    off_mean = np.where(lists.flat, 0.0, lists.scores - lists.sums(lists.scores) / lists.votes.size)
    deviation = np.sqrt(lists.sums(off_mean**2) / np.maximum(lists.votes.size - 1, 1))
    return 0.5 + _divided(off_mean, 6 * deviation, 0.0)


def _l2(lists: Lists) -> np.ndarray:
    return _divided(lists.scores, np.sqrt(lists.sums(lists.scores**2)), 0.0)


def _sigmoid(lists: Lists) -> np.ndarray:
    # tanh neither overflows nor loses what lies near 0.
    return 0.5 + 0.5 * np.tanh(lists.scores / 2)


def _rank(lists: Lists) -> np.ndarray:
    return 1.0 - (lists.votes.rank - 1) / lists.votes.size


def _borda(pool: Pool, floors: np.ndarray) -> Pool:
    """1 - (rank - 1)/|U|; the documents a run lacks share what is left, so every run then holds every document."""
    completed = []
    for votes in pool.votes:
        size = np.zeros(len(pool.qids), dtype=np.int64)
        size[votes.query[votes.offsets[:-1]]] = np.diff(votes.offsets)
        scores = 0.5 - (size[pool.query] - 1) / (2 * pool.size[pool.query])
        scores[votes.document] = 1.0 - (votes.rank - 1) / pool.size[votes.query]
        completed.append(_complete(pool, votes, scores))
    return replace(pool, votes=tuple(completed))


def _complete(pool: Pool, votes: Votes, scores: np.ndarray) -> Votes:
    order = np.lexsort((-scores, pool.query))
    offsets = np.concatenate([[0], np.cumsum(pool.size)]).astype(np.int64)
    rank = np.arange(1, len(order) + 1) - np.repeat(offsets[:-1], pool.size)
    size = np.repeat(pool.size, pool.size)
    return Votes(votes.name, order, pool.query[order], rank, scores[order], size, offsets)


def _tmm(pool: Pool, floors: np.ndarray) -> Pool:
    out = []
    for votes, floor in zip(pool.votes, floors.tolist(), strict=True):
        lists = Lists(votes)
        worst, row = votes.lowest()
        if worst < floor:
            raise WrongUsage(
                f"--norm tmm takes {floor:g} for the lowest possible score, but {votes.name} has {worst:g} "
                f"for query {shown(pool.qids[votes.query[row]])}",
                "say what each run's scorer cannot go below with --floor F1,F2… (0 for BM25, -1 for a cosine), or use --norm min-max",
            )
        out.append(votes.scored(_divided(lists.scores - floor, lists.best - floor, 0.0)))
    return replace(pool, votes=tuple(out))


NORMS: dict[str, Norm] = {
    norm.name: norm
    for norm in (
        Norm("none", "the scores as they are", lambda pool, floors: pool),
        Norm("min-max", "(s - min)/(max - min): best 1, last 0; 1 when all are equal", _each(_min_max)),
        Norm("min-max-inverted", "(max - s)/(max - min), for distances: nearest 1, last 0", _each(_min_max), True),
        Norm("max", "s/max: best 1", _each(_max)),
        Norm("sum", "(s - min), divided by its sum: a list adds up to 1", _each(_sum)),
        Norm(
            "z-score", "(s - mean)/deviation: mean 0, so a missing document counts as an average one", _each(_z_score)
        ),
        Norm("dbsf", "1/2 + (s - mean)/(6 deviations): mean 1/2, most between 0 and 1", _each(_dbsf)),
        Norm("l2", "s/√(sum of s²): a list's length is 1", _each(_l2)),
        Norm("sigmoid", "1/(1 + exp(-s)), for logits: between 0 and 1 whatever else is in the list", _each(_sigmoid)),
        Norm("rank", "1 - (rank - 1)/n: even steps from 1 down", _each(_rank)),
        Norm("borda", "1 - (rank - 1)/|U| over the union U; documents a run lacks share what is left", _borda),
        Norm("tmm", "(s - floor)/(max - floor), floor being the lowest score possible (--floor)", _tmm),
    )
}
