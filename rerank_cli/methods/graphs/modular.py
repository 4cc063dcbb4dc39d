"""sentence-transformers' modules behind an encoder: pooling, dense layers, norms, in the order of modules.json."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from rerank_cli.errors import BadData

if TYPE_CHECKING:
    from rerank_cli.methods.source import Source

#: sentence-transformers' older switches of 1_Pooling/config.json.
_POOLINGS = {
    "pooling_mode_cls_token": "cls",
    "pooling_mode_max_tokens": "max",
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_mean_sqrt_len_tokens": "mean_sqrt_len_tokens",
    "pooling_mode_weightedmean_tokens": "weightedmean",
    "pooling_mode_lasttoken": "lasttoken",
}


def module_steps(source: Source) -> list[dict[str, Any]]:
    """What follows the encoder, in order: {"pool": [...]}, {"dense": folder, ...}, {"norm": folder}, {"normalize": true},
    {"mask": settings}.

    Empty where there is no modules.json; raises `BadData` for a module that is not supported.
    """
    from rerank_cli.methods.detect import read_json

    listing = source.folder / "modules.json"
    if not listing.is_file():
        return []
    steps: list[dict[str, Any]] = []
    for module in read_json(listing)[1:]:
        kind, path = str(module["type"]).rsplit(".", 1)[-1], module.get("path", "")
        config = read_json(source.folder / path / "config.json") if kind in ("Pooling", "Dense") else {}
        if kind == "Pooling":
            modes = config.get("pooling_mode") or [mode for key, mode in _POOLINGS.items() if config.get(key)] or "mean"
            modes = [modes] if isinstance(modes, str) else list(modes)
            steps.append({"pool": modes, "include_prompt": config.get("include_prompt", True)})
        elif kind == "Dense":
            if config.get("use_residual"):
                raise BadData(f"{source.checkpoint.name} has a dense layer with a residual, which is not supported")
            steps.append(
                {"dense": path, "activation": config.get("activation_function", "torch.nn.modules.activation.Tanh")}
            )
        elif kind == "LayerNorm":
            steps.append({"norm": path})
        elif kind == "Normalize":
            steps.append({"normalize": True})
        elif kind == "MultiVectorMask":
            steps.append({"mask": read_json(source.folder / path / "config.json")})
        elif kind != "Dropout":
            raise BadData(f"{source.checkpoint.name} has a module of type {module['type']}, which is not supported")
    return steps


def after_encoder(steps: list[dict[str, Any]], folder: Path) -> Any:
    """The module (token states (n, L, d), mask (n, L)) -> vectors (n, d') of `steps`; reads their weights from `folder`."""
    import torch

    layers = [
        dense_layer(step, folder) if "dense" in step else _norm(step, folder) if "norm" in step else None
        for step in steps
    ]

    class AfterEncoder(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layers = torch.nn.ModuleList([torch.nn.Identity() if layer is None else layer for layer in layers])

        def forward(self, vectors: Any, mask: Any) -> Any:
            for step, layer in zip(steps, self.layers):
                if "pool" in step:
                    vectors = _pooled(vectors, mask, step["pool"])
                elif "normalize" in step:
                    vectors = torch.nn.functional.normalize(vectors, dim=-1)
                else:
                    vectors = layer(vectors)
            return vectors

    return AfterEncoder()


def _pooled(states: Any, mask: Any, modes: list[str]) -> Any:
    """One vector a row from token states (n, L, d) and mask (n, L), by sentence-transformers' names."""
    import torch

    weights = mask.unsqueeze(-1).to(states.dtype)
    count = weights.sum(1).clamp(min=1e-9)
    out = []
    for mode in modes:
        if mode == "cls":
            out.append(states[:, 0])
        elif mode == "max":
            out.append(states.masked_fill(weights == 0, torch.finfo(states.dtype).min).max(1).values)
        elif mode == "mean":
            out.append((states * weights).sum(1) / count)
        elif mode == "mean_sqrt_len_tokens":
            out.append((states * weights).sum(1) / count.sqrt())
        elif mode == "weightedmean":
            places = weights * torch.cumsum(weights, dim=1)
            out.append((states * places).sum(1) / places.sum(1).clamp(min=1e-9))
        elif mode == "lasttoken":
            last = (mask.sum(1) - 1).view(-1, 1, 1).expand(-1, 1, states.shape[-1])
            out.append(states.gather(1, last).squeeze(1))
        else:
            raise BadData(f"the pooling {mode!r} is not supported")
    return torch.cat(out, dim=-1)


def dense_layer(step: dict[str, Any], folder: Path) -> Any:
    """A Dense module: a linear layer and its activation."""
    import torch

    place = folder / step["dense"]
    state = _weights(place)
    weight, bias = state["linear.weight"].float(), state.get("linear.bias")
    linear = torch.nn.Linear(weight.shape[1], weight.shape[0], bias=bias is not None)
    linear.load_state_dict({"weight": weight} if bias is None else {"weight": weight, "bias": bias})
    activation = getattr(torch.nn, str(step["activation"]).rsplit(".", 1)[-1], None)
    if activation is None:
        raise BadData(f"the activation {step['activation']} of {place} is not supported")
    return torch.nn.Sequential(linear, activation())


def _norm(step: dict[str, Any], folder: Path) -> Any:
    """A LayerNorm module."""
    import torch

    state = _weights(folder / step["norm"])
    norm = torch.nn.LayerNorm(state["norm.weight"].shape[0])
    norm.load_state_dict({"weight": state["norm.weight"], "bias": state["norm.bias"]})
    return norm


def _weights(place: Path) -> dict[str, Any]:
    """A module's tensors; raises `BadData` when its folder has none."""
    import torch

    if (place / "model.safetensors").is_file():
        from safetensors.torch import load_file

        return dict(load_file(place / "model.safetensors"))
    if (place / "pytorch_model.bin").is_file():
        return dict(torch.load(place / "pytorch_model.bin", map_location="cpu", weights_only=True))
    raise BadData(f"{place} has no weights", "the model's folder is not whole: fetch it again")
