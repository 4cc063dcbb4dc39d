"""A device or provider asked for by name is used, or the error says what is missing."""

from __future__ import annotations

from typing import Any

import pytest

from rerank_cli.errors import DeviceUnavailable, WrongUsage
from rerank_cli.inference.devices import Device, gpu_count, onnx_provider, parsed

without_gpu = pytest.mark.skipif(gpu_count() > 0, reason="this machine has an NVIDIA GPU")


def test_device_names() -> None:
    assert parsed("auto") is None
    assert parsed("cpu") == Device("cpu")
    assert parsed("cuda") == Device("cuda", 0)
    assert str(parsed("cuda:3")) == "cuda:3"
    for wrong in ("gpu", "cuda:", "cuda:x", "cpu:1", ""):
        with pytest.raises(WrongUsage):
            parsed(wrong)


@without_gpu
@pytest.mark.parametrize(
    ("provider", "device"), [("cuda", "auto"), ("tensorrt", "auto"), ("auto", "cuda"), ("cuda", "cuda:1")]
)
def test_what_is_asked_for_by_name_is_not_replaced(provider: str, device: str, capfd: Any) -> None:
    with pytest.raises(DeviceUnavailable, match="no NVIDIA GPU"):
        onnx_provider(provider, device, pytest.fail)
    assert capfd.readouterr() == ("", ""), "onnxruntime's own red lines are not for users"


@without_gpu
def test_auto_is_the_cpu_without_a_word_where_there_is_no_gpu(capfd: Any) -> None:
    assert onnx_provider("auto", "auto", pytest.fail) == ("cpu", Device("cpu"))
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(("provider", "device"), [("cuda", "cpu"), ("cpu", "cuda"), ("metal", "auto")])
def test_contradictions_are_wrong_usage(provider: str, device: str) -> None:
    with pytest.raises(WrongUsage):
        onnx_provider(provider, device, pytest.fail)


@without_gpu
def test_torch_does_not_replace_a_gpu_either() -> None:
    from rerank_cli.inference.torch import torch_device

    assert torch_device("auto") == Device("cpu")
    with pytest.raises(DeviceUnavailable, match="sees no GPU"):
        torch_device("cuda")
