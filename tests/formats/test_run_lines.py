"""Many lists written at once: the same bytes as list by list."""

from __future__ import annotations

import io
import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rerank_cli.core.run import Ranking, Run
from rerank_cli.errors import BadData
from rerank_cli.formats import run_writer
from rerank_cli.formats.run_lines import trec_lines
from rerank_cli.formats.run_writer import RunWriter


def written(run: Run, whole: bool) -> tuple[bytes, int]:
    out = io.BytesIO()
    writer = RunWriter(out, "tag-é")
    if whole:
        writer.write_runs([run], len(run.docids))
    else:
        for ranking in run:
            writer.write(ranking)
    return out.getvalue(), writer.steps


def drawn(score, names=lambda n: b"d%d" % n, queries: int = 25) -> Run:
    draw = random.Random(5)
    lists = []
    for query in range(queries):
        docids = [names(n) for n in draw.sample(range(400), draw.randint(1, 80))]
        lists.append(Ranking.build(b"q%d" % query, docids, [score(draw) for _ in docids]))
    return Run.of(lists)


@pytest.mark.parametrize(
    "run",
    [
        drawn(lambda draw: draw.random()),
        drawn(lambda draw: 1 / (60 + draw.randint(1, 50))),
        drawn(lambda draw: draw.choice([0.0, -1.5, 1.0, 1 + 1e-9, 3e14, 1e-4])),
        drawn(lambda draw: draw.choice([1e-7, 2.5e-8, 2.5])),
        drawn(lambda draw: draw.choice([0.0, -0.0, 1e-46, -1e-46, 1e-45, -2.0, -2.0000000001])),
        drawn(lambda draw: draw.choice([1e20, 1e16, 123456789012345678.0])),
        drawn(lambda draw: draw.random(), lambda n: b"\xff\xe9%d" % n),
        drawn(lambda draw: draw.random(), lambda n: b"x" * 900 if n == 7 else b"d%d" % n),
    ],
)
@pytest.mark.parametrize("polars_from", [1, 1 << 60])
def test_the_same_bytes_as_list_by_list(monkeypatch, run, polars_from):
    monkeypatch.setattr(run_writer, "POLARS_FROM", polars_from)
    monkeypatch.setattr(run_writer, "BLOCK_ROWS", 150)
    assert written(run, whole=True) == written(run, whole=False)


def test_the_fast_way_is_taken_for_what_fusion_gives():
    run = drawn(lambda draw: 1 / (60 + draw.randint(1, 50)))
    assert trec_lines(run, run.scores, b"tag") is not None
    odd = Run.of([Ranking.build(b"a", [b"d"], [1.0]), Ranking.build(b"b" * 99, [b"d"], [1.0])])
    assert trec_lines(odd, odd.scores, b"tag") is None


@settings(max_examples=200, deadline=None)
@given(st.lists(st.floats(1e-4, 1e15, exclude_max=True) | st.floats(-1e15, -1e-4, exclude_min=True), min_size=1))
def test_scores_are_written_as_python_writes_them(scores):
    values = np.array(scores)
    run = Run((b"q",), np.array([0, len(values)]), np.array([b"d%d" % n for n in range(len(values))]), values)
    for many in (True, False):
        lines = trec_lines(run, values, b"t", many=many)
        assert lines is not None
        assert [line.split()[4].decode() for line in lines.splitlines()] == [repr(score) for score in scores]


@pytest.mark.parametrize(("qid", "docid", "score"), [(b"#q", b"d", 1.0), (b"q", b"a b", 1.0), (b"q r", b"d", 1.0)])
def test_what_cannot_be_written_is_refused(qid, docid, score):
    run = Run.of([Ranking.build(b"p", [b"d"], [1.0]), Ranking.build(qid, [docid], [score])])
    with pytest.raises(BadData):
        written(run, whole=True)
