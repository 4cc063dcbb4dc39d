"""Choosing weights and parameters by judged queries, without a query having a say in its own fusion.

k folds by query: each fold's queries are fused with what was chosen on the queries of the other folds, so the run
that comes out may be evaluated on the same judgements; what is fitted on all is for new queries. The candidates
are a grid in whole steps: parameters first, at equal weights, then weights on the simplex at the chosen parameters.
Grids of one's own take their place, also with values for each run, of which all combinations are tried.

Every candidate is measured once a query, whatever the number of folds, because means over the training queries
are all a fold needs. A trained rule learns anew for each fold; where it has a parameter, candidates are measured
on queries of neither the held-out fold nor those learned from.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import product

import numpy as np

from rerank_cli.core.qrels import Qrels
from rerank_cli.core.run import Run
from rerank_cli.errors import BadData, WrongUsage
from rerank_cli.fusion.fuse import Recipe, pooled, ranked, scored, settings_of
from rerank_cli.fusion.grids import Grids, refuse_grids, simplex, tried
from rerank_cli.fusion.judged import judged_of
from rerank_cli.fusion.pool import Pool

#: Values by query of a fused run, in one measure; larger is better.
Measure = Callable[[Run], Mapping[bytes, float]]
#: A candidate is taken only when it betters the one before by more than rounding.
NOISE = 1e-12


@dataclass(frozen=True)
class Fold:
    """What one fold was fused with: `held_out` queries, the mean on them, and on the queries it was chosen by."""

    recipe: Recipe
    held_out: tuple[bytes, ...]
    value: float
    training_value: float


@dataclass(frozen=True)
class Tuned:
    """The cross-validated run, its folds, `value` the mean over all judged queries, and what is fitted on all of them.

    `untuned` is the mean with equal weights and default parameters (None for a trained rule); `unjudged` queries
    are fused with `fitted`.
    """

    run: Run
    folds: tuple[Fold, ...]
    value: float
    untuned: float | None
    fitted: Recipe
    unjudged: int


def folds_of(qids: Sequence[bytes], folds: int, seed: int) -> dict[bytes, int]:
    """The fold of every query: the same for the same queries and seed in whatever order they come; sizes differ by one."""
    order = np.random.default_rng(seed).permutation(len(qids))
    return {qid: position % folds for qid, position in zip(sorted(qids), order.tolist(), strict=True)}


def tune(
    runs: Sequence[Run],
    names: Sequence[str],
    recipe: Recipe,
    qrels: Qrels,
    measure: Measure,
    folds: int,
    tag: str,
    note: Callable[[str], None],
    rel: int = 1,
    look_at: int | None = None,
    grids: Grids | None = None,
) -> Tuned:
    """Fuse with k-fold cross-validated weights and parameters; what `recipe` already says is not tuned.

    `measure` gives values by query, and needs the first `look_at` documents only (None: all). `rel` is the least
    relevant grade, for rules that learn. Raises `WrongUsage` when there is nothing to tune or more folds than
    judged queries, `BadData` when no judged query is in the runs. Cost: one fusion a candidate, and for a
    trained rule as many as there are folds.
    """
    settings_of(recipe, len(runs), note)
    rule, grids = recipe.rule, grids or {}
    refuse_grids(grids, recipe, len(runs))
    tunable = (rule.weighted and recipe.weights is None) or any(
        (p.grid or p.name in grids) and p.name not in recipe.params for p in rule.params
    )
    if not tunable and rule.learn is None:
        raise WrongUsage(
            f"{rule.name} has nothing to tune" + (" that was not given" if recipe.weights or recipe.params else ""),
            "weighted rules (cc, wsum, rrf, …), rbc, gmnz, logn_isr and the trained rules can be tuned: rerank fuse --list",
        )
    pool = pooled(runs, names, recipe, note)
    topics = set(qrels.topics)
    judged = [qid for qid in pool.qids if qid in topics]
    if not judged:
        raise BadData("none of the judged queries is in the runs", "are these judgements of another topic set?")
    if not 2 <= folds <= len(judged):
        raise WrongUsage(
            f"{folds} folds of {len(judged)} judged queries", "every fold needs a query: --folds 2 or more"
        )
    fold_of = folds_of(judged, folds, recipe.seed)
    fold = np.array([fold_of.get(qid, -1) for qid in pool.qids], dtype=np.int64)
    search = _Search(pool, recipe, qrels, measure, fold, folds, rel, look_at, grids)
    return search.result(tag)


class _Search:
    """The candidates of one tuning, what was measured of them, and the choice for any set of training folds."""

    def __init__(
        self,
        pool: Pool,
        recipe: Recipe,
        qrels: Qrels,
        measure: Measure,
        fold: np.ndarray,
        folds: int,
        rel: int,
        look_at: int | None,
        grids: Grids,
    ) -> None:
        self._grids = grids
        self._pool, self._recipe, self._qrels, self._measure = pool, recipe, qrels, measure
        self._fold, self._folds, self._rel = fold, folds, rel
        self._depth = recipe.k if look_at is None else min(recipe.k, look_at)
        self._values: dict[tuple[object, ...], np.ndarray] = {}
        self._learned: dict[tuple[object, ...], Recipe] = {}

    def result(self, tag: str) -> Tuned:
        """Choose and fuse for each fold, then for all."""
        pool, scores = self._pool, np.zeros(len(self._pool))
        fitted = self.trained(self.chosen(None), None)
        recipes = [self.trained(self.chosen(number), number) for number in range(self._folds)]
        values = np.zeros(len(pool.qids))
        for number, recipe in [(-1, fitted), *enumerate(recipes)]:
            keep = self._fold == number
            if keep.any():
                scores[keep[pool.query]] = self._scores(pool.only(keep), recipe)
        run = ranked(pool, scores, self._recipe.k, tag)
        measured = self._measure(ranked(pool, scores, self._depth, tag))
        values = np.array([measured.get(qid, 0.0) for qid in pool.qids])
        folds = []
        for number, recipe in enumerate(recipes):
            held = self._fold == number
            qids = tuple(qid for qid, out in zip(pool.qids, held.tolist(), strict=True) if out)
            training = (self._fold >= 0) & ~held
            own = self._measured(recipe, training)[training]
            folds.append(Fold(recipe, qids, float(values[held].mean()), float(own.mean())))
        judged = self._fold >= 0
        untuned = None
        if self._recipe.rule.learn is None:
            untuned = float(self.values(self._recipe, None)[judged].mean())
        return Tuned(run, tuple(folds), float(values[judged].mean()), untuned, fitted, int((~judged).sum()))

    def chosen(self, held_out: int | None) -> Recipe:
        """The best candidate by the queries of the other folds (of all folds when None): parameters, then weights."""
        recipe = self._best(
            [replace(self._recipe, params={**self._recipe.params, **p}) for p in self._params], held_out
        )
        if not self._recipe.rule.weighted or self._recipe.weights is not None:
            return recipe
        return self._best([replace(recipe, weights=weights) for weights in self._weights], held_out)

    def trained(self, recipe: Recipe, *without: int | None) -> Recipe:
        """The recipe with what a trained rule learns from all judged queries but those of some folds."""
        rule = recipe.rule
        if rule.learn is None:
            return recipe
        left_out = frozenset(number for number in without if number is not None)
        key = (_key(recipe), left_out)
        if key not in self._learned:
            training = (self._fold >= 0) & ~np.isin(self._fold, list(left_out))
            judged = judged_of(self._pool, self._qrels, training, self._rel)
            tables = rule.learn(self._pool, judged, settings_of(recipe, len(self._pool.votes), _nothing))
            self._learned[key] = replace(recipe, tables=tables)
        return self._learned[key]

    def values(self, recipe: Recipe, held_out: int | None) -> np.ndarray:
        """Value of a candidate on each query (Q,); those of the held-out fold mean nothing and are not to be looked at."""
        if recipe.rule.learn is None:
            key = _key(recipe)
            if key not in self._values:
                self._values[key] = self._measured(recipe, self._fold >= 0)
            return self._values[key]
        out = np.zeros(len(self._pool.qids))
        for number in range(self._folds):
            if number != held_out:
                out += self._crossed(recipe, number, held_out)
        return out

    def _crossed(self, recipe: Recipe, number: int, held_out: int | None) -> np.ndarray:
        """Values on one fold's queries of a rule that learned from neither them nor the held-out fold's."""
        key = (_key(recipe), number, held_out)
        if key not in self._values:
            self._values[key] = self._measured(self.trained(recipe, number, held_out), self._fold == number)
        return self._values[key]

    def _best(self, candidates: Sequence[Recipe], held_out: int | None) -> Recipe:
        """The first of the candidates that no other betters on the training queries."""
        if len(candidates) == 1:
            return candidates[0]
        if self._recipe.rule.learn is not None and self._folds < 3 and held_out is not None:
            raise WrongUsage(
                f"a parameter of {self._recipe.rule.name} cannot be chosen with {self._folds} folds",
                "use three or more: one is held out, one measures, the rest is learned from",
            )
        training = (self._fold >= 0) & (self._fold != (-1 if held_out is None else held_out))
        best, best_value = candidates[0], -np.inf
        for candidate in candidates:
            value = float(self.values(candidate, held_out)[training].mean())
            if value > best_value + NOISE:
                best, best_value = candidate, value
        return best

    def _scores(self, pool: Pool, recipe: Recipe) -> np.ndarray:
        return scored(pool, recipe.rule, settings_of(recipe, len(pool.votes), _nothing))

    def _measured(self, recipe: Recipe, queries: np.ndarray) -> np.ndarray:
        """Values (Q,) on some queries, 0 elsewhere; only they are fused."""
        pool = self._judged if np.array_equal(queries, self._fold >= 0) else self._pool.only(queries)
        measured = self._measure(ranked(pool, self._scores(pool, recipe), self._depth, "tuning"))
        wanted = zip(self._pool.qids, queries.tolist(), strict=True)
        return np.array([measured.get(qid, 0.0) if asked else 0.0 for qid, asked in wanted])

    @cached_property
    def _judged(self) -> Pool:
        """The pool of the judged queries, normalised once for all candidates."""
        return self._pool.only(self._fold >= 0)

    @cached_property
    def _params(self) -> list[dict[str, tuple[float, ...]]]:
        """Every combination of what the rule's parameters try, those nearest to the defaults first."""
        rule, given = self._recipe.rule, self._recipe.params
        free = [p for p in rule.params if (p.grid or p.name in self._grids) and p.name not in given]
        axes = [tried(param, self._grids) for param in free]
        return [dict(zip([p.name for p in free], point, strict=True)) for point in product(*axes)]

    @cached_property
    def _weights(self) -> list[tuple[float, ...]]:
        return list(product(*self._grids["weights"])) if "weights" in self._grids else simplex(len(self._pool.votes))


def _key(recipe: Recipe) -> tuple[object, ...]:
    """What tells candidates apart."""
    return tuple(recipe.weights or ()), tuple((name, tuple(values)) for name, values in sorted(recipe.params.items()))


def _nothing(text: str) -> None:
    """Candidates have nothing to say."""
