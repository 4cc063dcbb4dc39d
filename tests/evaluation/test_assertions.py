"""Assertions: what they read, and when they hold."""

from __future__ import annotations

import pytest

from rerank_cli.errors import WrongUsage
from rerank_cli.evaluation.assertions import parse_assertion


@pytest.mark.parametrize(
    ("text", "value", "baseline", "holds"),
    [
        ("nDCG@10>=0.30", 0.30, None, True),
        ("nDCG@10>=0.30", 0.29999, None, False),
        ("nDCG@10 > .3", 0.3, None, False),
        ("AP(rel=2)<=0.5", 0.5, None, True),
        ("AP<0.5", 0.5, None, False),
        ("nDCG@10==0.5058", 0.50577, None, True),
        ("nDCG@10==0.51", 0.50577, None, True),
        ("nDCG@10==0.5058", 0.5059, None, False),
        ("AP>=baseline", 0.4, 0.4, True),
        ("AP>baseline", 0.4, 0.4, False),
        ("AP>=baseline-0.005", 0.396, 0.4, True),
        ("AP>=baseline - 0.005", 0.394, 0.4, False),
        ("AP>=baseline+0.01", 0.409, 0.4, False),
        ("AP>=baseline*0.9", 0.37, 0.4, True),
        ("AP==baseline", 0.40001, 0.4, True),
    ],
)
def test_when_an_assertion_holds(text, value, baseline, holds):
    assertion = parse_assertion(text)
    assert assertion.needs_baseline == (baseline is not None)
    assert assertion.holds(value, baseline) is holds


@pytest.mark.parametrize("text", ["", "nDCG@10", "nDCG@10>=", ">=0.3", "AP=0.3", "AP>=x", "AP>=nan", "AP>=baseline-x"])
def test_what_is_no_comparison_is_refused(text):
    with pytest.raises(WrongUsage, match="--assert"):
        parse_assertion(text)
