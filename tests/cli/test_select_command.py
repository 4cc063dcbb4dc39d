"""`rerank select` as a user meets it: the steps, their order, what is said of what was left out."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
from conftest import Result, Runner

TEXTS = {
    "a": "the ship leaves the harbour at dawn and sails for the northern islands with forty men",
    "a2": "The ship leaves the harbour at dawn and sails for the northern islands with forty men.",
    "b": "a recipe for bread: flour, water, salt and yeast, an hour of rest and a hot oven",
    "c": "the vessel departs from port at sunrise heading to islands in the north",
}
RUN = "1 Q0 a 1 4.0 x\n1 Q0 a2 2 3.5 x\n1 Q0 c 3 3.0 x\n1 Q0 b 4 1.0 x\n2 Q0 b 1 -1.0 x\n2 Q0 c 2 -1.5 x\n"


@pytest.fixture
def sea(tmp_path: Path) -> Path:
    lines = [json.dumps({"_id": docid, "text": text}) for docid, text in TEXTS.items()]
    (tmp_path / "docs.jsonl").write_text("\n".join(lines) + "\n")
    (tmp_path / "in.run").write_text(RUN)
    return tmp_path


def rows(result: Result) -> dict[str, list[tuple[str, float]]]:
    assert result.code == 0, result.err
    found: dict[str, list[tuple[str, float]]] = {}
    for line in result.lines:
        qid, _, docid, rank, score, _ = line.split()
        found.setdefault(qid, []).append((docid, float(score)))
        assert int(rank) == len(found[qid])
    return found


def test_cuts_by_score_keep_scores_and_say_what_went(rerank: Runner, sea: Path) -> None:
    done = rerank("select", "in.run", "--margin", "1")
    assert rows(done) == {"1": [("a", 4.0), ("a2", 3.5), ("c", 3.0)], "2": [("b", -1.0), ("c", -1.5)]}
    assert "1 of 6 documents were left out: 1 more than --margin below the best score" in done.err
    assert "collection" not in done.err
    done = rerank("select", "--min-score", "3.5", stdin=RUN.encode())
    assert rows(done) == {"1": [("a", 4.0), ("a2", 3.5)]}
    assert "4 of 6 documents were left out: 4 below --min-score" in done.err
    assert "1 queries have no document left and are not in the run: 2" in done.err


def test_a_ratio_needs_a_best_score_above_0(rerank: Runner, sea: Path) -> None:
    done = rerank("select", "in.run", "--ratio", "0.75")
    assert done.code == 3
    assert "the best score of query 2 is -1" in done.err and "--margin" in done.err
    done = rerank("select", "in.run", "--ratio", "0.75", "--min-score", "0")
    assert rows(done) == {"1": [("a", 4.0), ("a2", 3.5), ("c", 3.0)]}


def test_scores_a_smallest_step_apart_are_cut_alike(rerank: Runner, sea: Path) -> None:
    tied = "1 Q0 a 1 0.5 x\n1 Q0 b 2 0.49999997 x\n1 Q0 c 3 0.4 x\n"
    assert [docid for docid, _ in rows(rerank("select", "--min-score", "0.5", stdin=tied.encode()))["1"]] == ["a", "b"]


def test_near_duplicates_need_texts_and_no_topics(rerank: Runner, sea: Path) -> None:
    done = rerank("select", "in.run", "--docs", "docs.jsonl", "--near-duplicates", "0.9")
    assert rows(done)["1"] == [("a", 4.0), ("c", 3.0), ("b", 1.0)]
    assert "1 nearly the words of one above (--near-duplicates)" in done.err
    alone = rerank("select", "in.run", "--near-duplicates", "0.9")
    assert alone.code == 4
    unknown = rerank("select", "--docs", "docs.jsonl", "--near-duplicates", "0.9", stdin=b"1 Q0 zz 1 4.0 x\n")
    assert unknown.code == 4
    assert "1 of 1 documents of query 1 have no text" in unknown.err and "zz" in unknown.err


def test_mmr_puts_the_copy_last_and_writes_ranks(rerank: Runner, sea: Path) -> None:
    done = rerank("select", "in.run", "--docs", "docs.jsonl", "--mmr", "0.4", "--stats", "stats.jsonl", "--header")
    order = [docid for docid, _ in rows(_without_header(done))["1"]]
    assert (order[0], order[-1], sorted(order)) == ("a", "a2", ["a", "a2", "b", "c"])
    assert [score for _, score in rows(_without_header(done))["1"]] == [4.0, 3.0, 2.0, 1.0]
    told = [json.loads(line) for line in (sea / "stats.jsonl").read_text().splitlines()]
    assert told[0] == {"qid": "1", "documents": 4, "kept": 4, "left_out": {"depth": 0, "k": 0}}
    facts = json.loads(done.lines[0].removeprefix("# rerank: "))
    assert facts["steps"] == {"depth": 100, "mmr": 0.4} and facts["similarity"]["model"] == "minilm"


def test_steps_follow_each_other(rerank: Runner, sea: Path) -> None:
    """c is seen by no step after --depth 2, and k counts what the others have left."""
    done = rerank("select", "in.run", "--docs", "docs.jsonl", "--depth", "2", "--near-duplicates", "0.9", "-k", "2")
    assert rows(done) == {"1": [("a", 4.0)], "2": [("b", -1.0), ("c", -1.5)]}
    assert "3 of 6 documents were left out: 2 below --depth, 1 nearly the words" in done.err


def test_a_run_with_texts_needs_no_collection_and_keeps_them(rerank: Runner, sea: Path) -> None:
    lines = [
        json.dumps({"qid": "1", "query": "ships", "docid": docid, "score": 9.0 - at, "text": text})
        for at, (docid, text) in enumerate(TEXTS.items())
    ]
    packed = gzip.compress("\n".join(lines).encode())
    done = rerank("select", "--near-duplicates", "0.9", "--output-format", "jsonl", stdin=packed)
    assert done.code == 0, done.err
    kept = json.loads(done.text)
    assert [one["docid"] for one in kept["candidates"]] == ["a", "b", "c"]
    assert kept["query"]["text"] == "ships" and kept["candidates"][0]["doc"]["text"] == TEXTS["a"]


def test_what_makes_no_sense_is_refused_before_anything_is_read(rerank: Runner, sea: Path) -> None:
    for arguments, words in (
        ([], "nothing says what to leave out"),
        (["-m", "minilm", "-k", "3"], "--model is for --mmr"),
        (["--near-duplicates", "0"], "--near-duplicates 0 says nothing"),
        (["--mmr", "0.5", "-m", "minilm-blend"], "minilm-blend makes no single vector"),
    ):
        done = rerank("select", "in.run", *arguments)
        assert (done.code, done.out) == (2, b"") and words in done.err, done.err
    broken = rerank("select", "-k", "1", stdin=(RUN + "3 Q0 a\n").encode())
    assert broken.code == 3 and "stdin:7" in broken.err
    assert rerank("select", "-k", "1", stdin=b"").code == 0


def _without_header(done: Result) -> Result:
    return Result(b"".join(line for line in done.out.splitlines(True) if line[:1] != b"#"), done.err, done.code)
