"""How these checkpoints are usually run: sentence-transformers, and transformers by hand where it has no way."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from rerank_cli.core.protocols import Pair

Way = Callable[[list[Pair]], np.ndarray]


def peers(folder: Path, shape: str, device: str, batches: Sequence[int]) -> Iterator[tuple[str, Way]]:
    """The usual way to run the checkpoint, in the precisions it has, with each batch size."""
    import torch

    for dtype in (torch.float32, torch.bfloat16) + ((torch.float16,) if device != "cpu" else ()):
        short = {"float32": "fp32", "bfloat16": "bf16", "float16": "fp16"}[str(dtype).removeprefix("torch.")]
        if shape == "monot5-base":
            if dtype != torch.float16:  # in which a T5 overflows
                model, tokenizer = _t5(folder, device, dtype)
                for batch in batches:
                    yield f"transformers {short} b{batch}", _t5_scores(model, tokenizer, batch)
            continue
        from sentence_transformers import CrossEncoder

        encoder = CrossEncoder(str(folder), device=device, max_length=512, model_kwargs={"dtype": dtype})
        for batch in batches:
            yield f"sentence-transformers {short} b{batch}", _encoded(encoder, batch)


def _encoded(encoder: Any, batch: int) -> Way:
    import torch

    def scores(pairs: list[Pair]) -> np.ndarray:
        asked = [tuple(pair) for pair in pairs]
        found = encoder.predict(asked, batch_size=batch, activation_fn=torch.nn.Identity(), show_progress_bar=False)
        return np.asarray(found, dtype=np.float32).ravel()

    return scores


def _t5(folder: Path, device: str, dtype: Any) -> tuple[Any, Any]:
    from transformers import AutoModelForSeq2SeqLM, AutoTokenizer

    model = AutoModelForSeq2SeqLM.from_pretrained(folder, dtype=dtype).eval().to(device)
    return model, AutoTokenizer.from_pretrained(folder)


def _t5_scores(model: Any, tokenizer: Any, batch: int) -> Way:
    """Sorted batches, the whole decoder and vocabulary for one step, log-softmax of two words."""
    import torch

    words = tokenizer.convert_tokens_to_ids(["▁false", "▁true"])

    def scores(pairs: list[Pair]) -> np.ndarray:
        sentences = [f"Query: {query} Document: {document} Relevant:" for query, document in pairs]
        order = sorted(range(len(sentences)), key=lambda at: -len(sentences[at]))
        found = np.empty(len(sentences), np.float32)
        with torch.inference_mode():
            for at in range(0, len(order), batch):
                some = order[at : at + batch]
                asked = tokenizer([sentences[i] for i in some], padding=True, truncation=True, return_tensors="pt")
                asked = asked.to(model.device)
                start = torch.zeros((len(some), 1), dtype=torch.long, device=model.device)
                ids, mask = asked["input_ids"], asked["attention_mask"]
                logits = model(input_ids=ids, attention_mask=mask, decoder_input_ids=start).logits[:, 0, words]
                found[some] = logits.float().log_softmax(-1)[:, 1].cpu().numpy()
        return found

    return scores
