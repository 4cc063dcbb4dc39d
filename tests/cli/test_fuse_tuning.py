"""`rerank fuse --tune`, `--params-out` and `--params` as a user meets them, on the demo collection."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from conftest import Runner

from rerank_cli.cli.main import main


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two first stages of the demo collection, the second the worse."""
    folder = tmp_path_factory.mktemp("runs")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RERANK_CACHE_DIR", str(folder / "cache"))
        assert main(["retrieve", "-c", "demo", "-q", "-o", str(folder / "a.run")]) == 0
        assert main(["retrieve", "-c", "demo", "-q", "--k1", "5", "--b", "1", "-o", str(folder / "b.run")]) == 0
    return folder


@pytest.fixture
def folder(runs: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("a.run", "b.run"):
        (tmp_path / name).symlink_to(runs / name)
    return tmp_path


def fuse(capfdbinary, *arguments: str) -> tuple[int, bytes, str]:
    code = main(["fuse", *arguments, "a.run", "b.run"])
    out, err = capfdbinary.readouterr()
    return code, out, err.decode()


def ndcg(capfdbinary, run: str) -> str:
    assert main(["eval", "-c", "demo", "-m", "nDCG@10", run]) == 0
    return capfdbinary.readouterr()[0].decode().split()[-1]


@pytest.mark.parametrize("rule", ["cc", "rrf", "slidefuse", "mapfuse"])
def test_folds_are_reported_and_eval_agrees(capfdbinary, folder, rule):
    code, out, err = fuse(capfdbinary, "-m", rule, "--tune", "nDCG@10", "-c", "demo", "-o", "tuned.run")
    assert (code, out) == (0, b"")
    assert [m[1] for m in re.finditer(r"fold (\d) of 5: nDCG@10 0\.\d{4} on 8 queries held out", err)] == list("12345")
    assert re.search(r"cross-validated nDCG@10 (\S+), the mean over 40 judged queries", err)[1] == ndcg(
        capfdbinary, "tuned.run"
    )
    facts = json.loads((folder / "tuned.run.json").read_text())
    assert facts["tuned"]["measure"] == "nDCG@10" and len(facts["tuned"]["folds"]) == 5


def test_a_constant_a_run_by_leaving_one_out(capfdbinary, folder):
    told = ("-m", "rrf", "-w", "1,1", "--grid", "k=60/1,60,500", "--folds", "40", "--params-out", "p.json")
    code, _, err = fuse(capfdbinary, "--tune", "nDCG@10", "-c", "demo", "-o", "tuned.run", *told)
    assert code == 0 and err.count("on 1 queries held out") == 40
    assert re.search(r"cross-validated nDCG@10 (\S+),", err)[1] == ndcg(capfdbinary, "tuned.run")
    first, second = json.loads((folder / "p.json").read_text())["params"]["k"]
    assert first == 60 and second in (1, 60, 500)
    code, _, err = fuse(capfdbinary, "--grid", "k=1")
    assert code == 2 and "--grid is for --tune" in err
    code, _, err = fuse(capfdbinary, "--tune", "nDCG@10", "-c", "demo", "--folds", "41")
    assert code == 2 and "41 folds of 40 judged queries" in err


def test_what_was_fitted_is_applied(capfdbinary, folder):
    code, _, err = fuse(
        capfdbinary, "-m", "wsum", "--norm", "min-max", "--tune", "nDCG@10", "-c", "demo", "--params-out", "p.json"
    )
    assert code == 0
    facts = json.loads((folder / "p.json").read_text())
    weights = ",".join(map(str, facts["weights"]))
    assert f"fitted on all: -w {','.join(f'{w:g}' for w in facts['weights'])}" in err
    assert facts["runs"] == ["a.run", "b.run"] and facts["norm"] == "min-max" and len(facts["tuned"]["folds"]) == 5
    typed = fuse(capfdbinary, "-m", "wsum", "--norm", "min-max", "-w", weights)
    applied = fuse(capfdbinary, "--params", "p.json")
    assert applied[:2] == typed[:2] and applied[0] == 0


def test_a_trained_rule_needs_its_judgements_once(capfdbinary, folder):
    code, _, err = fuse(capfdbinary, "-m", "posfuse")
    assert code == 2 and "--tune nDCG@10 --qrels FILE" in err
    assert fuse(capfdbinary, "-m", "posfuse", "--tune", "nDCG@10", "-c", "demo", "--params-out", "p.json")[0] == 0
    code, out, _ = fuse(capfdbinary, "--params", "p.json", "-k", "5", "--tag", "x")
    assert code == 0 and len(out.splitlines()) == 200


def test_what_is_typed_is_kept_without_tuning(capfdbinary, folder):
    typed = fuse(capfdbinary, "--rrf-k", "10,20", "-w", "1,2", "--params-out", "p.json")
    assert fuse(capfdbinary, "--params", "p.json") == typed
    assert json.loads((folder / "p.json").read_text())["params"] == {"k": [10.0, 20.0]}


def test_judgements_from_a_file_and_more_folds(capfdbinary, folder):
    from rerank_cli.demo import __path__ as demo

    lines = (Path(demo[0]) / "qrels" / "test.tsv").read_text().splitlines()[1:]
    rows = [line.split("\t") for line in lines]
    (folder / "some.qrels").write_text("".join(f"{q} 0 {d} {g}\n" for q, d, g in rows[: len(rows) // 2]) + "zz 0 d 1\n")
    code, out, err = fuse(capfdbinary, "--tune", "ndcg_cut_10", "--qrels", "some.qrels", "--folds", "3")
    assert code == 0 and "fold 3 of 3: nDCG@10" in err and "fold 4" not in err
    assert "1 judged queries are in none of the runs" in err
    assert "queries without judgements were fused with what is fitted on all" in err
    assert len({line.split()[0] for line in out.splitlines()}) == 40


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["-m", "sum", "--tune", "nDCG@10", "-c", "demo"], 2, "sum has nothing to tune"),
        (["--tune", "nDGC@10", "-c", "demo"], 2, "nDGC@10"),
        (["--tune", "nDCG@10", "-c", "demo", "--folds", "41"], 2, "41 folds of 40 judged queries"),
        (["--tune", "nDCG@10", "-c", "demo", "--folds", "1"], 2, "folds"),
        (["--folds", "3"], 2, "--folds is for --tune"),
        (["--qrels", "x"], 2, "--qrels is for --tune"),
        (["--params", "p.json", "-m", "rrf"], 2, "--params says the rule"),
        (["--params", "absent.json"], 4, "absent.json: no such file"),
        (["--params", "three.json"], 3, "it was made for 3 runs (x, y, z), not 2"),
        (["--params", "a.run"], 3, "a.run: it is not JSON"),
        (["--params-out", "-"], 2, "cannot both go to stdout"),
        (["--params-out", "nowhere/p.json"], 4, "nowhere"),
    ],
)
def test_what_is_wrong_is_said(capfdbinary, folder, arguments, code, message):
    (folder / "three.json").write_text('{"format": "rerank-fuse-1", "method": "rrf", "runs": ["x", "y", "z"]}')
    got, out, err = fuse(capfdbinary, *arguments)
    assert (got, out) == (code, b"") and message in err and "Traceback" not in err


def test_runs_of_other_names_are_taken_in_order_and_that_is_said(capfdbinary, folder):
    (folder / "p.json").write_text(
        '{"format": "rerank-fuse-1", "method": "rrf", "runs": ["x", "y"], "weights": [1, 3]}'
    )
    code, out, err = fuse(capfdbinary, "--params", "p.json")
    assert code == 0 and "p.json was made for x, y: taken in that order for a.run, b.run" in err
    assert out == fuse(capfdbinary, "-w", "1,3")[1]


def test_a_second_process_tunes_to_the_same_bytes(rerank: Runner, folder):
    """Nothing hangs on a hash seed."""
    line = ("fuse", "-m", "cc", "--tune", "AP", "-c", "demo", str(folder / "a.run"), str(folder / "b.run"))
    one, other = (rerank(*line, env={"PYTHONHASHSEED": seed}) for seed in ("1", "2"))
    assert one.code == 0 and one.out == other.out and one.err == other.err
