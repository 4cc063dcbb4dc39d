"""Inverse square rank with agreement damped by a logarithm: ln(h + plus), h runs holding the document.

With plus 0, as the formula is sometimes written, every document of a single run gets ln 1 = 0 whatever
its rank, and they all tie; the default is 1.
"""

from __future__ import annotations

import numpy as np

from rerank_cli.fusion.pool import Pool
from rerank_cli.fusion.rule import Param, Rule, Settings


def fuse(pool: Pool, settings: Settings) -> np.ndarray:
    """The sum over runs of 1/rank², times ln(h + plus), h the number of runs that hold the document."""
    return pool.total([1.0 / votes.rank**2 for votes in pool.votes]) * np.log(pool.holders + settings.number("plus"))


RULE = Rule(
    name="log_isr",
    summary="sum of 1/rank² × ln(h + plus), h the number of runs that hold the document",
    paper="Mourão, Martins and Magalhães, Multimodal Medical Information Retrieval with Unsupervised Rank Fusion, Computerized Medical Imaging and Graphics 39, 2015",
    takes="ranks",
    missing="0",
    use="as isr, with agreement counting less",
    fuse=fuse,
    params=(Param("plus", 1.0, "added to the number of runs before the logarithm", low=0),),
)
