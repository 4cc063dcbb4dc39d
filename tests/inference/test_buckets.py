"""Batches padded to fixed shapes over bound buffers. On a processor nothing is captured; all else is what a GPU gets."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rerank_cli.errors import WorkFailed
from rerank_cli.inference import buckets
from rerank_cli.inference.buckets import Buckets, padded_to
from rerank_cli.inference.devices import Device

pytest_plugins = ["tiny_scorers"]
#: Positions of the tiny models.
LONGEST = 64


@given(st.integers(1, 100_000), st.sampled_from([1, 8]))
def test_a_size_is_padded_by_an_eighth_at_most_beyond_the_smallest(size: int, least: int) -> None:
    padded = padded_to(size, least)
    assert size <= padded < size + max(least, size / 8)
    assert padded_to(padded, least) == padded, "what fits exactly is not padded"


def test_a_doubling_has_eight_sizes_and_a_25th_is_padding_on_average() -> None:
    assert len({padded_to(size, 1) for size in range(257, 513)}) == 8
    assert sum(padded_to(size, 1) / size for size in range(257, 513)) / 256 < 1.05


def on_cpu(graph: Any) -> Callable[[bool], Any]:
    import onnxruntime

    return lambda captures: onnxruntime.InferenceSession(str(graph), providers=["CPUExecutionProvider"])


def random_batch(names: list[str], rows: int, length: int, seed: int) -> dict[str, np.ndarray]:
    """Rows of different lengths, the first of `length`."""
    draw = np.random.default_rng(seed)
    lengths = np.r_[length, draw.integers(1, length + 1, rows - 1)]
    mask = (np.arange(length) < lengths[:, None]).astype(np.int64)
    arrays = {"input_ids": draw.integers(4, 40, (rows, length)) * mask, "attention_mask": mask}
    return {name: arrays.get(name, np.zeros_like(mask)) for name in names}


def used(captured: Buckets) -> int:
    return len(captured._kept)


@pytest.mark.parametrize("name", ["bert-1", "xlm-roberta-1", "modernbert-1", "t5"])
def test_padded_and_bound_batches_answer_as_unpadded_ones(tiny, name: str) -> None:
    opened = on_cpu(tiny.exported(name) / "model.onnx")
    plain, captured = opened(False), Buckets(opened, Device("cpu"), pytest.fail, LONGEST)
    names = [one.name for one in plain.get_inputs()]
    for seed, (rows, length) in enumerate([(17, 33), (18, 39), (17, 40), (2, 63), (2, 64), (1, 60), (18, 35), (1, 64)]):
        batch = random_batch(names, rows, length, seed)
        (got,), (wanted,) = captured.run(None, batch), plain.run(None, batch)
        assert got.shape == wanted.shape and got.dtype == wanted.dtype
        np.testing.assert_allclose(got, wanted, atol=1e-5)
    assert used(captured) == 3, "each shape that came twice was bound"


def test_answers_as_long_as_the_texts_are_cut_to_them(tmp_path) -> None:
    """A vector a token: (n, length, d)."""
    from onnx import TensorProto, helper, save

    nodes = [
        helper.make_node("Cast", ["input_ids"], ["f"], to=1),
        helper.make_node("Unsqueeze", ["f", "two"], ["answer"]),
    ]
    shapes = {name: ["n", "length"] for name in ("input_ids", "attention_mask")}
    made = helper.make_graph(
        nodes,
        "tokens",
        [helper.make_tensor_value_info(name, TensorProto.INT64, shape) for name, shape in shapes.items()],
        [helper.make_tensor_value_info("answer", TensorProto.FLOAT, ["n", "length", 1])],
        [helper.make_tensor("two", TensorProto.INT64, [1], [2])],
    )
    save(helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), tmp_path / "model.onnx")
    captured = Buckets(on_cpu(tmp_path / "model.onnx"), Device("cpu"), pytest.fail)
    answers = []
    for seed in range(4):
        batch = random_batch(list(shapes), 17, 35, seed)
        answers.append((batch, captured.run(None, batch)[0]))
    assert used(captured) == 1
    for batch, answer in answers:  # all are looked at after the last run: none is a view of a buffer
        np.testing.assert_array_equal(answer[:, :, 0], batch["input_ids"])


def test_large_batches_other_graphs_and_shapes_beyond_the_room_are_not_padded(tiny, monkeypatch: Any) -> None:
    monkeypatch.setattr(buckets, "MOST_SHAPES", 1)
    monkeypatch.setattr(buckets, "MOST_TOKENS", 200)
    opened = on_cpu(tiny.exported("xlm-roberta-1") / "model.onnx")
    captured = Buckets(opened, Device("cpu"), pytest.fail)
    for seed, (rows, length) in enumerate([(2, 9), (2, 9), (3, 9), (3, 9), (3, 9), (9, 30), (9, 30)]):
        captured.run(None, random_batch(["input_ids", "attention_mask"], rows, length, seed))
    assert list(captured._kept) == [(2, 16)]
    assert captured._shape({"input_ids": np.ones((2, 9)), "owner": np.zeros(2)}) is None


def test_no_batch_is_padded_beyond_the_positions_of_the_model(tiny) -> None:
    """The tiny model has 64; were it told to have 61, a batch of 60 tokens had to stay within them."""
    opened = on_cpu(tiny.exported("bert-1") / "model.onnx")
    short = Buckets(opened, Device("cpu"), pytest.fail, 61)
    assert [short._shape({"input_ids": np.ones((2, length))}) for length in (50, 60, 61)] == [(2, 56), (2, 61), (2, 61)]


class Session:
    """A session whose runs that were captured answer wrongly, as where a GPU's kernels kept what they were captured over."""

    def __init__(self, session: Any, wrong: Callable[[], None]) -> None:
        self._session, self._wrong = session, wrong

    def run_with_iobinding(self, binding: Any, options: Any) -> None:
        self._session.run_with_iobinding(binding, options)
        if options.get_run_config_entry("gpu_graph_id") != "-1":
            self._wrong()
            for value in binding.get_outputs():
                value.update_inplace(value.numpy() + 1)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._session, name)


def failing() -> None:
    raise RuntimeError("operation not permitted when stream is capturing")


@pytest.mark.parametrize(("wrong", "told"), [(lambda: None, "other answers"), (failing, "not permitted")])
def test_a_capture_that_fails_or_answers_otherwise_is_given_up_and_said_once(tiny, wrong: Any, told: str) -> None:
    opened = on_cpu(tiny.exported("xlm-roberta-1") / "model.onnx")
    said: list[str] = []
    captured = Buckets(
        lambda captures: Session(opened(True), wrong) if captures else opened(False), Device("cpu"), said.append
    )
    for seed in range(4):
        batch = random_batch(["input_ids", "attention_mask"], 3, 20, seed)
        np.testing.assert_allclose(captured.run(None, batch)[0], opened(False).run(None, batch)[0], atol=1e-5)
    assert len(said) == 1 and told in said[0] and used(captured) == 0


def test_a_model_that_cannot_be_captured_is_opened_without_and_runs(tiny) -> None:
    opened = on_cpu(tiny.exported("xlm-roberta-1") / "model.onnx")
    said: list[str] = []

    def refusing(captures: bool) -> Any:
        if captures:
            raise WorkFailed("model.onnx: ONNX Runtime cannot load the graph: FAIL : it has control flow nodes")
        return opened(False)

    captured = Buckets(refusing, Device("cpu"), said.append)
    for seed in range(3):
        captured.run(None, random_batch(["input_ids", "attention_mask"], 3, 20, seed))
    assert said == ["going on without CUDA graphs: ONNX Runtime cannot capture this model (it has control flow nodes)"]


def test_a_model_that_does_not_load_at_all_fails_without_a_word_of_capturing() -> None:
    def broken(captures: bool) -> Any:
        raise WorkFailed("model.onnx: ONNX Runtime cannot load the graph: no protobuf")

    with pytest.raises(WorkFailed, match="no protobuf"):
        Buckets(broken, Device("cpu"), pytest.fail)


def test_threads_that_ask_at_once_get_their_own_answers(tiny) -> None:
    from concurrent.futures import ThreadPoolExecutor

    opened = on_cpu(tiny.exported("xlm-roberta-1") / "model.onnx")
    captured = Buckets(opened, Device("cpu"), pytest.fail)
    asked = [random_batch(["input_ids", "attention_mask"], 4, 20, seed) for seed in range(40)]
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda batch: captured.run(None, batch)[0], asked))
    plain = opened(False)
    for batch, answer in zip(asked, answers, strict=True):
        np.testing.assert_allclose(answer, plain.run(None, batch)[0], atol=1e-5)
