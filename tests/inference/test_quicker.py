"""What a bench measured of CUDA and TensorRT decides between them."""

from __future__ import annotations

from pathlib import Path

import pytest

from rerank_cli.errors import BadData
from rerank_cli.inference.quicker import keep_speed, quicker


def test_the_quicker_of_what_did_the_same_work_is_taken_and_the_reason_said(tmp_path: Path) -> None:
    path = tmp_path / "gpu" / "speeds.json"
    assert quicker(path).provider == "cuda", "nothing was measured"
    keep_speed(path, "tensorrt", "256 pairs", 900.0)
    assert quicker(path).provider == "cuda" and "not measured" in quicker(path).why, "one alone is not compared"
    keep_speed(path, "cuda", "9 pairs", 100.0)
    assert quicker(path).provider == "cuda", "nor are two that did different work"
    keep_speed(path, "cuda", "256 pairs", 600.0)
    found = quicker(path)
    assert found.provider == "tensorrt" and all(part in found.why for part in ("900", "600", "256 pairs"))


def test_the_latest_work_of_both_decides_and_noise_does_not(tmp_path: Path) -> None:
    path = tmp_path / "speeds.json"
    for work, tensorrt in (("a", 200.0), ("b", 105.0)):
        keep_speed(path, "cuda", work, 100.0)
        keep_speed(path, "tensorrt", work, tensorrt)
    assert quicker(path).provider == "cuda"
    keep_speed(path, "tensorrt", "a", 300.0)
    assert quicker(path).provider == "tensorrt", "measured again, the first is the latest"


def test_a_file_that_is_no_record_is_named(tmp_path: Path) -> None:
    (tmp_path / "speeds.json").write_text("{")
    with pytest.raises(BadData, match=r"speeds\.json"):
        quicker(tmp_path / "speeds.json")
