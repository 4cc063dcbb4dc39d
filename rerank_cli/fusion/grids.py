"""What tuning tries: the values of a rule's parameters and the weights of its runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import product
from math import comb, prod

from rerank_cli.errors import WrongUsage
from rerank_cli.fusion.fuse import Recipe, settings_of
from rerank_cli.fusion.rule import Param

#: Values that are tried instead of the rule's own: parameter, or `weights` -> one list for all runs or one a run.
Grids = Mapping[str, Sequence[Sequence[float]]]
#: Weights are tried in the finest of these numbers of steps that gives no more candidates than this.
STEPS, CANDIDATES = (20, 10, 5, 4, 3, 2, 1), 500
#: More combinations of a grid are a slip of the finger rather than a wish.
MOST = 100_000


def simplex(runs: int) -> list[tuple[float, ...]]:
    """Weights of zero or more that add up to 1, in equal steps, those nearest to equal weights first."""
    steps = next((s for s in STEPS if comb(s + runs - 1, runs - 1) <= CANDIDATES), STEPS[-1])
    parts: list[tuple[int, ...]] = [()]
    for _ in range(runs - 1):
        parts = [(*head, n) for head in parts for n in range(steps - sum(head) + 1)]
    whole = [(*head, steps - sum(head)) for head in parts]
    whole.sort(key=lambda point: (sum((runs * n - steps) ** 2 for n in point), point))
    points = [tuple(n / steps for n in point) for point in whole]
    return points if steps % runs == 0 else [(1.0 / runs,) * runs, *points]


def tried(param: Param, grids: Grids) -> list[tuple[float, ...]]:
    """What one parameter tries, a value for all runs or one a run; those nearest to the default first."""
    points = product(*grids.get(param.name, [{*param.grid, param.default}]))
    return sorted(points, key=lambda point: (sum(abs(value - param.default) for value in point), point))


def refuse_grids(grids: Grids, recipe: Recipe, runs: int) -> None:
    """Raise `WrongUsage` for a grid of what is given or does not exist, of values not allowed, and of too many."""
    for name, lists in grids.items():
        if prod(map(len, lists)) > MOST:
            raise WrongUsage(f"the grid of {name} has {prod(map(len, lists)):,} combinations", "try fewer values")
        if name in recipe.params or (name == "weights" and recipe.weights is not None):
            raise WrongUsage(f"{name} is given and has a grid", "what is given is not tuned: leave one of them out")
        for point in product(*lists):
            one = replace(recipe, weights=point) if name == "weights" else replace(recipe, params={name: point})
            settings_of(one, runs, lambda text: None)
