"""Tiny T5s that read documents apart and look at them together, saved as their authors save them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import tiny_models

from rerank_cli.core.protocols import Slate
from rerank_cli.inference.memory import Halves
from rerank_cli.methods import method_named
from rerank_cli.methods.catalog import find
from rerank_cli.methods.source import Source, open_source
from rerank_cli.methods.torch_model import load_model

VIEWS = tuple(f"<extra_id_{number}>" for number in range(4))
NUMBERS = tuple(f"▁{number}" for number in range(1, 7))
DIGITS = tuple(map(str, range(10)))
#: What the templates need besides what every tiny T5 can spell.
SIGNS = (*"SPICT|",)
QUERIES = ["what is the price of copper", "lighthouse"]
DOCUMENTS = [
    "copper in a mine",
    "glass rings turn a small flame into a beam that ships see far away",
    "bees find their way home",
    "",
    "no answer here only a recipe flour water salt oven hot enough and a lake deep",
    "a price of copper 1 2 3",
    "bees " * 400,
]


def t5(
    folder: Path, *, gated: bool = False, layers: int = 2, spare: int = 0, likely: tuple[str, ...] = NUMBERS + DIGITS
) -> Path:
    """Save a tiny T5 that can spell numbers and the four views; with `gated`, one that likes to write words of `likely`."""
    import torch
    import transformers
    from tokenizers import Tokenizer, decoders

    tiny_models.t5(folder, words=("▁true", *NUMBERS, *DIGITS, *VIEWS, *SIGNS), gated=gated, layers=layers)
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.add_special_tokens(list(VIEWS))
    tokenizer.decoder = decoders.Metaspace()
    tokenizer.save(str(folder / "tokenizer.json"))
    model = transformers.AutoModelForSeq2SeqLM.from_pretrained(folder)
    model.resize_token_embeddings(model.config.vocab_size + spare, mean_resizing=False)
    torch.manual_seed(3)
    tiny_models.spread(model, 2.0)
    with torch.no_grad():
        if gated:
            model.lm_head.weight = torch.nn.Parameter(torch.randn_like(model.lm_head.weight))
            # Numbers and the end are likelier than other words, so that answers differ in what is wrong with them.
            model.lm_head.weight[[tokenizer.token_to_id(word) for word in likely]] *= 3
            model.lm_head.weight[model.config.eos_token_id] *= 6
    model.save_pretrained(folder)
    return folder


def wrapped(folder: Path, *, gated: bool = False) -> Path:
    """Save a tiny T5 under the names that the wrappers around its encoder and blocks give to its weights."""
    import re

    from safetensors.torch import load_file, save_file

    t5(folder, gated=gated, likely=NUMBERS)
    state = load_file(folder / "model.safetensors")
    names = {name: re.sub(r"^(encoder\.)(block\.\d+\.)?", _wrapped_name, name) for name in state}
    assert "encoder.encoder.block.1.module.layer.0.SelfAttention.q.weight" in names.values()
    save_file({names[name]: weight for name, weight in state.items()}, folder / "model.safetensors", {"format": "pt"})
    return folder


def _wrapped_name(found: Any) -> str:
    return f"encoder.encoder.{found[2]}module." if found[2] else "encoder.encoder."


def fusion_in_t5(folder: Path) -> Path:
    """Save a tiny Fusion-in-T5 as PyTorch saves it, from several GPUs and under a name of its own."""
    import torch
    import transformers

    t5(folder, layers=4, spare=3)
    inner = transformers.T5ForConditionalGeneration.from_pretrained(folder).state_dict()
    torch.manual_seed(4)
    state = {f"module.t5.{name}": weight for name, weight in inner.items() if not name.startswith("lm_head")}
    rows = len(inner["shared.weight"])
    for layer in range(3):
        name = f"module.t5.encoder.project_global.{layer}"
        state |= {f"{name}.SelfAttention.{part}.weight": torch.randn(32, 32) * 0.2 for part in "qkvo"}
        state[f"{name}.layer_norm.weight"] = torch.ones(32) + torch.randn(32) * 0.1
    state |= {"module.dense.weight": torch.randn(rows, 32), "module.dense.bias": torch.randn(rows)}
    (folder / "model.safetensors").unlink()
    torch.save(state, folder / "global_3layer.bin")
    return folder


BUILDERS: dict[str, Callable[[Path], Path]] = {
    "lit5-distill": lambda folder: t5(folder, gated=True),
    "lit5-score": lambda folder: t5(folder, gated=True),
    "listt5": lambda folder: wrapped(folder, gated=True),
    "mvp": wrapped,
    "fit5": fusion_in_t5,
}


class Fused:
    """Tiny checkpoints by method: their files, their models and what answers."""

    def __init__(self, place: Path) -> None:
        self._place = place
        self._models: dict[tuple[str, str], Any] = {}

    def source(self, method: str) -> Source:
        folder = self._place / method
        if not folder.is_dir():
            BUILDERS[method](folder)
        checkpoint = find(str(folder), method=method)
        return open_source(checkpoint, cache_dir=None, offline=True, trust_remote_code=False, note=lambda _: None)

    def model(self, method: str, precision: str = "fp32") -> Any:
        """The transformers model as it is loaded in earnest."""
        if (method, precision) not in self._models:
            module, source = method_named(method), self.source(method)
            model = load_model(source, module.MODEL_CLASS, may_lack=module.MAY_LACK, precision=precision)
            self._models[method, precision] = model
        return self._models[method, precision]

    def opened(
        self,
        method: str,
        *,
        max_length: int | None = None,
        batch_tokens: int | None = None,
        model: Any = None,
        note: Callable[[str], None] = lambda said: None,
    ) -> Any:
        """The Ranker or ListScorer, over another `model` where one is given."""
        module: Any = method_named(method)
        source = self.source(method)
        return module.by_torch(
            model or self.model(method),
            module.record(source),
            source.tokenizer,
            device="cpu",
            threads=1,
            max_length=max_length,
            batch_tokens=batch_tokens,
            halves=Halves(note),
        )

    def ids(self, method: str, text: str) -> list[int]:
        """A text's ids by transformers' own tokenizer, with the end token."""
        from transformers import AutoTokenizer

        return AutoTokenizer.from_pretrained(self._place / method)(text).input_ids  # type: ignore[no-any-return]


def slate(query: int, documents: list[int], positions: list[int] | None = None) -> Slate:
    """Some of `DOCUMENTS` for one of `QUERIES`, with falling scores."""
    places = np.array(documents if positions is None else positions)
    return Slate(QUERIES[query], [DOCUMENTS[at] for at in documents], 9.0 - places, places)
