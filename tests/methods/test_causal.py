"""Causal rerankers against transformers' forward of one whole, unpadded prompt at a time: same prompt, same number."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny_causal

from rerank_cli.core.protocols import Pair
from rerank_cli.errors import BadData, OutOfMemory, WrongUsage
from rerank_cli.export import ensure_exported
from rerank_cli.methods import LoadedScorer, load, load_torch
from rerank_cli.methods.catalog import find
from rerank_cli.methods.checkpoint import Checkpoint

ENGINES = ("onnx", "torch")
CLOSE = 1e-4
TEMPLATE = "<|im_start|>system\nyes or no<|im_end|>\n{instruction}\nQuery: {query}\nDocument: {document}<|im_end|>\nassistant\n"
INSTRUCTION = "find what answers the query"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("causal")


@pytest.fixture(scope="module")
def tiny(place: Path) -> Callable[..., Checkpoint]:
    """A tiny checkpoint of a family, saved once, asked as the fields say."""

    def checkpoint(family: str, **fields: Any) -> Checkpoint:
        folder = place / family
        if not folder.is_dir():
            tiny_causal.causal(folder, family)
        asked = {"template": TEMPLATE, "instruction": INSTRUCTION, "words": ("no", "yes"), "score": "margin"}
        return replace(find(str(folder), method=fields.pop("method", "yes-no")), **(asked | fields))

    return checkpoint


@pytest.fixture(scope="module")
def opened(place: Path) -> Callable[..., LoadedScorer]:
    def scorer(checkpoint: Checkpoint, engine: str = "torch", **options: Any) -> LoadedScorer:
        if engine == "torch":
            return load_torch(checkpoint, threads=1, note=lambda _: None, **options)
        folder = ensure_exported(checkpoint, place / "cache", note=lambda _: None, offline=True)
        return load(folder, threads=1, note=pytest.fail, **options)

    return scorer


@pytest.fixture(scope="module")
def pairs() -> list[Pair]:
    queries = ["what is the price of copper", "lighthouse?", "how do bees find their way home"]
    documents = [
        "copper in a mine",
        "glass rings turn a small flame into a beam that ships see far away " * 4,
        "42 bees",
        "",
        "\n\nno answer here: only a recipe?",
        "flour water salt oven hot enough and a lake deep " * 2,
    ]
    return [Pair(query, document) for query in queries for document in documents]


def next_word(checkpoint: Checkpoint, instruction: str = INSTRUCTION) -> Callable[[Pair], Any]:
    """transformers' own logits (vocabulary,) after a pair's whole prompt, as its own tokenizer reads it."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model = AutoModelForCausalLM.from_pretrained(checkpoint.source).eval()
    tokenizer = AutoTokenizer.from_pretrained(checkpoint.source)

    def logits(pair: Pair) -> Any:
        parts = (checkpoint.template or "").replace("{instruction}", instruction).split("{|}")
        filled = [part.replace("{query}", pair.query).replace("{document}", pair.document) for part in parts]
        ids = [number for part in filled for number in tokenizer(part, add_special_tokens=False)["input_ids"]]
        with torch.inference_mode():
            return model(torch.tensor([ids])).logits[0, -1].double()

    return logits


def word_id(checkpoint: Checkpoint, word: str) -> int:
    from transformers import AutoTokenizer

    (number,) = AutoTokenizer.from_pretrained(checkpoint.source)(word, add_special_tokens=False)["input_ids"]
    return int(number)


@pytest.mark.parametrize("family", tiny_causal.FAMILIES)
def test_scores_are_transformers_logits(tiny: Any, opened: Any, pairs: list[Pair], family: str) -> None:
    checkpoint = tiny(family)
    logits = next_word(checkpoint)
    no, yes = word_id(checkpoint, "no"), word_id(checkpoint, "yes")
    wanted = np.array([float(logits(pair)[yes] - logits(pair)[no]) for pair in pairs])
    assert np.ptp(wanted) > 100 * CLOSE, "scores that hardly differ would make the comparison empty"
    order = np.random.default_rng(0).permutation(len(pairs))
    for engine in ENGINES:
        together = opened(checkpoint, engine).score(pairs).values
        np.testing.assert_allclose(together, wanted, atol=CLOSE, rtol=0, err_msg=engine)
        small = opened(checkpoint, engine, batch_tokens=200).score([pairs[i] for i in order])
        np.testing.assert_allclose(small.values, together[order], atol=1e-5, rtol=0, err_msg=engine)
    alone = [opened(checkpoint, "onnx").score([pair]).values[0] for pair in pairs]
    np.testing.assert_allclose(alone, together, atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    ("fields", "rule"),
    [
        ({"score": "prob"}, lambda z, of: z[[of("no"), of("yes")]].softmax(-1)[1]),
        ({"score": "logprob"}, lambda z, of: z[[of("no"), of("yes")]].log_softmax(-1)[1]),
        ({"score": "logit", "words": ("yes",)}, lambda z, of: z[of("yes")]),
        (
            {"score": "prob", "words": ("no|No|neither here nor there", "yes|Yes")},
            lambda z, of: (
                z[[of("yes"), of("Yes")]].exp().sum() / z[[of("no"), of("No"), of("yes"), of("Yes")]].exp().sum()
            ),
        ),
        (
            {"method": "graded", "words": (), "score": ""},
            lambda z, of: (z[[of(str(i)) for i in range(5)]].softmax(-1) * z.new_tensor([0, 1, 2, 3, 4])).sum(),
        ),
    ],
    ids=["prob", "logprob", "one word", "spellings", "graded"],
)
def test_scales(tiny: Any, opened: Any, pairs: list[Pair], fields: dict[str, Any], rule: Any) -> None:
    checkpoint = tiny("qwen3", **fields)
    logits = next_word(checkpoint)
    wanted = [float(rule(logits(pair), lambda word: word_id(checkpoint, word))) for pair in pairs]
    np.testing.assert_allclose(opened(checkpoint).score(pairs).values, wanted, atol=CLOSE, rtol=0)


def test_parts_are_tokenised_apart_where_the_authors_do(tiny: Any, opened: Any, pairs: list[Pair]) -> None:
    whole = tiny("qwen3", template="Q: {query}\nD: {document}\n")
    apart = replace(whole, template="Q: {query}{|}\n{|}D: {document}{|}\n")
    logits = next_word(apart)
    ids = [word_id(apart, word) for word in ("no", "yes")]
    wanted = [float(logits(pair)[ids[1]] - logits(pair)[ids[0]]) for pair in pairs]
    values = opened(apart).score(pairs).values
    np.testing.assert_allclose(values, wanted, atol=CLOSE, rtol=0)
    assert np.abs(opened(whole).score(pairs).values - values)[6:12].min() > CLOSE, "?\\n is one token, or two"


def test_what_a_querys_prompts_share_is_computed_once(tiny: Any, opened: Any, pairs: list[Pair]) -> None:
    scorer = opened(tiny("qwen3"))
    computed: list[int] = []
    run = scorer._backend.outputs
    scorer._backend.outputs = lambda batch: computed.append(int(batch["attention_mask"].sum())) or run(batch)
    scores = scorer.score(pairs)
    prompts = [row.ids.tolist() for row in scorer._tokens.rows(pairs)]
    same = [[len(set(column)) == 1 for column in zip(*prompts[first : first + 6])] for first in (0, 6, 12)]
    shared = [alike.index(False) for alike in same]
    assert min(shared) > 20
    assert (len(computed), sum(computed)) == (scores.calls, sum(map(len, prompts)) - 5 * sum(shared))
    mixed = scorer.score([pairs[0], *pairs[8:]]).values
    np.testing.assert_allclose(mixed, scores.values[[0, *range(8, 18)]], atol=1e-5, err_msg="one query shares nothing")
    same = [Pair("lighthouse", "a deep lake")] * 4
    computed.clear()
    assert np.ptp(scorer.score(same).values) < 1e-5
    assert sum(computed) == scorer.measure(same).tokens[0] - 1 + 4, "all but the last token is shared by equal prompts"


@pytest.mark.parametrize("engine", ENGINES)
def test_prompts_that_memory_does_not_hold_together_are_halved(
    tiny: Any, opened: Any, pairs: list[Pair], engine: str
) -> None:
    scorer = opened(tiny("qwen3"), engine)
    wanted = scorer.score(pairs).values
    scorer = opened(tiny("qwen3"), engine)
    backend, refused = scorer._backend, []
    said: list[str] = []
    scorer.halves._note = said.append
    ask = backend.outputs

    def small(batch: dict[str, Any]) -> Any:
        rows, length = batch["input_ids"].shape
        if rows > 1 and rows * (length + batch["prefix"].shape[3]) > 200:
            refused.append(rows)
            raise OutOfMemory("no room")
        return ask(batch)

    backend.outputs = small
    np.testing.assert_allclose(scorer.score(pairs).values, wanted, atol=1e-5)
    assert refused and len(said) == 1


def test_an_instruction_is_read_and_makes_another_model(tiny: Any, opened: Any, pairs: list[Pair]) -> None:
    checkpoint = tiny("qwen3")
    own, other = opened(checkpoint), opened(checkpoint, instruction="find a recipe")
    logits = next_word(checkpoint, "find a recipe")
    ids = [word_id(checkpoint, word) for word in ("no", "yes")]
    wanted = [float(logits(pair)[ids[1]] - logits(pair)[ids[0]]) for pair in pairs]
    np.testing.assert_allclose(other.score(pairs).values, wanted, atol=CLOSE, rtol=0)
    assert other.description.model_hash != own.description.model_hash
    assert "find a recipe" in other.description.template
    worded = tiny("qwen3", instruction="", instruction_as="told: {instruction}")
    assert opened(worded).description.template == TEMPLATE.replace("{instruction}", "")
    assert "told: a recipe\nQuery" in opened(worded, instruction="a recipe").description.template
    with pytest.raises(WrongUsage, match="reads no instruction"):
        opened(tiny("qwen3", template="Q: {query} D: {document}"), instruction="find a recipe")


def test_a_model_that_is_not_listed_is_asked_in_its_chat_frame(tiny: Any, tmp_path: Path) -> None:
    said: list[str] = []
    plain = replace(tiny("qwen3"), template=None, words=(), score="", instruction="")
    scorer = load_torch(plain, threads=1, note=said.append)
    template = scorer.description.template
    assert template.startswith("<|im_start|>user\nQuery: {query}") and template.endswith("<|im_start|>assistant\n")
    told = load_torch(plain, threads=1, note=said.append, instruction="be strict").description.template
    assert told.startswith("<|im_start|>user\nInstruction: be strict\nQuery: {query}")
    assert any("in its own chat frame" in line for line in said)
    assert scorer.description.score == "prob"


def test_a_model_without_chat_template_and_pad_token_is_asked_bare(tmp_path: Path, pairs: list[Pair]) -> None:
    folder = tiny_causal.causal(tmp_path / "base", "llama", chat=False, pad=False)
    said: list[str] = []
    scorer = load_torch(find(str(folder), method="yes-no"), threads=1, note=said.append)
    assert any("no chat template" in line for line in said)
    assert scorer.description.template.startswith("<s>Query: {query}"), "what its tokenizer begins a text with is kept"
    values = scorer.score(pairs).values
    alone = [scorer.score([pair]).values[0] for pair in pairs]
    np.testing.assert_allclose(values, alone, atol=1e-5, err_msg="what pads a row is never read")


def test_checkpoints_that_cannot_be_asked(tiny: Any, opened: Any, tmp_path: Path) -> None:
    with pytest.raises(BadData, match="'sorcery' is not one token of its own"):
        opened(tiny("qwen3", words=("no", "sorcery")))
    with pytest.raises(BadData, match="'yes' is not one token of its own"):
        opened(tiny("qwen3", words=("yes|no", "yes")))
    with pytest.raises(BadData, match="'東' is not one token of its own"):
        opened(tiny("llama", words=("東",), score="logit"))
    with pytest.raises(WrongUsage, match="leaves no room"):
        opened(tiny("qwen3"), max_length=30)
    with pytest.raises(WrongUsage, match="does not tell") as caught:
        find(str(tiny("qwen3").source))
    assert "--method yes-no" in caught.value.hint
    import tiny_models

    bert = tiny_models.bert_like(tmp_path / "bert", "bert", 1)
    with pytest.raises(BadData, match="no causal language model"):
        opened(find(str(bert), method="yes-no"))
