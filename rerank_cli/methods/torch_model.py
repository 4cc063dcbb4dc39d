"""A checkpoint's weights as a transformers model: all of them or an error, in the precision asked for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rerank_cli.errors import BadData, WrongUsage, first_line
from rerank_cli.methods.adapter import merge
from rerank_cli.methods.source import Source, needs_torch, quiet_libraries

#: A linear layer with no more outputs than this makes labels.
_MOST_LABELS = 8
_TORCH_NAMES = {"fp32": "float32", "fp16": "float16", "bf16": "bfloat16"}

ModelClass = str | Callable[[dict[str, Any]], Any]


def load_model(
    source: Source, model_class: ModelClass, *, may_lack: tuple[str, ...], precision: str = "fp32", fused: bool = False
) -> Any:
    """Load the checkpoint as a transformers model, ready for inference; needs the extra `torch`.

    `model_class`: a class of transformers by name, or a function that returns a class for a config.json. In fp32
    with the attention that exports unless `fused`; in fp16 and bf16 with PyTorch's fused one, and label logits still in fp32.
    Raises `BadData` when weights are absent (they would be random), but for names that contain one of `may_lack`.
    """
    name = source.checkpoint.name
    with quiet_libraries(), needs_torch(f"reading the weights of {name}"):
        import torch
        import transformers

        try:
            kind = model_class(source.config) if callable(model_class) else getattr(transformers, model_class)
            elsewhere: dict[str, Any] = {}
            if source.config_folder != source.folder:
                elsewhere["config"] = transformers.AutoConfig.from_pretrained(source.config_folder)
            if source.adapter is not None and source.adapter.labels is not None:
                elsewhere["num_labels"] = source.adapter.labels
            model, report = kind.from_pretrained(
                source.folder,
                **elsewhere,
                dtype=getattr(torch, _TORCH_NAMES[precision]),
                attn_implementation="eager" if precision == "fp32" and not fused else None,
                trust_remote_code=source.trust_remote_code,
                output_loading_info=True,
            )
        except ValueError as error:
            if "trust_remote_code" in str(error):
                raise _own_code(name) from error
            raise BadData(f"transformers cannot load {name}: {first_line(error)}") from error
        except (OSError, KeyError, RuntimeError) as error:
            raise BadData(f"transformers cannot load {name}: {first_line(error)}") from error
    given = merge(model, source.adapter) if source.adapter else set()
    absent = sorted(key for key in set(report["missing_keys"]) - given if not any(part in key for part in may_lack))
    if absent and "auto_map" in source.config and not source.trust_remote_code:
        raise _own_code(name)
    if absent:
        raise BadData(
            f"{name} lacks the weights {', '.join(absent[:3])}{' ...' if len(absent) > 3 else ''}",
            f"it is not a checkpoint for the method {source.checkpoint.method}",
        )
    if precision != "fp32":
        _exact_labels(model)
    return model.eval()


def _exact_labels(model: Any) -> None:
    """Compute the logits of labels in fp32, in place: 8 bits of mantissa would tie good documents."""
    import torch

    class Exact(torch.nn.Module):
        def __init__(self, linear: Any) -> None:
            super().__init__()
            self.linear = linear.float()

        def forward(self, states: Any) -> Any:
            return self.linear(states.float())

    for module in list(model.modules()):
        for name, layer in list(module.named_children()):
            if isinstance(layer, torch.nn.Linear) and layer.out_features <= _MOST_LABELS:
                setattr(module, name, Exact(layer))


def _own_code(name: str) -> WrongUsage:
    return WrongUsage(
        f"{name} comes with its own Python code, which would run on this machine",
        "read the code, then give --trust-remote-code",
    )
