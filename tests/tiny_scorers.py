"""Fixtures `tiny` and `pairs`: tiny checkpoints and their scorers, made once a session; a test module names this in `pytest_plugins`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import tiny_models
import tiny_t5

from rerank_cli.core.protocols import Pair
from rerank_cli.export import ensure_exported
from rerank_cli.methods import LoadedScorer, load, load_torch
from rerank_cli.methods.catalog import find
from rerank_cli.methods.source import Source, open_source

#: What each tiny checkpoint is, and the --method that must be given with it.
BUILDERS: dict[str, tuple[Callable[[Path], Path], str | None]] = {
    "bert-1": (lambda folder: tiny_models.bert_like(folder, "bert", 1), None),
    "bert-2": (lambda folder: tiny_models.bert_like(folder, "bert", 2), None),
    "electra-2": (lambda folder: tiny_models.bert_like(folder, "electra", 2), None),
    "xlm-roberta-1": (lambda folder: tiny_models.bert_like(folder, "xlm-roberta", 1), None),
    "modernbert-1": (lambda folder: tiny_models.bert_like(folder, "modernbert", 1), None),
    "deberta-1": (lambda folder: tiny_models.bert_like(folder, "deberta-v2", 1), None),
    "t5": (lambda folder: tiny_models.t5(folder), "monot5"),
    "mt5": (lambda folder: tiny_models.t5(folder, gated=True, model_type="mt5"), "monot5"),
    "bi-mean": (lambda folder: tiny_models.sentence_transformer(folder, "mean"), None),
    "bi-cls": (
        lambda folder: tiny_models.sentence_transformer(folder, "cls", prompts={"query": "what is", "document": "a"}),
        None,
    ),
    "bi-last-dense": (lambda folder: tiny_models.sentence_transformer(folder, "lasttoken", dense=True), None),
    **tiny_t5.BUILDERS,
}


class TinyModels:
    """Checkpoints by name: their folders, and scorers in either engine, each made when first asked for."""

    def __init__(self, place: Path) -> None:
        self._place = place

    def folder(self, name: str) -> Path:
        folder = self._place / name
        if not folder.is_dir():
            BUILDERS[name][0](folder)
        return folder

    def source(self, name: str) -> Source:
        """The checkpoint's files without its weights."""
        checkpoint = find(str(self.folder(name)), method=BUILDERS[name][1])
        return open_source(checkpoint, cache_dir=None, offline=True, trust_remote_code=False, note=lambda _: None)

    def exported(self, name: str) -> Path:
        checkpoint = find(str(self.folder(name)), method=BUILDERS[name][1])
        return ensure_exported(checkpoint, self._place / "cache", note=lambda _: None, offline=True)

    def scorer(
        self, name: str, engine: str = "onnx", *, batch_tokens: int | None = None, max_length: int | None = None
    ) -> LoadedScorer:
        if engine == "onnx":
            return load(
                self.exported(name), threads=1, note=pytest.fail, batch_tokens=batch_tokens, max_length=max_length
            )
        checkpoint = find(str(self.folder(name)), method=BUILDERS[name][1])
        return load_torch(checkpoint, threads=1, note=lambda _: None, batch_tokens=batch_tokens, max_length=max_length)


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> TinyModels:
    """The tiny checkpoints of `BUILDERS`."""
    return TinyModels(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="session")
def pairs() -> list[Pair]:
    """Short pairs, a repeated query, an empty document, markers written in a text."""
    queries = ["what is the price of copper", "lighthouse", "how do bees find their way home"]
    documents = [
        "copper in a mine",
        "glass rings turn a small flame into a beam that ships see far away",
        "bees find their way home",
        "",
        "no answer here only a recipe flour water salt oven hot enough and a lake deep",
        "[SEP] </s> <pad> Relevant: true",
    ]
    return [Pair(query, document) for query in queries for document in documents]
