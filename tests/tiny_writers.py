"""Tiny checkpoints that write, saved once a module and opened as writers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import tiny_causal
import tiny_models
import tiny_t5

from rerank_cli.inference.generation import LocalWriter
from rerank_cli.methods.checkpoint import Checkpoint
from rerank_cli.methods.words.writers import load_writer


class TinyWriters:
    """`folder(family)` saves one, `open(family)` loads one; each once."""

    def __init__(self, place: Path) -> None:
        self._place = place
        self._opened: dict[Any, LocalWriter] = {}

    def folder(self, family: str, **own: Any) -> Path:
        """A checkpoint of `tiny_causal`'s families, gpt2 (no chat, absolute positions) or t5."""
        path = self._place / f"{family}{own or ''}"
        if not path.is_dir():
            builder = {"t5": _t5, "gpt2": tiny_t5.causal}.get(family, tiny_causal.causal)
            builder(path, family, **own)
        return path

    def open(self, family: str, **options: Any) -> LocalWriter:
        key = (family, *options.items())
        if key not in self._opened:
            checkpoint = Checkpoint(family, str(self.folder(family)), "rank1")
            self._opened[key] = load_writer(checkpoint, threads=1, note=lambda _: None, device="cpu", **options)
        return self._opened[key]


def _t5(path: Path, family: str) -> None:
    """A T5 whose tokenizer joins its pieces to words, as real ones do."""
    from tokenizers import Tokenizer, decoders

    tiny_models.t5(path, gated=True)
    tokenizer = Tokenizer.from_file(str(path / "tokenizer.json"))
    tokenizer.decoder = decoders.Metaspace()
    tokenizer.save(str(path / "tokenizer.json"))
