"""The whole pipe, as a shell sees it: what goes through, what ends it, and how."""

import json
from itertools import pairwise

import pytest

RETRIEVE_RERANK = "rerank retrieve -c demo -k 50 | rerank rerank -c demo"


def parsed(text):
    rows = [line.split() for line in text.splitlines()]
    by_query = {}
    for qid, _, docid, rank, score, _ in rows:
        by_query.setdefault(qid, []).append((int(rank), docid, float(score)))
    return by_query


def test_reranking_beats_bm25_on_the_demo_collection(shell):
    bm25 = shell("rerank retrieve -c demo | rerank eval -c demo -m nDCG@10")
    both = shell(
        "rerank retrieve -c demo | rerank rerank -c demo -m minilm --interpolate 0.8 | rerank eval -c demo -m nDCG@10"
    )
    assert bm25.code == both.code == 0, bm25.err + both.err
    assert float(both.lines[0].split("\t")[2]) > float(bm25.lines[0].split("\t")[2])


def test_no_stage_needs_a_flag_when_the_collection_is_set(shell):
    done = shell("rerank retrieve | rerank rerank | rerank eval", env={"RERANK_COLLECTION": "demo"})
    assert done.code == 0, done.err
    assert [line.split("\t")[0] for line in done.lines] == ["nDCG@10", "AP", "R@100", "RR@10", "P@10"]


def test_a_written_run_has_ranks_from_one_and_falling_scores(shell):
    done = shell(RETRIEVE_RERANK)
    assert done.code == 0, done.err
    lists = parsed(done.text)
    assert len(lists) == 40
    for rows in lists.values():
        assert [rank for rank, _, _ in rows] == list(range(1, len(rows) + 1))
        assert all(a > b for (_, _, a), (_, _, b) in pairwise(rows))
        assert len({docid for _, docid, _ in rows}) == len(rows)


def test_stages_that_start_together_on_an_empty_cache_build_each_thing_once(shell, tmp_path):
    cache = {"RERANK_CACHE_DIR": str(tmp_path / "cache")}
    stages = " & ".join(f"(rerank retrieve -c demo -k 5 -o run{i} 2>err{i})" for i in range(3)) + " & wait"
    assert shell(stages, env=cache).code == 0
    runs = {(tmp_path / f"run{i}").read_bytes() for i in range(3)}
    assert len(runs) == 1
    assert runs.pop()
    built = [
        name
        for i in range(3)
        for name in [(tmp_path / f"err{i}").read_text()]
        if "indexing" in name or "building" in name
    ]
    assert len(built) == 1, built


def test_an_unknown_document_is_counted_and_named(rerank):
    run = b"q01 Q0 nowhere-1 1 2.0 t\nq01 Q0 nowhere-2 2 1.0 t\n"
    done = rerank("rerank", "-c", "demo", stdin=run)
    assert done.code == 4
    assert "2 of 2 documents have no text in" in done.err
    assert "nowhere-1, nowhere-2" in done.err
    assert "another collection" in done.err
    assert done.out == b""


def test_an_empty_run_is_an_empty_run(rerank, tmp_path):
    done = rerank("rerank", "-c", "demo", "-o", "out.run")
    assert done.code == 0, done.err
    assert (tmp_path / "out.run").read_bytes() == b""


def test_a_run_of_another_collection_is_refused_by_its_header(shell, tmp_path):
    made = shell("rerank retrieve -c demo -k 3 --header > made.run")
    assert made.code == 0, made.err
    header, rest = (tmp_path / "made.run").read_text().split("\n", 1)
    facts = json.loads(header.removeprefix("# rerank: "))
    assert facts["collection"] == "demo"
    assert shell("rerank rerank made.run -q").code == 0
    facts["fingerprint"] = "0" * 16
    (tmp_path / "other.run").write_text(f"# rerank: {json.dumps(facts)}\n{rest}")
    done = shell("rerank rerank other.run")
    assert done.code == 3
    assert "fingerprint" in done.err


def test_required_topics_that_are_absent_are_exit_6(shell):
    done = shell(
        "printf 'q01\\tx\\nq41\\ty\\n' > need.tsv; rerank retrieve -q -c demo -k 2 > r; rerank rerank r -q -c demo --require-topics need.tsv"
    )
    assert done.code == 6
    assert done.out == b""
    assert "1 of 2 required topics are not in the run: q41" in done.err


def test_a_file_of_required_topics_that_is_empty_requires_nothing_and_is_refused(shell):
    done = shell(
        ": > need.tsv; rerank retrieve -q -c demo -k 2 > r; rerank rerank r -q -c demo --require-topics need.tsv"
    )
    assert (done.code, done.out) == (3, b"")
    assert "rerank: error: need.tsv: no topics in this file" in done.err


def test_stats_are_a_json_line_a_query(shell, tmp_path):
    done = shell("rerank retrieve -q -c demo -k 20 | rerank rerank -q -c demo -k 7 --stats stats.jsonl > /dev/null")
    assert done.code == 0, done.err
    lines = [json.loads(line) for line in (tmp_path / "stats.jsonl").read_text().splitlines()]
    assert len(lines) == 40
    assert all(line["pairs"] == min(7, line["documents"]) for line in lines)
    assert all(line["tokens"] > line["pairs"] for line in lines)
    estimate = dict(
        line.split("\t")
        for line in shell("rerank retrieve -q -c demo -k 20 | rerank rerank -q -c demo -k 7 --dry-run").lines
    )
    assert int(estimate["pairs"]) == sum(line["pairs"] for line in lines)
    assert int(estimate["tokens"]) == sum(line["tokens"] for line in lines)


def test_provenance_lies_beside_a_written_file(shell, tmp_path):
    assert shell("rerank retrieve -q -c demo -k 3 | rerank rerank -q -c demo -o out.run").code == 0
    facts = json.loads((tmp_path / "out.run.json").read_text())
    assert facts["stage"] == "rerank"
    assert facts["collection"] == "demo"
    assert facts["model"] == "minilm-blend"
    assert not (tmp_path / "out.run").read_text().startswith("#")


def test_texts_in_the_run_need_no_collection(shell):
    with_collection = shell("rerank retrieve -q -c demo -k 10 | rerank rerank -q -c demo")
    carried = shell("rerank retrieve -q -c demo -k 10 --output-format jsonl | rerank rerank -q")
    assert carried.code == 0, carried.err
    assert carried.out == with_collection.out


def test_a_query_in_two_places_is_refused_unless_buffered(shell):
    split = "rerank retrieve -q -c demo -k 4 > r; (head -2 r; tail -n +5 r; sed -n 3,4p r)"
    refused = shell(f"{split} | rerank rerank -q -c demo")
    assert refused.code == 3
    assert "--unordered" in refused.err
    whole = shell("rerank rerank r -q -c demo")
    buffered = shell(f"{split} | rerank rerank -q -c demo --unordered")
    assert buffered.code == 0, buffered.err
    assert buffered.out == whole.out


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["rerank", "no-such.run"], 4, "no-such.run"),
        (["rerank", "-m", "no-such-model", "-c", "demo"], 4, "no-such-model"),
        (["rerank", "-c", "no-such-collection"], 4, "no-such-collection"),
        (["rerank", "--depth", "many"], 2, "--depth"),
        (["rerank", "-o", "--depth"], 2, "looks like an option"),
        (["rerank", "--max-cost", "nan", "--price", "1,1"], 2, "--max-cost nan: a finite number is wanted"),
        (["rerank", "--ray", "local", "--gpus-per-worker", "inf"], 2, "--gpus-per-worker inf: a finite number"),
        (["rerank", "--device", "cuda", "-c", "demo"], 5, "cuda"),
        (["rerank", "--device", "cuda:0,cuda:1", "-c", "demo"], 5, "cuda:0 is not available"),
        (["rerank", "--device", "cuda:0,cuda:1", "--endpoint", "http://h"], 2, "--device cuda:0,cuda:1 does not go"),
        (["rerank", "--stats", "-", "-c", "demo"], 2, "--stats"),
        (["rerank", "--interpolate", "2"], 2, "--interpolate"),
        (["rerank", "--interpolate", "0.5"], 2, "--interpolate does not go together"),
        (["no-such-command"], 2, "no-such-command"),
    ],
)
def test_each_kind_of_mistake_has_its_exit_code_and_one_line(rerank, arguments, code, says):
    done = rerank(*arguments, stdin=b"q01 Q0 sigpipe 1 2.0 t\n")
    assert done.code == code, done.err
    assert says in done.err
    assert "Traceback" not in done.err
    assert done.out == b""
    errors = [line for line in done.err.splitlines() if line.startswith("rerank: error: ")]
    assert len(errors) == 1


def test_nothing_set_names_the_demo(rerank):
    done = rerank("rerank", stdin=b"q01 Q0 sigpipe 1 2.0 t\n")
    assert done.code == 4
    assert "-c demo" in done.err


def test_debug_shows_where_an_error_came_from(rerank):
    assert "Traceback" in rerank("rerank", "no-such.run", "--debug").err


def test_top1000_as_ms_marco_ships_it_sorted_by_passage(rerank):
    lines = [
        b"7\tp1\twhat is a cat\ta cat is a small animal",
        b"9\tp1\twhat is bread\ta cat is a small animal",
        b"7\tp2\twhat is a cat\tbread is baked from flour",
        b"9\tp2\twhat is bread\tbread is baked from flour",
    ]
    done = rerank("rerank", stdin=b"\n".join(lines))
    assert done.code == 0, done.err
    assert [[*line.split()[:4:2], line.split()[3]] for line in done.lines] == [
        ["7", "p1", "1"],
        ["7", "p2", "2"],
        ["9", "p2", "1"],
        ["9", "p1", "2"],
    ]
    assert "held in memory" in done.err


def test_ms_marco_files_as_they_are(rerank, tmp_path):
    (tmp_path / "collection.tsv").write_text("0\ta cat is a small animal\n1\tbread is baked from flour\n")
    (tmp_path / "queries.tsv").write_text("7\twhat is a cat\n9\twhat is bread\n")
    three = b"7\t1\t1\n7\t0\t2\n9\t0\t1\n9\t1\t2\n"
    done = rerank(
        "rerank", "--docs", "collection.tsv", "--topics", "queries.tsv", "--output-format", "msmarco", stdin=three
    )
    assert done.code == 0, done.err
    assert [line.split() for line in done.lines] == [["7", "0", "1"], ["7", "1", "2"], ["9", "1", "1"], ["9", "0", "2"]]
    found = rerank("retrieve", "--docs", "collection.tsv", "--topics", "queries.tsv")
    assert [line.split()[:3:2] for line in found.lines] == [["7", "0"], ["9", "1"]]


def test_a_query_that_nobody_judged_can_be_reranked(rerank, tmp_path):
    (tmp_path / "c" / "qrels").mkdir(parents=True)
    (tmp_path / "c" / "corpus.jsonl").write_text('{"_id": "d", "text": "bread"}\n')
    (tmp_path / "c" / "queries.jsonl").write_text('{"_id": "1", "text": "cats"}\n{"_id": "2", "text": "bread"}\n')
    (tmp_path / "c" / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\n1\td\t1\n")
    done = rerank("rerank", "-c", "c", stdin=b"2 Q0 d 1 1.0 t\n")
    assert done.code == 0, done.err
    assert done.lines[0].split()[:3] == ["2", "Q0", "d"]
