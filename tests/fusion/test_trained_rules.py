"""Rules that learn from judgements: what they learn, by hand, what they make of it, and what they must not look at."""

from __future__ import annotations

from math import log

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rerank_cli.core.qrels import Qrels
from rerank_cli.core.run import Ranking, Run
from rerank_cli.errors import WrongUsage
from rerank_cli.fusion import all_rules
from rerank_cli.fusion.fuse import Recipe, fuse, pooled, settings_of
from rerank_cli.fusion.judged import judged_of

TRAINED = sorted(name for name, rule in all_rules().items() if rule.learn)
Lists = dict[str, dict[str, float]]
ONE: Lists = {"1": {"a": 3, "b": 2, "c": 1}, "2": {"a": 2, "b": 1}, "3": {"z": 1}}
TWO: Lists = {"1": {"c": 2, "d": 1}}
#: Of query 3 nothing may be looked at.
JUDGED = {"1": {"a": 1, "b": 0, "c": 2}, "2": {"b": 1}, "3": {"z": 1}}

#: Rule, parameters -> what is learned of ONE and of TWO, by hand.
BY_HAND = [
    ("posfuse", {}, [0.5, 0.5, 1.0], [1.0, 0.0]),
    ("slidefuse", {"window": [1]}, [0.5, 2 / 3, 0.75], [0.5, 0.5]),
    ("slidefuse", {"window": [0]}, [0.5, 0.5, 1.0], [1.0, 0.0]),
    # Query 1 in segments of two: 1/2, 1/2; query 2 in segments of one: 0, 1.
    ("probfuse", {"segments": [2]}, [0.25, 0.75], [1.0, 0.0]),
    ("segfuse", {}, [0.3] + [0] * 9, [0.2] + [0] * 9),
    ("bayesfuse", {}, [log(0.3 / 0.7)] + [log(0.001 / 0.999)] * 8, [log(0.2 / 0.8)] + [log(0.001 / 0.999)] * 8),
    # Average precision (1 + 2/3)/2 and 1/2; of TWO 1/2 and, as it lacks the query, 0.
    ("mapfuse", {}, [2 / 3], [0.25]),
]


def as_run(lists: Lists) -> Run:
    return Run.of(
        Ranking.build(q.encode(), [d.encode() for d in docs], list(docs.values())) for q, docs in lists.items()
    )


def as_qrels(judged: dict[str, dict[str, int]]) -> Qrels:
    rows = [(q.encode(), d.encode(), grade) for q, docs in judged.items() for d, grade in docs.items()]
    qids, docids, grades = zip(*rows, strict=True)
    return Qrels(np.array(qids), np.array([b"0"] * len(rows)), np.array(docids), np.array(grades))


def trained(rule: str, runs: list[Lists], params: dict[str, list[float]], judged=JUDGED, shown=("1", "2")) -> Recipe:
    recipe = Recipe(all_rules()[rule], params=params)
    pool = pooled([as_run(run) for run in runs], ["run"] * len(runs), recipe, print)
    training = np.array([qid.decode() in shown for qid in pool.qids], dtype=bool)
    tables = recipe.rule.learn(pool, judged_of(pool, as_qrels(judged), training), settings_of(recipe, len(runs), print))
    return Recipe(all_rules()[rule], params=params, tables=tables)


def lists(run: Run) -> dict[str, dict[str, float]]:
    return {r.qid.decode(): dict(zip([d.decode() for d in r.docids], r.scores.tolist(), strict=True)) for r in run}


@pytest.mark.parametrize(("rule", "params", "one", "two"), BY_HAND)
def test_what_is_learned(rule, params, one, two):
    first, second = trained(rule, [ONE, TWO], params).tables
    assert first == pytest.approx(one) and second == pytest.approx(two)


def test_every_trained_rule_is_among_them():
    assert {rule for rule, *_ in BY_HAND} == set(TRAINED)


def test_what_is_made_of_it():
    def scores(rule: str, params: dict[str, list[float]]) -> dict[str, float]:
        recipe = trained(rule, [ONE, TWO], params)
        return lists(fuse([as_run(ONE), as_run(TWO)], ["1", "2"], recipe, "t", print))["1"]

    assert scores("posfuse", {}) == pytest.approx({"a": 0.5, "b": 0.5, "c": 2.0, "d": 0.0})
    assert scores("mapfuse", {}) == pytest.approx({"a": 2 / 3, "b": 1 / 3, "c": 2 / 9 + 1 / 4, "d": 1 / 8})
    assert scores("segfuse", {}) == pytest.approx({"a": 0.6, "b": 0.45, "c": 0.3 + 0.4, "d": 0.2})
    halves = scores("probfuse", {"segments": [2]})
    assert halves == pytest.approx({"a": 0.25, "b": 0.25, "c": 0.375 + 1.0, "d": 0.0}, abs=1e-8)
    assert halves["a"] > halves["b"], "inside a segment documents stay in their order"
    low = log(0.001 / 0.999)
    odds = scores("bayesfuse", {})
    assert odds == pytest.approx(
        {"a": log(3 / 7) + low, "b": log(3 / 7) + low, "c": log(3 / 7) + log(1 / 4), "d": log(1 / 4) + low}, abs=1e-8
    )


def test_lists_longer_than_what_was_learned():
    recipe = {rule: trained(rule, [ONE, TWO], {}) for rule in TRAINED}
    longer = {"9": {f"d{n:04}": float(2000 - n) for n in range(1500)}}
    for rule, how in recipe.items():
        got = lists(
            fuse(
                [as_run(longer), as_run({})], ["1", "2"], Recipe(**{**vars(how), "depth": 1500, "k": 1500}), "t", print
            )
        )
        assert len(got["9"]) == 1500 and next(iter(got["9"])) in ("d0000", "d0002"), rule


@pytest.mark.parametrize("rule", TRAINED)
def test_judgements_of_other_queries_have_no_say(rule):
    poisoned = {**JUDGED, "3": {"z": 0, "a": 1, "b": 1}}
    plain, other = trained(rule, [ONE, TWO], {}), trained(rule, [ONE, TWO], {}, poisoned)
    assert [t.tolist() for t in plain.tables] == [t.tolist() for t in other.tables]
    seen = trained(rule, [ONE, TWO], {}, poisoned, shown=("1", "2", "3"))
    assert [t.tolist() for t in plain.tables] != [t.tolist() for t in seen.tables]


@pytest.mark.parametrize("rule", TRAINED)
def test_untrained_it_is_refused_with_the_way_to_train(rule):
    with pytest.raises(WrongUsage, match="learns from judged queries") as error:
        fuse([as_run(ONE), as_run(TWO)], ["1", "2"], Recipe(all_rules()[rule]), "t", print)
    assert "--tune" in error.value.hint


@pytest.mark.parametrize("rule", TRAINED)
def test_nothing_to_learn_from_is_no_error(rule):
    recipe = trained(rule, [{}, {"8": {"a": 1.0}}], {}, shown=())
    assert lists(fuse([as_run({}), as_run(TWO)], ["1", "2"], recipe, "t", print))["1"].keys() == {"c", "d"}


DOCS = st.dictionaries(st.sampled_from("abcdef"), st.integers(0, 9).map(float), min_size=1)
RUNS = st.lists(st.dictionaries(st.sampled_from("123"), DOCS, max_size=3), min_size=2, max_size=3)


@settings(max_examples=80, deadline=None)
@given(RUNS, st.sampled_from(TRAINED))
def test_the_order_of_the_runs_changes_nothing(runs, rule):
    judged = {"1": {"a": 1, "c": 1}, "2": {"b": 1, "f": 0}, "3": {"d": 1}}

    def fused(order: list[Lists]) -> dict[str, dict[str, float]]:
        recipe = trained(rule, order, {}, judged, shown=("1", "2", "3"))
        return lists(fuse([as_run(run) for run in order], ["r"] * len(order), recipe, "t", print))

    assert fused(runs) == fused(runs[::-1])
