"""Grids of one's own and leave-one-out, against choosing by hand: every candidate fused and measured by itself."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from test_fusion_tuning import QUERIES, RULES, as_qrels, made_runs, reciprocal_ranks

from rerank_cli.cli.fuse_tuning import read_grids
from rerank_cli.errors import WrongUsage
from rerank_cli.fusion.fuse import Recipe, fuse
from rerank_cli.fusion.tuning import Tuned, tune


def tuned(recipe: Recipe, folds: int, grids: dict[str, list[list[float]]]) -> Tuned:
    runs, judged = made_runs()
    found = as_qrels(judged), reciprocal_ranks(judged)
    return tune(runs[:2], ["a", "b"], recipe, *found, folds, "tuned", print, grids=grids)


KS = [[1.0, 60.0], [0.0, 3.0, 1000.0]]
WEIGHTS = [[1.0], [0.0, 0.5, 3.0]]


@pytest.mark.parametrize(
    ("recipe", "grids", "candidates"),
    [
        (
            Recipe(RULES["rrf"], weights=[1, 1]),
            {"k": KS},
            [Recipe(RULES["rrf"], weights=[1, 1], params={"k": k}) for k in product(*KS)],
        ),
        (
            Recipe(RULES["rrf"], params={"k": [60]}),
            {"weights": WEIGHTS},
            [Recipe(RULES["rrf"], weights=w, params={"k": [60]}) for w in product(*WEIGHTS)],
        ),
        (
            Recipe(RULES["pagerank"], weights=[2, 1]),
            {"damping": [[0.2, 0.9]]},
            [Recipe(RULES["pagerank"], weights=[2, 1], params={"damping": (d,)}) for d in (0.2, 0.9)],
        ),
    ],
)
def test_leaving_one_out_chooses_by_all_other_queries(recipe, grids, candidates):
    runs, judged = made_runs()
    measure = reciprocal_ranks(judged)
    values = [measure(fuse(runs[:2], ["a", "b"], candidate, "t", print)) for candidate in candidates]
    done = tuned(recipe, QUERIES, grids)
    assert sorted(fold.held_out for fold in done.folds) == [(qid,) for qid in sorted(judged)]
    for fold in done.folds:
        (out,) = fold.held_out
        means = [np.mean([value for qid, value in of_one.items() if qid != out]) for of_one in values]
        same = [c for c in candidates if (c.weights, c.params) == (fold.recipe.weights, fold.recipe.params)]
        assert len(same) == 1
        assert means[candidates.index(same[0])] == pytest.approx(max(means))
        assert fold.value == pytest.approx(values[candidates.index(same[0])][out])
    assert max(map(len, [set(np.round(list(v.values()), 9)) for v in values])) > 1, "nothing to choose between"


def test_one_list_is_for_all_runs():
    done = tuned(Recipe(RULES["rrf"], weights=[1, 1]), 3, {"k": [[7.0, 8.0]]})
    assert {tuple(fold.recipe.params["k"]) for fold in done.folds} <= {(7.0,), (8.0,)}


def test_where_nothing_is_better_the_defaults_stay():
    """ranx keeps the last of equal candidates, the one farthest from what others use."""
    runs, judged = made_runs()
    done = tune(
        runs[:2],
        ["a", "b"],
        Recipe(RULES["rrf"]),
        as_qrels(judged),
        lambda run: dict.fromkeys(run.qids, 0.5),
        3,
        "t",
        print,
    )
    assert (done.fitted.params, done.fitted.weights) == ({"k": (60,)}, (0.5, 0.5))


@pytest.mark.parametrize(
    ("rule", "recipe", "grids", "message"),
    [
        ("rrf", {}, {"phi": [[0.5]]}, "no parameter phi"),
        ("rrf", {}, {"k": [[1], [2], [3]]}, "3 values of k for 2 runs"),
        ("rbc", {}, {"phi": [[0.5], [0.6]]}, "2 values for phi"),
        ("rbc", {}, {"phi": [[0.5, 1.5]]}, "phi is 1.5"),
        ("rrf", {"params": {"k": [60]}}, {"k": [[1, 2]]}, "k is given and has a grid"),
        ("rrf", {"weights": [1, 2]}, {"weights": [[1], [2]]}, "weights is given and has a grid"),
        ("rrf", {}, {"weights": [[1, 2]]}, "1 weights for 2 runs"),
        ("isr", {}, {"weights": [[1], [2]]}, "isr takes no weights"),
        ("rrf", {}, {"k": [list(range(400)), list(range(400))]}, "160,000 combinations"),
    ],
)
def test_grids_that_do_not_fit_are_refused(rule, recipe, grids, message):
    with pytest.raises(WrongUsage, match=message):
        tuned(Recipe(RULES[rule], **recipe), 3, grids)


def test_what_is_typed_is_read():
    assert read_grids(["k=10,60/1:10:4.5", "phi=0:1:0.1"]) == {
        "k": [[10.0, 60.0], [1.0, 5.5, 10.0]],
        "phi": [[0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0]],
    }
    assert read_grids(["k=10:35:10", "g=-1:-1:1"]) == {"k": [[10.0, 20.0, 30.0]], "g": [[-1.0]]}
    for wrong in ("k", "k=", "k=1,", "k=a", "k=1:2", "k=2:1:1", "k=1:2:0", "k=1:2:-1", "k=0:1:1e-9", "k=nan", "k=1//2"):
        with pytest.raises(WrongUsage, match="is not NAME=VALUES"):
            read_grids([wrong])
    with pytest.raises(WrongUsage, match="given twice"):
        read_grids(["k=1", "k=2"])
