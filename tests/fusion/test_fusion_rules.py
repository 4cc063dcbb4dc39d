"""Every fusion rule against numbers worked out by hand from its formula, and against properties that its definition promises."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rerank_cli.core.run import Ranking, Run
from rerank_cli.errors import WrongUsage
from rerank_cli.fusion import all_rules
from rerank_cli.fusion.fuse import Recipe, fuse

A = {"q": {"a": 9, "b": 7, "c": 5}}
B = {"q": {"b": 0.9, "d": 0.8, "a": 0.1}}

#: Rule, norm, weights, parameters -> scores, by hand (the definitions of ranx) for the two runs above.
BY_HAND = [
    ("rrf", None, None, {}, "b .032522 a .032266 d .016129 c .015873"),
    ("sum", "min-max", None, {}, "b 1.5 a 1 d .875 c 0"),
    ("average", "min-max", None, {}, "b .75 a .5 d .4375 c 0"),
    ("mnz", "min-max", None, {}, "b 3 a 2 d .875 c 0"),
    ("anz", "min-max", None, {}, "d .875 b .75 a .5 c 0"),
    ("med", "min-max", None, {}, "d .875 b .75 a .5 c 0"),
    ("min", "min-max", None, {}, "d .875 b .5 c 0 a 0"),
    ("max", "min-max", None, {}, "b 1 a 1 d .875 c 0"),
    ("gmnz", "min-max", None, {"gamma": [0.5]}, "b 2.12132 a 1.414214 d .875 c 0"),
    ("wsum", "min-max", [0.3, 0.7], {}, "b .85 d .6125 a .3 c 0"),
    ("wmnz", "min-max", [0.3, 0.7], {}, "b 1.5 a 1 d .6125 c 0"),
    ("mixed", "min-max", [0.3, 0.7], {}, "b 1.202082 d .6125 a .424264 c 0"),
    ("cc", "min-max", [3, 7], {}, "b .85 d .6125 a .3 c 0"),
    ("cc", None, [1, 1], {}, "b .888889 a .555556 d .444444 c .277778"),
    ("isr", None, None, {}, "b 2.5 a 2.222222 d .25 c .111111"),
    ("log_isr", None, None, {"plus": [0]}, "b .866434 a .770164 d 0 c 0"),
    ("log_isr", None, None, {}, "b 1.373265 a 1.220680 d .173287 c .077016"),
    ("logn_isr", None, None, {}, "b .872668 a .775705 d .002488 c .001106"),
    ("rbc", None, None, {}, "b .36 a .328 d .16 c .128"),
    ("bordafuse", None, None, {}, "b 7 a 6 d 4 c 3"),
    ("w_bordafuse", None, [0.3, 0.7], {}, "b 3.7 a 2.6 d 2.4 c 1.3"),
    ("borda", None, None, {}, "b 1.666667 a 1.333333 d .666667 c .333333"),
    ("interleave", None, None, {}, "a 4 b 3 d 2 c 1"),
    ("condorcet", None, None, {}, "b 4 a 3 d 2 c 1"),
    ("w_condorcet", None, [1, 3], {}, "b 4 d 3 a 2 c 1"),
    ("mean_rank", None, None, {}, "b 3.5 a 3 d 2 c 1.5"),
    ("median_rank", None, None, {}, "b 3.5 a 3 d 2 c 1.5"),
    ("dowdall", None, None, {}, "b 1.5 a 1.333333 d .5 c .333333"),
    ("norm_rrf", None, [0.3, 0.7], {}, "b .9 a .533333 d .466667 c .1"),
    ("kemeny", None, None, {}, "b 4 d 3 a 2 c 1"),
    ("winrate", None, None, {}, "b .833333 d .5 a .5 c 0"),
    ("pagerank", None, None, {}, "b .383879 a .379734 d .198887 c .0375"),
    ("sum", "z-score", None, {}, "b .842927 d .561951 a -.180134 c -1.224745"),
    ("sum", "rank", None, {}, "b 1.666667 a 1.333333 d .666667 c .333333"),
    ("sum", "borda", None, {}, "b 1.75 a 1.5 d 1 c .75"),
    ("sum", "sum", None, {}, "b .866667 a .666667 d .466667 c 0"),
    ("sum", "max", None, {}, "b 1.777778 a 1.111111 d .888889 c .555556"),
    ("sum", "min-max-inverted", None, {}, "c 1 a 1 b .5 d .125"),
    # 9, 7, 5 over √155 and .9, .8, .1 over √1.46.
    ("sum", "l2", None, {}, "b 1.307099 a .805658 d .662085 c .401610"),
    # Deviations of the samples: 2 around 7, √.19 around .6.
    ("sum", "dbsf", None, {}, "b 1.114708 a .975487 d .576472 c .333333"),
    ("sum", "sigmoid", None, {}, "b 1.710039 a 1.524856 c .993307 d .689974"),
]

#: Without a number of their own here: tests/aggregation has those of their arithmetic.
BY_AGGREGATION = {"bradley_terry", "newman", "elo", "rank_centrality", "mc4", "footrule"}
#: Tested in test_trained_rules.py.
TRAINED = {name for name, rule in all_rules().items() if rule.learn}


def as_run(scores: dict[str, dict[str, float]]) -> Run:
    return Run.of(
        Ranking.build(q.encode(), [d.encode() for d in docs], list(docs.values())) for q, docs in scores.items()
    )


def fused(runs: list[dict[str, dict[str, float]]], name: str = "rrf", **recipe: object) -> Run:
    made = [as_run(run) for run in runs]
    told: list[str] = []
    names = [f"run{n}" for n in range(1, len(runs) + 1)]
    return fuse(made, names, Recipe(all_rules()[name], **recipe), "fused", told.append)  # type: ignore[arg-type]


def lists(run: Run) -> dict[str, list[tuple[str, float]]]:
    return {
        r.qid.decode(): [(d.decode(), s) for d, s in zip(r.docids.tolist(), r.scores.tolist(), strict=True)]
        for r in run
    }


@pytest.mark.parametrize(("rule", "norm", "weights", "params", "expected"), BY_HAND)
def test_rule_gives_the_scores_of_its_formula(rule, norm, weights, params, expected):
    got = lists(fused([A, B], rule, norm=norm, weights=weights, params=params))["q"]
    words = expected.split()
    assert [d for d, _ in got] == words[::2]
    assert [s for _, s in got] == pytest.approx([float(w) for w in words[1::2]], abs=1e-6)


def test_every_rule_is_covered_by_hand_and_shows_a_whole_record():
    rules = all_rules()
    assert set(rules) == {rule for rule, *_ in BY_HAND} | BY_AGGREGATION | TRAINED
    for rule in rules.values():
        assert rule.use and rule.summary and rule.paper and rule.missing and rule.takes in ("scores", "ranks")


def test_queries_keep_the_order_of_the_first_run_then_new_ones():
    run = fused([{"2": {"a": 1}, "1": {"a": 1}}, {"3": {"b": 1}, "1": {"b": 1}}])
    assert run.qids == (b"2", b"1", b"3")


def test_equal_scores_are_ordered_by_docid_bytes_descending():
    run = fused([{"q": {"d9": 1, "d1": 0.5}}, {"q": {"d10": 1, "d2": 0.5}}])
    assert [d for d, _ in lists(run)["q"]] == ["d9", "d10", "d2", "d1"]


def test_depth_limits_what_is_read_and_k_what_is_written():
    assert lists(fused([A, B], depth=1))["q"] == [("b", 1 / 61), ("a", 1 / 61)]
    assert [d for d, _ in lists(fused([A, B], k=2))["q"]] == ["b", "a"]


DUELS = ("bradley_terry", "elo", "kemeny", "mc4", "newman", "pagerank", "rank_centrality", "winrate")


@pytest.mark.parametrize("rule", [*DUELS, "footrule", "condorcet", "mean_rank", "median_rank"])
def test_a_consensus_is_kept_and_one_document_is_a_list(rule):
    same = {"q": {"a": 3.0, "b": 2.0, "c": 1.0}, "one": {"x": -5.0}}
    got = lists(fused([same, same, same], rule))
    assert [d for d, _ in got["q"]] == ["a", "b", "c"]
    assert [d for d, _ in got["one"]] == ["x"]


@pytest.mark.parametrize("rule", DUELS)
def test_what_a_run_lacks_lost_only_when_asked(rule):
    """x was ranked first by a run that knew nothing else; b is first of four, and third of another three."""
    runs = [{"q": {"x": 1.0}}, {"q": {"b": 4.0, "c": 3.0, "d": 2.0, "e": 1.0}}, {"q": {"c": 9.0, "d": 8.0, "b": 7.0}}]
    plain, strict = (dict(lists(fused(runs, rule, params={"unranked_lose": [v]}))["q"]) for v in (0, 1))
    assert plain["c"] > plain["e"] and strict["c"] > strict["e"]
    assert plain["c"] - plain["x"] != strict["c"] - strict["x"]


def test_equal_scores_are_ties_for_newman_only():
    flat, steep = {"q": {"a": 1.0, "b": 1.0, "c": 1.0}}, {"q": {"c": 3.0, "b": 2.0, "a": 1.0}}
    assert [d for d, _ in lists(fused([flat, steep], "newman"))["q"]] == ["c", "b", "a"]
    tied = dict(lists(fused([flat, flat], "newman"))["q"])
    assert len(set(tied.values())) == 1
    by_docid = [d for d, _ in lists(fused([flat, flat], "bradley_terry"))["q"]]
    assert by_docid == ["c", "b", "a"]


def test_kemeny_and_footrule_say_how_far_they_are_from_the_runs():
    told: list[str] = []
    for rule in ("kemeny", "footrule"):
        fuse([as_run(A), as_run(B)], ["a", "b"], Recipe(all_rules()[rule]), "t", told.append)
    assert "weight 1 in all; 1 of 1 queries" in told[0] and "6 places off" in told[1]


@pytest.mark.parametrize("rule", [*DUELS, "footrule", "w_condorcet"])
def test_a_number_of_votes_is_not_negative(rule):
    for weights in ([-1, 2], [0, 0]):
        with pytest.raises(WrongUsage, match="number of votes"):
            fused([A, B], rule, weights=weights)
    alone, ignored = lists(fused([A, A], rule, weights=[1, 0])), lists(fused([A, B], rule, weights=[1, 0]))
    assert [d for d, _ in ignored["q"] if d != "d"] == [d for d, _ in alone["q"]] == ["a", "b", "c"]


def test_more_documents_than_pairs_can_be_held_of_are_refused():
    long = {"q": {f"d{n}": float(-n) for n in range(10_001)}}
    with pytest.raises(WrongUsage, match=r"query q has 10,001 of them") as error:
        fused([long, {}], "pagerank", depth=20_000)
    assert "--depth" in error.value.hint
    assert lists(fused([long, long], "mean_rank", depth=20_000, k=1))["q"] == [("d0", 10_001.0)]


def test_elo_takes_the_seed():
    run = {"q": {d: 9.0 - n for n, d in enumerate("abcdefgh")}}
    other = {"q": {d: 9.0 - n for n, d in enumerate("hgcdabfe")}}
    one, same, different = (lists(fused([run, other], "elo", seed=seed)) for seed in (1, 1, 2))
    assert one == same != different


def test_one_rrf_k_for_each_run():
    got = dict(lists(fused([A, B], params={"k": [60, 10]}))["q"])
    assert got["b"] == pytest.approx(1 / 62 + 1 / 11)
    assert got["c"] == pytest.approx(1 / 63)


def test_negative_scores_are_refused_where_agreement_would_lower_them():
    logits = {"q": {"a": -1.5, "b": -3.25}}
    for rule in ("mnz", "anz", "gmnz", "wmnz", "mixed"):
        with pytest.raises(WrongUsage, match=r"run2 has -3\.25 for query q") as error:
            fused([A, logits], rule)
        assert "--norm min-max" in error.value.hint
        fused([A, logits], rule, norm="min-max")
    with pytest.raises(WrongUsage, match="--norm max"):
        fused([A, logits], "sum", norm="max")
    with pytest.raises(WrongUsage, match=r"run2 has -3\.25") as error:
        fused([A, logits], "cc")
    assert "--floor" in error.value.hint
    assert lists(fused([A, logits], "cc", floors=[0, -5], weights=[0, 1]))["q"][0] == ("a", 1.0)


@pytest.mark.parametrize(
    ("rule", "recipe", "message"),
    [
        ("min", {"weights": [1, 2]}, "takes no weights"),
        ("wsum", {"weights": [1, 2, 3]}, "3 weights for 2 runs"),
        ("rrf", {"params": {"phi": [0.5]}}, "no parameter phi"),
        ("rbc", {"params": {"phi": [1.5]}}, "phi is 1.5"),
        ("rbc", {"params": {"phi": [0.5, 0.6]}}, "2 values for phi"),
        ("rrf", {"params": {"k": [1, 2, 3]}}, "3 values of k for 2 runs"),
        ("cc", {"weights": [-1, 2]}, "zero or more"),
    ],
)
def test_what_does_not_fit_the_rule_is_refused(rule, recipe, message):
    with pytest.raises(WrongUsage, match=message):
        fused([A, B], rule, **recipe)


def test_scores_too_large_to_add_are_refused_not_written_as_infinity():
    huge = {"q": {"a": 1.7e308, "b": 1.0}}
    with pytest.raises(WrongUsage, match="too large"):
        fused([huge, huge], "sum")


def test_empty_runs_and_queries_of_one_run_only():
    assert len(fused([{}, {}])) == 0
    got = lists(fused([{"1": {"a": 2}}, {}, {"2": {"b": 1}}], "med"))
    assert got == {"1": [("a", 2.0)], "2": [("b", 1.0)]}


def test_long_and_odd_ids_are_told_apart():
    long = "x" * 5000
    odd = {"q": {long: 2.0, long + "y": 1.0, "é": 0.5, "e": 0.1}}
    got = dict(lists(fused([odd, odd], "sum"))["q"])
    assert got == {long: 4.0, long + "y": 2.0, "é": 1.0, "e": 0.2}
    near = {"q": {"doc-000000001": 2.0, "doc-000000002": 1.0}}
    assert dict(lists(fused([near, odd], "sum"))["q"])["doc-000000002"] == 1.0


SCORES = st.floats(min_value=0, max_value=100, allow_nan=False).map(lambda x: round(x, 3))
LISTS = st.dictionaries(st.sampled_from("abcdefgh"), SCORES, min_size=1, max_size=8)
RUNS = st.lists(st.dictionaries(st.sampled_from("123"), LISTS, max_size=3), min_size=2, max_size=4)
UNTRAINED = sorted(set(all_rules()) - TRAINED)
#: The order of the runs is part of what interleaving means.
ORDER_BLIND = sorted(set(UNTRAINED) - {"interleave"})


@settings(max_examples=300, deadline=None)
@given(RUNS, st.sampled_from(ORDER_BLIND), st.sampled_from(["none", "min-max", "rank", "borda"]))
def test_the_order_of_the_runs_changes_nothing(runs, rule, norm):
    assert lists(fused(runs, rule, norm=norm)) == lists(fused(runs[::-1], rule, norm=norm))


@settings(max_examples=300, deadline=None)
@given(RUNS, st.sampled_from(UNTRAINED))
def test_every_document_of_every_run_comes_out_once_in_canonical_order(runs, rule):
    out = fused(runs, rule)
    for ranking in out:
        expected = {d.encode() for run in runs for d in run.get(ranking.qid.decode(), {})}
        assert set(ranking.docids.tolist()) == expected
        rows = list(zip(ranking.scores.tolist(), ranking.docids.tolist(), strict=True))
        assert rows == sorted(rows, reverse=True)
        assert len(rows) == len(expected)


@settings(max_examples=100, deadline=None)
@given(RUNS)
def test_rrf_equals_its_formula_written_with_dictionaries(runs):
    expected: dict[str, dict[str, float]] = {}
    for run in runs:
        for qid, docs in run.items():
            order = sorted(docs, key=lambda d: (docs[d], d), reverse=True)
            for rank, docid in enumerate(order, start=1):
                totals = expected.setdefault(qid, {})
                totals[docid] = totals.get(docid, 0) + 1 / (60 + rank)
    got = {qid: dict(rows) for qid, rows in lists(fused(runs)).items()}
    assert got == {qid: pytest.approx(totals) for qid, totals in expected.items()}
