"""The common measures over all topics at once, from where the judged documents stand (`judged.py`).

The definitions are trec_eval's, whose values pytrec_eval and ir-measures give too; tests compare the three.
Sums run in the order of the ranks, so that even their rounding is the same.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from rerank_cli.evaluation.judged import Found, Judgements, place_in_stretch


def covers(measure: Any) -> bool:
    """Whether this file computes the measure with these parameters."""
    params = measure.params
    if measure.NAME not in _MEASURES or params.get("judged_only") or params.get("rel", 1) < 1:
        return False
    return measure.NAME != "nDCG" or (measure["dcg"] == "log2" and "gains" not in params)


def values(measure: Any, judgements: Judgements, found: Found) -> np.ndarray:
    """One value for each topic, (T,) float64; 0 where there is nothing to divide by. O(judged documents)."""
    return np.asarray(_MEASURES[measure.NAME](measure, judgements, found), dtype=np.float64)


def _ratio(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    """above / below, 0 where below is 0."""
    return np.divide(above, below, out=np.zeros(len(below)), where=below != 0)


def _relevant(measure: Any, found: Found) -> tuple[np.ndarray, np.ndarray]:
    """Topic and rank of the relevant documents, down to the cutoff if the measure has one."""
    keep = found.grade >= measure["rel"]
    cutoff = measure.params.get("cutoff")
    if cutoff is not None:
        keep &= found.rank <= cutoff
    return found.topic[keep], found.rank[keep]


def _count(measure: Any, judgements: Judgements, found: Found) -> np.ndarray:
    return judgements.count(_relevant(measure, found)[0])


def _precision(measure: Any, judgements: Judgements, found: Found) -> np.ndarray:
    return _count(measure, judgements, found) / measure["cutoff"]


def _recall(measure: Any, judgements: Judgements, found: Found) -> np.ndarray:
    return _ratio(_count(measure, judgements, found), judgements.relevant(measure["rel"]))


def _success(measure: Any, judgements: Judgements, found: Found) -> np.ndarray:
    return _count(measure, judgements, found) > 0


def _average_precision(measure: Any, judgements: Judgements, found: Found) -> np.ndarray:
    topic, rank = _relevant(measure, found)
    total = judgements.count(topic, place_in_stretch(topic) / rank)
    return _ratio(total, judgements.relevant(measure["rel"]))


def _reciprocal_rank(measure: Any, judgements: Judgements, found: Found) -> np.ndarray:
    topic, rank = _relevant(measure, found)
    first = place_in_stretch(topic) == 1
    return judgements.count(topic[first], 1 / rank[first])


def _ndcg(measure: Any, judgements: Judgements, found: Found) -> np.ndarray:
    cutoff = measure.params.get("cutoff", np.inf)

    def gained(topic: np.ndarray, rank: np.ndarray, grade: np.ndarray) -> np.ndarray:
        keep = (grade > 0) & (rank <= cutoff)
        return judgements.count(topic[keep], grade[keep] / np.log2(rank[keep] + 1))

    return _ratio(gained(found.topic, found.rank, found.grade), gained(*judgements.by_gain))


def _r_precision(measure: Any, judgements: Judgements, found: Found) -> np.ndarray:
    relevant = judgements.relevant(measure["rel"])
    topic, rank = _relevant(measure, found)
    return _ratio(judgements.count(topic[rank <= relevant[topic]]), relevant)


def _bpref(measure: Any, judgements: Judgements, found: Found) -> np.ndarray:
    # A negative grade is a document of the pool that nobody judged.
    judged = found.grade >= 0
    topic, is_relevant = found.topic[judged], found.grade[judged] >= measure["rel"]
    behind = place_in_stretch(topic)[is_relevant] - place_in_stretch(topic[is_relevant])
    topic = topic[is_relevant]
    relevant = judgements.relevant(measure["rel"])
    other = judgements.relevant(0) - relevant
    kept = 1 - _ratio(np.minimum(behind, relevant[topic]), np.minimum(other, relevant)[topic])
    return _ratio(judgements.count(topic, kept), relevant)


def _interpolated(measure: Any, judgements: Judgements, found: Found) -> np.ndarray:
    # trec_eval 10 rounds the number of documents that a level of recall stands for; see interpolated.py.
    topic, rank = _relevant(measure, found)
    wanted = np.floor(measure["recall"] * judgements.relevant(measure["rel"]) + 0.5)
    place = place_in_stretch(topic)
    reached = place >= wanted[topic]
    best = np.zeros(len(judgements.topics))
    np.maximum.at(best, topic[reached], place[reached] / rank[reached])
    return best


def _judged(measure: Any, judgements: Judgements, found: Found) -> np.ndarray:
    cutoff = measure.params.get("cutoff", np.inf)
    return _ratio(judgements.count(found.topic[found.rank <= cutoff]), np.minimum(found.length, cutoff))


def _retrieved(measure: Any, judgements: Judgements, found: Found) -> np.ndarray:
    return _count(measure, judgements, found) if "rel" in measure.params else found.length


def _set_precision(measure: Any, judgements: Judgements, found: Found) -> np.ndarray:
    below = found.length
    if measure.params.get("relative"):
        below = np.minimum(below, judgements.relevant(measure["rel"]))
    return _ratio(_count(measure, judgements, found), below)


def _set_f(measure: Any, judgements: Judgements, found: Found) -> np.ndarray:
    beta, both = measure["beta"], _count(measure, judgements, found)
    precision, recall = _ratio(both, found.length), _ratio(both, judgements.relevant(measure["rel"]))
    return _ratio((beta + 1) * precision * recall, beta * precision + recall)


def _set_ap(measure: Any, judgements: Judgements, found: Found) -> np.ndarray:
    both = _count(measure, judgements, found)
    return _ratio(both * both, found.length * judgements.relevant(measure["rel"]))


_MEASURES: dict[str, Callable[[Any, Judgements, Found], np.ndarray]] = {
    "P": _precision,
    "R": _recall,
    "Success": _success,
    "AP": _average_precision,
    "RR": _reciprocal_rank,
    "nDCG": _ndcg,
    "Rprec": _r_precision,
    "Bpref": _bpref,
    "IPrec": _interpolated,
    "Judged": _judged,
    "NumQ": lambda measure, judgements, found: np.ones(len(judgements.topics)),
    "NumRel": lambda measure, judgements, found: judgements.relevant(measure["rel"]),
    "NumRet": _retrieved,
    "SetP": _set_precision,
    "SetR": _recall,
    "SetF": _set_f,
    "SetAP": _set_ap,
}
