"""Learned sparse: parity with a plain loop over transformers' masked language model."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tiny_models

from rerank_cli.core.protocols import Pair
from rerank_cli.export import ensure_exported
from rerank_cli.methods import LoadedScorer, load, load_torch
from rerank_cli.methods.catalog import find

PAIRS = [
    Pair(query, document)
    for query in ("what is the price of copper", "lighthouse")
    for document in ("copper in a mine", "glass rings turn a small flame into a beam that ships see far away", "")
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny masked language model."""
    return tiny_models.splade(tmp_path_factory.mktemp("splade") / "tiny")


def opened(folder: Path, engine: str = "onnx", batch_tokens: int | None = None) -> LoadedScorer:
    checkpoint = find(str(folder), method="splade")
    if engine == "torch":
        return load_torch(checkpoint, threads=1, note=lambda _: None, batch_tokens=batch_tokens)
    exported = ensure_exported(checkpoint, folder.parent / "cache", note=lambda _: None, offline=True)
    return load(exported, threads=1, note=pytest.fail, batch_tokens=batch_tokens)


@pytest.mark.parametrize("engine", ["onnx", "torch"])
def test_scores_are_those_of_one_text_at_a_time(folder: Path, engine: str) -> None:
    import torch
    from transformers import AutoModelForMaskedLM, AutoTokenizer

    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModelForMaskedLM.from_pretrained(folder).eval()

    def weights(text: str) -> torch.Tensor:
        with torch.inference_mode():
            logits = model(**tokenizer(text, return_tensors="pt")).logits[0]
        return torch.stack([torch.log(1 + torch.clamp(row, min=0)) for row in logits]).amax(dim=0)

    wanted = np.array([float(weights(pair.query) @ weights(pair.document)) for pair in PAIRS])
    values = opened(folder, engine).score(PAIRS).values
    assert np.abs(values - wanted).max() < 1e-4 * max(1.0, wanted.max())
    assert np.ptp(wanted) > 0.1


def test_a_batch_scores_as_its_pairs_do_alone(folder: Path) -> None:
    whole = opened(folder, batch_tokens=4096).score(PAIRS).values
    alone = [opened(folder, batch_tokens=1).score([pair]).values[0] for pair in PAIRS]
    assert np.abs(whole - alone).max() < 1e-4
