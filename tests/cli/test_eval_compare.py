"""`rerank eval --compare` as a user meets it: every format by hand-computed cases, marks, refusals."""

from __future__ import annotations

import csv
import json
import os

import pytest

from rerank_cli.cli.main import main

#: Ten topics with one relevant document each, so that RR is 1 / its rank.
QRELS = "".join(f"{q} 0 d 1\n" for q in range(10))


def ranked(*places: int, tag: str) -> str:
    """A run in which topic q has the relevant document at `places[q]`."""
    rows = []
    for q, place in enumerate(places):
        docids = [f"x{n}" for n in range(place - 1)] + ["d"]
        rows += [f"{q} Q0 {docid} {n + 1} {100 - n} {tag}\n" for n, docid in enumerate(docids)]
    return "".join(rows)


#: RR of b is 1/2 everywhere; that of good is 1 on eight topics and 1/2 on two; of bad 1/4 on nine, 1 on one.
FILES = {
    "qrels": QRELS,
    "b.run": ranked(*[2] * 10, tag="b"),
    "good_1.run": ranked(*[1] * 8, 2, 2, tag="g"),
    "bad.run": ranked(*[4] * 9, 1, tag="w"),
    "same.run": ranked(*[2] * 10, tag="s"),
    "always.run": ranked(*[1] * 10, tag="a"),
}


@pytest.fixture
def files(tmp_path, monkeypatch):
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    monkeypatch.chdir(tmp_path)
    for name in list(os.environ):
        if name.startswith("RERANK_") and name != "RERANK_TEST_DATA":
            monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    return tmp_path


@pytest.fixture
def run(capfdbinary, files):
    def call(*arguments: str) -> tuple[int, str, str]:
        code = main(["eval", "-Q", "qrels", "-m", "RR", *arguments])
        out, err = capfdbinary.readouterr()
        return code, out.decode(), err.decode()

    return call


TWO = ["--compare", "--baseline", "b.run", "good_1.run", "bad.run", "--test", "randomization"]


def test_json_has_a_record_a_comparison(run):
    code, out, err = run(*TWO, "--format", "json")
    good, bad = [json.loads(line) for line in out.splitlines()]
    assert code == 0
    assert (good["measure"], good["run"], good["baseline"], good["topics"]) == ("RR", "good_1", "b", 10)
    # Eight topics gain 1/2, two nothing: the mean gains 0.4.
    assert (good["mean"], good["baseline_mean"], good["difference"]) == (0.9, 0.5, 0.4)
    assert (good["wins"], good["ties"], good["losses"], good["robustness"]) == (8, 2, 0, 0.8)
    # 2 of the 2^8 sign vectors reach the sum, and the largest of two p is kept above twice the smallest.
    assert good["p"] == round(2 / 256, 7)
    assert good["p_corrected"] == round(4 / 256, 6) and good["significant"] is True
    # Mean 0.4; variance (8 * 0.1^2 + 2 * 0.4^2) / 9 = 0.4 / 9.
    assert good["effect"] == pytest.approx(0.4 / (0.4 / 9) ** 0.5, abs=1e-5)
    assert (bad["wins"], bad["ties"], bad["losses"], bad["difference"]) == (1, 0, 9, -0.175)
    # 1 + 1 + 9 + 36 sign vectors on either side reach a sum of 1.75.
    assert (bad["p"], bad["significant"]) == (round(94 / 1024, 7), False)
    assert (good["test"], good["correction"], good["alpha"]) == ("randomization", "holm", 0.05)
    for record in (good, bad):
        assert record["difference_low"] <= record["difference"] <= record["difference_high"]
        assert record["mean_low"] <= record["mean"] <= record["mean_high"]
    assert "Fisher's sign flips; p corrected for 2 comparisons a measure (holm)" in err


def test_csv_has_the_same_under_a_header(run):
    _, out, _ = run(*TWO, "--format", "csv")
    rows = list(csv.DictReader(out.splitlines()))
    assert [(r["run"], r["mean"], r["difference"], r["wins"], r["significant"]) for r in rows] == [
        ("good_1", "0.9000", "0.4000", "8", "1"),
        ("bad", "0.3250", "-0.1750", "1", "0"),
    ]


def test_tsv_keeps_its_four_columns(run):
    _, out, _ = run(*TWO)
    lines = [line.split("\t") for line in out.splitlines()]
    assert {len(line) for line in lines} == {4} and {line[2] for line in lines} == {"all"}
    assert lines[:3] == [
        ["good_1", "RR", "all", "0.9000"],
        ["bad", "RR", "all", "0.3250"],
        ["b", "RR", "all", "0.5000"],
    ]
    values = {(line[0], line[1]): line[3] for line in lines}
    assert values["good_1", "RR difference b"] == "0.4000"
    assert values["good_1", "RR p_corrected b"] == "0.015625"
    assert values["bad", "RR losses b"] == "9"


def test_latex_marks_best_and_beaten_and_escapes(run):
    _, out, _ = run(*TWO, "--format", "latex")
    assert out.splitlines()[1:] == [
        r"\begin{tabular}{llr}",
        r"\toprule",
        r" & Run & RR \\",
        r"\midrule",
        r"a & good\_1 & \textbf{0.9000}$^{c}$ \\",
        r"b & bad & 0.3250 \\",
        r"c & b & 0.5000 \\",
        r"\bottomrule",
        r"\end{tabular}",
    ]
    # A baseline that is better gets the letter of the run that it beats.
    _, other, _ = run("--compare", "--baseline", "good_1.run", "b.run", "--format", "latex")
    assert r"b & good\_1 & \textbf{0.9000}$^{a}$ \\" in other.splitlines()
    assert out.startswith("% superscripts: runs significantly beaten, alpha 0.05; Fisher's sign flips")


def test_all_pairs_without_a_baseline(run):
    _, out, _ = run("--compare", "b.run", "good_1.run", "bad.run", "--test", "randomization", "--format", "latex")
    cells = [line.split(" & ")[2] for line in out.splitlines() if line.endswith(r"\\") and " & Run" not in line]
    assert cells == [r"0.5000 \\", r"\textbf{0.9000}$^{ac}$ \\", r"0.3250 \\"]
    _, out, _ = run("--compare", "b.run", "good_1.run", "bad.run", "--test", "tukey", "--format", "json")
    assert [(r["run"], r["baseline"]) for r in map(json.loads, out.splitlines())] == [
        ("good_1", "b"),
        ("bad", "b"),
        ("bad", "good_1"),
    ]


def test_markdown_and_table_mark_the_best_mean_and_the_sure_p(run):
    _, out, _ = run(*TWO, "--format", "markdown", "--digits", "2")
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in out.splitlines()]
    header = ["Measure", "Run", "Mean", "95% CI", "Difference", "95% CI", "W/T/L", "Effect", "p", "p (holm)"]
    assert rows[0] == header
    good = rows[2]
    assert good[:3] == ["RR", r"good\_1", "**0.90**"] and good[4] == "+0.40"
    assert good[6:] == ["8/2/0", "+1.90", "0.0078", "**0.0156**"]
    assert rows[4][:3] == ["RR", "b", "0.50"] and rows[4][4:] == [""] * 6
    _, out, _ = run(*TWO, "--format", "table", "--digits", "2")
    assert out.splitlines()[2].split()[:3] == ["RR", "good_1", "0.90*"]
    assert out.splitlines()[2].split()[-1] == "0.0156*"


@pytest.mark.parametrize("test", ["t", "wilcoxon", "randomization", "tukey"])
def test_equal_runs_are_equal_in_every_test(run, test):
    _, out, _ = run("--compare", "--baseline", "b.run", "same.run", "--test", test, "--format", "json")
    record = json.loads(out)
    assert (record["p"], record["p_corrected"], record["effect"], record["ties"]) == (1.0, 1.0, 0.0, 10)
    _, out, _ = run("--compare", "--baseline", "b.run", "same.run", "--test", test, "--format", "latex")
    assert "textbf" not in out and "$" not in out


def test_an_infinite_effect_is_written_so_that_json_stays_json(run):
    _, out, _ = run("--compare", "--baseline", "b.run", "always.run", "--format", "json")
    record = json.loads(out, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
    assert float(record["effect"]) == float("inf")
    assert record["p"] == 0.0
    _, out, _ = run("--compare", "--baseline", "b.run", "always.run", "--format", "csv")
    assert next(csv.DictReader(out.splitlines()))["effect"] == "inf"


def test_the_seed_decides_and_the_same_seed_repeats(run):
    first = run(*TWO, "--format", "json", "--test", "tukey")[1]
    assert run(*TWO, "--format", "json", "--test", "tukey")[1] == first
    assert run(*TWO, "--format", "json", "--test", "tukey", "--seed", "7")[1] != first


def test_corrections(run):
    def p(correct: str) -> list[float]:
        lines = run(*TWO, "--correct", correct, "--format", "json")[1].splitlines()
        return [json.loads(line)["p_corrected"] for line in lines]

    raw = p("none")
    assert p("bonferroni") == pytest.approx([2 * raw[0], 2 * raw[1]], rel=1e-5)
    assert p("holm") == pytest.approx([2 * raw[0], max(2 * raw[0], raw[1])], rel=1e-5)


def test_assertions_still_hold_beside_a_comparison(run):
    code, out, _ = run(*TWO, "--assert", "RR>=0.4")
    assert code == 6 and out.startswith("good_1\tRR\tall")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["b.run", "--test", "t"], "add --compare"),
        (["b.run", "--correct", "holm"], "add --compare"),
        (["b.run", "--alpha", "0.1"], "add --compare"),
        (["b.run", "--compare"], "at least two runs"),
        (["--compare", "--baseline", "b.run", "b.run"], "at least two runs"),
        ([*TWO, "--per-query"], "rerank diff"),
        ([*TWO, "--format", "trec"], "use --format tsv"),
        ([*TWO, "--alpha", "1.5"], "between 0 and 1"),
        ([*TWO, "-m", "NumRet"], "NumRet is a count"),
        ([*TWO, "--test", "tukey", "--correct", "holm"], "correct twice"),
        ([*TWO, "--test", "sign"], "'sign' is not one of"),
    ],
)
def test_what_does_not_go_together_is_exit_2(run, arguments, message):
    code, out, err = run(*arguments)
    assert (code, out) == (2, "")
    assert message in err


def test_small_differences_are_ties_when_asked(run):
    told = ["--compare", "--baseline", "b.run", "bad.run", "--format", "json"]
    counts = []
    for eps in ("0", "0.2499", "0.25", "0.5"):
        code, out, err = run(*told, "--eps", eps)
        record = json.loads(out)
        counts.append((record["wins"], record["ties"], record["losses"]))
        assert code == 0 and (f"differences up to {eps} are ties" in err) == (eps != "0")
        assert record["difference"] == -0.175
    assert counts == [(1, 0, 9), (1, 0, 9), (1, 9, 0), (0, 10, 0)]
    code, _, err = run("b.run", "bad.run", "--eps", "0.1")
    assert code == 2 and "--alpha and --eps belong to --compare" in err
