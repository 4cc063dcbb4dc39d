"""Interpolated precision at a level of recall, as trec_eval 10 has it.

IPrec@r is the best precision at or below the rank where the fraction r of the relevant documents is
found. How many documents that is was ⌊r·R + 0.9⌋ up to trec_eval 9, and so in pytrec_eval; trec_eval 10
rounds r·R to the nearest, which any machine computes alike and which is done here.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from rerank_cli.core.run import Ranking


def covers(measure: Any) -> bool:
    """Whether this file computes the measure."""
    return measure.NAME == "IPrec"


def value(measure: Any, ranking: Ranking, grades: Mapping[bytes, int]) -> float:
    """One query's value; 0 when the level of recall is never reached. O(list + judgements)."""
    least = measure["rel"]
    docids = ranking.docids.tolist()
    if measure["judged_only"]:
        docids = [docid for docid in docids if docid in grades]
    relevant = np.array([grades.get(docid, least - 1) >= least for docid in docids], dtype=bool)
    ranks = np.flatnonzero(relevant) + 1
    wanted = math.floor(measure["recall"] * sum(grade >= least for grade in grades.values()) + 0.5)
    if wanted > len(ranks) or not len(ranks):
        return 0.0
    precisions = np.arange(1, len(ranks) + 1) / ranks
    return float(precisions[max(wanted, 1) - 1 :].max())
