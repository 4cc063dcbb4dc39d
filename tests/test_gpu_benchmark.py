"""The benchmark for a GPU, run whole on a processor with tiny models: nobody wants to find a typing mistake on a rented GPU."""

from __future__ import annotations

import importlib.util
import re
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from conftest import ROOT


@pytest.fixture(scope="module")
def gpu() -> Iterator[Any]:
    sys.path.insert(0, str(ROOT / "benchmarks"))  # as it is where a script lies
    spec = importlib.util.spec_from_file_location("gpu_benchmark", ROOT / "benchmarks" / "gpu.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    yield module
    sys.path.remove(str(ROOT / "benchmarks"))


@pytest.mark.parametrize(
    ("shape", "peer"), [("minilm-l6", "sentence-transformers fp32 b8"), ("monot5-base", "transformers bf16 b8")]
)
def test_the_benchmark_compares_ours_with_its_peers(
    gpu: Any, shape: str, peer: str, capsys: Any, monkeypatch: Any
) -> None:
    monkeypatch.setenv("NVIDIA_TF32_OVERRIDE", "1")  # is put back
    gpu.main(["--cpu", "--tiny", "--pairs", "12", "--rounds", "1", "--batches", "8", "--only", shape])
    printed = capsys.readouterr().out
    rates = dict(re.findall(r"^  (.*?) +([\d.]+) pairs/s ", printed, re.MULTILINE))
    assert {"rerank torch fp32", "rerank onnx cpu fp32", peer} <= set(rates)
    assert all(float(rate) > 0 for rate in rates.values())
    assert f"{shape}, short: 12 pairs" in printed and f"{shape}, long: 8 pairs" in printed
    exact = re.findall(
        r"^  (?:rerank|sentence-transformers|transformers).* fp32 .*tau ([\d.]+)$", printed, re.MULTILINE
    )
    assert len(exact) == 6 and min(map(float, exact)) > 0.99, "all ways do the same work"
    assert re.search(r"second start with cpu: [\d.]+ s", printed), printed
    assert (" x 61 tokens: captured " in printed) is (shape == "minilm-l6")


def test_operations_are_those_of_the_whole_model(gpu: Any, tmp_path: Any) -> None:
    """Two layers of 32 wide: projections, products of attention and two layers of 64 for 10 tokens, and the head's."""
    folder = gpu.checkpoint("minilm-l6", tmp_path / "model", True)
    layer = 2 * 10 * (4 * 32 * 32 + 2 * 32 * 64 + 2 * 10 * 32)
    assert gpu.operations(folder, "minilm-l6", 10) == 2 * layer + 2 * (32 * 32 + 32)
