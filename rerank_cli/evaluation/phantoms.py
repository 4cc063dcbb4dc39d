"""Phantom hits: what a reranker puts on the first page although nothing speaks for it.

Reranking deeper, models begin to like documents that have nothing to do with the query (Jacob et al., Drowning in
Documents, 2024). As counted here: a document among the first ten that is not judged relevant, stood below the first
ten of the run that was reranked, and shares no word with the query. A lexical first stage finds no such documents,
so the count is of use where vectors found the candidates.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from rerank_cli.core.run import Run
from rerank_cli.evaluation.measures import Evaluation

#: How many documents the first page has.
PAGE = 10
#: The measure that counts them.
COUNT = f"Phantoms@{PAGE}"


def lifted(base: Run, reranked: Run, grades: Mapping[bytes, Mapping[bytes, int]], rel: int) -> dict[bytes, list[bytes]]:
    """Of each judged query of `reranked` the documents of its first page that are not on that of `base` and not relevant."""
    found = {}
    for ranking in reranked:
        if ranking.qid in grades:
            before = set(base[ranking.qid].docids[:PAGE].tolist()) if ranking.qid in base else set()
            page, own = ranking.docids[:PAGE].tolist(), grades[ranking.qid]
            found[ranking.qid] = [docid for docid in page if docid not in before and own.get(docid, 0) < rel]
    return found


def counted(evaluation: Evaluation, phantoms: Mapping[bytes, int]) -> Evaluation:
    """The evaluation with the number of phantom hits of each query as the measure `COUNT`."""
    values = np.array([phantoms.get(qid, 0) for qid in evaluation.topics], dtype=np.float64)
    return replace(
        evaluation,
        measures=(*evaluation.measures, COUNT),
        values=np.vstack([evaluation.values, values]),
        overall=np.append(evaluation.overall, values.sum()),
        counts=evaluation.counts | {COUNT},
    )
