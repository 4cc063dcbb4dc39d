"""Several runs in, one run out: what is the same for every rule.

Runs are read to a depth into one pool, scores normalised, what the rule assumes is checked, the rule
gives one score a document, and the canonical order (score, then docid bytes, both descending) makes
the lists. Queries keep the order of the first run, then new ones.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from rerank_cli.core.ids import shown
from rerank_cli.core.run import Run, canonical_order
from rerank_cli.errors import WrongUsage
from rerank_cli.fusion.blocks import in_blocks, joined
from rerank_cli.fusion.norms import NORMS
from rerank_cli.fusion.pool import Pool, pool_of
from rerank_cli.fusion.rule import Param, Rule, Settings


@dataclass(frozen=True)
class Recipe:
    """How to fuse: the rule and what it is told. Sequences have one value, or one a run; `norm` None is the rule's own.

    `tables` is what a trained rule has learned, one array a run.
    """

    rule: Rule
    norm: str | None = None
    weights: Sequence[float] | None = None
    floors: Sequence[float] = (0.0,)
    params: Mapping[str, Sequence[float]] = field(default_factory=dict)
    depth: int = 1000
    k: int = 1000
    seed: int = 0
    tables: Sequence[np.ndarray] = ()


def fuse(runs: Sequence[Run], names: Sequence[str], recipe: Recipe, tag: str, note: Callable[[str], None]) -> Run:
    """Fuse runs (`names` are for messages) into one of at most `recipe.k` documents a query.

    Raises `WrongUsage` when weights, parameters or scores do not fit the rule. O(N log N) in all rows.
    """
    return joined(list(fused_blocks(runs, names, recipe, tag, note)))


def fused_blocks(
    runs: Sequence[Run], names: Sequence[str], recipe: Recipe, tag: str, note: Callable[[str], None]
) -> Iterator[Run]:
    """What `fuse` gives as runs of some queries each, in order; raises as it does, for scores when it comes to them."""
    settings = settings_of(recipe, len(runs), note)

    def fused(some: Sequence[Run], say: Callable[[str], None]) -> Run:
        pool = pooled(some, names, recipe, say)
        return ranked(pool, scored(pool, recipe.rule, settings), recipe.k, tag)

    return in_blocks(fused, runs, note) if recipe.rule.in_blocks else iter([fused(runs, note)])


def pooled(runs: Sequence[Run], names: Sequence[str], recipe: Recipe, note: Callable[[str], None]) -> Pool:
    """The runs in one pool, normalised, and checked for what the rule assumes of scores."""
    rule, norm = recipe.rule, NORMS[recipe.norm or recipe.rule.norm]
    if norm.low_is_best:
        runs = [run.turned_round() for run in runs]
    pool = pool_of(runs, names, recipe.depth)
    if rule.takes == "scores":
        with np.errstate(over="ignore", invalid="ignore"):
            pool = norm.apply(pool, _one_a_run("--floor", recipe.floors, len(runs)))
        if norm.name == "z-score" and rule.missing.startswith("0") and np.any(pool.holders < len(runs)):
            note("under --norm z-score a document that a run lacks counts as an average one, better than a poor hit")
        if rule.non_negative:
            _refuse_negative(pool, rule, norm.name)
    elif norm.name != "none" and not norm.low_is_best:
        note(f"{rule.name} looks at ranks only: --norm {recipe.norm} changes nothing")
    return pool


def scored(pool: Pool, rule: Rule, settings: Settings) -> np.ndarray:
    """The fused score of every document of the pool, (D,); `WrongUsage` when one is not finite, or nothing was learned."""
    if rule.learn is not None and len(settings.tables) != len(pool.votes):
        raise WrongUsage(
            f"{rule.name} learns from judged queries, and has not yet",
            "train it: --tune nDCG@10 --qrels FILE; with --params-out FILE what it learned is kept for --params FILE",
        )
    with np.errstate(over="ignore", invalid="ignore"):
        scores = rule.fuse(pool, settings)
    if not np.all(np.isfinite(scores)):
        raise WrongUsage(f"the scores are too large for {rule.name}", "use --norm min-max")
    return scores


def ranked(pool: Pool, scores: np.ndarray, k: int, tag: str) -> Run:
    """The pool's documents as lists of at most k in the canonical order of `scores (D,)`."""
    order = canonical_order(pool.docids, scores, pool.query)
    starts = np.concatenate([[0], np.cumsum(pool.size)]).astype(np.int64)
    run = Run(pool.qids, starts, pool.docids[order], scores[order], tag)
    return run.top(k) if k < int(pool.size.max(initial=0)) else run


def settings_of(recipe: Recipe, runs: int, note: Callable[[str], None]) -> Settings:
    """What the recipe says, with defaults filled in, as its rule takes it; `WrongUsage` where it does not fit."""
    rule = recipe.rule
    if recipe.weights is not None and not rule.weighted:
        raise WrongUsage(f"{rule.name} takes no weights", "weighted rules are those with weights in rerank fuse --list")
    weights = np.ones(runs) if recipe.weights is None else np.asarray(recipe.weights, dtype=np.float64)
    if len(weights) != runs:
        raise WrongUsage(f"{len(weights)} weights for {runs} runs", "give one weight a run, as in 0.7,0.3")
    known = {param.name: param for param in rule.params}
    for name in recipe.params:
        if name not in known:
            has = f"its parameters are {', '.join(known)}" if known else "it has none"
            raise WrongUsage(f"{rule.name} has no parameter {name}", has)
    params = {name: _value(param, recipe, runs) for name, param in known.items()}
    return Settings(weights, params, recipe.seed, tuple(recipe.tables), note)


def _value(param: Param, recipe: Recipe, runs: int) -> np.ndarray:
    given = recipe.params.get(param.name, (param.default,))
    for value in given:
        if not param.low <= value <= param.high:
            bounds = f"from {param.low:g}" + (f" to {param.high:g}" if param.high < math.inf else " on")
            raise WrongUsage(f"{recipe.rule.name}'s {param.name} is {value:g}", f"it goes {bounds}")
    if len(given) > 1 and not param.per_run:
        raise WrongUsage(f"{len(given)} values for {param.name}", f"{recipe.rule.name} takes one for all runs")
    return _one_a_run(param.name, given, runs)


def _one_a_run(what: str, given: Sequence[float], runs: int) -> np.ndarray:
    if len(given) not in (1, runs):
        raise WrongUsage(f"{len(given)} values of {what} for {runs} runs", "give one for all, or one a run")
    return np.broadcast_to(np.asarray(given, dtype=np.float64), (runs,)).copy()


def _refuse_negative(pool: Pool, rule: Rule, norm: str) -> None:
    for votes in pool.votes:
        worst, row = votes.lowest()
        if worst < 0:
            after = f" under --norm {norm}" if norm != "none" else ""
            raise WrongUsage(
                f"{rule.name} needs scores of zero or more, but {votes.name} has {worst:g} "
                f"for query {shown(pool.qids[votes.query[row]])}{after}",
                "use --norm min-max, which puts every list between 0 and 1",
            )
