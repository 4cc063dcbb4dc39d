"""`rerank eval` as a user meets it: formats, warnings, assertions, exit codes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from rerank_cli.cli.main import main

QRELS = "1 0 a 1\n1 0 b 0\n2 0 c 2\n3 0 d 1\n"
#: RR: 1, 1/2 and nothing for the third topic.
GOOD = "1 Q0 a 1 2 good\n1 Q0 b 2 1 good\n2 Q0 x 1 9 good\n2 Q0 c 2 8 good\n"
#: RR: 1/2, 1/3, 1.
OTHER = "1 Q0 b 1 2 o\n1 Q0 a 2 1 o\n2 Q0 x 1 9 o\n2 Q0 y 2 8 o\n2 Q0 c 3 7 o\n3 Q0 d 1 1 o\n"


@pytest.fixture
def files(tmp_path, monkeypatch):
    (tmp_path / "qrels").write_text(QRELS)
    (tmp_path / "good.run.txt").write_text(GOOD)
    (tmp_path / "other.trec").write_text(OTHER)
    monkeypatch.chdir(tmp_path)
    for name in list(os.environ):
        if name.startswith("RERANK_") and name != "RERANK_TEST_DATA":
            monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    return tmp_path


def run(capfdbinary, *arguments: str) -> tuple[int, str, str]:
    code = main(["eval", *arguments])
    out, err = capfdbinary.readouterr()
    return code, out.decode("utf-8", "surrogateescape"), err.decode()


LACKS = "rerank: warning: good: 1 of 3 judged topics are not in the run and count as 0\n"


def test_one_run_is_written_as_trec_lines(capfdbinary, files):
    code, out, err = run(capfdbinary, "-Q", "qrels", "good.run.txt", "-m", "RR", "-m", "NumRel", "-m", "ndcg_cut_10")
    assert (code, out) == (0, "RR\tall\t0.5000\nNumRel\tall\t3\nnDCG@10\tall\t0.5436\n")
    assert err == LACKS


def test_several_runs_are_written_as_tsv_of_four_columns(capfdbinary, files):
    _, out, err = run(capfdbinary, "-Q", "qrels", "good.run.txt", "other.trec", "-m", "RR", "--per-query")
    assert out.splitlines() == [
        "good\tRR\t1\t1.0000",
        "good\tRR\t2\t0.5000",
        "good\tRR\t3\t0.0000",
        "good\tRR\tall\t0.5000",
        "other\tRR\t1\t0.5000",
        "other\tRR\t2\t0.3333",
        "other\tRR\t3\t1.0000",
        "other\tRR\tall\t0.6111",
    ]
    assert err == LACKS


def test_the_default_measures(capfdbinary, files):
    _, out, _ = run(capfdbinary, "-Q", "qrels", "other.trec")
    assert [line.split("\t")[0] for line in out.splitlines()] == ["nDCG@10", "AP", "R@100", "RR@10", "P@10"]


COMPARED = ["-Q", "qrels", "other.trec", "-m", "RR", "-m", "P@1", "--baseline", "good.run.txt"]


@pytest.mark.parametrize(
    ("style", "expected"),
    [
        ("tsv", "other\tRR\tall\t0.6111\nother\tP@1\tall\t0.3333\ngood\tRR\tall\t0.5000\ngood\tP@1\tall\t0.3333\n"),
        (
            "csv",
            "run,measure,query,value,difference\nother,RR,all,0.6111,+0.1111\nother,P@1,all,0.3333,+0.0000\n"
            "good,RR,all,0.5000,\ngood,P@1,all,0.3333,\n",
        ),
        (
            "markdown",
            "| Run | RR | P@1 |\n|---|---:|---:|\n| other | **0.6111** (+0.1111) | 0.3333 (+0.0000) |\n"
            "| good | 0.5000 | 0.3333 |\n",
        ),
        (
            "latex",
            "\\begin{tabular}{lrr}\n\\toprule\nRun & RR & P@1 \\\\\n\\midrule\n"
            "other & \\textbf{0.6111} ($+0.1111$) & 0.3333 ($+0.0000$) \\\\\ngood & 0.5000 & 0.3333 \\\\\n"
            "\\bottomrule\n\\end{tabular}\n",
        ),
        ("trec", "RR\tall\t0.6111\nP@1\tall\t0.3333\n"),
        ("auto", "RR\tall\t0.6111\nP@1\tall\t0.3333\n"),
    ],
)
def test_formats(capfdbinary, files, style, expected):
    code, out, _ = run(capfdbinary, *COMPARED, "--format", style)
    assert (code, out) == (0, expected)


def test_json_lines_are_records_with_numbers(capfdbinary, files):
    _, out, _ = run(capfdbinary, *COMPARED, "-m", "NumQ", "--format", "json", "--digits", "2")
    assert [json.loads(line) for line in out.splitlines()] == [
        {"run": "other", "measure": "RR", "query": "all", "value": 0.61, "difference": 0.11},
        {"run": "other", "measure": "P@1", "query": "all", "value": 0.33, "difference": 0.0},
        {"run": "other", "measure": "NumQ", "query": "all", "value": 3},
        {"run": "good", "measure": "RR", "query": "all", "value": 0.5},
        {"run": "good", "measure": "P@1", "query": "all", "value": 0.33},
        {"run": "good", "measure": "NumQ", "query": "all", "value": 3},
    ]


def test_a_table_marks_the_best(capfdbinary, files):
    _, out, _ = run(capfdbinary, *COMPARED, "--format", "table")
    rows = [line.split() for line in out.splitlines()]
    assert rows[0] == ["Run", "RR", "P@1"]
    assert rows[2:] == [["other", "0.6111*", "(+0.1111)", "0.3333", "(+0.0000)"], ["good", "0.5000", "0.3333"]]
    _, out, _ = run(capfdbinary, "-Q", "qrels", "other.trec", "-m", "RR", "-m", "P@1", "--format", "table")
    assert [line.split() for line in out.splitlines()][2:] == [["RR", "0.6111"], ["P@1", "0.3333"]]


def test_runs_of_the_same_name_are_told_apart(capfdbinary, files):
    for folder in ("one", "two"):
        (files / folder).mkdir()
        (files / folder / "x.run").write_text(OTHER)
    _, out, _ = run(capfdbinary, "-Q", "qrels", "one/x.run", "two/x.run", "two/x.run", "-m", "RR")
    assert [line.split("\t")[0] for line in out.splitlines()] == ["one/x", "two/x#2", "two/x#3"]


def test_assertions_that_hold_and_that_do_not(capfdbinary, files):
    base = ["-Q", "qrels", "other.trec", "--baseline", "good.run.txt", "-m", "RR"]
    code, out, _ = run(capfdbinary, *base, "--assert", "RR>=0.6", "--assert", "RR>baseline+0.1")
    assert (code, out) == (0, "RR\tall\t0.6111\n")
    code, out, err = run(
        capfdbinary, *base, "--assert", "RR>=0.7", "--assert", "P@1>baseline", "--assert", "nDCG@10>=0"
    )
    assert (code, out) == (6, "RR\tall\t0.6111\n")
    assert "other: RR>=0.7 does not hold, RR is 0.611111" in err
    assert "other: P@1>baseline does not hold, P@1 is 0.333333, the bound is 0.333333" in err
    assert "rerank: error: 2 of 3 assertions did not hold" in err


def test_the_collection_brings_judgements_and_the_least_relevant_grade(capfdbinary, files):
    (files / "rerank.toml").write_text('collection = "mine"\n[collections.mine]\nqrels = "qrels"\nrel = 2\n')
    code, out, err = run(capfdbinary, "other.trec", "-m", "RR", "-m", "NumRel", "-m", "AP(rel=1)")
    assert (code, out.splitlines()[:2]) == (0, ["RR(rel=2)\tall\t0.1111", "NumRel(rel=2)\tall\t1"])
    assert out.splitlines()[2].startswith("AP\tall\t0.6")
    assert "collection mine" in err
    assert run(capfdbinary, "other.trec", "-m", "RR", "--rel", "1")[1] == "RR\tall\t0.6111\n"
    # A file of judgements stands alone.
    assert run(capfdbinary, "-Q", "qrels", "other.trec", "-m", "RR")[1:] == ("RR\tall\t0.6111\n", "")


def test_a_grade_that_no_judgement_reaches_is_said(capfdbinary, files):
    code, out, err = run(capfdbinary, "-Q", "qrels", "--rel", "9", "good.run.txt")
    assert (code, "AP(rel=9)\tall\t0.0000" in out) == (0, True)
    assert "warning: no judgement reaches grade 9 (the highest is 2): nothing is relevant to AP(rel=9), " in err
    assert "nDCG" not in err
    _, _, err = run(capfdbinary, "-Q", "qrels", "-m", "P(rel=2)@10", "-m", "RR", "good.run.txt")
    assert "reaches" not in err


def test_the_run_is_read_from_a_pipe(files):
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    command = f"{sys.executable} -m rerank_cli eval -Q <(gzip -c qrels) -m RR"
    for feed in ("gzip -c other.trec | ", "cat other.trec | "):
        done = subprocess.run(["bash", "-c", feed + command], capture_output=True, text=True, env=environment)
        assert (done.returncode, done.stdout, done.stderr) == (0, "RR\tall\t0.6111\n", "")
    both = f"cat other.trec | {command} - <(cat good.run.txt) | cut -f1,4"
    done = subprocess.run(["bash", "-c", both], capture_output=True, text=True, env=environment)
    assert done.stdout == "o\t0.6111\ngood\t0.5000\n"


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["-Q", "qrels", "other.trec", "-m", "ndgc@10"], 2, "did you mean nDCG"),
        (["-Q", "qrels", "other.trec", "-m", "gm_map"], 2, "trec_eval's gm_map"),
        (["-Q", "qrels", "other.trec", "-m", "alpha_nDCG@5"], 4, "pip install 'ir-measures[pyndeval]'"),
        (["-Q", "qrels", "other.trec", "--assert", "RR=0.3"], 2, "is not a comparison"),
        (["-Q", "qrels", "other.trec", "--assert", "RR>baseline"], 2, "name it with --baseline"),
        (["-Q", "qrels", "other.trec", "good.run.txt", "--format", "trec"], 2, "use --format tsv"),
        (["-Q", "qrels", "other.trec", "--format", "xml"], 2, "'xml' is not one of"),
        (["-Q", "absent", "other.trec"], 4, "absent: no such file"),
        (["-Q", "qrels", "absent"], 4, "absent: no such file"),
        (["other.trec"], 4, "-c demo"),
        (["-Q", "bad", "other.trec"], 3, "bad:2"),
        (["-Q", "empty", "other.trec"], 3, "no judgements"),
        (["-Q", "qrels", "bad"], 3, "bad:1"),
        (["-Q", "qrels", "foreign"], 3, "foreign: none of its 1 queries is among the 3 judged topics"),
        (["-Q", "qrels", "twice"], 3, "twice:2"),
    ],
)
def test_what_is_wrong_is_said_with_its_exit_code(capfdbinary, files, arguments, code, message):
    (files / "bad").write_text("1 0 a 1\n1 0 b\n")
    (files / "empty").write_text("")
    (files / "foreign").write_text("77 Q0 a 1 1 t\n")
    (files / "twice").write_text("1 Q0 a 1 2 t\n1 Q0 a 2 1 t\n")
    if "alpha_nDCG@5" in arguments:
        try:
            import pyndeval  # noqa: F401
        except ImportError:
            pass
        else:
            pytest.skip("pyndeval is installed here")
    got, out, err = run(capfdbinary, *arguments)
    assert (got, out) == (code, "")
    assert message in err and "Traceback" not in err


def test_an_empty_run_counts_zero_on_every_topic(capfdbinary, files):
    (files / "empty").write_text("")
    code, out, err = run(capfdbinary, "-Q", "qrels", "empty", "-m", "AP")
    assert (code, out) == (0, "AP\tall\t0.0000\n")
    assert "3 of 3 judged topics" in err


def test_queries_that_are_not_judged_are_left_out_and_counted(capfdbinary, files):
    (files / "more.run").write_text(OTHER + "4 Q0 d 1 1 o\n5 Q0 d 1 1 o\n")
    _, out, err = run(capfdbinary, "-Q", "qrels", "more.run", "-m", "RR")
    assert (out, err) == (
        "RR\tall\t0.6111\n",
        "rerank: more: 2 queries of the run are not judged and were left out\n",
    )


def test_ids_that_are_no_utf8_come_out_as_they_went_in(capfdbinary, files):
    (files / "q8").write_bytes(b"\xff 0 a 1\n")
    (files / "r8").write_bytes(b"\xff Q0 a 1 1 t\n")
    _, out, _ = run(capfdbinary, "-Q", "q8", "r8", "-m", "RR", "--per-query")
    assert out.encode("utf-8", "surrogateescape").splitlines()[0] == b"RR\t\xff\t1.0000"


def test_depth_looks_at_the_first_documents_only(capfdbinary, files):
    _, out, _ = run(capfdbinary, "-Q", "qrels", "other.trec", "-m", "RR", "-m", "NumRet", "--depth", "2")
    assert out == "RR\tall\t0.5000\nNumRet\tall\t5\n"


@pytest.mark.parametrize("command", [["eval", "-Q", "qrels", "good.run.txt"], ["fuse", "good.run.txt", "other.trec"]])
def test_light_commands_load_no_heavy_package(files, command):
    """Neither models nor tokenizers; polars and rich only where a file is large or a table is drawn."""
    code = (
        "import sys; from rerank_cli.cli.main import main; main(sys.argv[1:]); "
        "heavy = {'torch', 'transformers', 'onnxruntime', 'tokenizers', 'polars', 'rich', 'pandas', 'scipy'}; "
        "sys.stderr.write(repr(sorted(heavy & set(sys.modules))))"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run([sys.executable, "-c", code, *command], capture_output=True, text=True, env=environment)
    assert done.returncode == 0 and done.stdout
    assert done.stderr.endswith("[]"), done.stderr
