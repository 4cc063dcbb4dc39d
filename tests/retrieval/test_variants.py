"""Every variant of BM25 against its formula in the papers, and against the library bm25s."""

import math

import numpy as np
import pytest

from rerank_cli.core.texts import Document
from rerank_cli.errors import WrongUsage
from rerank_cli.retrieval.bm25 import Bm25Index
from rerank_cli.retrieval.variants import VARIANTS, Parameters

K1, B = 1.3, 0.6


@pytest.fixture(scope="module")
def texts():
    draw = np.random.default_rng(3)
    return [" ".join(f"w{n}" for n in (80 * draw.random(draw.integers(1, 90)) ** 3).astype(int)) for _ in range(200)]


@pytest.fixture(scope="module")
def index(texts, tmp_path_factory):
    folder = tmp_path_factory.mktemp("variants")
    Bm25Index.build([Document(b"%d" % n, "", text) for n, text in enumerate(texts)], folder, "whitespace")
    return Bm25Index.open(folder)


def by_the_paper(name, tf, length, average, df, n, delta):
    """One term's part, written as each paper has it."""
    norm = 1 - B + B * length / average
    if name == "lucene":
        return math.log(1 + (n - df + 0.5) / (df + 0.5)) * tf / (tf + K1 * norm)
    if name == "robertson":
        return max(math.log((n - df + 0.5) / (df + 0.5)), 0) * tf / (K1 * norm + tf)
    if name == "atire":
        return math.log(n / df) * (K1 + 1) * tf / (K1 * norm + tf)
    if name == "bm25l":
        c = tf / norm
        return math.log((n + 1) / (df + 0.5)) * (K1 + 1) * (c + delta) / (K1 + c + delta)
    return math.log((n + 1) / df) * ((K1 + 1) * tf / (K1 * norm + tf) + delta)


@pytest.mark.parametrize("delta", [None, 0.3])
@pytest.mark.parametrize("name", VARIANTS)
def test_scores_are_those_of_the_paper(index, texts, name, delta):
    if delta is not None and VARIANTS[name].delta is None:
        with pytest.raises(WrongUsage, match="has no delta"):
            Parameters(variant=name, delta=delta)
        return
    documents = [text.split() for text in texts]
    average = sum(map(len, documents)) / len(documents)
    query = ["w0", "w3", "w40", "w40", "w79"]
    in_force = delta if delta is not None else {"bm25l": 0.5, "bm25+": 1.0}.get(name)
    expected = {}
    for number, terms in enumerate(documents):
        for term in query:
            df = sum(term in other for other in documents)
            if term in terms:
                part = by_the_paper(name, terms.count(term), len(terms), average, df, len(documents), in_force)
                expected[b"%d" % number] = expected.get(b"%d" % number, 0) + part
    expected = {docid: score for docid, score in expected.items() if score}
    docids, scores = index.search(" ".join(query), 200, Parameters(K1, B, name, delta, "exact"))
    assert dict(zip(docids.tolist(), scores.tolist())) == pytest.approx(expected, abs=2e-5)
    few = index.search(" ".join(query), 7, Parameters(K1, B, name, delta, "exact"))
    assert few[0].tolist() == docids[:7].tolist()
    assert few[1].tolist() == scores[:7].tolist()


@pytest.mark.parametrize("name", VARIANTS)
def test_scores_are_those_of_bm25s(index, texts, name):
    """It gives documents that lack a term what a frequency of 0 would give: taken off here, as the papers have it."""
    import bm25s

    other = bm25s.BM25(method=name, k1=K1, b=B, delta=0.5, dtype="float64")
    other.index([text.split() for text in texts], show_progress=False)
    delta = 0.5 if VARIANTS[name].delta is not None else None
    for query in (["w1", "w9"], ["w2", "w20", "w77"]):
        expected = other.get_scores(query)
        if delta is not None:
            for term in query:
                df = sum(term in text.split() for text in texts)
                idf = math.log((len(texts) + 1) / (df + (0.5 if name == "bm25l" else 0)))
                absent = idf * (delta if name == "bm25+" else (K1 + 1) * delta / (K1 + delta))
                expected -= absent * np.array([term not in text.split() for text in texts])
        docids, scores = index.search(" ".join(query), 200, Parameters(K1, B, name, delta, "exact"))
        assert np.abs(scores - expected[docids.astype(int)]).max(initial=0) < 2e-5
        assert len(docids) == np.count_nonzero(expected > 1e-9)


def test_an_unknown_variant_names_those_there_are():
    with pytest.raises(WrongUsage) as refused:
        Parameters(variant="bm26")
    assert "lucene, robertson, atire, bm25l, bm25+" in refused.value.hint


@pytest.mark.parametrize("delta", [-1.0, math.nan, math.inf])
def test_a_delta_without_a_meaning_is_refused(delta):
    with pytest.raises(WrongUsage, match="delta is"):
        Parameters(variant="bm25+", delta=delta)


def test_without_saturation_every_variant_gives_its_constant(index):
    for name, scale in (("lucene", 1), ("atire", 1), ("bm25l", 1), ("bm25+", 2)):
        _, scores = index.search("w60", 200, Parameters(0.0, B, name))
        df, n = len(scores), len(index)
        assert scores == pytest.approx([scale * VARIANTS[name].idf(n, df)] * df)
