"""What a model's name means, and what is said about one that means nothing."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import tiny_models

from rerank_cli.errors import BadData, Missing, WrongUsage
from rerank_cli.export import ensure_exported
from rerank_cli.methods import load, load_torch, methods
from rerank_cli.methods.catalog import find, known

pytest_plugins = ["tiny_scorers"]

CONTRACT_NAMES = (
    "qwen3-reranker-0.6b",
    "minilm",
    "monot5",
    "monot5-3b",
    "inranker-small",
    "ms-marco-minilm-l6",
    "bge-reranker-v2-m3",
)
SCORES = {"logit", "margin", "logprob", "prob", "grade", "cosine", "dot", "maxsim", "blend", "attention", "rank"}


def test_entries_are_whole() -> None:
    names = [entry.name for entry in known()]
    assert set(CONTRACT_NAMES) <= set(names)
    for entry in known():
        assert entry.name == entry.name.lower() and "_" not in entry.name
        assert entry.method in methods()
        assert entry.score in SCORES
        template = entry.template
        assert template is None or template.count("{query}") == template.count("{document}") == 1
        assert entry.instruction == "" or "{instruction}" in (template or "")
        assert (
            len(entry.words) == 1 if (entry.method, entry.score) == ("yes-no", "logit") else len(entry.words) in (0, 2)
        )
        assert entry.source or entry.prompt or entry.template
    asked = [(entry.source or entry.name, entry.method, str(entry.params)) for entry in known()]
    assert len(set(asked)) == len(asked)


def test_a_listed_id_is_asked_as_its_entry_says() -> None:
    checkpoint = find("unicamp-dl/mt5-base-mmarco-v2@abc123")
    assert (checkpoint.method, checkpoint.words) == ("monot5", ("▁no", "▁yes"))
    assert checkpoint.revision == "abc123"
    assert find("monot5").revision is None


def test_an_id_that_two_methods_use_does_not_tell_which() -> None:
    assert find("google/flan-t5-xl").method == ""
    assert find("google/flan-t5-xl", method="qlm").max_length == 512
    assert find("qlm-xl").method == "qlm"


def test_method_overrides_the_entry() -> None:
    assert find("minilm", method="cross-encoder").method == "cross-encoder"
    assert find("minilm", method="cross-encoder").score == ""


def test_an_unlisted_id_waits_for_its_files() -> None:
    assert find("someone/some-model").method == ""
    assert find("someone/some-model", method="monot5").method == "monot5"


@pytest.mark.parametrize("name", ["minlm", "monot", "ms-marco-minilm"])
def test_a_slip_is_answered_with_close_names(name: str) -> None:
    with pytest.raises(Missing, match="no model is called") as caught:
        find(name)
    assert any(known_name in caught.value.hint for known_name in ("minilm", "monot5"))


def test_a_path_that_is_not_there_is_missing() -> None:
    with pytest.raises(Missing, match=r"\./nowhere: no such folder"):
        find("./nowhere")


def test_a_name_that_is_also_a_model_folder_is_ambiguous(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "minilm").mkdir()
    assert find("minilm").source.startswith("package:"), "a folder of something else is no model"
    for file in ("config.json", "rerank.json", "adapter_config.json"):
        (tmp_path / "minilm" / file).write_text("{}")
        with pytest.raises(WrongUsage, match="also a folder"):
            find("minilm")
        (tmp_path / "minilm" / file).unlink()


def test_a_folder_tells_its_method(tiny: Any) -> None:
    assert find(str(tiny.folder("bert-2"))).method == "cross-encoder"
    assert find(str(tiny.folder("bi-cls"))).method == "bi-encoder"
    with pytest.raises(WrongUsage, match="does not tell") as caught:
        find(str(tiny.folder("t5")))
    assert "--method monot5" in caught.value.hint


def test_a_cross_encoder_of_modules_is_no_bi_encoder(tiny: Any, tmp_path: Path) -> None:
    folder = shutil.copytree(tiny.folder("bi-mean"), tmp_path / "ettin")
    own = folder / "config_sentence_transformers.json"
    own.write_text(json.dumps(json.loads(own.read_text()) | {"model_type": "CrossEncoder"}))
    with pytest.raises(WrongUsage, match="CrossEncoder of sentence-transformers"):
        find(str(folder))


def test_a_copy_of_a_listed_checkpoint_is_known_by_its_name(tiny: Any, tmp_path: Path) -> None:
    shutil.copytree(tiny.folder("t5"), tmp_path / "InRanker-small")
    checkpoint = find(str(tmp_path / "InRanker-small"))
    assert (checkpoint.method, checkpoint.score) == ("monot5", "prob")
    assert checkpoint.source == str(tmp_path / "InRanker-small")


def open_it(checkpoint: Any, tmp_path: Path) -> Any:
    return ensure_exported(checkpoint, tmp_path / "cache", note=lambda _: None, offline=True)


def test_a_folder_without_a_tokenizer(tiny: Any, tmp_path: Path) -> None:
    folder = shutil.copytree(tiny.folder("bert-1"), tmp_path / "model")
    (folder / "tokenizer.json").unlink()
    with pytest.raises(Missing, match="no tokenizer in"):
        open_it(find(str(folder)), tmp_path)
    assert not list((tmp_path / "cache").glob("onnx/*/")), "a failed export leaves nothing"


def test_a_folder_without_weights(tiny: Any, tmp_path: Path) -> None:
    folder = shutil.copytree(tiny.folder("bert-1"), tmp_path / "model")
    (folder / "model.safetensors").unlink()
    with pytest.raises(Missing, match="no weights"):
        open_it(find(str(folder)), tmp_path)


def test_a_vocabulary_without_the_words(tmp_path: Path) -> None:
    folder = tiny_models.t5(tmp_path / "t5", words=("▁yes",))
    with pytest.raises(BadData, match="no piece ▁false and no piece ▁true"):
        open_it(find(str(folder), method="monot5"), tmp_path)


def test_a_checkpoint_without_the_head_is_not_given_a_random_one(tiny: Any, tmp_path: Path) -> None:
    with pytest.raises(BadData, match="no classification head"):
        open_it(find(str(tiny.folder("bi-mean")), method="cross-encoder"), tmp_path)
    folder = shutil.copytree(tiny.folder("bi-mean"), tmp_path / "model")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"architectures": ["BertForSequenceClassification"]}))
    with pytest.raises(BadData, match=r"lacks the weights .*classifier"):
        open_it(find(str(folder), method="cross-encoder"), tmp_path)


def test_an_exported_folder_says_what_it_is(tiny: Any, tmp_path: Path) -> None:
    folder = tiny.exported("bert-1")
    assert find(str(folder)).method == "cross-encoder"
    assert open_it(find(str(folder)), tmp_path) == folder
    with pytest.raises(WrongUsage, match="graph of a cross-encoder, not of a monot5"):
        find(str(folder), method="monot5")
    with pytest.raises(WrongUsage, match="--engine torch cannot run"):
        load(folder, engine="torch", threads=1, note=print)
    with pytest.raises(WrongUsage, match="no PyTorch weights"):
        load_torch(find(str(folder)), threads=1, note=print)


@pytest.mark.parametrize("name", ["model.onnx", "tokenizer.json", "rerank.json"])
def test_an_export_with_a_file_missing_or_broken(tiny: Any, tmp_path: Path, name: str) -> None:
    folder = shutil.copytree(tiny.exported("bert-1"), tmp_path / "export")
    (folder / name).write_text("[] not this")
    with pytest.raises(Exception, match=name) as caught:
        load(folder, threads=1, note=print)
    assert type(caught.value).__module__ == "rerank_cli.errors"
    (folder / name).unlink()
    with pytest.raises(Missing, match=name):
        load(folder, threads=1, note=print)


def test_an_id_that_is_not_here_is_missing_within_seconds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import time

    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    for offline in (True, False):
        began = time.monotonic()
        with pytest.raises(Missing, match="castorini/monot5-base-msmarco is not on this machine") as caught:
            ensure_exported(find("monot5"), tmp_path, note=lambda _: None, offline=offline)
        assert "local folder" in caught.value.hint
        assert time.monotonic() - began < 10
