"""One graph for a model however its prompt is worded, and never the graph of other words, rows or inputs."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import tiny_causal
import tiny_labels
import tiny_models
import tiny_t5

from rerank_cli.core.protocols import Pair
from rerank_cli.export import ensure_exported, record_of
from rerank_cli.export.reduced import ensure_reduced
from rerank_cli.methods import load
from rerank_cli.methods.catalog import find
from rerank_cli.methods.checkpoint import Checkpoint
from rerank_cli.methods.exported import of_graph, read_record, write_record
from rerank_cli.methods.source import open_source

PAIRS = [Pair("copper", "a mine"), Pair("bees", "find their way home"), Pair("copper", "a deep lake")]
TEMPLATES = ({"template": "Query: {query} Text: {document}"}, {"template": "Is {query} in this? {document} Answer:"})
#: Method -> the folder it is tried with, what is put to the model in two prompts, and what makes another graph.
FAMILIES: dict[str, tuple[str, tuple[dict[str, Any], ...], tuple[dict[str, Any], ...]]] = {
    "monot5": (
        "t5",
        TEMPLATES,
        ({"words": ("▁true", "▁false")}, {"words": ("▁true", "▁1")}, {"score": "margin"}, {"max_length": 64}),
    ),
    "rankt5": ("t5", TEMPLATES, ({"words": ("▁true",)}, {"words": ("▁1",)})),
    "setwise": ("letters", ({}, {"template": "Which of {documents} is about {query}?"}), ()),
    "yes-no": (
        "causal",
        (*TEMPLATES, {**TEMPLATES[0], "instruction": "Judge it."}),
        ({"words": ("yes", "no")}, {"words": ("0", "1")}, {"score": "margin"}),
    ),
    "graded": ("causal", TEMPLATES, ({"words": ("0", "1", "2")}, {"words": ("2", "1", "0")})),
    "upr": ("gpt2", ({}, {"template": "{document} Ask:{scored}{query}"}), ()),
    "qlm": ("t5", ({}, {"template": "{document} Ask:{scored}{query}"}), ()),
    "coder-reviewer": ("gpt2", ({},), ({"template": "{document} Ask:{scored}{query}"},)),
    "cross-encoder": ("bert", TEMPLATES, ({"score": "margin"},)),
}
KINDS: dict[str, Callable[[Path], Any]] = {
    "t5": lambda folder: tiny_t5.ranking_t5(folder, "flan"),
    "letters": lambda folder: tiny_labels.save(folder, "flan"),
    "gpt2": lambda folder: tiny_t5.causal(folder, "gpt2"),
    "causal": lambda folder: tiny_causal.causal(folder, "qwen2"),
    "bert": lambda folder: tiny_models.bert_like(folder, "bert", 2),
}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shared")
    for kind, build in KINDS.items():
        build(folder / kind)
    return folder


def asked(place: Path, method: str, told: dict[str, Any]) -> Checkpoint:
    return replace(find(str(place / FAMILIES[method][0]), method=method), **told)


def exported(checkpoint: Checkpoint, cache: Path, note: Callable[[str], None] = lambda _: None, **how: Any) -> Path:
    return ensure_exported(checkpoint, cache, note=note, offline=True, **how)


def hash_of(checkpoint: Checkpoint, *, fuses: bool = True) -> str:
    source = open_source(checkpoint, cache_dir=None, offline=True, trust_remote_code=False, note=lambda _: None)
    return record_of(source, fuses=fuses).graph_hash


@pytest.mark.parametrize("method", FAMILIES)
def test_prompts_share_a_graph_and_words_that_choose_rows_do_not(method: str, place: Path) -> None:
    _, prompts, others = FAMILIES[method]
    of_prompts = {hash_of(asked(place, method, told)) for told in prompts}
    of_others = [hash_of(asked(place, method, prompts[0] | told)) for told in others]
    assert len(of_prompts) == 1
    assert not of_prompts & set(of_others) and len(set(of_others)) == len(of_others)
    assert hash_of(asked(place, method, prompts[0]), fuses=False) not in of_prompts


def test_other_weights_have_another_graph(place: Path, tmp_path: Path) -> None:
    (one, *_) = TEMPLATES
    before = hash_of(asked(place, "cross-encoder", one))
    tiny_models.bert_like(tmp_path / "bert", "bert", 2, num_attention_heads=2)
    assert hash_of(asked(tmp_path, "cross-encoder", one)) != before


@pytest.mark.parametrize("method", ["monot5", "yes-no", "upr", "cross-encoder"])
def test_a_second_prompt_takes_the_first_ones_graph_and_scores_as_if_it_had_its_own(
    method: str, place: Path, tmp_path: Path
) -> None:
    _, (first, second, *_), _ = FAMILIES[method]
    said: list[str] = []
    one = exported(asked(place, method, first), tmp_path / "cache")
    two = exported(asked(place, method, second), tmp_path / "cache", said.append)
    own = exported(asked(place, method, second), tmp_path / "another")
    assert one != two and (one / "model.onnx").samefile(two / "model.onnx")
    assert [text for text in said if "exporting" in text] == [] and any("graph already" in text for text in said)
    assert (one / "model.onnx").read_bytes() == (own / "model.onnx").read_bytes()
    scorers = [load(folder, threads=1, note=lambda _: None) for folder in (one, two, own)]
    by_first, by_second, alone = (scorer.score(PAIRS).values.tolist() for scorer in scorers)
    assert by_second == alone != by_first
    assert scorers[0].description.model_hash != scorers[1].description.model_hash == scorers[2].description.model_hash
    shutil.rmtree(one)
    assert load(two, threads=1, note=lambda _: None).score(PAIRS).values.tolist() == alone


def test_other_words_and_other_precisions_lend_nothing(place: Path, tmp_path: Path) -> None:
    (first, second) = TEMPLATES
    exact = exported(asked(place, "monot5", first), tmp_path)
    words = exported(asked(place, "monot5", first | {"words": ("▁true", "▁false")}), tmp_path)
    assert not (exact / "model.onnx").samefile(words / "model.onnx")
    values = [load(folder, threads=1, note=lambda _: None).score(PAIRS).values for folder in (exact, words)]
    assert abs(values[0] - values[1]).max() > 1e-4
    reduced = ensure_reduced(exact, "int8", tmp_path, lists=lambda: [PAIRS[:1]], threads=1, note=lambda _: None)
    shutil.rmtree(exact)
    assert read_record(reduced).graph_hash == ""
    said: list[str] = []
    exported(asked(place, "monot5", second), tmp_path, said.append)
    assert any("exporting" in text for text in said)


def test_what_is_half_removed_or_older_is_passed_over(place: Path, tmp_path: Path) -> None:
    first, second = TEMPLATES
    one = exported(asked(place, "cross-encoder", first), tmp_path)
    (one / "tokenizer.json").unlink()
    said: list[str] = []
    two = exported(asked(place, "cross-encoder", second), tmp_path, said.append)
    assert any("exporting" in text for text in said)
    write_record(two, replace(read_record(two), graph_hash=""))
    said.clear()
    exported(asked(place, "cross-encoder", {"template": "{query} {document}"}), tmp_path, said.append)
    assert any("exporting" in text for text in said)


def test_a_graph_is_made_without_the_prompt(place: Path, tmp_path: Path) -> None:
    record = read_record(exported(asked(place, "yes-no", FAMILIES["yes-no"][1][2]), tmp_path))
    assert record.template and record.params["instruction"] == "Judge it."
    bare = of_graph(record)
    assert not bare.template and not {"instruction", "instruction_as"} & set(bare.params)
