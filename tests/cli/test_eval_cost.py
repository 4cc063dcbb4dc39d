"""`rerank eval --shape`: values by hand and the paper's own, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rerank_cli.cli.main import main

RUN = "q1 Q0 d1 1 9 t\nq1 Q0 d2 2 8 t\nq2 Q0 d3 1 9 t\nq2 Q0 d4 2 8 t\nq2 Q0 d5 3 7 t\nq2 Q0 d2 4 6 t\nq3 Q0 d5 1 1 t\n"
CONFIG = {
    "model_type": "bert",
    "num_hidden_layers": 1,
    "hidden_size": 2,
    "intermediate_size": 3,
    "num_attention_heads": 1,
}
QWEN_7B = {
    "model_type": "qwen2",
    "num_hidden_layers": 28,
    "hidden_size": 3584,
    "intermediate_size": 18944,
    "num_attention_heads": 28,
    "num_key_value_heads": 4,
    "vocab_size": 152064,
}
FLAN_T5_LARGE = {
    "model_type": "t5",
    "num_layers": 24,
    "d_model": 1024,
    "d_ff": 2816,
    "num_heads": 16,
    "d_kv": 64,
    "feed_forward_proj": "gated-gelu",
    "vocab_size": 32128,
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RERANK_CACHE_DIR", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    (tmp_path / "r.run").write_text(RUN)
    (tmp_path / "j").write_text("q1 0 d1 1\nq2 0 d3 1\nq3 0 d5 1\n")
    for name, config in (("config", CONFIG), ("odd", CONFIG | {"model_type": "deberta-v2"})):
        (tmp_path / f"{name}.json").write_text(json.dumps(config))
    records = [{"qid": q, "pairs": n, "tokens": 5 * n} for q, n in (("q1", 2), ("q2", 4), ("q3", 1))]
    (tmp_path / "stats.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))
    (tmp_path / "few.jsonl").write_text(json.dumps(records[0]) + "\n")
    return tmp_path


Output = pytest.CaptureFixture[str]


def values(capfd: Output, *arguments: str) -> tuple[dict[str, float], str]:
    code = main(["eval", "-Q", "j", "r.run", "-m", "RR", "--digits", "12", *arguments])
    out, err = capfd.readouterr()
    assert code == 0, err
    return {line.split("\t")[0]: float(line.split("\t")[2]) for line in out.splitlines()}, err


#: 5 tokens of one layer of width 2, inner 3, are 480 operations.
CALL = 480


@pytest.mark.parametrize(
    ("arguments", "calls"),
    [
        (["--stats", "stats.jsonl"], 7),
        (["--tokens", "5"], 7),
        (["--tokens", "5", "--depth", "1"], 3),
        (["--tokens", "5", "--calls", "10"], 30),
    ],
)
def test_costs_add_what_the_arithmetic_buys(folder: Path, capfd: Output, arguments: list[str], calls: int) -> None:
    found, said = values(capfd, "--shape", "config.json", *arguments)
    assert found["RR"] == 1
    assert found["TFLOPs"] == pytest.approx(calls * CALL / 3 / 1e12, abs=1e-12)
    assert found["QPP"] == pytest.approx(3e15 / (calls * CALL)) and found["RPP(RR)"] == pytest.approx(found["QPP"])
    assert (f"the cost is of {calls} calls for 3 queries, 5 tokens in and 1 out each" in said) == (
        "--tokens" in arguments
    )


def test_a_judged_topic_that_the_run_lacks_costs_nothing(folder: Path, capfd: Output) -> None:
    (folder / "r.run").write_text("q1 Q0 d1 1 9 t\n")
    for arguments in (["--tokens", "5"], ["--tokens", "5", "--calls", "1"]):
        found, _ = values(capfd, "--shape", "config.json", *arguments)
        assert found["RR"] == pytest.approx(1 / 3) and found["QPP"] == pytest.approx(3e15 / CALL)


@pytest.mark.parametrize(
    ("config", "tokens", "expected"),
    [(QWEN_7B, "200,1", 1_861_241_733_120), (FLAN_T5_LARGE, "128", 76_290_195_456)],
)
def test_the_papers_two_values_hold_from_the_shape_alone(
    folder: Path, capfd: Output, config: dict[str, object], tokens: str, expected: int
) -> None:
    (folder / "config.json").write_text(json.dumps(config))
    found, _ = values(capfd, "--shape", "config.json", "--tokens", tokens, "--flops", "paper", "--depth", "1")
    assert found["TFLOPs"] * 1e12 == expected
    assert found["QPP"] == pytest.approx(1e15 / expected)


def test_written_tokens_cost_too(folder: Path, capfd: Output) -> None:
    (folder / "config.json").write_text(json.dumps(QWEN_7B))
    one, ten = (values(capfd, "--shape", "config.json", "--tokens", text)[0]["TFLOPs"] for text in ("200,1", "200,10"))
    # Nine positions more, each a bit more than a two-hundredth of the input's.
    assert 9 / 200 < ten / one - 1 < 12 / 200


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--stats", "stats.jsonl"], 2, "belong together"),
        (["--shape", "config.json"], 2, "belong together"),
        (["--tokens", "5"], 2, "belong together"),
        (["--stats", "stats.jsonl", "--shape", "config.json", "--tokens", "5"], 2, "belong together"),
        (["--stats", "stats.jsonl", "--shape", "config.json", "--calls", "5"], 2, "--calls is for --tokens"),
        (["--stats", "stats.jsonl", "--shape", "config.json", "--per-query"], 2, "over all queries"),
        (["--stats", "stats.jsonl", "--shape", "config.json", "--separation"], 2, "goes with neither"),
        (["--shape", "config.json", "--tokens", "5", "--baseline", "r.run"], 2, "goes with neither"),
        (["--shape", "config.json", "--tokens", "5", "other.run"], 2, "about one run"),
        (["--shape", "config.json", "--tokens", "0"], 2, "--tokens '0' is not IN"),
        (["--shape", "config.json", "--tokens", "5,-1"], 2, "is not IN or IN,OUT"),
        (["--shape", "config.json", "--tokens", "5,1,1"], 2, "is not IN or IN,OUT"),
        (["--stats", "few.jsonl", "--shape", "config.json"], 3, "few.jsonl: 2 judged queries of the run are not in it"),
        (["--stats", "r.run", "--shape", "config.json"], 3, "r.run:1: no JSON line with qid, pairs and tokens"),
        (["--stats", "stats.jsonl", "--shape", "odd.json"], 3, "model_type 'deberta-v2' is not known"),
        (["--stats", "stats.jsonl", "--shape", "nomodel"], 4, "no model is called 'nomodel'"),
        (["--stats", "absent", "--shape", "config.json"], 4, "absent: no such file"),
    ],
)
def test_refusals(folder: Path, capfd: Output, arguments: list[str], code: int, message: str) -> None:
    assert main(["eval", "-Q", "j", "r.run", *arguments]) == code
    out, err = capfd.readouterr()
    assert out == "" and message in err
