"""ERR and nDCG with exponential gains, as gdeval.pl defines them, without Perl.

gain(g) = 2^g - 1. nDCG discounts it by log2(rank + 1) and divides by the best order of the judged
documents. ERR (Chapelle, Metzler, Zhang and Grinspan, Expected Reciprocal Rank for Graded Relevance,
CIKM 2009) is the mean of 1/rank at which a reader stops who is satisfied by grade g with probability
gain(g)/2^4. gdeval rounds to five places and wants numeric query ids; these do neither.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from rerank_cli.core.ids import shown
from rerank_cli.core.run import Ranking
from rerank_cli.errors import BadData

#: The best grade, which satisfies a reader with probability 15/16; fixed in gdeval.
BEST_GRADE = 4


def covers(measure: Any) -> bool:
    """Whether this file computes the measure."""
    return measure.NAME == "ERR" or (measure.NAME == "nDCG" and measure["dcg"] == "exp-log2")


def value(measure: Any, ranking: Ranking, grades: Mapping[bytes, int]) -> float:
    """One query's value; raises `BadData` when a grade is above what ERR is defined for. O(list + judgements)."""
    cutoff = measure.params.get("cutoff")
    found = [grades.get(docid) for docid in ranking.docids.tolist()]
    if measure.NAME == "ERR":
        return _err(_array(found[:cutoff]), ranking.qid)
    if measure["judged_only"]:
        found = [grade for grade in found if grade is not None]
    own = measure.params.get("gains", {})
    gains = np.exp2(_array([own.get(grade, grade) for grade in found[:cutoff]])) - 1
    ideal = np.sort(np.exp2(_array([own.get(grade, grade) for grade in grades.values()])) - 1)[::-1][:cutoff]
    best = _discounted(ideal)
    return _discounted(gains) / best if best > 0 else 0.0


def _array(grades: list[Any]) -> np.ndarray:
    """Grades as floats; unjudged and negative ones count 0."""
    return np.maximum(np.array([grade or 0 for grade in grades], dtype=np.float64), 0)


def _discounted(gains: np.ndarray) -> float:
    return float(np.sum(gains / np.log2(np.arange(2, len(gains) + 2))))


def _err(grades: np.ndarray, qid: bytes) -> float:
    if len(grades) and grades.max() > BEST_GRADE:
        raise BadData(
            f"ERR is defined for grades up to {BEST_GRADE}, but query {shown(qid)} has a document of grade {grades.max():g}",
            "use nDCG, or map the grades to 0-4",
        )
    satisfied = (np.exp2(grades) - 1) / 2**BEST_GRADE
    reached = np.concatenate([[1.0], np.cumprod(1 - satisfied)])[: len(grades)]
    return float(np.sum(satisfied * reached / np.arange(1, len(grades) + 1)))
