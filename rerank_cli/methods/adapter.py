"""LoRA adapters: a fine-tuning kept as two thin matrices a layer, added to its base model's weights when those are loaded.

W + s·BA is all there is to it, so it is done here and not by peft, which would do the same sum. From then on the model is
an ordinary one: exported, asked and cached like any other, and no slower than its base. What is more than plain LoRA changes
the sum (DoRA, PiSSA) or cannot be added once for all (aLoRA); a setting that is not known to be harmless is refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from rerank_cli.errors import BadData, Missing
from rerank_cli.methods.checkpoint import looks_like_path
from rerank_cli.methods.detect import ADAPTER, read_json

_WEIGHTS = ("adapter_model.safetensors", "adapter_model.bin")
#: Where peft's names begin, and what it writes into the name of a layer that was trained whole.
_PREFIX, _WHOLE = "base_model.model.", ".modules_to_save"
_A, _B = ".lora_A.weight", ".lora_B.weight"
#: A classifier's last layer, by the model's build.
_HEADS = ("score.weight", "classifier.weight", "classifier.out_proj.weight")
#: What the sum does not depend on, or is read here.
_HARMLESS = (
    "peft_type task_type base_model_name_or_path revision inference_mode auto_mapping peft_version "
    "r lora_alpha rank_pattern alpha_pattern use_rslora lora_dropout bias fan_in_fan_out "
    "target_modules exclude_modules modules_to_save layers_to_transform layers_pattern init_lora_weights "
    "megatron_core qalora_group_size"
)
#: Beginnings that leave the base's weights as they are; others (pissa, olora, loftq) take from them what the adapter holds.
_BEGINNINGS = (True, False, "gaussian", "eva")
_MERGED = "merge the two with peft (merge_and_unload), save model and tokenizer, and name that folder"


@dataclass(frozen=True)
class Adapter:
    """The adapter in `folder`, called `name` by the user; `settings` is its adapter_config.json."""

    name: str
    folder: Path
    settings: dict[str, Any]

    @property
    def base(self) -> str:
        """The model that it was trained on: a Hugging Face id or a path; raises `BadData` when it names none."""
        base = self.settings.get("base_model_name_or_path")
        if not base:
            raise BadData(
                f"{self.name} is an adapter and does not name its base model", where=str(self.folder / ADAPTER)
            )
        return str(base)

    @cached_property
    def weights(self) -> dict[str, Any]:
        """Name, as the model has it, -> tensor: pairs `LAYER.lora_A.weight`, `LAYER.lora_B.weight`, and whole weights."""
        path = next(self.folder / name for name in _WEIGHTS if (self.folder / name).is_file())
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            loaded = load_file(path)
        else:
            import torch

            loaded = torch.load(path, map_location="cpu", weights_only=True)
        return {key.removeprefix(_PREFIX).replace(_WHOLE, ""): tensor for key, tensor in loaded.items()}

    @property
    def labels(self) -> int | None:
        """The number of labels of the classification head that it brings; None when it brings none."""
        return next((len(self.weights[head]) for head in _HEADS if head in self.weights), None)

    def scale(self, layer: str, rank: int) -> float:
        """What BA is multiplied with in `layer`."""
        patterns: dict[str, float] = self.settings.get("alpha_pattern") or {}
        own = (alpha for key, alpha in patterns.items() if re.match(rf"(.*\.)?({key})$", layer))
        alpha = float(next(own, self.settings["lora_alpha"]))
        return alpha / (rank**0.5 if self.settings.get("use_rslora") else rank)

    def configured(self, config: dict[str, Any]) -> dict[str, Any]:
        """The base's config.json as it is with the adapter: a classifier of the adapter's labels where it brings a head."""
        if self.labels is None:
            return config
        kind = str((config.get("architectures") or ["Base"])[0]).partition("For")[0].removesuffix("Model")
        return config | {
            "architectures": [f"{kind}ForSequenceClassification"],
            "id2label": {str(at): f"LABEL_{at}" for at in range(self.labels)},
        }


def adapter_in(folder: Path, name: str) -> Adapter | None:
    """The adapter that `folder` holds, None when it holds a model's own weights; raises `BadData` for one that is not plain LoRA."""
    from rerank_cli.methods.weights import weight_files

    own = [path for path in weight_files(folder) if path.name not in _WEIGHTS]
    if own or not any((folder / weights).is_file() for weights in _WEIGHTS):
        return None
    if not (folder / ADAPTER).is_file():
        raise Missing(f"{name}: there is no {ADAPTER} beside the adapter's weights in {folder}")
    settings: dict[str, Any] = read_json(folder / ADAPTER)
    odd = [key for key, value in settings.items() if value and key not in _HARMLESS.split()]
    if settings.get("init_lora_weights", True) not in _BEGINNINGS:
        odd.append("init_lora_weights")
    if settings.get("peft_type") != "LORA":
        odd = ["peft_type"]
    if odd:
        told = ", ".join(f"{key} = {settings.get(key)}" for key in odd)
        raise BadData(
            f"{name} is an adapter that is more than plain LoRA ({told})", _MERGED, where=str(folder / ADAPTER)
        )
    return Adapter(name, folder, settings)


def base_folder(adapter: Adapter, *, offline: bool, note: Callable[[str], None]) -> Path:
    """The folder of the adapter's base, downloaded once when it is a Hugging Face id; raises `Missing` naming both."""
    from rerank_cli.methods.weights import hub_folder

    base = Path(adapter.base).expanduser()
    try:
        if looks_like_path(adapter.base) or base.is_dir():
            if not (base / "config.json").is_file():
                raise Missing(f"there is no model in {base}", f"say where it is in {adapter.folder / ADAPTER}")
            folder = base
        else:
            revision = adapter.settings.get("revision")
            folder = hub_folder(
                adapter.base, revision, offline=offline, note=note, needs_weights=True, needs=("config.json",)
            )
    except Missing as error:
        raise Missing(f"{adapter.name} is an adapter of {adapter.base}: {error.message}", error.hint) from error
    if adapter_in(folder, adapter.base):
        raise BadData(f"{adapter.name} is an adapter of {adapter.base}, which is one itself", _MERGED)
    note(f"{adapter.name} is an adapter: it is added to the weights of {adapter.base}")
    return folder


def merge(model: Any, adapter: Adapter) -> set[str]:
    """Add the adapter to a transformers model in place; returns the names of the weights that it brought whole.

    Raises `BadData` for weights that have no place in the model. The sum is made in fp32, layer by layer.
    """
    import torch

    own = dict(model.named_parameters(remove_duplicate=False))
    whole = set()
    with torch.no_grad():
        for key, tensor in adapter.weights.items():
            if key.endswith(_B):
                continue
            name = key.removesuffix(_A) + ".weight" if key.endswith(_A) else key
            partner = adapter.weights.get(key.removesuffix(_A) + _B)
            if name not in own or (key.endswith(_A) and partner is None):
                raise BadData(f"{adapter.name} has the weights {key}, which have no place in {adapter.base}", _MERGED)
            weight = own[name]
            if key.endswith(_A):
                made = _product(model, adapter, key.removesuffix(_A), tensor, partner)
                if sum(other is weight for other in own.values()) > 1:
                    raise BadData(f"{adapter.name} changes {name}, which {adapter.base} uses in two places", _MERGED)
            else:
                made = tensor
                whole.add(name)
            if made.shape != weight.shape:
                shapes = f"{tuple(made.shape)}, and {adapter.base} of {tuple(weight.shape)}"
                raise BadData(f"{adapter.name} has {name} of {shapes}", _MERGED)
            weight.copy_(made if name in whole else weight.float() + made)
    return whole


def _product(model: Any, adapter: Adapter, layer: str, a: Any, b: Any) -> Any:
    """s·BA (the layer's shape), float32."""
    product = b.float() @ a.float() * adapter.scale(layer, len(a))
    # GPT-2's layers keep their weights the other way round.
    return product.T if type(model.get_submodule(layer)).__name__ == "Conv1D" else product
