"""Tuning: folds that never see their own queries, grids without holes, what is given stays, what is fitted is kept."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from rerank_cli.core.qrels import Qrels
from rerank_cli.core.run import Ranking, Run
from rerank_cli.errors import BadData, WrongUsage
from rerank_cli.fusion import all_rules
from rerank_cli.fusion.fuse import Recipe, fuse
from rerank_cli.fusion.grids import simplex
from rerank_cli.fusion.params import from_json, to_json
from rerank_cli.fusion.tuning import Tuned, folds_of, tune

RULES = all_rules()
QUERIES, DOCS = 24, 12
Judgements = dict[bytes, dict[bytes, int]]


def made_runs(seed: int = 0) -> tuple[list[Run], Judgements]:
    """Three runs of 24 queries, which rank two relevant documents of twelve well, so so, and at random."""
    rng = np.random.default_rng(seed)
    judged: Judgements = {}
    runs = []
    for noise in (0.7, 1.5, 9.0):
        rankings = []
        for q in range(QUERIES):
            qid, docids = b"q%02d" % q, [b"d%02d" % d for d in range(DOCS)]
            good = judged.setdefault(qid, {bytes(d): 1 for d in rng.choice(docids, 2, replace=False)})
            held = [d for d in docids if rng.random() < 0.9]
            scores = [5.0 + (d in good) + rng.normal(0, noise) / 3 for d in held]
            rankings.append(Ranking.build(qid, held, scores))
        runs.append(Run.of(rankings))
    return runs, judged


def as_qrels(judged: Judgements) -> Qrels:
    rows = [(q, d, grade) for q, docs in judged.items() for d, grade in docs.items()]
    qids, docids, grades = zip(*rows, strict=True)
    return Qrels(np.array(qids), np.array([b"0"] * len(rows)), np.array(docids), np.array(grades))


def reciprocal_ranks(judged: Judgements):
    def measure(run: Run) -> dict[bytes, float]:
        found = {}
        for ranking in run:
            good = [judged.get(ranking.qid, {}).get(d, 0) > 0 for d in ranking.docids.tolist()]
            found[ranking.qid] = 1 / (good.index(True) + 1) if any(good) else 0.0
        return found

    return measure


def tuned(rule: str, runs: list[Run], judged: Judgements, folds: int = 4, **recipe: object) -> Tuned:
    how = Recipe(RULES[rule], **recipe)  # type: ignore[arg-type]
    names = [f"run{n}" for n in range(len(runs))]
    return tune(runs, names, how, as_qrels(judged), reciprocal_ranks(judged), folds, "tuned", print)


def rows(run: Run, qids: tuple[bytes, ...] | None = None) -> list[tuple[bytes, list[bytes], list[float]]]:
    wanted = run.qids if qids is None else qids
    return [(r.qid, r.docids.tolist(), r.scores.tolist()) for r in run if r.qid in wanted]


def choice(recipe: Recipe) -> tuple[object, ...]:
    tables = [t.tolist() for t in recipe.tables]
    return tuple(recipe.weights or ()), {n: tuple(v) for n, v in recipe.params.items()}, tables


@pytest.mark.parametrize(("runs", "points"), [(2, 21), (3, 231 + 1), (4, 286 + 1), (5, 126)])
def test_weights_are_a_whole_simplex(runs, points):
    grid = simplex(runs)
    assert len(set(grid)) == len(grid) == points
    assert all(min(w) >= 0 and sum(w) == pytest.approx(1, abs=1e-12) for w in grid)
    assert grid[0] == pytest.approx([1 / runs] * runs, abs=0.11)
    # Ten tenths that do not add up to 1.0 in floating point are there too.
    if runs == 3:
        assert {(0.1, 0.2, 0.7), (0.7, 0.1, 0.2), (0.3, 0.6, 0.1)} <= set(grid)


def test_folds_are_even_and_blind_to_the_order_of_queries():
    qids = [b"%d" % n for n in range(23)]
    folds = folds_of(qids, 5, seed=1)
    assert folds == folds_of(qids[::-1], 5, seed=1)
    assert sorted(np.bincount(list(folds.values())).tolist()) == [4, 4, 5, 5, 5]
    assert folds != folds_of(qids, 5, seed=2)


@pytest.mark.parametrize("rule", ["cc", "wsum", "rrf", "w_bordafuse", "mixed", "wmnz"])
def test_the_good_run_gets_the_weight(rule):
    runs, judged = made_runs()
    norm = None if RULES[rule].takes == "ranks" else "min-max"
    done = tuned(rule, runs, judged, norm=norm)
    weights = list(done.fitted.weights)
    assert weights[0] > weights[2] and sum(weights) == pytest.approx(1)
    assert done.untuned is not None
    everywhere = fuse(runs, ["a", "b", "c"], done.fitted, "t", print)
    assert np.mean(list(reciprocal_ranks(judged)(everywhere).values())) >= done.untuned


@pytest.mark.parametrize("rule", ["cc", "rrf", "rbc", "gmnz", *sorted(n for n in RULES if RULES[n].learn)])
def test_no_query_has_a_say_in_its_own_fusion(rule):
    """The judgements of a fold's queries are turned round: what that fold is fused with, and its lists, stay the same."""
    runs, judged = made_runs()
    norm = "min-max" if RULES[rule].takes == "scores" else None
    before = tuned(rule, runs, judged, norm=norm)
    others_moved = 0
    for number, fold in enumerate(before.folds):
        poisoned = dict(judged)
        for qid in fold.held_out:
            poisoned[qid] = {b"d%02d" % d: int(b"d%02d" % d not in judged[qid]) for d in range(DOCS)}
        after = tuned(rule, runs, poisoned, norm=norm)
        assert after.folds[number].held_out == fold.held_out
        assert choice(after.folds[number].recipe) == choice(fold.recipe)
        assert rows(after.run, fold.held_out) == rows(before.run, fold.held_out)
        assert after.folds[number].value != fold.value
        others_moved += any(
            choice(a.recipe) != choice(b.recipe)
            for a, b in zip(after.folds, before.folds, strict=True)
            if b is not fold
        )
    assert others_moved, "the poison is no poison"


def test_the_report_is_of_the_run_that_comes_out():
    runs, judged = made_runs()
    done = tuned("rrf", runs, judged)
    values = reciprocal_ranks(judged)(done.run)
    assert done.value == pytest.approx(np.mean(list(values.values())))
    for fold in done.folds:
        assert fold.value == pytest.approx(np.mean([values[qid] for qid in fold.held_out]))
        alone = fuse(runs, ["a", "b", "c"], fold.recipe, "t", print)
        assert rows(alone, fold.held_out) == rows(done.run, fold.held_out)
    assert sorted(qid for fold in done.folds for qid in fold.held_out) == sorted(judged)


def test_queries_without_judgements_get_what_is_fitted_on_all():
    runs, judged = made_runs()
    known = {qid: docs for qid, docs in judged.items() if qid < b"q16"}
    done = tuned("cc", runs, known, norm="min-max")
    rest = tuple(sorted(set(judged) - set(known)))
    assert done.unjudged == len(rest) == 8 and set(done.run.qids) == set(judged)
    assert rows(done.run, rest) == rows(fuse(runs, ["a", "b", "c"], done.fitted, "t", print), rest)


def test_what_is_given_is_not_tuned():
    runs, judged = made_runs()
    done = tuned("rrf", runs, judged, weights=[1, 2, 3])
    assert done.fitted.weights == [1, 2, 3] and done.fitted.params["k"][0] >= 1
    done = tuned("rrf", runs, judged, params={"k": [10, 20, 30]})
    assert done.fitted.params == {"k": [10, 20, 30]} and len(done.fitted.weights) == 3


def test_the_same_seed_gives_the_same_run_whatever_the_order_of_queries():
    runs, judged = made_runs()
    one = tuned("cc", runs, judged, norm="min-max")
    turned = [Run.of(list(run)[::-1]) for run in runs]
    other = tuned("cc", turned, dict(reversed(judged.items())), norm="min-max")
    assert sorted(rows(one.run)) == sorted(rows(other.run))


@pytest.mark.parametrize(
    ("rule", "folds", "recipe", "message"),
    [
        ("sum", 4, {}, "sum has nothing to tune"),
        ("rrf", 4, {"weights": [1, 1, 1], "params": {"k": [60]}}, "nothing to tune that was not given"),
        ("cc", 25, {"norm": "min-max"}, "25 folds of 24 judged queries"),
        ("probfuse", 2, {}, "cannot be chosen with 2 folds"),
    ],
)
def test_what_cannot_be_tuned_is_refused(rule, folds, recipe, message):
    with pytest.raises(WrongUsage, match=message):
        tuned(rule, *made_runs(), folds=folds, **recipe)


def test_judgements_of_other_topics_are_refused():
    runs, _ = made_runs()
    with pytest.raises(BadData, match="none of the judged queries"):
        tuned("rrf", runs, {b"other": {b"d01": 1}})


@pytest.mark.parametrize("rule", ["cc", "rrf", "rbc", *sorted(n for n in RULES if RULES[n].learn)])
def test_what_was_fitted_reads_back_to_the_same_run(rule):
    runs, judged = made_runs()
    names = ["a.run", "b.run", "c.run"]
    fitted = tuned(rule, runs, judged, norm="min-max" if RULES[rule].takes == "scores" else None).fitted
    again, known = from_json(to_json(fitted, names, {"measure": "RR"}), RULES, "p.json")
    assert known == names
    assert rows(fuse(runs, names, again, "t", print)) == rows(fuse(runs, names, fitted, "t", print))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": "other"}, "no rerank-fuse-1 file"),
        ({"method": "nonesuch"}, "no rule 'nonesuch'"),
        ({"weights": ["1", 2]}, "weights is not a list of numbers"),
        ({"weights": [True, 2]}, "weights is not a list of numbers"),
        ({"params": {"k": 60}}, "params.k is not a list of numbers"),
        ({"params": []}, "params is not an object"),
        ({"tables": {}}, "tables is not a list"),
        ({"tables": [[1], "x"]}, "tables is not a list of numbers"),
        ({"norm": "minmax"}, "no norm 'minmax'"),
        ({"runs": "ab"}, "runs is not a list of names"),
    ],
)
def test_a_file_that_is_not_ours_is_refused(change, message):
    text = to_json(replace(Recipe(RULES["rrf"]), weights=[1, 2]), ["a", "b"])
    with pytest.raises(BadData, match=f"p.json: .*{message}"):
        from_json(json.dumps({**json.loads(text), **change}), RULES, "p.json")
    with pytest.raises(BadData, match=r"p\.json: it is not JSON"):
        from_json("{", RULES, "p.json")
