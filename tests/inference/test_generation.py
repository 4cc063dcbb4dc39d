"""A local model's words against transformers' own, one unpadded prompt at a time."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from tiny_writers import TinyWriters

from rerank_cli.errors import WrongUsage
from rerank_cli.inference.generation import LocalWriter
from rerank_cli.inference.writing import Completion, Decoding, Message, Prompt, Writer

TEXTS = (
    "what is the price of copper in a mine",
    "bees",
    "how do ships see a lighthouse from far away when glass rings turn a small flame into a beam? " * 2,
    "caffeine leaves the blood in half of five hours",
    "flour, water and salt",
)
PROMPTS = [Prompt((Message("system", "be brief"), Message("user", text))) for text in TEXTS]
FAMILIES = ("qwen2", "qwen3", "llama", "gemma2")


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> TinyWriters:
    return TinyWriters(tmp_path_factory.mktemp("writers"))


@pytest.fixture(scope="module")
def alone(tiny: TinyWriters) -> Any:
    """transformers' own greedy ids and full log-probabilities for one prompt: no batch, no cache."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    def written(family: str, prompt: Prompt, steps: int) -> tuple[list[int], list[Any], Any]:
        model = AutoModelForCausalLM.from_pretrained(tiny.folder(family)).eval()
        tokenizer = AutoTokenizer.from_pretrained(tiny.folder(family))
        turns = [{"role": role, "content": content} for role, content in prompt.messages]
        text = tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True) + prompt.prefill
        ids = tokenizer(text, add_special_tokens=False)["input_ids"]
        own: list[int] = []
        told = []
        while len(own) < steps:
            with torch.inference_mode():
                logits = model(torch.tensor([ids + own]), use_cache=False).logits[0, -1]
            told.append(logits.log_softmax(-1))
            if int(logits.argmax()) in (tokenizer.eos_token_id, model.generation_config.eos_token_id):
                break
            own.append(int(logits.argmax()))
        return own, told, tokenizer

    return written


def all_of(writer: LocalWriter, prompts: list[Prompt], decoding: Decoding) -> list[Completion]:
    found = dict(writer.complete(prompts, decoding))
    assert sorted(found) == list(range(len(prompts)))
    return [found[at] for at in range(len(prompts))]


@pytest.mark.parametrize("family", FAMILIES)
def test_greedy_words_are_transformers_own(tiny: TinyWriters, alone: Any, family: str) -> None:
    writer = tiny.open(family)
    assert isinstance(writer, Writer)
    found = all_of(writer, PROMPTS, Decoding(max_tokens=12, logprobs=4))
    for prompt, one in zip(PROMPTS, found):
        ids, told, tokenizer = alone(family, prompt, 12)
        assert one.text.strip() == tokenizer.decode(ids, skip_special_tokens=True).strip()
        assert one.finish == ("length" if len(ids) == 12 else "stop")
        assert one.written == len(told)
        assert len(one.tokens) == len(ids)
        for (token, likeliest), number, logprobs in zip(one.tokens, ids, told):
            text = tokenizer.decode([number])
            assert token.startswith("bytes:") if "\ufffd" in text else token.strip() == text.strip()
            values = sorted(likeliest.values(), reverse=True)
            assert likeliest[token] == values[0]
            np.testing.assert_allclose(values, logprobs.topk(4).values, atol=1e-4)
    firsts = [max(one.tokens[0][1].values()) for one in found]
    assert np.ptp(firsts) > 0.01, "words that do not depend on the prompt would prove nothing"


@pytest.mark.parametrize("family", ["qwen2", "llama", "gemma2", "gpt2", "t5"])
@pytest.mark.parametrize(
    "decoding",
    [
        Decoding(max_tokens=10, logprobs=3),
        Decoding(max_tokens=10, temperature=0.8, top_p=0.9, top_k=40, seed=3),
        Decoding(max_tokens=6, min_tokens=6, temperature=1.5),
    ],
    ids=["greedy", "sampled", "min"],
)
def test_the_prompts_beside_it_change_nothing(tiny: TinyWriters, family: str, decoding: Decoding) -> None:
    prompts = [Prompt(text=text) for text in TEXTS] if family in ("gpt2", "t5") else PROMPTS
    together = all_of(tiny.open(family), prompts, decoding)
    small = all_of(tiny.open(family, batch_tokens=150), prompts[::-1], decoding)[::-1]
    for prompt, one, other in zip(prompts, together, small):
        (single,) = all_of(tiny.open(family), [prompt], decoding)
        assert single.text == one.text == other.text
        assert (single.written, single.read, single.finish) == (one.written, one.read, one.finish)
        for (_, told), (_, told_alone) in zip(one.tokens, single.tokens):
            np.testing.assert_allclose(list(told.values()), list(told_alone.values()), atol=1e-5)
    if decoding.min_tokens:
        assert {one.written for one in together} == {6}


def test_words_drawn_at_random_follow_the_seed_and_the_probabilities(tiny: TinyWriters) -> None:
    writer, prompt = tiny.open("qwen2"), PROMPTS[1]
    ((_, greedy),) = writer.complete([prompt], Decoding(max_tokens=1, logprobs=400))
    wanted = {token: np.exp(logprob) for token, logprob in greedy.tokens[0][1].items()}
    drawn = [
        one.tokens[0][0]
        for seed in range(300)
        for _, one in writer.complete([prompt], Decoding(max_tokens=1, temperature=1.0, logprobs=1, seed=seed))
        if one.tokens
    ]
    likeliest = max(wanted, key=lambda token: wanted[token])
    share = drawn.count(likeliest) / 300
    assert abs(share - wanted[likeliest]) < 4 * np.sqrt(wanted[likeliest] / 300)
    assert len(set(drawn)) > 3
    few = {
        one.tokens[0][0]
        for seed in range(60)
        for _, one in writer.complete([prompt], Decoding(max_tokens=1, temperature=2.0, top_k=2, logprobs=1, seed=seed))
    }
    assert len(few) == 2
    (narrow,) = all_of(writer, [prompt], Decoding(max_tokens=1, temperature=2.0, top_p=1e-6, logprobs=1))
    assert narrow.tokens[0][0] == likeliest


def test_it_ends_after_a_stop_string(tiny: TinyWriters) -> None:
    writer = tiny.open("qwen2")
    (free,) = all_of(writer, [PROMPTS[0]], Decoding(max_tokens=12, min_tokens=12, logprobs=1))
    pieces = [token for token, _ in free.tokens]
    stop = "".join(pieces[3:5])[1:]
    assert stop and stop not in "".join(pieces[:4])
    (cut,) = all_of(writer, [PROMPTS[0]], Decoding(max_tokens=12, min_tokens=2, stop=(stop, "never said"), logprobs=1))
    assert cut.text == free.text[: free.text.index(stop) + len(stop)]
    assert cut.finish == "stop" and cut.written == 5 and len(cut.tokens) == 5


def test_an_allowed_word_and_watched_ones(tiny: TinyWriters, alone: Any) -> None:
    decoding = Decoding(max_tokens=1, allowed=("yes", "no"), watched=("4",))
    for prompt, one in zip(PROMPTS, all_of(tiny.open("qwen3"), PROMPTS, decoding)):
        _, (told, *_), tokenizer = alone("qwen3", prompt, 1)
        wanted = {word: float(told[tokenizer.convert_tokens_to_ids(word)]) for word in ("yes", "no", "4")}
        ((token, found),) = one.tokens
        assert token == one.text == max(("yes", "no"), key=lambda word: wanted[word])
        assert found == pytest.approx(wanted, abs=1e-4)
    with pytest.raises(WrongUsage, match="'sorcery' is not one token"):
        all_of(tiny.open("qwen3"), PROMPTS, Decoding(allowed=("sorcery",)))


def test_a_prefill_is_gone_on_from(tiny: TinyWriters, alone: Any) -> None:
    begun = PROMPTS[0]._replace(prefill="<think>\n\n</think>\n\nyes")
    (one,) = all_of(tiny.open("qwen3"), [begun], Decoding(max_tokens=5, logprobs=1))
    ids, told, tokenizer = alone("qwen3", begun, 5)
    assert one.text.strip() == tokenizer.decode(ids, skip_special_tokens=True).strip()
    assert one.tokens[0][1].values() == pytest.approx([float(told[0].max())], abs=1e-4)


def test_a_t5_writes_what_transformers_writes(tiny: TinyWriters) -> None:
    import torch
    from transformers import AutoModelForSeq2SeqLM, AutoTokenizer

    model = AutoModelForSeq2SeqLM.from_pretrained(tiny.folder("t5")).eval()
    tokenizer = AutoTokenizer.from_pretrained(tiny.folder("t5"))
    prompts = [Prompt(text=text, prefill=prefill) for text, prefill in zip(TEXTS, ("", "Query:", "", "a b c", "true"))]
    found = all_of(tiny.open("t5"), prompts, Decoding(max_tokens=8, logprobs=1, watched=("true",)))
    assert len({one.text for one in found}) > 2
    for prompt, one in zip(prompts, found):
        start = [0, *tokenizer(prompt.prefill, add_special_tokens=False)["input_ids"]]
        read = tokenizer(prompt.text, return_tensors="pt")
        with torch.inference_mode():
            ids = model.generate(
                **read, decoder_input_ids=torch.tensor([start]), max_new_tokens=8, do_sample=False, num_beams=1
            )[0, len(start) :]
            first = model(**read, decoder_input_ids=torch.tensor([start])).logits[0, -1].log_softmax(-1)
        assert one.text.split() == tokenizer.decode(ids, skip_special_tokens=True).split()
        true = tokenizer.convert_tokens_to_ids("▁true")
        assert one.tokens[0][1]["true"] == pytest.approx(float(first[true]), abs=1e-4)
    turn = Prompt((Message("user", TEXTS[0]),))
    assert all_of(tiny.open("t5"), [turn], Decoding(max_tokens=8))[0].text == found[0].text


def test_without_memory_for_a_batch_it_goes_on_with_halves(tiny: TinyWriters, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    from rerank_cli.inference import decoder_state

    decoding = Decoding(max_tokens=6, temperature=1.0, logprobs=1)
    free = all_of(tiny.open("qwen2"), PROMPTS, decoding)
    decoding = decoding._replace(stop=(free[0].tokens[0][0],))
    wanted = all_of(tiny.open("qwen2"), PROMPTS, decoding)
    assert wanted[0].written == 1 and sum(one.written > 4 for one in wanted) > 2, "one is done before memory ends"
    said: list[str] = []
    forward = decoder_state.DecoderState._forward
    steps = []

    def scarce(self: Any, ids: Any) -> Any:
        steps.append(len(ids))
        if len(ids) > 2 and len(steps) > 3:  # the first words of the whole batch are written before memory ends
            raise torch.OutOfMemoryError("no memory")
        return forward(self, ids)

    monkeypatch.setattr(decoder_state.DecoderState, "_forward", scarce)
    writer = tiny.open("qwen2", precision="fp32")
    assert writer is not tiny.open("qwen2"), "its memory of what did not fit is its own"
    monkeypatch.setattr(writer.halves, "_note", said.append)
    found = list(writer.complete(PROMPTS, decoding))
    assert len(found) == len(PROMPTS), "what was written before memory ended is not written again"
    for at, one in found:
        assert (one.text, one.written, one.finish) == (wanted[at].text, wanted[at].written, wanted[at].finish)
    assert max(steps[8:]) <= 2 and "no memory for a batch of 5" in said[0]
    del steps[4:]
    assert len(list(writer.complete(PROMPTS, decoding))) == 5 and max(steps[4:]) <= 2 and len(said) == 1
