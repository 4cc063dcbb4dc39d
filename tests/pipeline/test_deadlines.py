"""Time or budget is over in the middle of a run: nothing more is asked, and every list is written."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from knowing import Knowing, docids, lists
from test_drivers import run


@pytest.mark.parametrize("at_once", [1, 4])
def test_a_deadline_stops_the_asking_and_every_list_is_written(at_once: int) -> None:
    candidates, sources, _ = lists(90, 60)
    ranker = Knowing(at_once=at_once, seconds=0.05)
    answers = run(ranker, candidates, sources, "sliding", limits={"deadline": 0.2}, window=10, step=5)
    assert len(ranker.batches) <= at_once * (1 + 0.2 / 0.05)
    assert len(answers) == 90
    assert all(sorted(docids(a.ranking)) == sorted(docids(c.ranking)) for a, c in zip(answers, candidates, strict=True))
    assert answers[-1].stats.told["stopped"] == "deadline"
    assert docids(answers[-1].ranking) == docids(candidates[-1].ranking)


def test_a_deadline_is_looked_at_within_a_round_too() -> None:
    """A first round asks 64 queries for 60 documents each; here every document takes a second of the clock, and there are a hundred."""
    candidates, sources, _ = lists(64, 60)
    now = [0.0]

    class Ticking(Knowing):
        def answer(self, slates):
            for at, reply in super().answer(slates):
                now[0] += len(slates[at].documents)
                yield at, reply

    ranker = Ticking()
    with pytest.MonkeyPatch.context() as clock:
        clock.setattr("rerank_cli.pipeline.drivers.time", SimpleNamespace(monotonic=lambda: now[0]))
        answers = run(ranker, candidates, sources, "sliding", limits={"deadline": 100.0}, window=60, step=30)
    assert len(answers) == 64
    assert 100 <= now[0] <= 100 + 256
    assert answers[-1].stats.told["stopped"] == "deadline"


@pytest.mark.parametrize("at_once", [1, 4])
def test_a_spent_budget_stops_the_asking_and_every_list_is_written(at_once: int) -> None:
    candidates, sources, _ = lists(10, 40)
    ranker = Knowing(at_once=at_once, calls_left=30)
    answers = run(ranker, candidates, sources, "sliding", window=10, step=5)
    assert len(answers) == 10
    assert sum(answer.stats.questions for answer in answers) <= 30
    assert sum(answer.stats.told.get("stopped") == "budget" for answer in answers) >= 5
