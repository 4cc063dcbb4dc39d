"""Fusing block by block gives what fusing all at once gives."""

from __future__ import annotations

import random

import pytest

from rerank_cli.core.run import Ranking, Run
from rerank_cli.fusion import all_rules
from rerank_cli.fusion import fuse as module
from rerank_cli.fusion.blocks import in_blocks
from rerank_cli.fusion.fuse import Recipe, fuse


def drawn(seed: int, width: int) -> Run:
    """Lists of the queries in an order of their own, some left out."""
    draw = random.Random(seed)
    lists = []
    for query in draw.sample(range(40), 30) if seed else range(40):
        docids = [b"%0*d" % (width, n) for n in draw.sample(range(60), draw.randint(1, 40))]
        lists.append(Ranking.build(b"q%d" % query, docids, [draw.choice([0.5, 1, 2]) * draw.random() for _ in docids]))
    return Run.of(lists)


def lines(run: Run) -> list[tuple[bytes, list[bytes], list[float]]]:
    return [(r.qid, r.docids.tolist(), r.scores.tolist()) for r in run]


@pytest.mark.parametrize("rule", ["rrf", "mnz", "isr", "bordafuse", "interleave", "wsum"])
@pytest.mark.parametrize("rows", [1, 100, 700])
def test_blocks_give_what_all_at_once_gives(monkeypatch, rule, rows):
    runs = [drawn(0, 4), drawn(1, 4), drawn(2, 4)]
    recipe = Recipe(all_rules()[rule], k=25, depth=30)
    whole = fuse(runs, ["a", "b", "c"], recipe, "tag", print)
    monkeypatch.setattr(module, "in_blocks", lambda f, r, note: in_blocks(f, r, note, rows))
    parts = fuse(runs, ["a", "b", "c"], recipe, "tag", print)
    assert lines(parts) == lines(whole)
    assert parts.tag == whole.tag == "tag"


def test_what_is_said_is_said_once(monkeypatch):
    said: list[str] = []
    monkeypatch.setattr(module, "in_blocks", lambda f, r, note: in_blocks(f, r, note, 50))
    fuse([drawn(0, 4), drawn(1, 4)], ["a", "b"], Recipe(all_rules()["rrf"], norm="max"), "tag", said.append)
    assert said == ["rrf looks at ranks only: --norm max changes nothing"]
