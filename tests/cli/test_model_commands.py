"""export-onnx, models and doctor as a user runs them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import tiny_models
from conftest import Runner


@pytest.fixture(scope="module")
def classifier(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_models.bert_like(tmp_path_factory.mktemp("models") / "tiny-bert", "bert", 2)


def test_export_onnx_writes_a_folder_and_says_how_it_agrees(rerank: Runner, classifier: Path, tmp_path: Path) -> None:
    done = rerank("export-onnx", str(classifier), "-o", "out", "--max-length", "40")
    assert done.code == 0, done.err
    printed = dict(line.split("\t") for line in done.lines)
    assert float(printed["largest_difference"]) < 1e-5
    assert printed["kendall_tau"] == "1.000000"
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"model.onnx", "tokenizer.json", "rerank.json"}
    record = json.loads((tmp_path / "out" / "rerank.json").read_text())
    assert (record["max_length"], record["score"], record["source"]) == (40, "logprob", str(classifier))
    assert "wrote out" in done.err and "shards" not in done.err and "%" not in done.err


def test_export_onnx_beyond_atol_is_exit_1_and_writes_nothing(rerank: Runner, classifier: Path, tmp_path: Path) -> None:
    done = rerank("export-onnx", str(classifier), "-o", "out", "--atol", "0")
    assert done.code == 1
    assert "differs from PyTorch" in done.err and "largest_difference" in done.text
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("nosuchmodel",), 4, "no model is called 'nosuchmodel'"),
        (("./nowhere",), 4, "no such folder"),
        (("minilm", "--method", "cross-encoder"), 3, "no classification head"),
        (("minilm", "--method", "sorcery"), 2, "there is no method 'sorcery'"),
        (("minilm", "--device", "cuda:9"), 5, "cuda:9 is not available"),
        (("minilm", "--precision", "fp8"), 2, "fp8"),
        (("someone/some-model", "--offline"), 4, "someone/some-model is not on this machine"),
    ],
)
def test_export_onnx_fails_clearly(rerank: Runner, arguments: tuple[str, ...], code: int, said: str) -> None:
    done = rerank("export-onnx", *arguments, "-o", "out")
    assert done.code == code, done.err
    assert said in done.err
    assert done.text == ""


def test_models_lists_names(rerank: Runner) -> None:
    rows = [line.split("\t") for line in rerank("models").lines]
    assert {len(row) for row in rows} == {4}
    assert ["monot5", "monot5", "logprob", "castorini/monot5-base-msmarco"] in rows
    assert rerank("models", "--format", "json").code == 0
    assert [entry["name"] for entry in json.loads(rerank("models", "--format", "json").text)] == [
        row[0] for row in rows
    ]


def test_models_shows_one(rerank: Runner) -> None:
    facts = dict(line.split("\t") for line in rerank("models", "mt5-base-mmarco-v2").lines)
    assert facts["words"] == "▁no ▁yes"
    assert "arXiv" in facts["paper"] and facts["calls"] == "n"
    rows = [line.split("\t") for line in rerank("models", "qwen3-reranker-0.6b").lines]
    assert {len(row) for row in rows} == {2}, "a prompt of several lines is one fact on one line"
    done = rerank("models", "monoT5")
    assert done.code == 4 and "did you mean monot5" in done.err


def test_doctor_tells_what_loads(rerank: Runner) -> None:
    done = rerank("doctor")
    assert done.code == 0 and done.err == ""
    rows = {what: (state, remark) for what, state, remark in (line.split("\t") for line in done.lines)}
    assert rows["provider.cpu"] == ("yes", "")
    assert rows["device.cpu"][0] == "yes"
    if rows["device.cuda"][0] == "no":
        assert rows["provider.cuda"][0] == "no" and rows["provider.cuda"][1]
    assert rows["package.numpy"][0] != "absent"
