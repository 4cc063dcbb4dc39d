"""Inverse square rank times ln(h + sigma), h being the number of runs that hold the document.

A small sigma keeps the documents of a single run in their order, well below those of two.
"""

from __future__ import annotations

import numpy as np

from rerank_cli.fusion.pool import Pool
from rerank_cli.fusion.rule import Param, Rule, Settings

#: What tuning tries for sigma.
GRID = (0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 1.0)


def fuse(pool: Pool, settings: Settings) -> np.ndarray:
    """The sum over runs of 1/rank², times ln(h + sigma), h the number of runs that hold the document."""
    return pool.total([1.0 / votes.rank**2 for votes in pool.votes]) * np.log(pool.holders + settings.number("sigma"))


RULE = Rule(
    name="logn_isr",
    summary="sum of 1/rank² × ln(h + sigma), h the number of runs that hold the document",
    paper="Mourão, Martins and Magalhães, Multimodal Medical Information Retrieval with Unsupervised Rank Fusion, Computerized Medical Imaging and Graphics 39, 2015",
    takes="ranks",
    missing="0",
    use="as isr, with the documents of single runs kept well below",
    fuse=fuse,
    params=(Param("sigma", 0.01, "added to the number of runs before the logarithm", low=0, high=1, grid=GRID),),
)
