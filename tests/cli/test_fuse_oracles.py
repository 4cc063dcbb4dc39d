"""`rerank fuse` through the real program against ranx's, Anserini's and Pyserini's own cases."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest

from rerank_cli.cli.main import main

DATA = Path(os.environ.get("RERANK_TEST_DATA", "/nonexistent"))
ORACLES = DATA / "oracles"
pytestmark = [
    pytest.mark.data,
    pytest.mark.skipif(not DATA.is_dir(), reason="RERANK_TEST_DATA names no folder of test data"),
]

Lists = dict[str, dict[str, float]]


def fused(capfdbinary, *arguments: object) -> Lists:
    code = main(["fuse", *map(str, arguments)])
    out, err = capfdbinary.readouterr()
    assert code == 0, err.decode()
    lists: Lists = {}
    for line in out.decode().splitlines():
        qid, _, docid, _, score, _ = line.split()
        lists.setdefault(qid, {})[docid] = float(score)
    return lists


def written(folder: Path, name: str, lists: Lists) -> Path:
    path = folder / name
    rows = [f"{q} Q0 {d} 0 {s} {name}\n" for q, docs in lists.items() for d, s in docs.items()]
    path.write_text("".join(rows))
    return path


def ranx_cases() -> list[dict]:
    path = ORACLES / "ranx" / "fusion_and_norm_cases.json"
    return json.loads(path.read_text()) if path.is_file() else []


#: ranx's function -> our options; weights that its call names by a variable are those of its test file.
RANX = {
    "bordafuse": ["-m", "bordafuse"],
    "condorcet": ["-m", "condorcet"],
    "comb_max": ["-m", "max"],
    "comb_med": ["-m", "med"],
    "comb_min": ["-m", "min"],
    "comb_mnz": ["-m", "mnz"],
    "comb_sum": ["-m", "sum"],
    "isr": ["-m", "isr"],
    "log_isr": ["-m", "log_isr", "-p", "plus=0"],
    "logn_isr": ["-m", "logn_isr"],
    "rrf": ["-m", "rrf"],
    "norm_switch": ["-m", "sum", "--norm", "min-max-inverted"],
    "max_norm": ["-m", "sum", "--norm", "max"],
    "min_max_norm": ["-m", "sum", "--norm", "min-max"],
    "rank_norm": ["-m", "sum", "--norm", "rank"],
    "sum_norm": ["-m", "sum", "--norm", "sum"],
    "zmuv_norm": ["-m", "sum", "--norm", "z-score"],
}


@pytest.mark.parametrize("case", ranx_cases(), ids=lambda case: re.sub(r"\W+", "-", case["call"]))
def test_ranx_cases(capfdbinary, tmp_path, case):
    function = case["call"].partition("(")[0]
    options = list(RANX.get(function, ["-m", "?"]))
    runs = [written(tmp_path, name, lists) for name, lists in case["runs"].items()]
    expected = {q: docs for q, docs in case["expected"].items() if docs}
    if function == "rbc":
        options = ["-m", "rbc", "-p", re.search(r"phi=[\d.]+", case["call"])[0]]
    elif function in ("weighted_bordafuse", "weighted_condorcet"):
        weights = re.search(r"weights=\[(.*?)\]", case["call"])[1].replace(" ", "")
        options = ["-m", function, "-w", weights]
    elif function in ("wmnz", "wsum"):
        listed = re.search(r"\[([\d, ]+)\]\)", case["call"])
        weights = listed[1].replace(" ", "") if listed else "0.3,0.2,0.5"
        options = ["-m", function, "-w", weights]
    elif function == "logn_isr":
        options += ["-p", f"sigma={solved_sigma(case)}"]
    elif function == "borda_norm":
        options = ["-m", "wsum", "--norm", "borda"]
        chosen = int(re.search(r"\[(\d)\]$", case["call"])[1])
        options += ["-w", ",".join("1" if n == chosen else "0" for n in range(len(runs)))]
    if len(runs) == 1:
        # A normalisation of one run: fused with itself, halved.
        runs *= 2
        options[1] = "average"
    got = fused(capfdbinary, *options, *runs)
    places = case.get("places")
    for qid, docs in expected.items():
        rounded = {d: round(s, places) if places else s for d, s in got[qid].items()}
        # Scores that tie are written the smallest steps apart.
        assert rounded == pytest.approx(docs, rel=1e-6, abs=1e-9)
        order = [docs[d] for d in got[qid]]
        assert order == sorted(order, reverse=True)
    assert set(got) == set(expected)


def solved_sigma(case: dict) -> float:
    """Their call has sigma as a variable; it follows from the first query's best document: 2 = sum, 2 runs -> ln(2 + sigma)."""
    from math import exp

    return round(exp(case["expected"]["q1"]["d3"] / 2.0) - 2, 6)


def anserini_cases() -> list[dict]:
    path = ORACLES / "anserini" / "fusion_cases.json"
    return json.loads(path.read_text()) if path.is_file() else []


@pytest.mark.parametrize("case", anserini_cases(), ids=lambda case: "-".join(case["arguments"][4:]).replace(" ", ""))
def test_anserini_cases(capfdbinary, case):
    """Its scores to its six decimals (one is 32-bit rounding, 11.099999); its ties go by docid as ours do."""
    words = case["arguments"]
    flat = [word for word in words if word not in ("-output", "-min_max_normalization")]
    told = dict(zip(flat[::2], flat[1::2], strict=True))
    runs = [ORACLES / "anserini" / name for name in told["-runs"].split()]
    method = told["-method"]
    options = ["--depth", told["-depth"], "-k", told["-k"]]
    if method == "rrf":
        options += ["-m", "rrf", "--rrf-k", told["-rrf_k"]]
    elif method == "average":
        options += ["-m", "average"]
    elif method == "interpolation":
        options += ["-m", "interpolation", "-w", f"{told['-alpha']},{1 - float(told['-alpha'])}"]
    else:
        options += ["-m", "weighted", "-w", told["-weights"]]
    if "-min_max_normalization" in words:
        options += ["--norm", "min-max"]
    got = fused(capfdbinary, *options, *runs)
    expected: Lists = {}
    for line in case["expected"]:
        qid, _, docid, _, score, _ = line.split()
        expected.setdefault(qid, {})[docid] = float(score)
    assert list(got) == list(expected)
    for qid, docs in expected.items():
        assert list(got[qid]) == list(docs)
        assert got[qid] == pytest.approx(docs, abs=1.5e-6)


@pytest.mark.parametrize(
    ("options", "verify"),
    [
        (["-m", "average"], "simple_trec_run_average_verify.txt"),
        (["-m", "wsum", "-w", "0.4,0.6"], "simple_trec_run_interpolation_verify.txt"),
        (["-m", "sum", "--norm", "min-max"], "simple_fusion_normalize_verify.txt"),
    ],
)
def test_pyserini_cases_byte_for_byte(capfdbinary, options, verify):
    """Pyserini's own expected files, down to the last digit and the order of lines."""
    folder = ORACLES / "pyserini"
    runs = [folder / "simple_trec_run_fusion_1.txt", folder / "simple_trec_run_fusion_2.txt"]
    code = main(["fuse", *options, "--tag", "test", *map(str, runs)])
    out, err = capfdbinary.readouterr()
    assert code == 0, err.decode()
    assert out.decode().splitlines() == (folder / verify).read_text().splitlines()


def test_where_pyserini_trusts_the_rank_column_we_count(capfdbinary):
    """Its second run calls its second document rank 3, and Pyserini takes 1/63 for it; here it is the second: 1/62."""
    folder = ORACLES / "pyserini"
    runs = [folder / "simple_trec_run_fusion_1.txt", folder / "simple_trec_run_fusion_2.txt"]
    got = fused(capfdbinary, "-m", "rrf", *runs)
    assert got == {
        "1": {"pyeb86on": 1 / 61 + 1 / 61, "2054tkb7": 1 / 62 + 1 / 62},
        "2": {"hanxiao2": 1 / 61},
        "3": {"hanxiao2": 1 / 61},
    }
