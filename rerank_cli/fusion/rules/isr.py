"""Inverse square rank: the sum of 1/rank² times the number of runs that hold the document.

Steeper than RRF: the first places decide, and agreement multiplies.
"""

from __future__ import annotations

import numpy as np

from rerank_cli.fusion.pool import Pool
from rerank_cli.fusion.rule import Rule, Settings


def fuse(pool: Pool, settings: Settings) -> np.ndarray:
    """The sum over runs of 1/rank², times h, the number of runs that hold the document."""
    return pool.total([1.0 / votes.rank**2 for votes in pool.votes]) * pool.holders


RULE = Rule(
    name="isr",
    summary="sum of 1/rank² × h, the number of runs that hold the document",
    paper="Mourão, Martins and Magalhães, Multimodal Medical Information Retrieval with Unsupervised Rank Fusion, Computerized Medical Imaging and Graphics 39, 2015",
    takes="ranks",
    missing="0",
    use="short lists, where agreement on the first places should decide",
    fuse=fuse,
)
