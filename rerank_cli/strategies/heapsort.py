"""Top k by a heap whose nodes have several children: setwise and pairwise reranking's cheapest sort.

The best of a node and its children rises until every node is better than all below it; then the root is taken off k
times. Nodes at one depth have nothing in common, so the heap is built a depth at a time, all its nodes side by side:
what costs about n/(fanout − 1) questions takes few rounds.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence

import numpy as np

from rerank_cli.strategies.choosing import choose, questions_of
from rerank_cli.strategies.strategy import Asking, Ranked, Round, Settings, Strategy, with_rest

#: Children of a node, where a slate tells the best and where duels do.
SLATE, DUELS = 3, 2


def run(n: int, settings: Settings, rng: np.random.Generator) -> Asking:
    """Build the heap from the bottom, take off the best `top`; all others keep their order."""
    heap, taken, fanout = list(range(n)), list[int](), _fanout(settings)
    for depth in reversed(_depths(n, fanout)):
        yield from _sift_down(heap, depth, with_rest([], n), settings)
    for _ in range(min(settings.top, n)):
        if taken:
            heap[0] = heap[-1]
            heap.pop()
            yield from _sift_down(heap, [0], with_rest(taken, n), settings)
        taken.append(heap[0])
    return Ranked(with_rest(taken, n))


def _sift_down(
    heap: list[int], nodes: Sequence[int], best: list[int], settings: Settings
) -> Generator[Round, list[np.ndarray], None]:
    """Let what stands at each node sink below all better children, the nodes side by side: they share no descendant."""
    fanout = _fanout(settings)
    while True:
        families = [[node, *range(fanout * node + 1, min(fanout * node + 1 + fanout, len(heap)))] for node in nodes]
        families = [family for family in families if len(family) > 1]
        if not families:
            return
        places = yield from choose([tuple(heap[at] for at in family) for family in families], best, settings)
        risen = [(family[0], family[place]) for family, place in zip(families, places) if place]
        for node, child in risen:
            heap[node], heap[child] = heap[child], heap[node]
        nodes = [child for _, child in risen]


def count(n: int, settings: Settings) -> int:
    """The questions when everything sinks to the bottom: from each node once, then from the root at every size of the heap."""
    build = sum(_deepest(node, n, settings) for depth in _depths(n, _fanout(settings)) for node in depth)
    return build + sum(_deepest(0, n - gone, settings) for gone in range(1, min(settings.top, n)))


def _deepest(node: int, size: int, settings: Settings) -> int:
    """The most questions that sinking from a node of a heap takes: down its first children, whose families are the fullest."""
    fanout, questions = _fanout(settings), 0
    while (child := fanout * node + 1) < size:
        questions += questions_of(1 + min(fanout, size - child), settings)
        node = child
    return questions


def _depths(n: int, fanout: int) -> list[range]:
    """The nodes that have children, depth by depth from the root."""
    depths, first, width = [], 0, 1
    while fanout * first + 1 < n:
        # The last that has a child is the parent of n - 1.
        depths.append(range(first, min(first + width, (n - 2) // fanout + 1)))
        first, width = first + width, width * fanout
    return depths


def _fanout(settings: Settings) -> int:
    return settings.fanout or (SLATE if settings.orders is None else DUELS)


STRATEGY = Strategy(
    name="heapsort",
    asks="pick",
    summary="a heap with several children a node, its root taken off top times",
    paper="Zhuang, Zhuang, Koopman and Zuccon, A Setwise Approach for Effective and Highly Efficient Zero-shot Ranking "
    "with Large Language Models, arXiv:2310.09497",
    calls="at most about n/(fanout - 1) + (top - 1)·log_fanout n; duels: fanout times that, twice that in both orders",
    run=run,
    count=count,
    exact=False,
    defaults=Settings(fanout=SLATE),
    reads=("top", "fanout", "orders"),
    when=(
        "The fewest questions for an exact top k with a model that names the best of several, 82 for a hundred "
        "documents with three challengers. Each query is one chain of questions: run many queries together. One "
        "wrong answer near the root costs a place."
    ),
)
