"""Kemeny: the order that disagrees least with all lists together, counted in swapped pairs.

The one order that is both neutral and consistent, and NP-hard to find for four lists or more. Few items are
ordered exactly by dynamic programming over subsets; many by moving one item at a time to its best place,
starting from the better of the Borda and the Copeland order, until no move helps.
"""

from __future__ import annotations

import numpy as np

from rerank_cli.aggregation.copeland import copeland

#: Subsets double with every item: 10 items are a thousand.
EXACT = 10
PASSES = 100


def kemeny(wins: np.ndarray) -> tuple[np.ndarray, float, bool]:
    """The order (n,) of items, best first, its weighted number of disagreements, and whether that is the least possible.

    From `wins (n, n)`; exact up to 10 items, O(2ⁿ n); otherwise local search, O(n²) a pass, 100 passes at most.
    Kemeny, Mathematics without Numbers, Daedalus 88(4), 1959.
    """
    if len(wins) <= EXACT:
        order = _exact(wins)
        return order, disagreements(wins, order), True
    duels, margins = copeland(wins)
    starts = [np.lexsort((-margins, -duels)), np.lexsort((-duels, -margins))]
    best = min(starts, key=lambda order: disagreements(wins, order))
    order = _improved(wins, best)
    return order, disagreements(wins, order), False


def disagreements(wins: np.ndarray, order: np.ndarray) -> float:
    """The weight of all comparisons that `order (n,)` goes against: the sum of weighted Kendall distances. O(n²)."""
    return float(np.tril(wins[np.ix_(order, order)], -1).sum())


def _exact(wins: np.ndarray) -> np.ndarray:
    """Held and Karp over subsets: the cheapest order of a set ends with the item whose removal leaves the cheapest rest."""
    size = len(wins)
    cost = np.full(1 << size, np.inf)
    last = np.zeros(1 << size, dtype=np.int64)
    cost[0] = 0.0
    members = [[item for item in range(size) if subset >> item & 1] for subset in range(1 << size)]
    for subset in range(1, 1 << size):
        inside = members[subset]
        # Placed last, an item goes against its wins over all that stand before it.
        added = wins[np.ix_(inside, inside)].sum(axis=1)
        for item, extra in zip(inside, added.tolist(), strict=True):
            price = cost[subset ^ (1 << item)] + extra
            if price < cost[subset]:
                cost[subset], last[subset] = price, item
    order, subset = [], (1 << size) - 1
    while subset:
        order.append(int(last[subset]))
        subset ^= 1 << order[-1]
    return np.array(order[::-1], dtype=np.int64)


def _improved(wins: np.ndarray, order: np.ndarray) -> np.ndarray:
    """Move each item to its best place, again and again, until a pass over all of them moves none."""
    margins = wins - wins.T
    order = order.copy()
    for _ in range(PASSES):
        moved = False
        for item in order.copy():
            place = int(np.flatnonzero(order == item)[0])
            rest = np.delete(order, place)
            # Before place k of the rest: what it loses by standing below the first k.
            loss = np.concatenate([[0.0], np.cumsum(margins[item, rest])])
            target = int(np.argmin(loss))
            if loss[target] < loss[place] - 1e-9:
                order = np.insert(rest, target, item)
                moved = True
        if not moved:
            break
    return order
