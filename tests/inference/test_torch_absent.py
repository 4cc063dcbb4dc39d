"""What asks for PyTorch says so where only the core is installed."""

import sys

import pytest

from rerank_cli.errors import Missing
from rerank_cli.inference.torch import torch_device


def test_the_extra_that_brings_pytorch_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(Missing) as raised:
        torch_device("auto")
    assert raised.value.hint == "pip install 'rerank-cli[torch]'"
