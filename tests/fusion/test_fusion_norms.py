"""Normalisations where lists are flat, distances, logits, or were told apart by the smallest steps."""

from __future__ import annotations

import numpy as np
import pytest
from test_fusion_rules import fused, lists


def test_a_list_of_equal_scores_counts_as_hits_not_as_misses():
    got = dict(lists(fused([{"q": {"a": 5}}, {"q": {"b": 3, "c": 1}}], "sum", norm="min-max"))["q"])
    assert got == {"a": 1.0, "b": 1.0, "c": 0.0}
    got = dict(lists(fused([{"q": {"a": 2, "b": 2}}, {"q": {"c": 1}}], "sum", norm="sum"))["q"])
    assert got == {"a": 0.5, "b": 0.5, "c": 1.0}
    flat = [{"q": {"a": 0.1, "b": 0.1, "c": 0.1}}, {"q": {"a": 1}}]
    for norm, once in (("z-score", 0.0), ("dbsf", 0.5), ("min-max-inverted", 1.0)):
        got = dict(lists(fused(flat, "sum", norm=norm))["q"])
        assert got == {"a": 2 * once, "b": once, "c": once}
    assert set(dict(lists(fused([{"q": {"a": 0, "b": 0}}, {}], "sum", norm="l2"))["q"]).values()) == {0.0}


def test_of_distances_the_nearest_are_read_and_are_best():
    distances = {"q": {"near": 0.2, "far": 0.9, "between": 0.3}}
    got = lists(fused([distances, {}], "sum", norm="min-max-inverted"))["q"]
    assert got == [("near", 1.0), ("between", pytest.approx(6 / 7)), ("far", 0.0)]
    for rule in ("sum", "rrf"):
        got = lists(fused([distances, {}], rule, norm="min-max-inverted", depth=2))["q"]
        assert [d for d, _ in got] == ["near", "between"]


def test_sigmoid_holds_any_logit_and_needs_no_list_around_it():
    got = dict(lists(fused([{"q": {"a": 2000.0, "b": 0.0, "c": -3.0, "d": -2000.0}}, {}], "mnz", norm="sigmoid"))["q"])
    assert got == {"a": 1.0, "b": 0.5, "c": pytest.approx(1 / (1 + np.exp(3))), "d": 0.0}


def test_normalisers_take_the_smallest_steps_for_the_tie_they_were():
    one_below = float(np.nextafter(np.float32(2.0), np.float32(0)))
    got = dict(lists(fused([{"q": {"a": 2.0, "b": one_below, "c": 1.0}}], "sum", norm="min-max"))["q"])
    assert got["a"] == got["b"] == 1.0


def test_each_list_is_normalised_by_itself():
    run = {"1": {"a": 3.0, "b": 1.0}, "2": {"c": 9.0, "d": 6.0, "e": 5.0}}
    got = lists(fused([run, {}], "sum", norm="min-max"))
    assert got == {"1": [("a", 1.0), ("b", 0.0)], "2": [("c", 1.0), ("d", 0.25), ("e", 0.0)]}
