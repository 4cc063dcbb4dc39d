"""Weighted CombMNZ: the sum of scores times the summed weights of the runs that hold the document.

Agreement counts by how much the agreeing runs are trusted, not by how many they are.
"""

from __future__ import annotations

import numpy as np

from rerank_cli.fusion.pool import Pool
from rerank_cli.fusion.rule import Rule, Settings


def fuse(pool: Pool, settings: Settings) -> np.ndarray:
    """The sum over runs of scores, times the sum of the weights of the runs that hold the document."""
    trust = pool.total([np.full(len(v.score), w) for v, w in zip(pool.votes, settings.weights, strict=True)])
    return pool.total([votes.score for votes in pool.votes]) * trust


RULE = Rule(
    name="wmnz",
    summary="sum of scores × sum of the weights of the runs that hold the document",
    paper="Wu and Crestani, Data Fusion with Estimated Weights, CIKM 2002",
    takes="scores",
    missing="0",
    use="tuned weights, where agreement should count by the runs that agree",
    fuse=fuse,
    weighted=True,
    non_negative=True,
)
