"""How deep should one rerank? Effectiveness by depth, from one deep reranking of the same candidates.

Reranking deeper finds relevant documents that the first stage buried, and after a while irrelevant ones that the
model likes more: curves rise, then fall, and may fall below the first stage itself (Jacob et al., Drowning in
Documents, 2024). A pointwise model's score of a document does not depend on the depth, so that one reranking at the
largest depth holds the whole curve: at depth K the base run's first K documents stand in the reranked order, all
others follow in the base run's. For listwise and pairwise methods it is an approximation, since they see other lists.
"""

from __future__ import annotations

import numpy as np

from rerank_cli.core.ids import shown
from rerank_cli.core.run import Ranking, Run
from rerank_cli.errors import BadData, WrongUsage


def parse_depths(text: str) -> list[int]:
    """`10,20,50` as rising numbers; raises `WrongUsage` for what is no list of depths."""
    try:
        depths = [int(part) for part in text.split(",")]
    except ValueError:
        depths = []
    if not depths or min(depths) < 1 or len(set(depths)) < len(depths):
        raise WrongUsage(f"{text!r} is no list of depths", "such as 10,20,50,100")
    return sorted(depths)


def at_depth(base: Run, reranked: Run, depth: int, where: str) -> Run:
    """The base run with its first `depth` documents of each query in the order of `reranked`; O(rows).

    Queries that `reranked` lacks keep the base run's order. Raises `BadData`, with `where` in front, when `reranked`
    lacks one of the documents: it was reranked less deep, or from other candidates.
    """
    return Run.of((_recomposed(ranking, reranked, depth, where) for ranking in base), reranked.tag)


def _recomposed(ranking: Ranking, reranked: Run, depth: int, where: str) -> Ranking:
    size = len(ranking)
    order = list(range(size))
    if ranking.qid in reranked:
        place = {docid: position for position, docid in enumerate(reranked[ranking.qid].docids.tolist())}
        first = ranking.docids[:depth].tolist()
        for docid in first:
            if docid not in place:
                raise BadData(
                    f"document {shown(docid)} of query {shown(ranking.qid)} is not in it, but is among the first {depth} of the base run",
                    "the run must rerank the base run, and as deep as the deepest K",
                    where=where,
                )
        order[: len(first)] = sorted(range(len(first)), key=lambda position: place[first[position]])
    return ranking.reordered(order, np.arange(size, 0, -1, dtype=np.float64))
