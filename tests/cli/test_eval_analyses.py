"""`rerank eval --separation`: values by hand on a small collection, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from conftest import Runner

CORPUS = {
    "d1": "cats purr",
    "d2": "dogs bark",
    "d3": "felines vocalise softly",
    "d4": "cats cats purr loudly",
    "d5": "ships sail",
}
#: Words lead to d1 for q1 and mislead for q2, whose answer shares no word with it; q3 has one candidate only.
RUN = "q1 Q0 d1 1 9 t\nq1 Q0 d2 2 8 t\nq2 Q0 d3 1 9 t\nq2 Q0 d4 2 8 t\nq2 Q0 d5 3 7 t\nq2 Q0 d2 4 6 t\nq3 Q0 d5 1 1 t\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "corpus.jsonl").write_text("".join(json.dumps({"_id": d, "text": t}) + "\n" for d, t in CORPUS.items()))
    queries = {"q1": "purr", "q2": "cats purr", "q3": "ships"}
    (tmp_path / "queries.jsonl").write_text(
        "".join(json.dumps({"_id": q, "text": t}) + "\n" for q, t in queries.items())
    )
    (tmp_path / "qrels").mkdir()
    (tmp_path / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\nq1\td1\t1\nq2\td3\t1\nq3\td5\t1\n")
    (tmp_path / "r.run").write_text(RUN)
    return tmp_path


def test_separation_parts_the_queries_by_their_words(folder: Path, rerank: Runner) -> None:
    done = rerank("eval", "-c", "./", "r.run", "--separation", "-m", "P@1", "-m", "RR")
    assert done.code == 0, done.err
    assert done.lines == [
        "r, words misleading\tP@1\tall\t1.0000",
        "r, words misleading\tRR\tall\t1.0000",
        "r, words misleading\tNumQ\tall\t1",
        # d4 has both words; the other three have none, and the higher docid is first: d5, d3.
        "bm25 of its candidates, words misleading\tP@1\tall\t0.0000",
        "bm25 of its candidates, words misleading\tRR\tall\t0.3333",
        "bm25 of its candidates, words misleading\tNumQ\tall\t1",
        "r, words helpful\tP@1\tall\t1.0000",
        "r, words helpful\tRR\tall\t1.0000",
        "r, words helpful\tNumQ\tall\t1",
        "bm25 of its candidates, words helpful\tP@1\tall\t1.0000",
        "bm25 of its candidates, words helpful\tRR\tall\t1.0000",
        "bm25 of its candidates, words helpful\tNumQ\tall\t1",
    ]
    assert "1 queries have no relevant or no other candidate and were left out" in done.err


def test_the_separation_of_each_query(folder: Path, rerank: Runner) -> None:
    done = rerank("eval", "-c", "./", "r.run", "--separation", "--per-query")
    rows = [line.split("\t") for line in done.lines]
    assert [row[:2] for row in rows] == [["separation", "q1"], ["separation", "q2"], ["separation", "all"]]
    # q1: ln 2 / (1 + 1.5); both documents are of mean length. q2: d4 alone has cats, twice, and purr.
    assert float(rows[0][2]) == pytest.approx(0.6931 / 2.5, abs=1e-4)
    norm = 1.5 * (0.25 + 0.75 * 4 / 2.75)
    assert float(rows[1][2]) == pytest.approx(-1.2040 * (2 / (2 + norm) + 1 / (1 + norm)), abs=2e-4)


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--separation", "--baseline", "r.run"], 2, "goes with neither"),
        (["--separation", "--plot", "x.svg"], 2, "goes with neither"),
        (["--separation", "r.run"], 2, "about one run"),
    ],
)
def test_refusals(folder: Path, rerank: Runner, arguments: list[str], code: int, message: str) -> None:
    done = rerank("eval", "-c", "./", "r.run", *arguments)
    assert (done.code, done.out) == (code, b""), done.err
    assert message in done.err


def test_a_document_without_text_is_missing(folder: Path, rerank: Runner) -> None:
    (folder / "r.run").write_text(RUN + "q1 Q0 gone 3 1 t\n")
    done = rerank("eval", "-c", "./", "r.run", "--separation")
    assert done.code == 4 and "document gone is not in" in done.err


def test_phantom_hits_are_counted_by_depth(folder: Path, rerank: Runner) -> None:
    """Twelve documents of q1's base, of which the last two come first when all are reranked: one knows a word of it."""
    more = {"p1": "a ship sails", "p2": "a cat that purrs", **{f"n{n}": "no word of it" for n in range(9)}}
    with (folder / "corpus.jsonl").open("a") as corpus:
        corpus.writelines(json.dumps({"_id": d, "text": t}) + "\n" for d, t in more.items())
    base = ["d1", *(f"n{n}" for n in range(9)), "p1", "p2"]
    for name, order in (("base", base), ("deep", [*base[:1:-1], *base[:2]])):
        (folder / f"{name}.run").write_text("".join(f"q1 Q0 {d} 1 {99 - n} {name}\n" for n, d in enumerate(order)))
    curve = (
        "eval",
        "-c",
        "./",
        "deep.run",
        "--base",
        "base.run",
        "--depth-curve",
        "10,11,12",
        "--phantoms",
        "-m",
        "RR",
    )
    done = rerank(*curve)
    found = [line.split("\t") for line in done.lines if "Phantoms@10" in line]
    assert [(row[0], row[3]) for row in found] == [("base", "0"), ("deep@10", "0"), ("deep@11", "1"), ("deep@12", "1")]
    assert "Phantoms" not in done.err
    per_query = rerank(*curve, "--per-query").lines
    assert "deep@12\tPhantoms@10\tq1\t1" in per_query and "deep@12\tPhantoms@10\tq2\t0" in per_query
    (folder / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\nq1\td1\t1\nq1\tp1\t1\n")
    assert "deep@12\tPhantoms@10\tall\t0" in rerank(*curve).lines


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["r.run", "-c", "./", "--phantoms"], "--phantoms is for --depth-curve"),
        (
            ["r.run", "-Q", "qrels/test.tsv", "--base", "b", "--depth-curve", "1", "--phantoms"],
            "--phantoms needs the texts of a collection",
        ),
    ],
)
def test_phantoms_need_a_curve_and_texts(folder: Path, rerank: Runner, arguments: list[str], message: str) -> None:
    done = rerank("eval", *arguments)
    assert done.code == 2 and message in done.err
