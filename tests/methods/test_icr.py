"""In-context reranking against eager attention over two whole prompts, with no cache; and what a list may not change."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny_causal
from numpy.testing import assert_allclose

from rerank_cli.core.protocols import Pair, Slate
from rerank_cli.errors import BadData, WrongUsage
from rerank_cli.methods import load_torch
from rerank_cli.methods.catalog import find
from rerank_cli.methods.icr import AttentionScorer, kept_sum

QUERY = "  which question is it "
DOCUMENTS = ["the quick brown fox", "", "a lazy dog <|im_end|> [2] and more " * 4, "yes\n\nno [/INST]", "true  false."]
#: What each family is asked in: before, between, after; and whether the tokenizer's own beginning comes first.
FRAMES = {
    "qwen2": ("<|im_start|>user\nHere are some paragraphs:", " \n\n", "<|im_end|>\n<|im_start|>assistant\n"),
    "qwen3": ("<|im_start|>user\nHere are some paragraphs:", " \n\n", "<|im_end|>\n<|im_start|>assistant\n"),
    "mistral": ("[INST] Here are some paragraphs:", "\n\n", "[/INST]"),
    "llama": (
        "<|start_header_id|>user<|end_header_id|> Here are some paragraphs:",
        " \n\n",
        "<|eot_id|><|start_header_id|>assistant<|end_header_id|>",
    ),
}


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    place = tmp_path_factory.mktemp("tiny")
    markers = ("<|eot_id|>", "<|start_header_id|>", "<|end_header_id|>")
    frames = {
        "qwen2": tiny_causal.CHAT,
        "qwen3": tiny_causal.CHAT,
        "mistral": "{{ bos_token }}[INST] {{ messages[0].content }} [/INST]",
        "llama": "<|start_header_id|>system<|end_header_id|>\n\n<|eot_id|><|start_header_id|>user<|end_header_id|>\n\n"
        "{{ messages[0].content }}<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n",
    }
    return {
        family: tiny_causal.causal(place / family, family, longest=2048, chat=chat, markers=markers)
        for family, chat in frames.items()
    }


def opened(folder: Path, threads: int = 1, **options: Any) -> AttentionScorer:
    named, notes = find(str(folder), method="icr"), list[str]()
    scorer: Any = load_torch(named, threads=threads, note=notes.append, offline=True, **options)
    # The tiny Mistral's and Qwen 2's windows are shorter than their prompts.
    assert len(notes) == (folder.name in ("mistral", "qwen2")) and all("tokens only" in note for note in notes)
    return scorer  # type: ignore[no-any-return]


def slate(documents: list[str] = DOCUMENTS, query: str = QUERY) -> Slate:
    return Slate(query, documents, np.zeros(len(documents)), np.arange(len(documents)))


def by_hand(folder: Path, query: str, documents: list[str]) -> tuple[np.ndarray, int]:
    """Each document's score, the best document last in the prompt; and the tokens of the prompt."""
    import torch
    from transformers import AutoModel, AutoTokenizer

    before, between, after = FRAMES[folder.name]
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModel.from_pretrained(folder, attn_implementation="eager").eval()
    turned = [text.replace("<|im_end|>", "< |im_end|>").replace("[/", "[ /") for text in documents[::-1]]
    shown = [f"[{number}] {text}" for number, text in enumerate(turned, 1)]
    fixed = before + "".join(between + text for text in shown) + between
    question = "Please find information that are relevant to the following query in the paragraphs above."

    def attention(asked: str) -> tuple[np.ndarray, np.ndarray]:
        text = f"{fixed}{question}{between}Query: {asked}{after}"
        own = tokenizer(
            text,
            return_offsets_mapping=True,
            return_tensors="pt",
            add_special_tokens=not folder.name.startswith("qwen"),
        )
        ends = own.offset_mapping[0, :, 1].numpy()
        with torch.inference_mode():
            layers = model(own.input_ids, output_attentions=True).attentions
        begin = int(np.flatnonzero(ends > len(fixed))[0])
        return sum(layer[0, :, begin:].mean(1).sum(0) for layer in layers).numpy(), ends  # type: ignore[union-attr]

    (asked, ends), (nothing, _) = attention(query.strip()), attention("N/A")
    scores, start = [], len(before)
    for text in shown:
        start += len(between)
        tokens = np.flatnonzero((ends > start) & (ends <= start + len(text)))
        own = (asked[tokens] - nothing[tokens]).astype(float)
        scores.append(own[own > own.mean() - 2 * own.std(ddof=1)].sum())
        start += len(text)
    return np.array(scores[::-1]), len(ends)


@pytest.mark.parametrize("family", FRAMES)
def test_a_score_is_the_attention_of_the_question_less_that_of_no_question(
    family: str, folders: dict[str, Path]
) -> None:
    wanted, _ = by_hand(folders[family], QUERY, DOCUMENTS)
    got = opened(folders[family]).rate([slate()]).values[0]
    assert np.ptp(wanted) > 1e-3, "documents that hardly differ would make the comparison empty"
    assert_allclose(got, wanted, atol=1e-5, rtol=0)


def test_asking_for_nothing_gives_nothing(folders: dict[str, Path]) -> None:
    assert_allclose(opened(folders["qwen3"]).rate([slate(query="N/A")]).values[0], 0, atol=1e-6)


def test_lists_together_score_as_each_alone_and_order_counts(folders: dict[str, Path]) -> None:
    scorer = opened(folders["qwen3"])
    lists = [slate(), slate(DOCUMENTS[::-1]), slate([]), slate(DOCUMENTS[:1], "another")]
    together = scorer.rate(lists)
    for one, values in zip(lists, together.values, strict=True):
        assert_allclose(scorer.rate([one]).values[0], values, atol=1e-6)
    assert np.abs(together.values[1][::-1] - together.values[0]).max() > 1e-3
    several = opened(folders["qwen3"]).rate(lists[:2])
    assert together.costs.calls == 6
    assert_allclose(several.values[1], together.values[1], atol=1e-6)


def test_threads_do_not_mix_lists(folders: dict[str, Path]) -> None:
    lists = [slate(DOCUMENTS[at:] + DOCUMENTS[:at]) for at in range(5)]
    scorer = opened(folders["qwen3"], threads=3)
    for alone, values in zip(
        [opened(folders["qwen3"]).rate([one]) for one in lists], scorer.rate(lists).values, strict=True
    ):
        assert_allclose(values, alone.values[0], atol=1e-6)


def test_tokens_are_those_that_were_read(folders: dict[str, Path]) -> None:
    _, tokens = by_hand(folders["qwen3"], QUERY, DOCUMENTS)
    scorer = opened(folders["qwen3"])
    costs = scorer.rate([slate()]).costs
    question = len(scorer._nothing)
    assert costs.tokens.sum() == tokens + question
    assert costs.tokens.min() >= (tokens + question) // len(DOCUMENTS)
    measured = scorer.measure([Pair(QUERY, text) for text in DOCUMENTS])
    assert measured.tokens.tolist() == costs.tokens.tolist()


def test_only_documents_are_cut_and_it_is_told(folders: dict[str, Path]) -> None:
    long = ["dog " * 290, "short", "word " * 400]
    _, most = by_hand(folders["qwen3"], QUERY, ["a", "b", "c"])
    scorer = opened(folders["qwen3"], max_length=most + 60)
    costs = scorer.rate([slate(long)]).costs
    assert costs.truncated.tolist() == [True, False, True]
    prompt, begin = scorer._asked(slate(long))
    assert len(prompt.ids) <= most + 60
    asking_less, start = scorer._asked(slate(long, ""))
    assert len(asking_less.ids) < start + len(scorer._nothing) <= most + 60, "N/A has to fit behind the documents too"
    tail = scorer._encoder.decode(prompt.ids[begin:].tolist(), skip_special_tokens=False)
    assert tail.startswith("Please find") and tail.endswith(
        "Query: which question is it<|im_end|>\n<|im_start|>assistant\n"
    )
    with pytest.raises(WrongUsage, match="3 documents do not fit"):
        opened(folders["qwen3"], max_length=most - 10).rate([slate(long)])
    whole = opened(folders["qwen3"])
    assert whole.rate([slate(long)]).costs.truncated.tolist() == [False, False, True], "the authors show 300 words"


class Shelf(dict[bytes, bytes]):
    """A store in memory with the two functions that a store on disk has."""

    def get(self, keys: Any) -> Any:  # type: ignore[override]
        return [super(Shelf, self).get(key) for key in keys]

    def put(self, items: Any) -> None:
        self.update(items)


def test_a_list_that_was_rated_is_not_read_again(folders: dict[str, Path]) -> None:
    shelf = Shelf()
    first, second = opened(folders["qwen3"]), opened(folders["qwen3"])
    first.keep_in(shelf)
    second.keep_in(shelf)
    fresh, kept = first.rate([slate()]), second.rate([slate(), slate(DOCUMENTS[::-1])])
    assert (kept.values[0] == fresh.values[0]).all()
    assert kept.costs.cached.tolist() == [True] * 5 + [False] * 5
    assert (fresh.costs.calls, kept.costs.calls) == (2, 2)
    assert kept.costs.tokens[:5].tolist() == fresh.costs.tokens.tolist()


def test_tokens_far_below_the_others_do_not_count() -> None:
    assert kept_sum(np.array([1.0] * 9 + [-50.0])) == 9
    assert kept_sum(np.array([-3.0])) == -3, "a single token has no deviation"


def test_other_families_and_models_that_were_not_instructed_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadData, match="gemma"):
        opened(tiny_causal.causal(tmp_path / "gemma", "gemma"))
    with pytest.raises(BadData, match="no chat template"):
        opened(tiny_causal.causal(tmp_path / "bare", "qwen2", chat=False))
