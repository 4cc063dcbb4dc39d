"""An export is whole or not there, says how well it agrees with PyTorch, and needs no PyTorch afterwards."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
import tiny_models
from conftest import ROOT

from rerank_cli import export
from rerank_cli.errors import Missing, WorkFailed, WrongUsage
from rerank_cli.export import acceptable, ensure_exported
from rerank_cli.export.check import Agreement, agreement, kendall
from rerank_cli.export.folder import write_folder
from rerank_cli.export.sample import sample
from rerank_cli.methods import load
from rerank_cli.methods.catalog import find


@pytest.fixture(scope="module")
def classifier(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_models.bert_like(tmp_path_factory.mktemp("models") / "bert", "bert", 1)


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("export-cache")


def test_a_graph_takes_any_batch_and_length_and_ends_in_scores(classifier: Path, cache: Path) -> None:
    folder = ensure_exported(find(str(classifier)), cache, note=lambda _: None, offline=True)
    graph = onnx.load(folder / "model.onnx").graph
    assert [i.name for i in graph.input] == ["input_ids", "attention_mask", "token_type_ids"]
    assert all(d.dim_param for i in graph.input for d in i.type.tensor_type.shape.dim)
    assert len(graph.output) == 1 and len(graph.output[0].type.tensor_type.shape.dim) == 1
    record = json.loads((folder / "rerank.json").read_text())
    assert record["report"]["difference"] < 1e-5 and record["report"]["pairs"] == len(sample())
    assert record["report"]["fused"]["SkipLayerNormalization"] == 4
    assert record["method"] == "cross-encoder" and record["score"] == "logit" and record["max_length"] == 64


def test_a_second_use_neither_exports_nor_loads_torch(classifier: Path, cache: Path) -> None:
    ensure_exported(find(str(classifier)), cache, note=lambda _: None, offline=True)
    program = f"""
import sys
from pathlib import Path
from rerank_cli.core.protocols import Pair
from rerank_cli.export import ensure_exported
from rerank_cli.methods import load
from rerank_cli.methods import load
from rerank_cli.methods.catalog import find
folder = ensure_exported(find({str(classifier)!r}), Path({str(cache)!r}), note=sys.exit, offline=True)
print(load(folder, threads=1, note=sys.exit).score([Pair("a lake", "deep")]).values[0])
print(*sorted({{name.split(".")[0] for name in sys.modules}}))
"""
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    score, loaded = done.stdout.splitlines()
    assert np.isfinite(float(score))
    assert not {"torch", "transformers", "sentence_transformers", "onnx", "huggingface_hub", "rich"} & set(
        loaded.split()
    )
    assert done.stderr == ""


def test_a_graph_too_large_for_one_file_keeps_its_weights_beside_it(
    classifier: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rerank_cli.export.graph._ONE_FILE", 1000)
    t5 = tiny_models.t5(tmp_path / "t5")
    for checkpoint in (find(str(classifier)), find(str(t5), method="monot5")):
        folder = ensure_exported(checkpoint, tmp_path / "cache", note=lambda _: None, offline=True)
        files = {path.name: path.stat().st_size for path in folder.iterdir()}
        assert set(files) == {"model.onnx", "model.onnx.data", "tokenizer.json", "rerank.json"}
        assert files["model.onnx.data"] > 50_000
        assert json.loads((folder / "rerank.json").read_text())["report"]["difference"] < 1e-4
        # Whoever may read the graph may read its weights.
        assert (folder / "model.onnx.data").stat().st_mode == (folder / "model.onnx").stat().st_mode
        (folder / "model.onnx.data").unlink()
        with pytest.raises(Missing, match="there are no weights"):
            load(folder, threads=1, note=pytest.fail)


def test_a_fused_graph_that_is_wrong_is_left_and_said(
    classifier: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An optimizer that gets the layer norms wrong makes a graph that loads and computes something else."""
    from onnxruntime.transformers import optimizer

    right = optimizer.optimize_model

    def wrong(path: str, **options: object) -> object:
        made = right(path, **options)
        for node in made.model.graph.node:
            if node.op_type == "SkipLayerNormalization":
                node.attribute[0].f = 1.0
        return made

    monkeypatch.setattr(optimizer, "optimize_model", wrong)
    said: list[str] = []
    folder = ensure_exported(find(str(classifier)), tmp_path, note=said.append, offline=True)
    report = json.loads((folder / "rerank.json").read_text())["report"]
    assert report["fused"] == {} and report["difference"] < 1e-5
    assert any("unfused: fused, it differs from PyTorch" in line for line in said)


def test_other_weights_are_another_export(classifier: Path, cache: Path, tmp_path: Path) -> None:
    first = ensure_exported(find(str(classifier)), cache, note=lambda _: None, offline=True)
    copy = shutil.copytree(classifier, tmp_path / "copy")
    same = ensure_exported(find(str(copy)), cache, note=pytest.fail, offline=True)
    assert same == first
    weights = bytearray((copy / "model.safetensors").read_bytes())
    weights[-1] ^= 1
    (copy / "model.safetensors").write_bytes(weights)
    assert ensure_exported(find(str(copy)), cache, note=lambda _: None, offline=True) != first


def test_a_checkpoint_that_is_saved_anew_while_it_is_exported_is_an_error(
    classifier: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = shutil.copytree(classifier, tmp_path / "copy")

    def saved_meanwhile(*_: object, **__: object) -> Agreement:
        (copy / "config.json").write_text((copy / "config.json").read_text() + "\n")
        return Agreement(0.0, 0.0, 1.0, 1)

    monkeypatch.setattr(export, "write_export", saved_meanwhile)
    with pytest.raises(WorkFailed, match="has changed while it was exported"):
        ensure_exported(find(str(copy)), tmp_path / "cache", note=lambda _: None, offline=True)
    assert not any(path.is_dir() for path in (tmp_path / "cache/onnx").iterdir())


def test_a_length_without_positions_is_refused_before_the_export(classifier: Path, tmp_path: Path) -> None:
    with pytest.raises(WrongUsage, match="64 positions"):
        ensure_exported(find(str(classifier)), tmp_path, note=pytest.fail, offline=True, max_length=65)


def test_folders_are_replaced_whole_or_not_at_all(tmp_path: Path) -> None:
    target = tmp_path / "out"

    def build(text: str, fail: bool = False) -> None:
        def write(folder: Path) -> None:
            (folder / "rerank.json").write_text(text)
            if fail:
                raise WorkFailed("no")

        write_folder(target, write)

    build("first")
    build("second")
    assert (target / "rerank.json").read_text() == "second"
    with pytest.raises(WorkFailed):
        build("third", fail=True)
    assert (target / "rerank.json").read_text() == "second"
    assert [path.name for path in tmp_path.iterdir()] == ["out"], "nothing is left beside it"


def test_a_folder_that_no_export_wrote_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(WrongUsage, match="other files"):
        write_folder(tmp_path, pytest.fail)
    with pytest.raises(WrongUsage, match="not a folder"):
        write_folder(tmp_path / "thesis.tex", pytest.fail)
    assert (tmp_path / "thesis.tex").read_text() == "years of work"


def test_kendall_is_scipys() -> None:
    from scipy.stats import kendalltau

    rng = np.random.default_rng(0)
    for _ in range(20):
        a, b = rng.integers(0, 5, (2, 9)).astype(float)
        assert kendall(a, b) == pytest.approx(kendalltau(a, b).statistic)
    assert kendall(np.ones(3), np.ones(3)) == 1.0


def test_agreement_sees_one_wrong_score() -> None:
    wanted = np.arange(len(sample()), dtype=float)
    got = wanted.copy()
    got[3] += 0.5
    assert agreement(wanted, got).difference == 0.5 and agreement(wanted, got).tau == 1.0
    got[3] = np.nan
    assert not acceptable(agreement(wanted, got))
    assert not acceptable(Agreement(2e-4, 1.0, 0.5, 48))
    assert acceptable(Agreement(2e-4, 1.0, 10.0, 48))
