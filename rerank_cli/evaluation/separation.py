"""Is the model right where words mislead? Queries parted by how well their words tell the relevant documents apart.

Rerankers that were trained on lexical matches look good where matching words would have done, and fail where it
misleads. The separation score of a query is the highest BM25 score of a relevant candidate minus the highest of
another one, BM25 being computed over that query's candidates alone (Hagström et
al., Language Model Re-rankers are Fooled by Lexical Similarities, 2025). Below -0.5 the words mislead.
The paper stems and stops with other lists than ours (Lucene's English analysis), so that single scores may differ.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from rerank_cli.evaluation.measures import Evaluation

#: Separation below which words mislead, as in the paper.
MISLEADING = -0.5
#: The measure that counts the queries of a part.
COUNT = "NumQ"


def bm25(query: Sequence[str], documents: Sequence[Sequence[str]], k1: float = 1.5, b: float = 0.75) -> np.ndarray:
    """BM25 (Lucene's formula, exact lengths) of each of `documents`, terms each, over these documents alone: (n,) float64.

    A term twice in the query counts twice. O(terms in all).
    """
    counts = [Counter(document) for document in documents]
    lengths = np.array([len(document) for document in documents], dtype=np.float64)
    norm = k1 * (1 - b + b * lengths / (lengths.mean() or 1.0)) if len(documents) else lengths
    scores = np.zeros(len(documents))
    for term, times in Counter(query).items():
        tf = np.array([count[term] for count in counts], dtype=np.float64)
        df = np.count_nonzero(tf)
        if df:
            scores += times * math.log(1 + (len(documents) - df + 0.5) / (df + 0.5)) * tf / (tf + norm)
    return scores


def separation(scores: np.ndarray, relevant: np.ndarray) -> float | None:
    """Highest of `scores (n,)` among `relevant (n,)` booleans minus the highest of the others; None where one is empty."""
    if not relevant.any() or relevant.all():
        return None
    return float(scores[relevant].max() - scores[~relevant].max())


def part_of(evaluation: Evaluation, topics: np.ndarray, name: str) -> Evaluation:
    """The evaluation over the topics that `topics (Q,)` booleans choose (at least one), with their number as `COUNT`."""
    values = np.vstack([evaluation.values[:, topics], np.ones(int(topics.sum()))])
    measures, counts = (*evaluation.measures, COUNT), evaluation.counts | {COUNT}
    summed = np.array([measure in counts for measure in measures])
    chosen = tuple(topic for topic, here in zip(evaluation.topics, topics.tolist(), strict=True) if here)
    overall = np.where(summed, values.sum(axis=1), values.mean(axis=1))
    return replace(
        evaluation, name=name, measures=measures, topics=chosen, values=values, overall=overall, counts=counts
    )
