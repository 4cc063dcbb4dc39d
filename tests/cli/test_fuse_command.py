"""`rerank fuse` as a user meets it: what it writes, what it says, how it ends."""

from __future__ import annotations

import os
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest

from rerank_cli.cli.fuse_options import Norm
from rerank_cli.cli.main import main

A = "2 Q0 a 1 9.0 A\n2 Q0 b 2 7.0 A\n1 Q0 a 1 3 A\n"
B = "1 Q0 z 1 0.5 B\n2 Q0 b 1 0.9 B\n2 Q0 d 2 0.8 B\n3 Q0 y 1 1 B\n"


@pytest.fixture
def files(tmp_path, monkeypatch):
    (tmp_path / "a.run").write_text(A)
    (tmp_path / "b.run").write_text(B)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(capfdbinary, *arguments: str) -> tuple[int, list[str], str]:
    code = main(["fuse", *arguments])
    out, err = capfdbinary.readouterr()
    return code, out.decode().splitlines(), err.decode()


def test_two_runs_become_one(capfdbinary, files):
    code, out, err = run(capfdbinary, "a.run", "b.run")
    assert (code, err) == (
        0,
        "rerank: warning: a.run lacks 1 of 3 queries: 3\n"
        "rerank: 1 equal scores were written the smallest steps apart, the greater id first\n",
    )
    # Queries as in the first run, then new ones; ranks from 1; one tag.
    assert [line.split()[:4] + line.split()[5:] for line in out] == [
        ["2", "Q0", "b", "1", "rerank-rrf"],
        ["2", "Q0", "a", "2", "rerank-rrf"],
        ["2", "Q0", "d", "3", "rerank-rrf"],
        ["1", "Q0", "z", "1", "rerank-rrf"],
        ["1", "Q0", "a", "2", "rerank-rrf"],
        ["3", "Q0", "y", "1", "rerank-rrf"],
    ]


def test_a_run_that_a_nightly_job_left_empty_is_said_even_under_quiet(capfdbinary, files):
    (files / "empty.run").write_text("")
    code, out, err = run(capfdbinary, "a.run", "empty.run", "-q")
    assert (code, len(out), err) == (0, 3, "rerank: warning: empty.run lacks 2 of 2 queries: 2, 1\n")


def test_ties_that_are_written_are_counted(capfdbinary, files):
    _, out, err = run(capfdbinary, "a.run", "b.run", "-m", "sum", "--norm", "min-max")
    assert "rerank: 2 equal scores" in err
    by_query: dict[str, list[float]] = {}
    for line in out:
        by_query.setdefault(line.split()[0], []).append(float(line.split()[4]))
    assert all(a > b for scores in by_query.values() for a, b in pairwise(scores))


def test_stdin_a_fifo_and_a_compressed_run_are_as_good_as_a_file(files):
    command = "gzip -k b.run; rerank fuse - <(cat a.run) b.run.gz --tag X -k 1 < a.run".replace(
        "rerank", f"{sys.executable} -m rerank_cli"
    )
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, env=with_package())
    assert done.returncode == 0, done.stderr
    assert [line.split()[2] + " " + line.split()[5] for line in done.stdout.splitlines()] == ["b X", "a X", "y X"]


def with_package() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}


def test_output_goes_to_a_file_with_its_provenance_beside_it(capfdbinary, files):
    import json

    assert run(capfdbinary, "a.run", "b.run", "-m", "wsum", "-w", "1,2", "-o", "out.run")[:2] == (0, [])
    assert (files / "out.run").read_text().startswith("2 Q0 a 1 9.0 rerank-wsum\n2 Q0 b 2 8.8 rerank-wsum\n")
    facts = json.loads((files / "out.run.json").read_text())
    assert (facts["method"], facts["weights"], facts["runs"]) == ("wsum", [1.0, 2.0], ["a.run", "b.run"])


def test_a_header_passes_on_the_collection_that_all_runs_share(capfdbinary, files):
    head = '# rerank: {"collection": "demo", "fingerprint": "abc"}\n'
    (files / "a.run").write_text(head + A)
    (files / "b.run").write_text(head + B)
    _, out, _ = run(capfdbinary, "a.run", "b.run", "--header")
    assert out[0].startswith("# rerank: {") and '"collection": "demo"' in out[0] and '"fingerprint": "abc"' in out[0]
    (files / "b.run").write_text(head.replace("abc", "other") + B)
    code, out, err = run(capfdbinary, "a.run", "b.run")
    assert (code, out) == (3, []) and "b.run: its documents are not those of a.run" in err


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["a.run"], 2, "fuse needs two runs or more, not 1"),
        ([], 2, "fuse needs two runs or more, not 0"),
        (["-", "-"], 2, "can be read once only"),
        (["a.run", "b.run", "-m", "rrff"], 2, "did you mean rrf"),
        (["a.run", "b.run", "-w", "1,x"], 2, "'1,x' is not a number"),
        (["a.run", "b.run", "-m", "wsum", "-w", "1"], 2, "1 weights for 2 runs"),
        (["a.run", "b.run", "-m", "sum", "-w", "1,2"], 2, "sum takes no weights"),
        (["a.run", "b.run", "-m", "sum", "--rrf-k", "10"], 2, "--rrf-k is for rrf"),
        (["a.run", "b.run", "-p", "phi"], 2, "'phi' is not NAME=VALUE"),
        (["a.run", "b.run", "-p", "phi=0.5"], 2, "rrf has no parameter phi"),
        (["a.run", "b.run", "--floor", "-1"], 2, "--floor is for --norm tmm"),
        (["a.run", "b.run", "--norm", "minmax"], 2, "'minmax' is not one of"),
        (["a.run", "b.run", "-m", "elo", "--seed", "-1"], 2, "-1 is not in the range"),
        (["a.run", "b.run", "-m", "posfuse"], 2, "learns from judged queries"),
        (["a.run", "absent.run"], 4, "absent.run: no such file"),
        (["a.run", "bad.run"], 3, "bad.run:2: 5 fields"),
        (["a.run", "negative.run", "-m", "mnz"], 2, "--norm min-max"),
    ],
)
def test_what_is_wrong_is_said_with_its_exit_code(capfdbinary, files, arguments, code, message):
    (files / "bad.run").write_text("1 Q0 a 1 1 T\n1 Q0 b 2 0\n")
    (files / "negative.run").write_text("1 Q0 a 1 -1.5 T\n")
    got, out, err = run(capfdbinary, *arguments)
    assert (got, out) == (code, [])
    assert message in err and "Traceback" not in err


def test_a_norm_that_a_rank_rule_does_not_use_is_said(capfdbinary, files):
    code, _, err = run(capfdbinary, "a.run", "b.run", "--norm", "min-max")
    assert code == 0 and "rrf looks at ranks only: --norm min-max changes nothing" in err


def test_an_empty_run_is_a_run(capfdbinary, files):
    (files / "empty.run").write_text("")
    assert run(capfdbinary, "empty.run", "empty.run") == (0, [], "")
    code, out, _ = run(capfdbinary, "empty.run", "a.run")
    assert (code, len(out)) == (0, 3)


def test_the_list_names_every_rule_by_what_it_needs(capfdbinary):
    from rerank_cli.fusion import all_rules

    code, out, _ = run(capfdbinary, "--list")
    assert code == 0
    rules, norms = out[: out.index("")], out[out.index("") + 1 :]
    assert [line.split("\t")[0] for line in rules[1:]] == list(all_rules())
    assert all(len(line.split("\t")) == 8 and all(line.split("\t")) for line in rules)
    assert [line.split("\t")[0] for line in norms[1:]] == [norm.value for norm in Norm]
    assert all(len(line.split("\t")) == 2 for line in norms)


def test_a_rule_answers_to_its_other_names(capfdbinary, files):
    one = run(capfdbinary, "a.run", "b.run", "-m", "CombSUM", "--tag", "x")
    assert one == run(capfdbinary, "a.run", "b.run", "-m", "sum", "--tag", "x")
    assert run(capfdbinary, "a.run", "b.run", "-m", "w-bordafuse")[0] == 0


def test_that_a_miss_is_better_than_a_poor_hit_under_z_score_is_said(capfdbinary, files):
    said = "under --norm z-score a document that a run lacks counts as an average one"
    assert said in run(capfdbinary, "a.run", "b.run", "-m", "sum", "--norm", "z-score")[2]
    for options in (["-m", "max", "--norm", "z-score"], ["-m", "sum", "--norm", "min-max"]):
        assert said not in run(capfdbinary, "a.run", "b.run", *options)[2]
    assert said not in run(capfdbinary, "a.run", "a.run", "-m", "sum", "--norm", "z-score")[2]


def test_the_options_norms_are_the_rooms_norms():
    from rerank_cli.fusion.norms import NORMS

    assert [norm.value for norm in Norm] == list(NORMS)
