"""LoRA adapters against their definition, computed unmerged: every layer's answer plus s·B(Ax), one pair at a time."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny_causal
import torch
import transformers
from safetensors.torch import load_file, save_file

from rerank_cli.core.protocols import Pair
from rerank_cli.errors import BadData, Missing, WrongUsage
from rerank_cli.export import ensure_exported
from rerank_cli.methods import load, load_torch
from rerank_cli.methods.catalog import find
from rerank_cli.methods.source import open_source
from rerank_cli.methods.torch_model import load_model

PAIRS = [
    Pair("how do bees", "bees see light"),
    Pair("how do bees", "a longer text of light, home and bees"),
    Pair("a", "b"),
]
#: Layers of a Llama that are adapted, with their ranks.
LAYERS = {"model.layers.0.self_attn.q_proj": 3, "model.layers.1.self_attn.v_proj": 2, "model.layers.1.mlp.down_proj": 3}
ALPHA = 5.0


def quiet(_: str) -> None:
    """Notes are for other tests."""


def adapter_of(
    base: Path,
    folder: Path,
    layers: dict[str, int] = LAYERS,
    *,
    head: bool = True,
    binary: bool = False,
    **settings: Any,
) -> Path:
    """Save a random adapter of `base` in peft's layout."""
    folder.mkdir()
    model = transformers.AutoModelForCausalLM.from_pretrained(base)
    draw = torch.Generator().manual_seed(1)
    weights = {}
    for layer, rank in layers.items():
        module = model.get_submodule(layer)
        outputs, inputs = module.weight.shape if isinstance(module, torch.nn.Linear) else module.weight.T.shape
        weights[f"base_model.model.{layer}.lora_A.weight"] = torch.randn(rank, inputs, generator=draw)
        weights[f"base_model.model.{layer}.lora_B.weight"] = torch.randn(outputs, rank, generator=draw) / 4
    if head:
        weights["base_model.model.score.weight"] = torch.randn(1, 32, generator=draw)
    if binary:
        torch.save(weights, folder / "adapter_model.bin")
    else:
        save_file(weights, folder / "adapter_model.safetensors")
    told = {
        "peft_type": "LORA",
        "task_type": "SEQ_CLS" if head else "CAUSAL_LM",
        "base_model_name_or_path": str(base),
        "r": 3,
        "lora_alpha": ALPHA,
        "fan_in_fan_out": False,
        "init_lora_weights": True,
        "megatron_core": "megatron.core",
        "use_dora": False,
    }
    (folder / "adapter_config.json").write_text(json.dumps(told | settings))
    return folder


def unmerged(model: Any, folder: Path, scale: Callable[[str, int], float]) -> Any:
    """`model` whose adapted layers add s·B(Ax) to what they answer."""
    binary = folder / "adapter_model.bin"
    weights = torch.load(binary) if binary.is_file() else load_file(binary.with_suffix(".safetensors"))
    for key, a in weights.items():
        if "lora_A" not in key:
            continue
        layer = key.removeprefix("base_model.model.").removesuffix(".lora_A.weight")
        b = weights[key.replace("lora_A", "lora_B")]

        def added(
            module: Any, inputs: Any, output: Any, a: Any = a, b: Any = b, s: float = scale(layer, len(a))
        ) -> Any:
            return output + s * (inputs[0] @ a.T) @ b.T

        model.get_submodule(layer).register_forward_hook(added)
    if "base_model.model.score.weight" in weights:
        model.score.weight.data.copy_(weights["base_model.model.score.weight"])
    return model.eval()


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_causal.causal(tmp_path_factory.mktemp("adapters") / "base", "llama", pad=False)


@pytest.mark.parametrize(
    ("settings", "scale"),
    [
        ({}, lambda layer, rank: ALPHA / rank),
        ({"use_rslora": True, "binary": True}, lambda layer, rank: ALPHA / rank**0.5),
        (
            {"rank_pattern": {"v_proj": 2}, "alpha_pattern": {"layers.1.mlp.down_proj": 11.0}},
            lambda layer, rank: (11.0 if "down" in layer else ALPHA) / rank,
        ),
    ],
)
def test_an_adapted_classifier_scores_as_the_unmerged_one(
    base: Path, tmp_path: Path, settings: dict[str, Any], scale: Any
) -> None:
    folder = adapter_of(base, tmp_path / "adapter", **settings)
    checkpoint = find(str(folder))
    assert checkpoint.method == "cross-encoder"
    said: list[str] = []
    scorer = load_torch(checkpoint, device="cpu", threads=1, note=said.append)
    assert f"{folder} is an adapter: it is added to the weights of {base}" in said
    exported = load(
        ensure_exported(checkpoint, tmp_path / "cache", note=quiet, offline=True), device="cpu", threads=1, note=quiet
    )
    model = transformers.AutoModelForSequenceClassification.from_pretrained(base, num_labels=1)
    model = unmerged(model, folder, scale)
    plain = transformers.AutoModelForSequenceClassification.from_pretrained(base, num_labels=1).eval()
    plain.score.weight.data.copy_(model.score.weight)
    tokenizer = scorer.tokenizer
    wanted, without = [], []
    for pair in PAIRS:
        ids = torch.tensor([tokenizer.encode(pair.query, pair.document).ids])
        with torch.inference_mode():
            wanted.append(model(input_ids=ids).logits.item())
            without.append(plain(input_ids=ids).logits.item())
    assert np.abs(np.subtract(wanted, without)).min() > 0.01  # the adapter does something
    np.testing.assert_allclose(scorer.score(PAIRS).values, wanted, atol=1e-4)
    np.testing.assert_allclose(exported.score(PAIRS).values, wanted, atol=1e-4)


def test_layers_kept_the_other_way_round(tmp_path: Path) -> None:
    config = transformers.GPT2Config(vocab_size=50, n_embd=32, n_layer=1, n_head=2, n_positions=64)
    torch.manual_seed(0)
    transformers.GPT2LMHeadModel(config).save_pretrained(tmp_path / "base")
    layers = {"transformer.h.0.attn.c_attn": 3, "transformer.h.0.mlp.c_proj": 3, "transformer.h.0.attn.c_proj": 2}
    folder = adapter_of(tmp_path / "base", tmp_path / "adapter", layers, head=False, fan_in_fan_out=True)
    source = open_source(
        find(str(folder), method="upr"), cache_dir=None, offline=True, trust_remote_code=False, note=quiet
    )
    merged = load_model(source, "AutoModelForCausalLM", may_lack=())
    model = unmerged(
        transformers.AutoModelForCausalLM.from_pretrained(tmp_path / "base"), folder, lambda _, rank: ALPHA / rank
    )
    ids = torch.tensor([[5, 9, 12, 7]])
    with torch.inference_mode():
        torch.testing.assert_close(merged(ids).logits, model(ids).logits, atol=1e-4, rtol=0)


def test_the_hash_is_of_both(base: Path, tmp_path: Path) -> None:
    def hashed(folder: Path) -> str:
        how: dict[str, Any] = {"cache_dir": None, "offline": True, "trust_remote_code": False, "note": quiet}
        return open_source(find(str(folder)), **how).source_hash

    one, two = adapter_of(base, tmp_path / "one"), adapter_of(base, tmp_path / "two", lora_alpha=6)
    other = tiny_causal.causal(tmp_path / "base", "llama", pad=False, longest=256)
    three = adapter_of(other, tmp_path / "three", base_model_name_or_path=str(base))
    before = hashed(three)
    (three / "adapter_config.json").write_text(
        (three / "adapter_config.json").read_text().replace(str(base), str(other))
    )
    assert len({hashed(one), hashed(two), before, hashed(three)}) == 3  # one and three are of the same files at first
    assert hashed(one) == before


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"use_dora": True}, "use_dora = True"),
        ({"init_lora_weights": "pissa"}, "init_lora_weights = pissa"),
        ({"alora_invocation_tokens": [5]}, "alora_invocation_tokens"),
        ({"peft_type": "IA3"}, "peft_type = IA3"),
        ({"base_model_name_or_path": ""}, "does not name its base"),
    ],
)
def test_what_is_not_plain_lora_is_refused(base: Path, tmp_path: Path, settings: dict[str, Any], said: str) -> None:
    folder = adapter_of(base, tmp_path / "adapter", **settings)
    with pytest.raises(BadData, match=said):
        load_torch(find(str(folder)), device="cpu", threads=1, note=quiet)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("embed_tokens.lora_A.weight", "embed_tokens.lora_embedding_A", "lora_embedding_A, which have no place in"),
        ("layers.0.self_attn.q_proj.lora_A", "layers.7.self_attn.q_proj.lora_A", "layers.7.*no place in"),
        ("layers.0.self_attn.q_proj.lora_B", "layers.0.self_attn.q_proj.lora_C", "lora_A.weight, which have no place"),
        (
            "layers.0.self_attn.q_proj",
            "layers.0.self_attn.k_proj",
            r"k_proj.weight of \(32, 32\), and .* of \(16, 32\)",
        ),
        ("nothing", "nothing", "lm_head.weight, which .* uses in two places"),
    ],
)
def test_weights_without_a_place_of_their_own(base: Path, tmp_path: Path, old: str, new: str, said: str) -> None:
    tied = old == "nothing"
    if tied:
        base = tiny_causal.causal(tmp_path / "base", "qwen3")
    layers = {"lm_head": 2} if tied else LAYERS | {"model.embed_tokens": 2}
    folder = adapter_of(base, tmp_path / "adapter", layers, head=not tied)
    path = folder / "adapter_model.safetensors"
    weights = {key: tensor for key, tensor in load_file(path).items() if old.startswith("embed") or "embed" not in key}
    save_file({key.replace(old, new): tensor for key, tensor in weights.items()}, path)
    with pytest.raises(BadData, match=said):
        load_torch(find(str(folder), method="yes-no" if tied else None), device="cpu", threads=1, note=quiet)


def test_an_adapter_that_does_not_tell_how_it_reranks(base: Path, tmp_path: Path) -> None:
    with pytest.raises(
        WrongUsage, match="is an adapter of a ForCausalLM, and its configuration does not tell"
    ) as caught:
        find(str(adapter_of(base, tmp_path / "adapter", head=False)))
    assert "--method yes-no" in caught.value.hint


@pytest.mark.parametrize("place", ["nobody/nothing-here", "/nowhere/llama"])
def test_a_base_that_is_not_here_is_named_with_its_adapter(base: Path, tmp_path: Path, place: str) -> None:
    folder = adapter_of(base, tmp_path / "adapter", base_model_name_or_path=place)
    with pytest.raises(Missing, match=f"adapter is an adapter of {place}: ") as caught:
        load_torch(find(str(folder)), device="cpu", threads=1, offline=True, note=quiet)
    assert caught.value.exit_code == 4 and caught.value.hint
