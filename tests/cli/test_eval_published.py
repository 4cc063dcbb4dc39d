"""`rerank eval` through the real program against published values and other people's evaluators."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest

from rerank_cli.cli.main import main

DATA = Path(os.environ.get("RERANK_TEST_DATA", "/nonexistent"))
pytestmark = [
    pytest.mark.data,
    pytest.mark.skipif(not DATA.is_dir(), reason="RERANK_TEST_DATA names no folder of test data"),
]
DL19 = DATA / "dl19-passage"
TREC_EVAL = DATA / "oracles" / "trec_eval"


def evaluated(capfdbinary, *arguments: object) -> dict[tuple[str, str], str]:
    """(measure, query) -> value as printed, from the trec format."""
    code = main(["eval", "--format", "trec", *map(str, arguments)])
    out, err = capfdbinary.readouterr()
    assert code == 0, err.decode()
    rows = [line.split("\t") for line in out.decode().splitlines()]
    return {(measure, query): value for measure, query, value in rows}


def published() -> list[tuple[str, dict[str, str]]]:
    if not DL19.is_dir():
        return []
    reranked = json.loads((DL19 / "published.json").read_text())
    first = json.loads((DL19 / "published_first_stage.json").read_text())["runs"]
    return [(entry["run"], entry["published"]) for entry in reranked] + [
        (f"runs/{name}.trec", {m: f"{v:.4f}" for m, v in values.items()}) for name, values in first.items()
    ]


@pytest.mark.parametrize(("run", "values"), published())
def test_published_values_of_dl19_to_four_decimals(capfdbinary, run, values):
    arguments = [word for name in values for word in ("-m", name)]
    got = evaluated(capfdbinary, "-Q", DL19 / "qrels.trec", DL19 / run, *arguments)
    assert list(got.values()) == list(values.values())


#: Measures of the golden files that ir-measures does not have.
FOREIGN = {
    "runid", "gm_map", "gm_bpref", "relstring", "Rprec_mult", "utility", "11pt_avg", "binG", "G", "ndcg_rel", "Rndcg",
    "relative_P", "num_nonrel_judged_ret", "rbp", "rbp_resid", "unj",
}  # fmt: skip


def golden(expected: str) -> dict[tuple[str, str], str]:
    rows = [line.split("\t") for line in (TREC_EVAL / expected).read_text().splitlines()]
    return {
        (name.strip(), query): value
        for name, query, value in rows
        if not any(name.strip() == f or name.startswith(f + "_") for f in FOREIGN)
    }


@pytest.mark.parametrize(
    ("qrels", "run", "expected", "options"),
    [
        ("qrels.test", "results.test", "out.test", []),
        ("qrels.test.with-comments", "results.test", "out.test", []),
        ("qrels.comment.test", "results.comment.test.gz", "out.comment.test", []),
        ("qrels.test", "results.test", "out.test.a", []),
        ("qrels.test", "results.test", "out.test.aq", ["--per-query"]),
        # Its lines have junk behind the sixth field, which only --lenient takes.
        ("qrels.test", "results.trunc", "out.test.aqc", ["--per-query", "--lenient"]),
        ("qrels.test", "results.trunc", "out.test.aqcM", ["--per-query", "--lenient", "--depth", "100"]),
        ("qrels.rel_level", "results.test", "out.test.aql", ["--per-query", "--rel", "2"]),
        ("qrels.test", "results.test", "out.test.meas_params", ["--per-query"]),
    ],
)
def test_trec_evals_golden_cases(capfdbinary, qrels, run, expected, options):
    from rerank_cli.evaluation.names import parse_measures

    wanted = golden(expected)
    names = [n for n in dict.fromkeys(name for name, _ in wanted) if n != "ndcg_1=3,2=9,4=4.5"]
    rel = int(options[-1]) if "--rel" in options else None
    ours = {name: str(*parse_measures([name], rel)) for name in names}
    arguments = [word for name in names for word in ("-m", name)]
    got = evaluated(capfdbinary, "-Q", TREC_EVAL / qrels, TREC_EVAL / run, *options, *arguments)
    different = {
        key: (value, got[ours[key[0]], key[1]])
        for key, value in wanted.items()
        if key[0] in ours and got[ours[key[0]], key[1]] != value
    }
    assert different == {}
    assert len(names) >= 15


def oracle_groups() -> list[dict]:
    path = DATA / "oracles" / "ir_measures" / "cases.json"
    return json.loads(path.read_text()) if path.is_file() else []


@pytest.mark.parametrize("group", oracle_groups(), ids=lambda group: group["source"].rpartition("::")[2])
def test_ir_measures_own_cases(capfdbinary, tmp_path, group):
    """Their values to their places; what needs a library that is not installed must say so (exit 4)."""
    from rerank_cli.evaluation.names import parse_measures

    files = {}
    for part in ("qrels", "run"):
        text = group[part]
        source = DATA / "oracles" / "ir_measures" / text[5:] if text.startswith("FILE:") else tmp_path / part
        if not text.startswith("FILE:"):
            source.write_text(text)
        files[part] = source
    compared = 0
    for case in group["expected"]:
        # "SetP(rel=2) @ 5" is how their tests give a measure a parameter that it lacks.
        name = re.sub(r"^(Set[PR].*?) @ \d+$", r"\1", case["measure"])
        if "gdeval" in group["source"]:
            name = name.replace("nDCG", "nDCG(dcg='exp-log2')")
        code = main(["eval", "--digits", "15", "--per-query", "-Q", str(files["qrels"]), str(files["run"]), "-m", name])
        out, err = capfdbinary.readouterr()
        if code == 4:
            assert b"pip install" in err
            continue
        assert code == 0, err.decode()
        measure = str(*parse_measures([name]))
        got = {q: float(v) for m, q, v in (line.split("\t") for line in out.decode().splitlines()) if m == measure}
        topics = [q for q in got if q != "all"]
        values = case["per_query"] if "per_query" in case else dict(zip(topics, case["values"], strict=True))
        tolerance = 0.6 * 10 ** -case.get("places", 4)
        assert {q: got[q] for q in values} == pytest.approx(values, abs=tolerance), name
        if "aggregate" in case:
            assert got["all"] == pytest.approx(case["aggregate"], abs=tolerance), name
        compared += 1
    assert compared or group["source"].startswith(("tests/test_cwl_eval", "tests/test_pyndeval"))
