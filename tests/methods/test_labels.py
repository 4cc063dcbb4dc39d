"""Rankers that read labels' logits against transformers' forward of one whole prompt at a time over the whole vocabulary."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny_labels
from tiny_labels import LETTERS, slates

from rerank_cli.core.protocols import Ranker, Reply, Slate
from rerank_cli.errors import BadData, WrongUsage
from rerank_cli.export import ensure_exported
from rerank_cli.methods import load, load_torch
from rerank_cli.methods.catalog import find

CLOSE = 1e-5
SYSTEM = "You are RankLLM, an intelligent assistant that can rank passages based on their relevancy to the query"


def duo(query: str, texts: list[str]) -> str:
    return f"Query: {query} Document0: {texts[0]} Document1: {texts[1]} Relevant:"


def contexts(query: str, texts: list[str]) -> str:
    asked = "Which context is more relevant to the query (A or B)?"
    return f"Query: {query}\n\nContext A: {texts[0]}\n\nContext B: {texts[1]}\n\n{asked}"


def teacher(query: str, texts: list[str]) -> str:
    asked = "Which document is more relevant to the query? Answer only 'A' or 'B'."
    return f"{asked}\n\nQuery: {query}\n\nDocument A: {texts[0]}\n\nDocument B: {texts[1]}"


def pair(query: str, texts: list[str]) -> str:
    return (
        f'Given a query "{query}", which of the following two passages is more relevant to the query?\n\n'
        f'Passage A: "{texts[0]}"\n\nPassage B: "{texts[1]}"\n\nOutput Passage A or Passage B:'
    )


def several(query: str, texts: list[str]) -> str:
    passages = "\n\n".join(f'Passage {letter}: "{text}"' for letter, text in zip(LETTERS, texts))
    return (
        f'Given a query "{query}", which of the following passages is the most relevant one to the query?\n\n'
        f"{passages}\n\nOutput only the passage label of the most relevant passage:"
    )


def listed(query: str, texts: list[str]) -> str:
    passages = "".join(f"[{letter}] {' '.join(text.split())}\n" for letter, text in zip(LETTERS, texts))
    return (
        f"I will provide you with {len(texts)} passages, each indicated by a alphabetical identifier []. Rank the passages "
        f"based on their relevance to the search query: {query}.\n\n{passages}Search Query: {query}.\n"
        f"Rank the {len(texts)} passages above based on their relevance to the search query. All the passages should be "
        "included and listed using identifiers, in descending order of relevance. The output format should be [] > [], "
        "e.g., [B] > [A], Only respond with the ranking results, do not say any word or explain."
    )


def in_chat(text: str, cue: str) -> str:
    return f"<|im_start|>user\n{text}<|im_end|>\n<|im_start|>assistant\n{cue}"


def first(query: str, texts: list[str]) -> str:
    return in_chat(f"{SYSTEM}\n {listed(query, texts)}", "[")


#: Method, model, sizes of slates, the prompt that its authors write, what a T5 has said, the scale.
CASES: list[tuple[str, str, tuple[int, ...], Callable[[str, list[str]], str], str, str]] = [
    ("duot5", "t5", (2,) * 7, duo, "", "words"),
    ("duot5", "mt5", (2,) * 3, duo, "", "words"),
    ("instupr-pairs", "flan", (2,) * 5, contexts, "", "prob"),
    ("pairdistill", "flan", (2,) * 5, teacher, "", "prob"),
    ("prp", "flan", (2,) * 5, pair, "Passage", "prob"),
    ("prp", "qwen3", (2,) * 5, lambda q, t: in_chat(pair(q, t), " Passage:"), "", "prob"),
    ("setwise", "t5", (4, 2, 3, 8, 1), several, "Passage", "logprob"),
    ("setwise", "flan", (3, 5), several, "Passage", "logprob"),
    ("setwise", "llama", (4, 2, 3, 1), lambda q, t: in_chat(several(q, t), " Passage:"), "", "logprob"),
    ("first", "llama", (4, 2, 6, 3), first, "", "logit"),
    ("first", "qwen2", (5, 2), first, "", "logit"),
]
IDS = [f"{case[0]}:{case[1]}" for case in CASES]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("labels")


@pytest.fixture(scope="module")
def model(place: Path) -> Callable[[str], Path]:
    """A tiny model by kind, saved once."""

    def saved(kind: str) -> Path:
        return place / kind if (place / kind).is_dir() else tiny_labels.save(place / kind, kind)

    return saved


@pytest.fixture(scope="module")
def opened(place: Path, model: Callable[[str], Path]) -> Callable[..., Any]:
    def ranker(method: str, kind: str, engine: str = "torch", **options: Any) -> Any:
        checkpoint = find(str(model(kind)), method=method)
        if engine == "torch":
            return load_torch(checkpoint, threads=1, note=lambda _: None, **options)
        folder = ensure_exported(checkpoint, place / "cache", note=lambda _: None, offline=True)
        return load(folder, threads=1, note=pytest.fail, **options)

    return ranker


def replies(ranker: Ranker, asked: list[Slate]) -> list[Reply]:
    """The replies in the slates' order; each slate is answered once."""
    found = list(ranker.answer(asked))
    assert sorted(at for at, _ in found) == list(range(len(asked)))
    return [reply for _, reply in sorted(found, key=lambda one: one[0])]


def kind_of(folder: Path) -> str:
    return "t5" if folder.name in tiny_labels.T5S else "causal"


def wanted(folder: Path, one: Slate, prompt: Any, said: str, scale: str) -> np.ndarray:
    logits, reading = tiny_labels.next_logits(folder, said)(prompt(one.query, list(one.documents)))
    answers = ("true", "false") if scale == "words" else LETTERS[: len(one.documents)]
    # After what a T5 has said comes a word, of a causal model every spelling counts.
    spelled = [
        reading(number).replace("▁", "" if kind_of(folder) == "causal" else " ") for number in range(len(logits))
    ]
    blank = "" if kind_of(folder) == "causal" else " "
    own = [max(logits[i] for i, text in enumerate(spelled) if text.strip("Ġ") == blank + answer) for answer in answers]
    if scale == "logit":
        return np.array(own)
    chances = np.exp(own) / np.exp(own).sum()
    return np.log(chances) if scale == "logprob" else chances


@pytest.mark.parametrize(("method", "kind", "sizes", "prompt", "said", "scale"), CASES, ids=IDS)
def test_values_are_transformers_logits(
    model: Any, opened: Any, method: str, kind: str, sizes: tuple[int, ...], prompt: Any, said: str, scale: str
) -> None:
    asked = slates(sizes)
    expected = [wanted(model(kind), one, prompt, said, scale) for one in asked]
    assert max(float(np.ptp(values)) for values in expected) > 100 * CLOSE, (
        "equal values would make the comparison empty"
    )
    order = np.random.default_rng(1).permutation(len(asked))
    for engine in ("torch", "onnx"):
        ranker = opened(method, kind, engine)
        assert isinstance(ranker, Ranker)
        together = replies(ranker, asked)
        for reply, values, one in zip(together, expected, asked, strict=True):
            np.testing.assert_allclose(reply.values, values, atol=CLOSE, rtol=CLOSE, err_msg=f"{engine} {one}")
        shuffled = replies(opened(method, kind, engine, batch_tokens=300), [asked[at] for at in order])
        for at, reply in zip(order, shuffled, strict=True):
            np.testing.assert_allclose(reply.values, together[at].values, atol=CLOSE, rtol=CLOSE)
    for one, reply in zip(asked, together, strict=True):
        alone = replies(ranker, [one])[0]
        np.testing.assert_allclose(alone.values, reply.values, atol=CLOSE, rtol=CLOSE)
        assert (reply.tokens, reply.truncated) == (alone.tokens, 0)
    assert ranker.measure(asked).tokens.tolist() == [reply.tokens for reply in together]


def test_the_teacher_can_be_a_duot5(opened: Any, model: Any) -> None:
    entry = find("pairdistill-duot5-3b")
    checkpoint = replace(entry, name="mine", source=str(model("t5")))
    ranker: Any = load_torch(checkpoint, threads=1, note=lambda _: None)
    assert (ranker.strategy, ranker.settings["pairs"]) == ("neighbourhood", 5)
    asked = slates((2, 2, 2))
    for mine, duo_says in zip(replies(ranker, asked), replies(opened("duot5", "t5"), asked), strict=True):
        np.testing.assert_array_equal(mine.values, duo_says.values)


def test_letters_beyond_the_slate_never_win(model: Any, opened: Any, place: Path) -> None:
    import torch
    import transformers

    loud = tiny_labels.save(place / "loud", "flan")
    changed = transformers.AutoModelForSeq2SeqLM.from_pretrained(loud)
    tokenizer = transformers.AutoTokenizer.from_pretrained(loud)
    with torch.no_grad():
        changed.lm_head.weight[tokenizer.convert_tokens_to_ids(["▁D", "▁W"])] *= 100
    changed.save_pretrained(loud)
    asked = slates((3, 3, 3, 3, 3))
    for reply, other in zip(
        replies(load_torch(find(str(loud), method="setwise"), threads=1, note=lambda _: None), asked),  # type: ignore[arg-type]
        replies(opened("setwise", "flan"), asked),
        strict=True,
    ):
        np.testing.assert_allclose(reply.values, other.values, atol=CLOSE)
        assert np.exp(reply.values).sum() == pytest.approx(1)


def test_a_letter_counts_as_its_likeliest_spelling(model: Any) -> None:
    from rerank_cli.methods import method_named
    from rerank_cli.methods.source import open_source

    checkpoint = find(str(model("llama")), method="first")
    source = open_source(checkpoint, cache_dir=None, offline=True, trust_remote_code=False, note=lambda _: None)
    record = method_named("first").record(source)
    tokens = [{source.tokenizer.id_to_token(i) for i in ids} for ids in record.params["labels"]]
    assert tokens[0] == {"A", "▁A"}, "the vocabulary has both, so the comparison above is over both"
    assert all(
        source.tokenizer.encode(f"[{letter}").ids[-1] in own for letter, own in zip(LETTERS, record.params["labels"])
    )
    flat = [i for own in record.params["labels"] for i in own]
    assert len(set(flat)) == len(flat)


def test_a_vocabulary_with_few_letters(place: Path) -> None:
    few = tiny_labels.save(place / "few", "flan", letters="ABCE")
    ranker: Any = load_torch(find(str(few), method="setwise"), threads=1, note=lambda _: None)
    assert ranker.most == 3, "D is missing, so E would stand for it"
    with pytest.raises(WrongUsage, match="at most 3 documents at once, and was asked about 4"):
        list(ranker.answer(slates((4,))))
    none = tiny_labels.save(place / "none", "flan", letters="A")
    for method in ("setwise", "prp"):
        with pytest.raises(BadData, match="letters A and B"):
            load_torch(find(str(none), method=method), threads=1, note=lambda _: None)
    with pytest.raises(BadData, match="▁B"):
        load_torch(find(str(none), method="instupr-pairs"), threads=1, note=lambda _: None)
