"""A batch that does not fit into memory is done in halves; the scores are the same, and it is said once."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rerank_cli.errors import WorkFailed
from rerank_cli.inference.batching import Row, computed
from rerank_cli.inference.memory import OutOfMemory, WithinMemory, failed_batch


class Small:
    """A backend with room for so many padded tokens; the answer for a row is the sum of its tokens."""

    engine, provider, workers = "small", "small", 1

    def __init__(self, room: int) -> None:
        self.room = room
        self.refused = 0

    def run(self, batch: dict[str, np.ndarray]) -> np.ndarray:
        if batch["input_ids"].size > self.room:
            self.refused += 1
            raise failed_batch(batch, "no room", is_memory=True)
        return (batch["input_ids"] * batch["attention_mask"]).sum(1).astype(np.float32)


def answers(backend: object, rows: list[Row], budget: int) -> dict[int, float]:
    done = computed(backend, rows, ("input_ids", "attention_mask"), 0, budget)  # type: ignore[arg-type]
    return {int(at): float(value) for positions, batch in done for at, value in zip(positions, batch, strict=True)}


@given(st.lists(st.lists(st.integers(1, 9), min_size=1, max_size=20), min_size=1, max_size=40), st.integers(20, 400))
def test_every_row_is_scored_and_a_size_that_failed_is_not_tried_again(lists: list[list[int]], budget: int) -> None:
    said: list[str] = []
    small = Small(room=20)
    backend = WithinMemory(small, said.append)
    rows = [Row(np.array(ids), None, False) for ids in lists]
    expected = {at: float(sum(ids)) for at, ids in enumerate(lists)}
    assert answers(backend, rows, budget) == expected
    assert len(said) == (1 if small.refused else 0)
    before = small.refused
    assert answers(backend, rows, budget) == expected
    assert small.refused == before


def test_a_single_row_that_does_not_fit_is_an_error_that_says_its_size() -> None:
    backend = WithinMemory(Small(room=5), lambda _: None)
    with pytest.raises(OutOfMemory, match="1 x 6 tokens") as caught:
        answers(backend, [Row(np.arange(6), None, False)] * 2, 100)
    assert "--max-length" in caught.value.hint


def test_another_failure_is_not_taken_for_a_lack_of_memory() -> None:
    class Broken(Small):
        def run(self, batch: dict[str, np.ndarray]) -> np.ndarray:
            self.refused += 1
            raise failed_batch(batch, "a bad graph", is_memory=False)

    broken = Broken(0)
    with pytest.raises(WorkFailed, match="2 x 3 tokens: a bad graph"):
        answers(WithinMemory(broken, pytest.fail), [Row(np.arange(3), None, False)] * 2, 100)
    assert broken.refused == 1
