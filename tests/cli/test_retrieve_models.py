"""`rerank retrieve -m` with models as a user meets it: dense, learned sparse, given weights, and sums of them."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path

import pytest
import tiny_models

TOPICS = {"q1": "the price of copper in a mine", "q2": "lighthouse beam", "q3": "how do bees find home"}
TEXTS = [
    "copper in a mine and the price of it",
    "glass rings turn a small flame into a beam that ships see far away",
    "bees find their way home",
    "caffeine leaves the blood in half of five hours",
    "only a recipe flour water salt oven hot enough",
    "deep lake",
    "a lighthouse and a lake",
]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a collection and two models."""
    folder = tmp_path_factory.mktemp("models")
    tiny_models.sentence_transformer(folder / "bi", "mean")
    tiny_models.splade(folder / "splade")
    (folder / "sea/qrels").mkdir(parents=True)
    documents = [json.dumps({"_id": f"d{number}", "title": "", "text": text}) for number, text in enumerate(TEXTS)]
    (folder / "sea/corpus.jsonl").write_text("\n".join(documents) + "\n")
    topics = [json.dumps({"_id": qid, "text": text}) for qid, text in TOPICS.items()]
    (folder / "sea/queries.jsonl").write_text("\n".join(topics) + "\n")
    (folder / "sea/qrels/test.tsv").write_text("query-id\tcorpus-id\tscore\nq1\td0\t1\nq2\td1\t1\nq3\td2\t1\n")
    return folder


def lists(result) -> dict[str, dict[str, float]]:
    assert result.code == 0, result.err
    found: dict[str, dict[str, float]] = {}
    for line in result.lines:
        qid, _, docid, _, score, _ = line.split(" ")
        found.setdefault(qid, {})[docid] = float(score)
    return found


@pytest.mark.parametrize(("model", "more"), [("./bi", []), ("./splade", ["--method", "splade"])])
def test_scores_are_those_that_rerank_gives(rerank, place, model, more):
    first = rerank("retrieve", "-c", "sea", "-m", model, *more, cwd=place)
    again = rerank("rerank", "-c", "sea", "-m", model, *more, stdin=first.out, cwd=place)
    ours, theirs = lists(first), lists(again)
    assert list(ours) == list(TOPICS)
    for qid, scores in ours.items():
        assert len(scores) == len(TEXTS) or more
        assert scores == pytest.approx(theirs[qid], abs=1e-4 * max(1.0, max(scores.values())))
    assert "encoding 7 documents" in first.err
    assert "encoding" not in rerank("retrieve", "-c", "sea", "-m", model, *more, cwd=place).err


@pytest.mark.skipif(find_spec("usearch") is None, reason="the extra ann is not installed")
def test_a_graph_of_neighbours_gives_the_list_of_exact_search(rerank, place):
    """In a process of its own, where usearch's library and ONNX Runtime's meet for the first time."""
    exact = rerank("retrieve", "-c", "sea", "-m", "./bi", cwd=place)
    graph = rerank("retrieve", "-c", "sea", "-m", "./bi", "--ann", cwd=place)
    assert lists(graph) == lists(exact)
    assert "has too few documents to measure what it misses" in graph.err


def test_a_sum_is_what_fuse_makes_of_the_two_runs(rerank, place, tmp_path):
    for model in ("bm25", "./bi"):
        name = tmp_path / f"{Path(model).name}.run"
        assert rerank("retrieve", "-c", "sea", "-m", model, "-o", name, cwd=place).code == 0
    runs = [tmp_path / "bm25.run", tmp_path / "bi.run"]
    for own, theirs in (
        ([], ["-m", "rrf"]),
        (
            ["--fuse", "wsum", "--norm", "min-max", "--weights", "0.3,0.7"],
            ["-m", "wsum", "--norm", "min-max", "-w", "0.3,0.7"],
        ),
    ):
        both = lists(rerank("retrieve", "-c", "sea", "-m", "bm25+./bi", *own, cwd=place))
        fused = lists(rerank("fuse", *runs, *theirs, cwd=place))
        for qid, scores in fused.items():
            assert both[qid] == pytest.approx(scores, abs=1e-6)
            assert list(both[qid]) == list(scores)


def test_feedback_in_a_dense_first_stage(rerank, place):
    plain = lists(rerank("retrieve", "-c", "sea", "-m", "./bi", cwd=place))
    only_query = ["--prf", "rocchio", "--prf-alpha", "1", "--prf-beta", "0"]
    assert lists(rerank("retrieve", "-c", "sea", "-m", "./bi", *only_query, cwd=place)) == plain
    moved = lists(rerank("retrieve", "-c", "sea", "-m", "./bi", "--prf", "average", "--fb-docs", "1", cwd=place))
    for qid, scores in moved.items():
        best = next(iter(plain[qid]))
        # (q + d) d / 2 of the unit vector d itself.
        assert scores[best] == pytest.approx((plain[qid][best] + 1) / 2, abs=1e-3)


def test_weights_that_come_with_documents_and_topics(rerank, tmp_path):
    (tmp_path / "v.jsonl").write_text(
        '{"id": "d1", "contents": "x", "vector": {"copper": 2.5, "mine": 1}}\n'
        '{"id": "d2", "contents": "y", "vector": {"copper": 1, "lake": 10}}\n'
    )
    (tmp_path / "q.jsonl").write_text('{"id": "q", "contents": "copper", "vector": {"copper": 2, "lake": 0.25}}\n')
    ask = ("retrieve", "-m", "impact", "--docs", "v.jsonl", "--topics")
    assert lists(rerank(*ask, "q.jsonl")) == {"q": {"d1": 5.0, "d2": 4.5}}
    assert lists(rerank(*ask, "-", stdin=b"q\tcopper lake copper\n")) == {"q": {"d2": 12.0, "d1": 5.0}}


@pytest.mark.parametrize("text", ["", '"content": "", "contents": "", '])
def test_weights_need_no_text_beside_them_and_nothing_else_does_without(rerank, tmp_path, text):
    (tmp_path / "v.jsonl").write_text(
        f'{{"id": 1, {text}"vector": {{"copper": 2.5}}}}\n{{"id": 2, {text}"vector": {{"copper": 1, "lake": 10}}}}\n'
    )
    (tmp_path / "q.jsonl").write_text(f'{{"id": "q", {text}"vector": {{"copper": 2, "lake": 0.25}}}}\n')
    ask = ("retrieve", "--docs", "v.jsonl", "--topics", "q.jsonl")
    assert lists(rerank(*ask, "-m", "impact")) == {"q": {"1": 5.0, "2": 4.5}}
    done = rerank(*ask, "-m", "bm25")
    assert (done.code, done.out) == (3, b"") and "q.jsonl:1: " in done.err and "no text" in done.err


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["-m", "monot5"], 2, "monot5 is no first stage but a reranker, a monot5 (-m)"),
        (["-m", "bm25+no-such"], 4, "no model is called 'no-such'"),
        (["--precision", "int8"], 2, "--precision is for first stages that are models"),
        (
            ["-m", "./splade", "--method", "splade", "--prf", "average"],
            2,
            "--prf average and rocchio are for the vectors of a bi-encoder",
        ),
        (["-m", "./bi", "--prf", "rocchio", "--prf-beta", "-1"], 2, "makes no query"),
        (["-m", "./bi", "--fb-docs", "2"], 2, "--fb-docs is for --rm3 and --rocchio and --prf"),
        (["--norm", "max"], 2, "--norm is for a sum of first stages"),
        (["-m", "impact"], 3, "corpus.jsonl:1: no vector"),
    ],
)
def test_mistakes(rerank, place, arguments, code, says):
    done = rerank("retrieve", "-c", "sea", *arguments, cwd=place)
    assert (done.code, done.out) == (code, b"")
    assert says in done.err
