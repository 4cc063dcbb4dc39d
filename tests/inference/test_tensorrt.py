"""Ranges of lengths as TensorRT gets them; sessions of another provider stand where an engine would, the rest is the real thing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rerank_cli.errors import WrongUsage
from rerank_cli.inference.tensorrt import ENDS, MOST_TOKENS, LengthRanges, end_of, most_rows, provider_options

pytest_plugins = ["tiny_scorers"]


@given(st.integers(1, 5000))
def test_a_length_falls_into_one_range_that_holds_it(length: int) -> None:
    end = end_of(length)
    assert length <= end and (end in ENDS or end % ENDS[-1] == 0)
    assert end < 2 * max(length, ENDS[0] // 2) or end - length < ENDS[-1]
    assert most_rows(end) * end <= max(MOST_TOKENS, end)


def test_a_profile_names_every_input_and_spans_all_batches_of_its_range(tmp_path: Path) -> None:
    options = provider_options(["input_ids", "attention_mask"], 128, 3, tmp_path)
    assert options["trt_profile_min_shapes"] == "input_ids:1x128,attention_mask:1x128"
    assert options["trt_profile_max_shapes"] == "input_ids:256x128,attention_mask:256x128"
    assert options["device_id"] == "3"
    assert Path(options["trt_engine_cache_path"]) == tmp_path / "128"
    other = provider_options(["input_ids", "attention_mask"], 256, 3, tmp_path)
    assert other["trt_engine_cache_path"] != options["trt_engine_cache_path"]
    assert other["trt_timing_cache_path"] == options["trt_timing_cache_path"]
    with pytest.raises(WrongUsage, match="owner"):
        provider_options(["input_ids", "attention_mask", "owner"], 128, 0, tmp_path)


def test_batches_padded_to_their_range_score_as_they_are(tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import onnxruntime

    from rerank_cli.inference import tensorrt

    monkeypatch.setattr(tensorrt, "MOST_TOKENS", 3 * 64)
    graph = tiny.exported("bert-1") / "model.onnx"
    opened: list[int] = []
    said: list[str] = []

    def open_range(end: int) -> onnxruntime.InferenceSession:
        opened.append(end)
        (tmp_path / str(end) / "engine").touch()
        return onnxruntime.InferenceSession(str(graph), providers=["CPUExecutionProvider"])

    def batch(rows: int, length: int) -> dict[str, np.ndarray]:
        ids = np.arange(rows * length).reshape(rows, length) % 40 + 5
        return {"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": np.zeros_like(ids)}

    plain = onnxruntime.InferenceSession(str(graph), providers=["CPUExecutionProvider"])
    for _ in range(2):
        ranges = LengthRanges(open_range, tmp_path, said.append)
        for one in (batch(2, 9), batch(7, 30)):  # the second has more rows than its range's profile
            np.testing.assert_allclose(ranges.run(None, one)[0], plain.run(None, one)[0], atol=1e-5)
    assert opened == [64, 64]
    assert len(said) == 1 and "64 tokens" in said[0], "an engine that is kept is not built again"
