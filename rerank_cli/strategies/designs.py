"""Which documents meet in which block: designs in which a few blocks hold many different pairs.

A block is a tuple of positions. Whatever design, every position is in a block, and from every position any other is reached
over blocks that share one: what falls apart can be ordered in each part and in no way as a whole.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

Block = tuple[int, ...]


def latin(n: int) -> list[Block]:
    """Rows and columns of the smallest square that holds n positions: two blocks for each, and no pair meets twice."""
    side = math.isqrt(max(n - 1, 0)) + 1
    rows = [range(start, min(start + side, n)) for start in range(0, n, side)]
    return _of_two([*rows, *(range(start, n, side) for start in range(side))])


def triangular(n: int) -> list[Block]:
    """Rows of the smallest symmetric table without diagonal whose upper half holds n positions.

    Each position stands in the block of its row and in that of its column; any two full blocks share exactly one.
    """
    side = 1
    while side * (side - 1) // 2 < n:
        side += 1
    rows, columns = (at[:n] for at in np.triu_indices(side, 1))
    return _of_two([np.flatnonzero((rows == one) | (columns == one)).tolist() for one in range(side)])


def dealt(n: int, size: int, replicas: int, rng: np.random.Generator) -> list[Block]:
    """⌈replicas · n/size⌉ blocks dealt from a shuffled pack: each position is in `replicas` of them where that divides evenly.

    When the pack runs short, the block is filled from the positions that are not left in it, and these are left out of the
    next pack. n ≤ size: `replicas` shuffled copies of the whole. The authors' blocks are rounded down where it does not divide
    evenly, so that some positions are in none; here they are rounded up. Parts that do not hang together are
    joined by putting one of the next part in the place of a position that its block can spare. One replica is plain
    parts, and blocks that link them (`linked`).
    """
    if n <= size:
        return [tuple(rng.permutation(n).tolist()) for _ in range(replicas)]
    if replicas == 1:
        return linked(n, size, rng)
    blocks: list[list[int]] = []
    pack: list[int] = []
    for _ in range(-(-replicas * n // size)):
        fillers: list[int] = []
        if len(pack) < size:
            missing = np.setdiff1d(np.arange(n), pack)
            fillers = rng.choice(missing, size - len(pack), replace=False).tolist()
        blocks.append([*pack[:size], *fillers])
        pack = pack[size:]
        if fillers:
            pack = rng.permutation(np.setdiff1d(np.arange(n), fillers)).tolist()
    return joined(n, blocks)


def drawn(n: int, size: int, replicas: int, rng: np.random.Generator) -> list[Block]:
    """As many blocks as `dealt` makes, each drawn by itself; who is in none, or apart, is put in as `dealt` joins parts."""
    if n <= size or replicas == 1:
        return dealt(n, size, replicas, rng)
    return joined(n, [rng.choice(n, size, replace=False).tolist() for _ in range(-(-replicas * n // size))])


def linked(n: int, size: int, rng: np.random.Generator) -> list[Block]:
    """Shuffled parts of `size` and, so that they can be compared, ⌈(parts - 1)/(size - 1)⌉ blocks of one position a part."""
    pack = rng.permutation(n).tolist()
    parts = [pack[start : start + size] for start in range(0, n, size)]
    heads = [part[0] for part in parts]
    links = [heads[start : start + size] for start in range(0, len(heads) - 1, size - 1)]
    return _of_two([*parts, *links])


def joined(n: int, blocks: list[list[int]]) -> list[Block]:
    """`blocks` that hang together: as many, as large, and the same but for a position changed for each part that stood apart.

    Positions and blocks are a graph, of which a spanning forest is grown; an entry of a block that no tree needs is spare.
    A part's spare entry goes to a position of the next part. Two entries for each position are always enough.
    """
    above = list(range(n + len(blocks)))

    def root(node: int) -> int:
        while above[node] != node:
            above[node] = above[above[node]]
            node = above[node]
        return node

    entries: list[tuple[int, int]] = []
    for number, block in enumerate(blocks):
        for place, position in enumerate(block):
            one, other = root(position), root(n + number)
            if one == other:
                entries.append((number, place))
            above[one] = other
    spare: dict[int, list[tuple[int, int]]] = {}
    for position in range(n):
        spare.setdefault(root(position), [])
    for number, place in entries:
        spare[root(n + number)].append((number, place))
    one_of = {root(position): position for position in range(n)}
    # The richest first: each part pays for the next with a spare entry, its own or one of those before it.
    parts = sorted(spare, key=lambda part: -len(spare[part]))
    purse = spare[parts[0]]
    for part in parts[1:]:
        number, place = purse.pop()
        blocks[number][place] = one_of[part]
        purse += spare[part]
    return [tuple(block) for block in blocks]


def _of_two(blocks: Sequence[Sequence[int]]) -> list[Block]:
    """Those with anything to compare."""
    return [tuple(block) for block in blocks if len(block) > 1]
