"""JointRank: overlapping blocks, all ordered at once; the pairs that each order implies are joined to one order of everything.

Windows that slide must wait for one another. Blocks need not: whatever the length of the list, the answer takes as long as one
question, and a document that is in two blocks ties their orders together. What `designs` lays out is which block holds whom.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np

from rerank_cli.aggregation.pairs import block_wins
from rerank_cli.aggregation.rules import by_wins, completed, rule_named
from rerank_cli.strategies import designs
from rerank_cli.strategies.designs import Block
from rerank_cli.strategies.strategy import Asking, Ranked, Round, Settings, Strategy, by_value

_WINDOW, _PASSES, _RULE = 20, 2, "pagerank"

#: `design(n, size of a block, replicas, rng)`.
Design = Callable[[int, int, int, np.random.Generator], list[Block]]


def run(n: int, settings: Settings, rng: np.random.Generator, design: Design) -> Asking:
    """Ask all blocks of a design in one round and aggregate the wins in them.

    A document that a model leaves out of its answer loses to those it names; a block of which nothing is known counts for
    nothing. Who was compared nowhere stands below all others, in the incoming order.
    Raises `WrongUsage` for a rule that there is not, before anything is asked.
    """
    rule = rule_named(settings.aggregate_by or _RULE)
    everything = list(range(n))
    if n < 2:
        return Ranked(everything)
    blocks = design(n, *_shape(n, settings), rng)
    answers = yield Round(blocks, everything)
    scores = completed(by_wins(rule, block_wins(n, blocks, answers), rng))
    return Ranked(everything if scores is None else by_value(everything, scores), scores)


def _shape(n: int, settings: Settings) -> tuple[int, int]:
    """Documents a block, from 2 to n, and replicas."""
    return max(min(settings.window or _WINDOW, n), 2), settings.passes or _PASSES


def chosen(n: int, size: int, replicas: int, rng: np.random.Generator) -> list[Block]:
    """A Latin square for two replicas of size² documents, else blocks dealt."""
    return designs.latin(n) if n == size**2 and replicas == 2 else designs.dealt(n, size, replicas, rng)


def count(n: int, settings: Settings) -> int:
    """Blocks of the designs that are drawn: ⌈rn/b⌉; one replica has also the blocks that link its parts."""
    if n < 2:
        return 0
    size, replicas = _shape(n, settings)
    if n <= size:
        return replicas
    blocks = math.ceil(replicas * n / size)
    if replicas > 1:
        return blocks
    return blocks - (n % size == 1) + math.ceil((blocks - 1) / (size - 1))


_BLOCKS = Strategy(
    name="blocks",
    asks="order",
    summary="blocks that overlap, all asked at once, each document in as many",
    paper="Dedov, JointRank: Rank Large Set with Single Pass, ICTIR 2025",
    calls="⌈rn/b⌉, r = --passes, b = --window; r = 1: and ⌈(n/b - 1)/(b - 1)⌉ that link them",
    run=partial(run, design=chosen),
    count=count,
    defaults=Settings(window=_WINDOW, passes=_PASSES, aggregate_by=_RULE),
    reads=("window", "passes", "aggregate_by"),
    when=(
        "One round of listwise questions whatever the length of the list: the quickest way to rerank a "
        "thousand documents with a wide server. With two replicas the top is approximate; three or four are "
        "nearly as good as sliding at twice its price."
    ),
)
_TABLE = replace(_BLOCKS, defaults=Settings(aggregate_by=_RULE), reads=("aggregate_by",))

STRATEGIES = [
    _BLOCKS,
    replace(
        _BLOCKS,
        name="blocks-random",
        summary="blocks drawn at random, all asked at once",
        run=partial(run, design=designs.drawn),
    ),
    replace(
        _TABLE,
        name="blocks-latin",
        summary="rows and columns of a square, all asked at once",
        calls="2⌈√n⌉, of ⌈√n⌉ documents",
        run=partial(run, design=lambda n, size, replicas, rng: designs.latin(n)),
        count=lambda n, settings: len(designs.latin(n)),
    ),
    replace(
        _TABLE,
        name="blocks-triangular",
        summary="rows of a symmetric table, any two of which share a document, all asked at once",
        calls="about √(2n), of as many documents",
        run=partial(run, design=lambda n, size, replicas, rng: designs.triangular(n)),
        count=lambda n, settings: len(designs.triangular(n)),
    ),
]
