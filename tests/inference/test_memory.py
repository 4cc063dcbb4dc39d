"""What memory has no room for is done in halves by both engines; the answers are the same, and it is said once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rerank_cli.errors import OutOfMemory, WorkFailed
from rerank_cli.inference.batching import Row, computed
from rerank_cli.inference.memory import Halves, failed_batch, is_memory, numbered_by, telling
from rerank_cli.inference.onnx import OnnxBackend
from rerank_cli.inference.torch import TorchBackend

INPUTS = ("input_ids", "attention_mask")
#: More than any machine has.
VAST = 1 << 46


class Small:
    """A backend with room for so many padded tokens; the answer for a row is the sum of its tokens."""

    engine, provider, workers = "small", "small", 1

    def __init__(self, room: int, said: list[str] | None = None) -> None:
        self.room = room
        self.refused = 0
        self.halves = Halves(pytest.fail if said is None else said.append)

    def run(self, batch: dict[str, np.ndarray]) -> np.ndarray:
        if batch["input_ids"].size > self.room:
            self.refused += 1
            raise failed_batch(batch, MemoryError("no room"))
        return (batch["input_ids"] * batch["attention_mask"]).sum(1).astype(np.float32)


def answers(backend: Any, rows: list[Row], budget: int) -> dict[int, float]:
    done = computed(backend, rows, INPUTS, 0, budget)
    return {int(at): float(value) for positions, batch in done for at, value in zip(positions, batch, strict=True)}


def rows_of(*lists: list[int]) -> list[Row]:
    return [Row(np.array(ids), None, False) for ids in lists]


@given(st.lists(st.lists(st.integers(1, 9), min_size=1, max_size=20), min_size=1, max_size=40), st.integers(20, 400))
def test_every_row_is_scored_and_a_size_that_failed_is_not_tried_again(lists: list[list[int]], budget: int) -> None:
    said: list[str] = []
    small = Small(20, said)
    expected = {at: float(sum(ids)) for at, ids in enumerate(lists)}
    assert answers(small, rows_of(*lists), budget) == expected
    assert len(said) == (1 if small.refused else 0)
    before = small.refused
    assert small.halves.refused == before
    assert answers(small, rows_of(*lists), budget) == expected
    assert small.refused == before


@given(st.integers(1, 30), st.integers(0, 40), st.integers(1, 12))
def test_what_was_done_before_memory_ended_is_not_done_again(n: int, fails_after: int, room: int) -> None:
    done: list[int] = []
    left = fails_after

    def ask(rows: np.ndarray) -> Any:
        nonlocal left
        for row in rows.tolist():
            if len(rows) > room and left == 0:
                raise OutOfMemory("no room")
            left = max(0, left - 1)
            done.append(row)
            yield [row], row * row

    found = list(Halves(lambda said: None).done(ask, np.arange(n), np.full(n, 7)))
    assert sorted(found) == [([row], row * row) for row in range(n)]
    assert sorted(done) == list(range(n))


def scarce_graph(place: Path, room: int) -> Path:
    """A graph that adds up each row's tokens, and asks for a vast array when the batch has more than `room`."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    constants = {"room": room, "vast": VAST, "one": 1, "vector": [1], "axis": [1]}
    steps = [
        ("Size", ["input_ids"], "size"),
        ("Greater", ["size", "room"], "over"),
        ("Where", ["over", "vast", "one"], "taken"),
        ("Reshape", ["taken", "vector"], "shape"),
        ("ConstantOfShape", ["shape"], "zeros"),
        ("Mul", ["input_ids", "attention_mask"], "seen"),
        ("Cast", ["seen"], "numbers"),
        ("ReduceSum", ["numbers", "axis"], "sums"),
    ]
    more: dict[str, dict[str, Any]] = {"Cast": {"to": TensorProto.FLOAT}, "ReduceSum": {"keepdims": 0}}
    nodes = [helper.make_node(kind, inputs, [output], **more.get(kind, {})) for kind, inputs, output in steps]
    nodes.append(helper.make_node("ReduceMax", ["zeros"], ["zero"], keepdims=0))
    nodes.append(helper.make_node("Add", ["sums", "zero"], ["answer"]))
    graph = helper.make_graph(
        nodes,
        "scarce",
        [helper.make_tensor_value_info(name, TensorProto.INT64, ["n", "length"]) for name in INPUTS],
        [helper.make_tensor_value_info("answer", TensorProto.FLOAT, ["n"])],
        [numpy_helper.from_array(np.array(value, np.int64), name) for name, value in constants.items()],
    )
    path = place / f"{room}.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return path


def scarce_module(room: int) -> Any:
    """The same in PyTorch."""
    import torch

    class Scarce(torch.nn.Module):
        def forward(self, input_ids: Any, attention_mask: Any) -> Any:
            if input_ids.numel() > room:
                torch.empty(VAST)
            return (input_ids * attention_mask).sum(1).float()

    return Scarce()


@pytest.fixture(params=["onnx", "torch"])
def engine(request: Any, tmp_path: Path) -> Any:
    """Opens a backend of an engine whose allocations fail in earnest beyond `room` tokens."""

    def opened(room: int, said: list[str], threads: int = 1) -> Any:
        backend: Any
        if request.param == "onnx":
            graph = scarce_graph(tmp_path, room)
            backend = OnnxBackend(graph, provider="cpu", device="cpu", threads=threads, note=pytest.fail)
        else:
            backend = TorchBackend(scarce_module(room), longest=512, device="cpu", threads=threads)
        backend.halves = Halves(said.append)
        return backend

    return opened


LISTS = [[1] * 9, [2] * 5, [3] * 5, [4, 4], [5], [6] * 7, [7] * 3, [8] * 8]
SUMS = {at: float(sum(ids)) for at, ids in enumerate(LISTS)}


@pytest.mark.parametrize("threads", [1, 3])
def test_allocations_that_fail_in_earnest_are_halved(engine: Any, threads: int, capfd: Any) -> None:
    said: list[str] = []
    backend = engine(10, said, threads)
    many = rows_of(*LISTS * 6)
    assert answers(backend, many, 100) == {at: SUMS[at % len(LISTS)] for at in range(len(many))}
    assert backend.halves.refused and len(said) == 1 and "no memory for a batch of" in said[0]
    assert "ailed to allocate" not in capfd.readouterr().err, "the engine's own log says nothing beside"


def test_a_row_that_has_no_room_by_itself_is_an_error_with_its_number_and_size(engine: Any) -> None:
    with pytest.raises(OutOfMemory, match="a batch of 1 x 9 tokens") as caught:
        answers(engine(8, []), rows_of(*LISTS[::-1]), 100)
    assert caught.value.row == 7 and "--max-length" in caught.value.hint
    assert is_memory(caught.value.__cause__), "the engine's own error is kept for --debug"


def test_another_failure_is_not_taken_for_a_lack_of_memory() -> None:
    class Broken(Small):
        def run(self, batch: dict[str, np.ndarray]) -> np.ndarray:
            self.refused += 1
            raise failed_batch(batch, RuntimeError("a bad graph\nof many lines"))

    broken = Broken(0)
    with pytest.raises(WorkFailed, match=r"2 x 3 tokens: a bad graph$") as caught:
        answers(broken, rows_of([1, 2, 3], [4, 5, 6]), 100)
    assert broken.refused == 1 and not isinstance(caught.value, OutOfMemory)


def test_an_error_tells_the_texts_of_its_row_through_all_who_number_it_anew() -> None:
    with pytest.raises(OutOfMemory) as caught, telling(["a", "b", "c", "d"]), numbered_by(np.array([3, 1])):
        list(Halves(pytest.fail).done(lambda rows: answers_nothing(), np.array([0]), np.array([5])))
    assert caught.value.texts == ("d",)


def answers_nothing() -> Any:
    raise OutOfMemory("no room")
