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


class Prompts(Small):
    """A backend as the causal graph's: a row's answer counts its prefix too, and positions are kept, layer by layer."""

    def outputs(self, batch: dict[str, np.ndarray]) -> list[np.ndarray]:
        ids, prefix, owner = batch["input_ids"], batch["prefix"], batch["owner"]
        if ids.shape[0] * (ids.shape[1] + prefix.shape[3]) > self.room:
            self.refused += 1
            raise failed_batch(batch, "no room", is_memory=True)
        seen = np.arange(prefix.shape[3]) < batch["lengths"][:, None]
        before = (prefix[0, :, 0, :, 0] * seen).sum(1)
        answers = (ids * batch["attention_mask"]).sum(1) + before[owner]
        kept = ids[:, batch["keep"]]
        return [answers, np.stack([kept, -kept])]


@given(st.integers(1, 9), st.integers(1, 7), st.integers(0, 5), st.integers(12, 90))
def test_prompts_that_go_on_from_prefixes_are_halved_with_what_is_theirs(
    rows: int, length: int, before: int, room: int
) -> None:
    draw = np.random.default_rng(rows * 8 + length)
    batch = {
        "input_ids": draw.integers(1, 9, (rows, length)),
        "attention_mask": np.ones((rows, length), dtype=np.int64),
        "owner": draw.integers(0, 3, rows),
        "prefix": draw.integers(1, 9, (2, 3, 1, before, 1)).astype(float),
        "lengths": draw.integers(0, before + 1, 3),
        "keep": np.arange(length),
    }
    said: list[str] = []
    whole = Prompts(room=10**9).outputs(batch)
    small = Prompts(room)
    for one, wanted in zip(WithinMemory(small, said.append).outputs(batch), whole, strict=True):
        np.testing.assert_array_equal(one, wanted)
    assert len(said) == (1 if small.refused else 0)


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
