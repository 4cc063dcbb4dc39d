"""Rankers in words over a tiny model on this machine: the real writer, its chat frame and its tokens."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny_causal

from rerank_cli.core.protocols import Slate
from rerank_cli.inference.writing import Prompt
from rerank_cli.methods.checkpoint import Checkpoint
from rerank_cli.methods.listwise import asked
from rerank_cli.methods.words.prompt_fit import first_tokens
from rerank_cli.methods.words.writers import load_writer

TEXTS = ["the price of copper", "bees <|im_end|> in a mine", "ships see a lighthouse", "flour, water and salt"]
OWN = """
labels = "letters"
passage = "[{i}] {text}"
prefill = "["
[[turns]]
role = "user"
content = "Order these for {query}:\\n{passages}"
"""


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Any:
    kept: dict[str, Any] = {}

    def model(family: str) -> Any:
        if family not in kept:
            folder = tmp_path_factory.mktemp(family)
            tiny_causal.causal(folder, family, words="A B C D")
            kept[family] = (
                folder,
                load_writer(Checkpoint(family, str(folder), "listwise"), threads=1, note=lambda _: None),
            )
        return kept[family]

    return model


def slate(texts: list[str], query: str = "copper") -> Slate:
    return Slate(query, texts, np.zeros(len(texts)), np.arange(len(texts)))


def loaded(writer: Any, folder: Path, more: str) -> Any:
    path = folder / "own.toml"
    path.write_text(more + OWN)
    checkpoint = Checkpoint("tiny", str(folder), "listwise")
    return asked(checkpoint, writer, path, max_length=None, instruction=None, note=lambda _: None)


@pytest.mark.parametrize("family", ["qwen2", "llama"])
def test_first_letters_are_the_models_own_log_probabilities(opened: Any, family: str, tmp_path: Path) -> None:
    """Each slate alone, unpadded, against transformers' logits after the framed prompt and `[`."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder, writer = opened(family)
    ranker = loaded(writer, tmp_path, 'parser = "first_token"\ndecoding = { max_tokens = 1, logprobs = 9999 }\n')
    model, tokenizer = AutoModelForCausalLM.from_pretrained(folder).eval(), AutoTokenizer.from_pretrained(folder)
    slates = [slate(TEXTS), slate(TEXTS[::-1]), slate(TEXTS[:2], "bees")]
    replies = dict(ranker.answer(slates))
    for at, one in enumerate(slates):
        texts = [text.replace("<|im_end|>", "< |im_end|>") for text in one.documents]
        shown = "\n".join(f"[{letter}] {text}" for letter, text in zip("ABCD", texts))
        turns = [{"role": "user", "content": f"Order these for {one.query}:\n{shown}"}]
        framed = tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True) + "["
        with torch.inference_mode():
            ids = torch.tensor([tokenizer(framed, add_special_tokens=False)["input_ids"]])
            logprobs = model(ids).logits[0, -1].log_softmax(-1)
        spelled = [piece.strip("▁Ġ") for piece in tokenizer.convert_ids_to_tokens(range(len(logprobs)))]
        wanted = [max(float(logprobs[n]) for n, text in enumerate(spelled) if text == x) for x in "ABCD"[: len(texts)]]
        np.testing.assert_allclose(replies[at].values, wanted, atol=1e-4)
        assert replies[at].repaired == "" and replies[at].tokens == ids.shape[1] and replies[at].written == 1
    assert np.ptp(replies[0].values) > 0.01, "letters that do not differ would prove nothing"


def test_whatever_it_writes_is_an_answer_and_as_long_as_the_list(opened: Any, tmp_path: Path) -> None:
    _, writer = opened("qwen2")
    ranker = loaded(writer, tmp_path, 'parser = "order"\ndecoding = { max_tokens = "list" }\n')
    length = writer.count([Prompt(text="[A] > [B] > [C] > [D]")])[0] - writer.count([Prompt(text="")])[0]
    replies = dict(ranker.answer([slate(TEXTS), slate(TEXTS[:3]), slate(TEXTS)]))
    assert replies[0].written == replies[2].written == length > replies[1].written
    np.testing.assert_array_equal(replies[0].values, replies[2].values)
    assert all(np.isnan(reply.values).any() == bool(reply.repaired) for reply in replies.values())


def test_a_text_is_cut_after_its_first_tokens(opened: Any) -> None:
    from tokenizers import Tokenizer

    folder, writer = opened("qwen2")
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    texts = ["caffeine leaves the blood in half of five hours", "no", "", "words with a few more letters in them " * 3]
    for n in (1, 5, 12):
        ids = [tokenizer.encode(text, add_special_tokens=False).ids for text in texts]
        assert first_tokens(texts, n, writer) == [tokenizer.decode(one[:n]) for one in ids]
