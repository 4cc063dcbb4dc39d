"""Ranges of lengths as TensorRT gets them; sessions of another provider stand where an engine would, the rest is the real thing."""

from __future__ import annotations

import json
import os
import signal
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rerank_cli.errors import WorkFailed, WrongUsage
from rerank_cli.export import ensure_exported
from rerank_cli.inference import onnx, tensorrt
from rerank_cli.inference.devices import Device
from rerank_cli.inference.tensorrt import (
    ENDS,
    MOST_TOKENS,
    LengthRanges,
    end_of,
    engine_folder,
    most_rows,
    provider_options,
)
from rerank_cli.methods.catalog import find

pytest_plugins = ["tiny_scorers"]
needs_gpu_runtime = pytest.mark.skipif(
    not any(one.name == "onnxruntime-gpu" for one in distributions()), reason="this is the onnxruntime without GPUs"
)


@given(st.integers(1, 5000))
def test_a_length_falls_into_one_range_that_holds_it(length: int) -> None:
    end = end_of(length)
    assert length <= end and (end in ENDS or end % ENDS[-1] == 0)
    assert end < 2 * max(length, ENDS[0] // 2) or end - length < ENDS[-1]
    assert most_rows(end) * end <= max(MOST_TOKENS, end)


def test_no_range_ends_beyond_the_positions_of_the_model() -> None:
    assert end_of(300, 384) == 384 and end_of(300, 1000) == 512 and end_of(300) == 512
    assert end_of(600, 1000) == 1000


def test_a_profile_names_every_input_and_spans_all_batches_of_its_range(tmp_path: Path) -> None:
    options = provider_options(["input_ids", "attention_mask"], 128, 3, tmp_path)
    assert options["trt_profile_min_shapes"] == "input_ids:1x128,attention_mask:1x128"
    assert options["trt_profile_max_shapes"] == "input_ids:256x128,attention_mask:256x128"
    assert options["device_id"] == "3" and options["trt_engine_cache_path"] == str(tmp_path)
    assert "trt_fp16_enable" not in options, "an exact graph is computed exactly"
    assert provider_options(["input_ids"], 128, 3, tmp_path, "fp16")["trt_fp16_enable"] == "1"
    with pytest.raises(WrongUsage, match="owner"):
        provider_options(["input_ids", "attention_mask", "owner"], 128, 0, tmp_path)


def test_engines_of_another_gpu_or_version_lie_elsewhere(tmp_path: Path) -> None:
    named = [
        ("L4", "1.31.1", "101300"),
        ("L4", "1.31.1", "101401"),
        ("L4", "1.31.2", "101300"),
        ("H200 x", "1.31.1", "1"),
    ]
    assert len({engine_folder(tmp_path, *names) for names in named}) == 4


@needs_gpu_runtime
def test_every_option_is_one_that_the_installed_provider_knows(tmp_path: Path) -> None:
    import onnxruntime

    capi = Path(onnxruntime.__file__).parent / "capi"
    for provider, options in {
        "tensorrt": provider_options(["input_ids"], 64, 0, tmp_path, "fp16"),
        "cuda": onnx._providers("cuda", Device("cuda"), captures=True)[0][1],
    }.items():
        library = (capi / f"libonnxruntime_providers_{provider}.so").read_bytes()
        assert [name for name in options if name.encode() not in library] == []


class Opened:
    """Opens ranges of the tiny model on the CPU, and writes what TensorRT would; `engine` is what it leaves of an engine."""

    def __init__(self, graph: Path, engine: str = "graph.engine") -> None:
        self.graph, self.engine, self.ends = graph, engine, list[tuple[int, bool]]()

    def __call__(self, end: int, folder: Path) -> Any:
        import onnxruntime

        new = not (folder / self.engine).exists()
        self.ends.append((end, new))
        (folder / self.engine).touch()
        (folder / "sm90.timing").write_text("timings")
        return onnxruntime.InferenceSession(str(self.graph), providers=["CPUExecutionProvider"])


def batch(rows: int, length: int) -> dict[str, np.ndarray]:
    ids = np.arange(rows * length).reshape(rows, length) % 40 + 5
    return {"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": np.zeros_like(ids)}


def test_batches_padded_to_their_range_score_as_they_are(tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import onnxruntime

    monkeypatch.setattr(tensorrt, "MOST_TOKENS", 3 * 64)
    opened = Opened(tiny.exported("bert-1") / "model.onnx")
    plain = onnxruntime.InferenceSession(str(opened.graph), providers=["CPUExecutionProvider"])
    said: list[str] = []
    for _ in range(2):
        ranges = LengthRanges(opened, tmp_path / "gpu", said.append, longest=64)
        for one in (batch(2, 9), batch(7, 30)):  # the second has more rows than its range's profile
            np.testing.assert_allclose(ranges.run(None, one)[0], plain.run(None, one)[0], atol=1e-5)
    assert opened.ends == [(64, True), (64, False), (64, False)], "an engine that is kept is not built again"
    assert len(said) == 2 and "64 tokens, once" in said[0] and "not known yet" in said[0] and "built" in said[1]
    assert (tmp_path / "gpu" / "sm90.timing").read_text() == "timings", "kept for the engines of other lengths"


def test_a_further_build_says_how_long_the_last_one_took(tiny, tmp_path: Path) -> None:
    opened = Opened(tiny.exported("bert-1") / "model.onnx")
    said: list[str] = []
    for version in ("older", "newer"):
        LengthRanges(opened, tmp_path / version, said.append, longest=64).run(None, batch(2, 9))
        built = tmp_path / version / "64" / tensorrt.BUILT
        assert json.loads(built.read_text())["seconds"] >= 0
        built.write_text(json.dumps({"seconds": 83.0}))
    assert "the last one of this model took 83 s" in said[2]


def test_a_build_that_was_killed_is_done_again(tiny, tmp_path: Path) -> None:
    """kill -9 in the middle leaves half an engine, which must not be taken for a whole one."""
    graph = tiny.exported("bert-1") / "model.onnx"
    child = os.fork()
    if child == 0:

        def killed(end: int, folder: Path) -> None:
            (folder / "graph.engine").write_text("half")
            os.kill(os.getpid(), signal.SIGKILL)

        LengthRanges(killed, tmp_path / "gpu", lambda _: None, longest=64).run(None, batch(2, 9))
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    assert list((tmp_path / "gpu").glob("**/graph.engine")), "something was left"
    opened = Opened(graph)
    LengthRanges(opened, tmp_path / "gpu", lambda _: None, longest=64).run(None, batch(2, 9))
    assert opened.ends == [(64, True), (64, False)]
    assert [path.read_text() for path in (tmp_path / "gpu").glob("**/graph.engine")] == [""]


def test_a_graph_that_tensorrt_takes_no_part_of_is_an_error(tiny, tmp_path: Path) -> None:
    opened = Opened(tiny.exported("bert-1") / "model.onnx", engine="nothing")
    with pytest.raises(WorkFailed, match="no engine"):
        LengthRanges(opened, tmp_path, lambda _: None, longest=64).run(None, batch(2, 9))
    assert not (tmp_path / "64").exists()


def test_a_graph_for_tensorrt_holds_operators_of_the_standard_only(tiny, tmp_path: Path) -> None:
    from onnx import load

    checkpoint = find(str(tiny.folder("bert-1")))
    plain = ensure_exported(checkpoint, tmp_path, note=lambda _: None, offline=True, fuses=False)
    assert {node.domain for node in load(plain / "model.onnx").graph.node} == {""}
    assert {node.domain for node in load(tiny.exported("bert-1") / "model.onnx").graph.node} > {""}
