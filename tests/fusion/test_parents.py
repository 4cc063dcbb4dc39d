"""Lists of sub-queries joined to their parents, against fusing each parent's lists by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rerank_cli.cli.main import main
from rerank_cli.core.ids import parent_of
from rerank_cli.core.run import Ranking, Run
from rerank_cli.errors import WrongUsage
from rerank_cli.fusion import all_rules, rule_named
from rerank_cli.fusion.fuse import Recipe, fuse
from rerank_cli.fusion.parents import fused_by_parent

UNTRAINED = [name for name, rule in all_rules().items() if rule.learn is None]
LISTS = st.dictionaries(st.sampled_from([b"a", b"b", b"c", b"dd", b"e"]), st.integers(1, 9), min_size=1)
SUB_QUERIES = st.dictionaries(
    st.sampled_from([b"q1#1", b"q1#2", b"q1#3", b"q2#1", b"q2#7", b"q#x#1", b"q3", b"q3#1", b"#1"]), LISTS, min_size=1
)


def run_of(lists):
    return Run.of(
        [Ranking.build(qid, list(own), [float(score) for score in own.values()]) for qid, own in lists.items()]
    )


def quiet(_):
    pass


@pytest.mark.parametrize("name", UNTRAINED)
@settings(max_examples=6, deadline=None)
@given(lists=SUB_QUERIES, more=SUB_QUERIES)
def test_it_is_each_parent_fused_by_hand(name, lists, more):
    """Whatever the rule counts (runs, holders, votes), another parent's lists are none of it; what it refuses it refuses."""
    recipe = Recipe(rule_named(name))
    by_hand = {}
    for qid, own in [*lists.items(), *more.items()]:
        by_hand.setdefault(parent_of(qid, b"#"), []).append(run_of({parent_of(qid, b"#"): own}))
    sub_queries = [run_of(lists), run_of(more)]
    try:
        expectations = [fuse(runs, ["x"] * len(runs), recipe, "t", quiet) for runs in by_hand.values()]
    except WrongUsage:
        with pytest.raises(WrongUsage):
            fused_by_parent(sub_queries, b"#", recipe, "t", quiet)
        return
    fused = fused_by_parent(sub_queries, b"#", recipe, "t", quiet)
    assert fused.qids == tuple(by_hand)
    for ranking, (expected,) in zip(fused, expectations, strict=True):
        assert ranking.docids.tolist() == expected.docids.tolist()
        np.testing.assert_array_equal(ranking.scores, expected.scores)


def test_a_parent_is_what_stands_before_the_last_separator():
    assert parent_of(b"a#b#2", b"#") == b"a#b"
    assert parent_of(b"q1", b"#") == b"q1"
    assert parent_of(b"#1", b"#") == b"#1"
    assert parent_of(b"q__3", b"__") == b"q"


def test_a_run_without_queries_stays_one():
    assert len(fused_by_parent([run_of({})], b"#", Recipe(rule_named("rrf")), "t", quiet)) == 0


def test_weights_are_refused():
    recipe = Recipe(rule_named("wsum"), weights=[1.0, 2.0])
    with pytest.raises(WrongUsage, match="2 weights for 1 runs"):
        fused_by_parent([run_of({b"q#1": {b"a": 1}})], b"#", recipe, "t", quiet)


def test_one_run_is_enough_on_the_command_line(tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sub.run").write_text("q1~1 Q0 a 1 5 t\nq1~1 Q0 b 2 4 t\nq2~1 Q0 z 1 1 t\nq1~2 Q0 b 1 9 t\n")
    assert main(["fuse", "--by-parent", "--separator", "~", "-m", "sum", "sub.run"]) == 0
    rows = [line.split() for line in capfd.readouterr().out.splitlines()]
    assert [(row[0], row[2], float(row[4])) for row in rows] == [("q1", "b", 13.0), ("q1", "a", 5.0), ("q2", "z", 1.0)]
    assert main(["fuse", "sub.run"]) == 2
    assert main(["fuse", "--by-parent", "-m", "wsum", "-w", "1", "sub.run"]) == 2
    assert main(["fuse", "--by-parent", "--separator", "", "sub.run"]) == 2
