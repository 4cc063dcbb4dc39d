"""Late interaction: parity with sentence-transformers' own encoder for both kinds of checkpoints, and exact masks."""

from __future__ import annotations

import json
import string
from pathlib import Path

import numpy as np
import pytest
import tiny_models

from rerank_cli.core.protocols import Pair
from rerank_cli.errors import BadData
from rerank_cli.export import ensure_exported
from rerank_cli.methods import LoadedScorer, load, load_torch
from rerank_cli.methods.catalog import find
from rerank_cli.methods.vectors import best_matches

PAIRS = [
    Pair(query, document)
    for query in ("what is the price of copper", "lighthouse", "how do bees find their way home " * 8)
    for document in (
        "copper in a mine.",
        "glass: rings turn a small flame into a beam. that ships see far away!",
        "",
        ". , : !",
        "bees find their way home " * 30,
    )
]


def encoder(folder: Path) -> None:
    """A tiny BERT whose tokenizer names its mask, as real ones do."""
    tiny_models.bert_like(folder, "bert", None)
    place = folder / "tokenizer_config.json"
    place.write_text(json.dumps(json.loads(place.read_text()) | {"mask_token": "[MASK]"}))


def stanford(folder: Path, **settings: object) -> Path:
    """A tiny checkpoint as Stanford's ColBERT saves it: the projection among the encoder's weights."""
    import torch
    from safetensors.torch import load_file, save_file

    encoder(folder)
    torch.manual_seed(3)
    state = {f"bert.{name}": weight for name, weight in load_file(folder / "model.safetensors").items()}
    save_file(state | {"linear.weight": torch.randn(16, 32)}, folder / "model.safetensors", metadata={"format": "pt"})
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"architectures": ["HF_ColBERT"]}))
    metadata = {"query_token_id": "lake", "doc_token_id": "deep", "query_maxlen": 16, "doc_maxlen": 40}
    (folder / "artifact.metadata").write_text(json.dumps(metadata | {"mask_punctuation": True} | settings))
    return folder


def pylate(folder: Path) -> Path:
    """A tiny checkpoint as PyLate saves it: a dense module, settings in one file."""
    import torch
    from safetensors.torch import save_file

    encoder(folder)
    torch.manual_seed(4)
    dense = folder / "1_Dense"
    dense.mkdir()
    save_file({"linear.weight": torch.randn(12, 32)}, dense / "model.safetensors")
    about = {
        "in_features": 32,
        "out_features": 12,
        "bias": False,
        "activation_function": "torch.nn.modules.linear.Identity",
    }
    (dense / "config.json").write_text(json.dumps(about))
    kinds = ("sentence_transformers.models.Transformer", "pylate.models.Dense.Dense")
    modules = [{"idx": i, "name": str(i), "path": ("", "1_Dense")[i], "type": kind} for i, kind in enumerate(kinds)]
    (folder / "modules.json").write_text(json.dumps(modules))
    (folder / "sentence_bert_config.json").write_text(json.dumps({"max_seq_length": 63, "do_lower_case": False}))
    own = {
        "model_type": "ColBERT",
        "query_prefix": "lake ",
        "document_prefix": "deep ",
        "query_length": 12,
        "document_length": 30,
        "attend_to_expansion_tokens": True,
        "skiplist_words": [".", ":"],
    }
    (folder / "config_sentence_transformers.json").write_text(json.dumps(own))
    return folder


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    place = tmp_path_factory.mktemp("late")
    return {"stanford": stanford(place / "stanford"), "pylate": pylate(place / "pylate")}


def opened(folder: Path, engine: str = "onnx", batch_tokens: int | None = None) -> LoadedScorer:
    if engine == "torch":
        return load_torch(find(str(folder)), threads=1, note=lambda _: None, batch_tokens=batch_tokens)
    exported = ensure_exported(find(str(folder)), folder.parent / "cache", note=lambda _: None, offline=True)
    return load(exported, threads=1, note=pytest.fail, batch_tokens=batch_tokens)


def by_hand(folder: Path, pair: Pair) -> float:
    """One pair, no batch, no padding, token ids put together here."""
    import torch
    from safetensors.torch import load_file
    from transformers import AutoModel, AutoTokenizer

    kind = folder.name
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModel.from_pretrained(folder).eval()
    place = folder / "1_Dense" if kind == "pylate" else folder
    weight = load_file(place / "model.safetensors")["linear.weight"]
    query_length, document_length, attend, skipped = {
        "stanford": (16, 40, False, list(string.punctuation)),
        "pylate": (12, 30, True, [".", ":"]),
    }[kind]

    def ids(text: str, marker: str, length: int) -> list[int]:
        own = tokenizer(text, add_special_tokens=False)["input_ids"][: length - 3]
        return tokenizer.convert_tokens_to_ids(["[CLS]", marker]) + own + [tokenizer.convert_tokens_to_ids("[SEP]")]

    def vectors(tokens: list[int], seen: int) -> torch.Tensor:
        mask = torch.tensor([[1] * seen + [0] * (len(tokens) - seen)])
        states = model(input_ids=torch.tensor([tokens]), attention_mask=mask).last_hidden_state[0]
        return torch.nn.functional.normalize(states @ weight.T, dim=-1)

    with torch.inference_mode():
        real = ids(pair.query, "lake", query_length)
        filled = real + [tokenizer.convert_tokens_to_ids("[MASK]")] * (query_length - len(real))
        query = vectors(filled, query_length if attend else len(real))
        document = ids(pair.document, "deep", document_length)
        bad = {tokenizer.get_vocab().get(word) for word in skipped}
        kept = vectors(document, len(document))[[number not in bad for number in document]]
        return float((query @ kept.T).max(dim=1).values.sum())


@pytest.mark.parametrize("engine", ["onnx", "torch"])
@pytest.mark.parametrize("kind", ["stanford", "pylate"])
def test_scores_are_those_of_one_pair_at_a_time(folders: dict[str, Path], kind: str, engine: str) -> None:
    scores = opened(folders[kind], engine).score(PAIRS)
    wanted = [by_hand(folders[kind], pair) for pair in PAIRS]
    assert np.abs(scores.values - wanted).max() < 1e-4
    assert np.ptp(wanted) > 0.1
    assert scores.truncated.tolist() == ([False] * 4 + [True]) * 2 + [True] * 5


@pytest.mark.parametrize("kind", ["stanford", "pylate"])
def test_scores_are_those_of_sentence_transformers(folders: dict[str, Path], kind: str) -> None:
    from sentence_transformers import MultiVectorEncoder

    theirs = MultiVectorEncoder(str(folders[kind]), device="cpu")
    scores = opened(folders[kind]).score(PAIRS)
    queries = theirs.encode_query([pair.query for pair in PAIRS], normalize_embeddings=True)
    documents = theirs.encode_document([pair.document for pair in PAIRS], normalize_embeddings=True)
    wanted = [float((q @ d.T).max(dim=1).values.sum()) for q, d in zip(queries, documents, strict=True)]
    assert np.abs(scores.values - wanted).max() < 1e-4


def test_a_batch_scores_as_its_pairs_do_alone_and_in_any_order(folders: dict[str, Path]) -> None:
    scorer = opened(folders["stanford"], batch_tokens=4096)
    whole = scorer.score(PAIRS).values
    alone = [opened(folders["stanford"], batch_tokens=1).score([pair]).values[0] for pair in PAIRS]
    assert np.abs(whole - alone).max() < 1e-5
    backwards = opened(folders["stanford"], batch_tokens=4096).score(PAIRS[::-1]).values[::-1]
    assert np.abs(whole - backwards).max() < 1e-5


def test_a_document_that_comes_again_costs_no_call(folders: dict[str, Path]) -> None:
    scorer = opened(folders["pylate"])
    first, second = scorer.score(PAIRS), scorer.score(PAIRS)
    assert first.calls > 0
    assert second.calls == 0
    assert (first.values == second.values).all()


def test_a_marker_outside_the_vocabulary_is_refused(tmp_path: Path) -> None:
    folder = stanford(tmp_path / "stanford", query_token_id="[unused0]")
    with pytest.raises(BadData, match=r"'\[unused0\]', which is no token"):
        ensure_exported(find(str(folder)), tmp_path / "cache", note=lambda _: None, offline=True)


def test_a_match_below_zero_is_not_beaten_by_a_neighbours_padding() -> None:
    query = np.array([[1.0, 0.0]], np.float32)
    documents = [np.array([[-1.0, 0.0], [-0.5, 0.5]], np.float32), np.array([[0.2, 0.0]] * 5, np.float32)]
    assert best_matches(query, documents).tolist() == [[-0.5], [pytest.approx(0.2)]]


def test_best_matches_in_blocks_are_those_of_each_document() -> None:
    random = np.random.default_rng(0)
    query = random.normal(size=(7, 5)).astype(np.float32)
    documents = [random.normal(size=(size, 5)).astype(np.float32) for size in (1, 9_000, 9_000, 20_000, 3)]
    wanted = [(query @ document.T).max(axis=1) for document in documents]
    assert np.abs(best_matches(query, documents) - np.array(wanted)).max() < 1e-5
