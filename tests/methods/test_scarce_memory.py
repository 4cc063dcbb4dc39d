"""Every family of models with too little memory: PyTorch's own allocator fails, and the answers stay what they were."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny_causal
import tiny_fid
import tiny_labels
import tiny_models
import tiny_t5
from scarce_room import room_for

from rerank_cli.core.candidates import Candidates
from rerank_cli.core.protocols import ListScorer, Pair, Ranker, Slate, gathered
from rerank_cli.core.run import Ranking
from rerank_cli.core.texts import Document, MemoryTexts
from rerank_cli.errors import OutOfMemory
from rerank_cli.inference.cache import AnswerCache
from rerank_cli.methods import load_torch, method_named
from rerank_cli.methods.catalog import find
from rerank_cli.methods.words.writers import load_writer
from rerank_cli.pipeline import Options, Sources, as_ranker, planned, rerank
from rerank_cli.retrieval.encoding import Asked, encoded_once
from rerank_cli.retrieval.retriever import Topic

QUERIES = ["what is the price of copper", "lighthouse"]
DOCUMENTS = [
    "copper in a mine",
    "glass rings turn a small flame into a beam that ships see far away",
    "bees find their way home",
    "flour water salt oven hot enough and a lake deep",
    "a price",
]
PAIRS = [Pair(query, document) for query in QUERIES for document in DOCUMENTS]
SLATES = [Slate(query, DOCUMENTS[:n], 9.0 - np.arange(n), np.arange(n)) for query in QUERIES for n in (5, 3, 2)]
DUELS = [Slate(one.query, one.documents[:2], 9.0 - np.arange(2), np.arange(2)) for one in SLATES]
FAMILIES: dict[str, tuple[Callable[[Path], Any], str | None]] = {
    "cross-encoder": (lambda folder: tiny_models.bert_like(folder, "bert", 1), None),
    "monot5": (tiny_models.t5, "monot5"),
    "yes-no": (lambda folder: tiny_causal.causal(folder, "qwen3"), "yes-no"),
    "setwise": (lambda folder: tiny_labels.save(folder, "qwen2"), "setwise"),
    "duot5": (lambda folder: tiny_labels.save(folder, "t5"), "duot5"),
    "upr": (lambda folder: tiny_t5.BUILDERS["upr:t5"][0](folder), "upr"),
    "co-prompt": (lambda folder: tiny_t5.BUILDERS["co-prompt:opt"][0](folder), "co-prompt"),
    "bi-encoder": (lambda folder: tiny_models.sentence_transformer(folder, "mean"), None),
    "splade": (tiny_models.splade, "splade"),
    "e2rank": (lambda folder: tiny_causal.causal(folder, "qwen3", longest=4096), "e2rank"),
    **{method: (builder, method) for method, builder in tiny_fid.BUILDERS.items()},
}


#: Those that read a list in one row, of which no half can be read.
WHOLE: dict[str, tuple[Callable[[Path], Any], str | None]] = {
    "icr": (lambda folder: tiny_causal.causal(folder, "qwen3", longest=2048), "icr"),
}


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Any]:
    place = tmp_path_factory.mktemp("scarce")

    def model(family: str, said: list[str]) -> Any:
        builder, method = (FAMILIES | WHOLE)[family]
        folder = place / family
        if not folder.is_dir():
            builder(folder)
        checkpoint = find(str(folder), method=method)
        return load_torch(checkpoint, threads=1, note=said.append, batch_tokens=4096, offline=True)

    return model


def answers(model: Any) -> list[np.ndarray]:
    if isinstance(model, Ranker):
        slates = SLATES if model.most != 2 else DUELS
        replies = dict(model.answer(slates))
        return [replies[at].values for at in range(len(slates))]
    if isinstance(model, ListScorer):
        return model.rate(SLATES).values
    return [gathered(model.stream(PAIRS), len(PAIRS)).values]


@pytest.mark.parametrize("family", FAMILIES)
def test_a_batch_without_room_is_halved_and_the_answers_are_the_same(opened: Any, family: str) -> None:
    wanted = answers(opened(family, []))
    said: list[str] = []
    scarce = opened(family, said)
    said.clear()
    with room_for(lambda rows, _: rows <= 2) as refused:
        found = answers(scarce)
    for one, own in zip(found, wanted, strict=True):
        np.testing.assert_allclose(one, own, atol=2e-5, rtol=1e-5)
    assert max(map(len, wanted)) > 1 and any(np.ptp(one) > 0 for one in wanted)
    assert len(refused) == scarce.halves.refused > 0 and max(refused)[0] > 2
    assert len(said) == 1 and "no memory for a batch of" in said[0]
    with room_for(lambda rows, _: rows <= 2) as refused:
        answers(opened(family, []) if family in ("bi-encoder", "splade", "e2rank") else scarce)
    assert family in ("bi-encoder", "splade", "e2rank") or not refused, "a size that failed is not tried again"


LONG = "glass rings turn a small flame into a beam " * 5
SOURCES = Sources(
    {b"q1": QUERIES[0], b"q2": QUERIES[1]},
    MemoryTexts({b"short": Document(b"short", "", "bees"), b"long": Document(b"long", "", LONG)}),
    "{title} {text}",
    "collection test",
)


@pytest.mark.parametrize(("family", "strategy"), [(name, None) for name in FAMILIES | WHOLE] + [("monot5", "heapsort")])
def test_what_has_no_room_by_itself_is_named_by_its_ids(opened: Any, family: str, strategy: str | None) -> None:
    model = opened(family, [])
    candidates = [Candidates(Ranking.build(qid, [b"short", b"long"], [2.0, 1.0])) for qid in (b"q1", b"q2")]
    name = strategy or (model.strategy if isinstance(model, Ranker) else None)
    plan = planned(as_ranker(model), name, {}) if name else None
    lengths: list[int] = []
    with room_for(lambda _, length: lengths.append(length) or True):  # type: ignore[func-returns-value]
        list(rerank(candidates, SOURCES, model, Options(), plan))
    model = opened(family, [])
    plan = planned(as_ranker(model), name, {}) if name else None
    ended = pytest.raises(OutOfMemory, match=r"^(query q[12], |)(document long|2 documents from short on): ")
    with ended as caught, room_for(lambda _, length: length < max(lengths)):
        list(rerank(candidates, SOURCES, model, Options(), plan))
    assert "1 x " in caught.value.message and "--max-length" in caught.value.hint
    assert caught.value.message.startswith("query") or family in ("bi-encoder", "splade", "e2rank")


@pytest.mark.parametrize("cached", [False, True])
def test_a_prompt_without_room_is_named_by_its_query(opened: Any, tmp_path: Path, cached: bool) -> None:
    """A model that writes: its prompts and answers, kept or not."""
    checkpoint = find(str(tiny_causal.causal(tmp_path / "writer", "qwen3", longest=2048)), method="listwise")
    writer = load_writer(checkpoint, threads=1, note=lambda said: None, device="cpu", offline=True)
    asked: Any = method_named("listwise")
    model = asked.asked(checkpoint, writer, None, max_length=None, instruction=None, note=lambda said: None)
    with AnswerCache(tmp_path / "answers", 1 << 20, pytest.fail) as cache:
        if cached:
            model.keep_in(cache)
        candidates = [Candidates(Ranking.build(qid, [b"short", b"long"], [2.0, 1.0])) for qid in (b"q1", b"q2")]
        with pytest.raises(OutOfMemory, match=r"^query q[12], 2 documents from short on: "), room_for(lambda *_: False):
            list(rerank(candidates, SOURCES, model, Options(), planned(model, None, {})))


class InOrder(MemoryTexts):
    """Texts that are walked, too."""

    fingerprint = "five short ones and a long one"

    def __init__(self, documents: dict[bytes, Document]) -> None:
        super().__init__(documents)
        self._all = list(documents.values())

    def __iter__(self) -> Iterator[Document]:
        return iter(self._all)

    def __len__(self) -> int:
        return len(self._all)


def test_a_corpus_is_encoded_in_halves_and_a_document_without_room_is_named(opened: Any, tmp_path: Path) -> None:
    documents = [Document(b"d%d" % at, "", text) for at, text in enumerate([*DOCUMENTS[2:], LONG])]
    model = opened("bi-encoder", []).model
    kept: list[np.ndarray] = []

    def encode(place: Path, fits: Callable[[int, int], bool]) -> None:
        with room_for(fits):
            encoded_once(
                place,
                {"of": place.name},
                InOrder({one.docid: one for one in documents}),
                model,
                lambda _, arrays: {"vectors": np.stack(arrays)},
                lambda work, ids, folder: kept.append(np.fromfile(work.folder / "vectors", "f4")),  # type: ignore[func-returns-value]
                template="{text}",
                note=lambda said: None,
            )

    scorer = opened("bi-encoder", [])
    scorer.memory.all(DOCUMENTS[:2], False)
    with room_for(lambda _, length: length < 16), pytest.raises(OutOfMemory) as caught:
        scorer.memory.all([*DOCUMENTS[:3], LONG], False)
    assert (caught.value.row, caught.value.texts) == (3, (LONG,)), "beside texts that are known already"
    encode(tmp_path / "free", lambda *_: True)
    encode(tmp_path / "scarce", lambda rows, _: rows <= 2)
    np.testing.assert_allclose(kept[1], kept[0], atol=1e-5)
    with pytest.raises(OutOfMemory, match=r"^document d3: .* 1 x \d+ tokens"):
        encode(tmp_path / "none", lambda _, length: length < 16)
    with room_for(lambda _, length: length < 16), pytest.raises(OutOfMemory, match=r"^query q7: "):
        Asked(model, print).arrays([Topic(b"q6", "bees"), Topic(b"q7", LONG)])
