"""Convex combination: a weighted mean of scores between each scorer's floor and the list's best.

By default under theoretical min-max (TM2C2), where a missing document counts as the floor, the worst
that its scorer can give. With weights tuned on a few judged queries it beats RRF in and out of domain.
"""

from __future__ import annotations

import numpy as np

from rerank_cli.errors import WrongUsage
from rerank_cli.fusion.pool import Pool
from rerank_cli.fusion.rule import Rule, Settings


def fuse(pool: Pool, settings: Settings) -> np.ndarray:
    """The sum over runs of w·score, with weights scaled to add up to 1."""
    if np.any(settings.weights < 0) or not np.any(settings.weights > 0):
        raise WrongUsage("cc takes weights of zero or more, not all zero", "use -m wsum for other weights")
    weights = settings.weights / settings.weights.sum()
    return pool.total([weight * votes.score for votes, weight in zip(pool.votes, weights, strict=True)])


RULE = Rule(
    name="cc",
    summary="weighted mean of scores, under --norm tmm unless another is given",
    paper="Bruch, Gai and Ingber, An Analysis of Fusion Functions for Hybrid Retrieval, TOIS 42(1), 2023",
    takes="scores",
    missing="0, which under tmm is the scorer's floor",
    use="the first choice when judgements are there to tune weights, best with known score floors",
    fuse=fuse,
    aliases=("tm2c2",),
    weighted=True,
    norm="tmm",
)
