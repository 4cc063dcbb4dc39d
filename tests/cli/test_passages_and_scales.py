"""--passages, --aggregate and --score-as through the real program, against scores asked for one by one."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
import tiny_models
from conftest import Runner
from hypothesis import given
from hypothesis import strategies as st

from rerank_cli.errors import WrongUsage
from rerank_cli.inference.passages import Passages
from rerank_cli.pipeline.scales import converted

QUERY = "how does a lighthouse reach far ships"
LONG = (
    "bread is flour and water with salt and time " * 6
    + "a lighthouse throws its beam to ships that are far away at sea "
    + "the miners went down for copper every morning " * 6
)


def jsonl(rows: list[tuple[str, str, str, float]]) -> bytes:
    """A run with its texts: (query id, document id, text, score)."""
    lines = [
        {"qid": qid, "query": QUERY, "docid": docid, "text": text, "score": score} for qid, docid, text, score in rows
    ]
    return "".join(json.dumps(line) + "\n" for line in lines).encode()


def scores(text: str) -> dict[str, float]:
    return {line.split()[2]: float(line.split()[4]) for line in text.splitlines()}


@pytest.mark.parametrize("aggregate", ["max", "mean", "first", "sum"])
def test_a_document_is_its_passages_scored_apart_and_joined(rerank: Runner, aggregate: str) -> None:
    size, stride = 12, 5
    # Every word of LONG is one token of MiniLM's vocabulary, so that windows of words are windows of tokens.
    words = LONG.split()
    starts = [0]
    while starts[-1] + size < len(words):
        starts.append(starts[-1] + stride)
    pieces = [" ".join(words[at : at + size]) for at in starts]
    apart = rerank(
        "rerank", "-m", "minilm", stdin=jsonl([("q", f"p{i}", text, -float(i)) for i, text in enumerate(pieces)])
    )
    assert apart.code == 0, apart.err
    each = [scores(apart.text)[f"p{i}"] for i in range(len(pieces))]
    joined = {"max": max(each), "mean": sum(each) / len(each), "first": each[0], "sum": sum(each)}[aggregate]

    run = jsonl([("q", "long", LONG, 2.0), ("q", "short", "a lake", 1.0), ("q", "empty", "", 0.5)])
    done = rerank(
        "rerank", "-m", "minilm", "--passages", f"{size}:{stride}", "--aggregate", aggregate, "--stats", "stats.jsonl", stdin=run
    )  # fmt: skip
    assert done.code == 0, done.err
    assert scores(done.text)["long"] == pytest.approx(joined, abs=2e-6)
    assert len(done.lines) == 3


def test_stats_count_passages_as_pairs(rerank: Runner, tmp_path: Path) -> None:
    run = jsonl([("q", "long", "salt " * 25, 2.0), ("q", "short", "a lake", 1.0)])
    assert rerank("rerank", "-m", "minilm", "--passages", "10", "--stats", "stats.jsonl", stdin=run).code == 0
    told = json.loads((tmp_path / "stats.jsonl").read_text().splitlines()[0])
    assert (told["documents"], told["pairs"]) == (2, 3 + 1)
    assert "pairs\t4" in rerank("rerank", "-m", "minilm", "--passages", "10", "--dry-run", stdin=run).text


def test_a_title_stands_before_every_passage(rerank: Runner) -> None:
    line = {"qid": "q", "query": QUERY, "docid": "d", "score": 1.0}
    whole = {**line, "title": "copper", "text": "salt " * 10 + "lake " * 10}
    parts = [{**line, "docid": f"d{i}", "text": f"copper {word * 10}"} for i, word in enumerate(("salt ", "lake "))]
    joined = rerank("rerank", "-m", "minilm", "--passages", "10", stdin=json.dumps(whole).encode())
    apart = rerank("rerank", "-m", "minilm", stdin="".join(json.dumps(part) + "\n" for part in parts).encode())
    assert joined.code == apart.code == 0, joined.err + apart.err
    assert scores(joined.text)["d"] == pytest.approx(max(scores(apart.text).values()), abs=2e-6)


@given(words=st.lists(st.sampled_from(["copper", "mine", "a", "lake", "deep"]), max_size=40), data=st.data())
def test_passages_cover_the_text_in_order(tokenizer, words: list[str], data: st.DataObject) -> None:
    size = data.draw(st.integers(1, 12))
    stride = data.draw(st.integers(1, size))
    pieces = [piece.split() for piece in Passages(tokenizer, size, stride)(" ".join(words))]
    rebuilt = pieces[0]
    for piece in pieces[1:]:
        rebuilt = rebuilt + piece[size - stride :]
        assert len(piece) <= size
    assert rebuilt == words


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory):
    from rerank_cli.inference.tokens import load_tokenizer

    folder = tiny_models.bert_like(tmp_path_factory.mktemp("models") / "tiny", "bert", 1)
    return load_tokenizer(folder / "tokenizer.json")


@pytest.fixture(scope="module")
def two_labels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_models.bert_like(tmp_path_factory.mktemp("models") / "tiny-bert", "bert", 2)


def test_score_as_shows_the_same_answer_on_another_scale(rerank: Runner, two_labels: Path) -> None:
    texts = ["copper in a mine", "bees find their way home", "a lake deep", "flour water salt"]
    run = jsonl([("q", f"d{i}", text, -float(i)) for i, text in enumerate(texts)])
    told = {
        scale: scores(rerank("rerank", "-m", str(two_labels), *scale.split(), stdin=run).text)
        for scale in ("", "--score-as prob", "--score-as margin", "--score-as logit")
    }
    assert len(told[""]) == 4
    for docid, logprob in told[""].items():
        p = told["--score-as prob"][docid]
        assert p == pytest.approx(math.exp(logprob), rel=1e-6)
        assert told["--score-as margin"][docid] == pytest.approx(math.log(p / (1 - p)), abs=1e-5)
        assert told["--score-as logit"][docid] == told["--score-as margin"][docid]
    assert list(told[""]) == list(told["--score-as prob"])


def test_a_cosine_is_not_shown_as_a_probability(rerank: Runner) -> None:
    done = rerank("rerank", "-m", "minilm", "--score-as", "prob", stdin=jsonl([("q", "d", "a lake", 1.0)]))
    assert (done.code, done.text) == (2, "")
    assert "--score-as prob" in done.err and "cosine" in done.err


@pytest.mark.parametrize("value", ["256:0", "256:512", "a:b", "0", ":3", "-4"])
def test_a_window_that_is_none_is_refused(rerank: Runner, value: str) -> None:
    done = rerank("rerank", "-m", "minilm", f"--passages={value}", stdin=jsonl([("q", "d", "a lake", 1.0)]))
    assert done.code == 2 and value in done.err


def test_aggregate_without_passages_is_refused(rerank: Runner) -> None:
    done = rerank("rerank", "-m", "minilm", "--aggregate", "mean", stdin=jsonl([("q", "d", "a lake", 1.0)]))
    assert done.code == 2 and "--passages" in done.err


@given(st.lists(st.floats(-60, 60, width=32), min_size=1), st.sampled_from(["margin", "logprob"]))
def test_scales_lead_back(odds: list[float], through: str) -> None:
    start = np.array(odds, dtype=np.float32)
    there = converted(start, "logit", through).astype(np.float32)
    np.testing.assert_allclose(converted(there, through, "logit"), start, rtol=1e-5, atol=1e-5)
    with pytest.raises(WrongUsage):
        converted(start, "cosine", "prob")
