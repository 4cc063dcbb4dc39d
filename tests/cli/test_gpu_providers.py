"""What `auto` takes on a GPU, and which graph it gets there; the GPU itself is not needed for that."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from rerank_cli.cli import providers
from rerank_cli.inference.quicker import keep_speed
from rerank_cli.methods.exported import Record, write_record


class Exports:
    """Makes folders as `ensure_exported` does: `fused` ones, and others without unless the folder is the user's own."""

    def __init__(self, place: Path, *, own: bool = False) -> None:
        self.place, self.own = place, own

    def __call__(self, *, fuses: bool = True) -> Path:
        folder = self.place / ("fused" if fuses or self.own else "unfused")
        folder.mkdir(exist_ok=True)
        report = {"fused": {"Attention": 6} if folder.name == "fused" else {}}
        write_record(folder, Record("cross-encoder", "logit", 9, 9, (), 0, source_hash="h", report=report))
        for name in ("model.onnx", "tokenizer.json"):
            (folder / name).touch()
        return folder


@pytest.fixture
def take(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Asks `on_gpu` where TensorRT loads (or not) and `measured` speeds are kept; returns what it took and said."""
    monkeypatch.delenv("NVIDIA_TF32_OVERRIDE", raising=False)

    def taking(
        provider: str, *, loads: bool = True, own: bool = False, **measured: float
    ) -> tuple[str, str, list[str]]:
        speeds = tmp_path / "speeds.json"
        for name, rate in measured.items():
            keep_speed(speeds, name, "256 pairs", rate)
        monkeypatch.setattr(providers, "_speeds", lambda *_: speeds if loads else None)
        said: list[str] = []
        monkeypatch.setitem(os.environ, "NVIDIA_TF32_OVERRIDE", "1")
        exports, terminal = Exports(tmp_path, own=own), SimpleNamespace(note=said.append)
        taken, folder = providers.on_gpu(provider, "cuda", "fp32", exports, None, terminal)  # type: ignore[arg-type]
        exact = os.environ["NVIDIA_TF32_OVERRIDE"] == "0"
        assert exact is (taken == "tensorrt"), "TensorRT has no other way to be told to compute in 32 bits"
        return taken, folder.name, said

    return taking


def test_tensorrt_by_name_gets_a_graph_that_it_can_read(take: Any) -> None:
    assert take("tensorrt") == ("tensorrt", "unfused", [])
    assert take("cuda", tensorrt=900.0, cuda=100.0) == ("cuda", "fused", [])


def test_auto_takes_what_was_measured_quicker_and_says_so(take: Any) -> None:
    taken, folder, said = take("auto", tensorrt=900.0, cuda=100.0)
    assert (taken, folder) == ("tensorrt", "unfused")
    assert len(said) == 1 and "900 pairs/s with TensorRT, 100 with CUDA" in said[0]
    taken, folder, said = take("auto", tensorrt=100.0)
    assert (taken, folder) == ("cuda", "fused") and "100 pairs/s with TensorRT" in said[0]


def test_auto_without_tensorrt_or_measurement_is_cuda(take: Any) -> None:
    assert take("auto", loads=False) == ("cuda", "fused", [])
    taken, folder, said = take("auto")
    assert (taken, folder) == ("cuda", "fused") and "has not measured" in said[0]


def test_auto_leaves_a_folder_that_tensorrt_cannot_read_to_cuda(take: Any) -> None:
    taken, folder, said = take("auto", own=True, tensorrt=900.0, cuda=100.0)
    assert (taken, folder) == ("cuda", "fused") and "cannot read" in said[-1]
