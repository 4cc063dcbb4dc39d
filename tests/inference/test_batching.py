"""Batches hold every row once, keep their budget, and pad with what the mask leaves out."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rerank_cli.inference.batching import Row, batches, computed, padded, shared_out
from rerank_cli.inference.devices import Device

rows = st.lists(st.lists(st.integers(1, 9), min_size=1, max_size=30), max_size=40).map(
    lambda lists: [Row(np.array(ids), None, False) for ids in lists]
)


@given(st.lists(st.integers(1, 50), max_size=60), st.integers(1, 200))
def test_batches_keep_the_budget_and_lose_nothing(lengths: list[int], budget: int) -> None:
    array = np.array(lengths, dtype=int)
    made = list(batches(array, budget))
    assert sorted(np.concatenate(made).tolist() if made else []) == list(range(len(lengths)))
    for batch in made:
        assert len(batch) == 1 or len(batch) * array[batch].max() <= budget
    longest = [int(array[batch].max()) for batch in made]
    assert longest == sorted(longest, reverse=True), "the batch that needs most memory comes first"


@given(rows.filter(bool))
def test_padding_is_what_the_mask_leaves_out(given_rows: list[Row]) -> None:
    batch = padded(given_rows, ("input_ids", "attention_mask", "token_type_ids"), pad_id=0)
    for at, row in enumerate(given_rows):
        assert batch["input_ids"][at][batch["attention_mask"][at] == 1].tolist() == row.ids.tolist()
        assert not batch["input_ids"][at][batch["attention_mask"][at] == 0].any()
    assert all(array.dtype == np.int64 for array in batch.values())
    assert list(batch) == ["input_ids", "attention_mask", "token_type_ids"]


class Sums:
    """A backend whose answer for a row is the sum of its tokens."""

    def run(self, batch: dict[str, np.ndarray]) -> np.ndarray:
        return (batch["input_ids"] * batch["attention_mask"]).sum(1).astype(np.float32)


@given(rows, st.integers(1, 100))
def test_every_row_is_answered_once_and_by_its_own_number(given_rows: list[Row], budget: int) -> None:
    answers = list(computed(Sums(), given_rows, ("input_ids", "attention_mask"), 7, budget))
    values = {int(at): float(value) for positions, batch in answers for at, value in zip(positions, batch)}
    assert values == {at: float(row.ids.sum()) for at, row in enumerate(given_rows)}
    assert sum(len(positions) for positions, _ in answers) == len(given_rows)


def test_further_arrays_are_padded_each_to_its_own_longest() -> None:
    rows = [
        Row(np.arange(3), None, False, {"labels": np.array([7]), "other_input_ids": np.arange(4, 9)}),
        Row(np.arange(1), None, False, {"labels": np.array([8, 9]), "other_input_ids": np.array([3])}),
    ]
    arrays = padded(rows, ("input_ids", "labels", "other_input_ids"), 5)
    assert list(arrays) == ["input_ids", "labels", "other_input_ids"]
    assert arrays["input_ids"].tolist() == [[0, 1, 2], [0, 5, 5]]
    assert arrays["labels"].tolist() == [[7, -100], [8, 9]]
    assert arrays["other_input_ids"].tolist() == [[4, 5, 6, 7, 8], [3, 5, 5, 5, 5]]
    nothing = [Row(np.arange(2), None, False, {"labels": np.array([], dtype=np.int64)})]
    assert padded(nothing, ("labels",), 5)["labels"].tolist() == [[-100]], "a graph wants no axis of length 0"


class AtOnce:
    """A backend of two workers that notes its batches; each row's answer is its sum."""

    def __init__(self, kind: str) -> None:
        self.workers, self.device, self.sizes = 2, Device(kind), list[int]()

    def run(self, batch: dict[str, np.ndarray]) -> np.ndarray:
        self.sizes.append(batch["input_ids"].size)
        return np.asarray(batch["input_ids"].sum(1))


@pytest.mark.parametrize(("kind", "expected"), [("cpu", 4), ("cuda", 1)])
def test_few_rows_are_shared_among_a_processors_workers_and_stay_together_on_a_gpu(kind: str, expected: int) -> None:
    backend = AtOnce(kind)
    rows = [Row(np.full(10, number), None, False) for number in range(8)]
    answers = dict[int, int]()
    for positions, values in computed(backend, rows, ["input_ids"], 0, 1000):
        answers |= dict(zip(positions.tolist(), values.tolist(), strict=True))
    assert len(backend.sizes) == expected
    assert answers == {number: 10 * number for number in range(8)}


@given(st.lists(st.integers(5, 9), max_size=30), st.integers(1, 5))
def test_the_last_round_has_a_part_for_every_worker(sizes: list[int], workers: int) -> None:
    ends = np.cumsum([0, *sizes])
    cut = [np.arange(start, stop) for start, stop in itertools.pairwise(ends)]
    shared = shared_out(cut, workers)
    assert np.concatenate([*shared, []]).tolist() == list(range(ends[-1])), (
        "each row is in one batch, in the same order"
    )
    last = [len(batch) for batch in shared[len(cut) // workers * workers :]]
    assert all(last) and (not last or len(last) >= workers)


def test_ten_equal_rows_take_two_workers_as_long_as_five() -> None:
    backend = AtOnce("cpu")
    rows = [Row(np.ones(10, int), None, False)] * 10
    list(computed(backend, rows, ["input_ids"], 0, 1000))
    assert sorted(backend.sizes) == [10, 10, 20, 20, 20, 20]
