"""From a PyTorch module to one ONNX file: traced, fused where the optimizer finds attention, its weights beside it.

The TorchScript exporter is used on purpose: from its graphs onnxruntime's optimizer fuses every attention
block of a BERT; from the newer exporter's it fuses none.
"""

from __future__ import annotations

import contextlib
import io
from pathlib import Path
from typing import Any

from rerank_cli.errors import WorkFailed, first_line
from rerank_cli.methods.exported import Record
from rerank_cli.methods.source import quiet_libraries

_OPSET = 17
#: Beyond it weights go to a file of their own, which ONNX Runtime maps instead of copying it: a session over 90 MB opens
#: three times as fast and reads of the word vectors only those that it meets. (A graph of 2 GB could not be one file.)
_ONE_FILE = 2**20
#: Smaller tensors stay in the graph, where shapes and constants are looked for.
_SMALL = 1024
#: Inputs as long as each other; every other input has its own length.
_SHARED_LENGTH = ("input_ids", "attention_mask", "token_type_ids")


def write_graph(module: Any, record: Record, path: Path) -> None:
    """Trace `module` with a small batch and write it to `path`, in a folder of its own; batch and length are dynamic."""
    import torch

    path.parent.mkdir(exist_ok=True)
    rows = torch.arange(4, 4 + 2 * 9).remainder(7).view(2, 9) + 4
    mask = torch.ones_like(rows)
    mask[1, 6:] = 0
    labels = torch.where(mask == 1, rows, -100)[:, 2:]
    examples = {"input_ids": rows, "attention_mask": mask, "token_type_ids": torch.zeros_like(rows), "labels": labels}
    # A further input is named after the kind it is of: reviewer_input_ids.
    example = {name: next(e for kind, e in examples.items() if name.endswith(kind)) for name in record.inputs}
    axes = {name: {0: "n", 1: "length" if name in _SHARED_LENGTH else name} for name in record.inputs}
    for name, (array, own) in getattr(module, "more_inputs", {}).items():
        example[name], axes[name] = array, own
    axes["answer"] = getattr(module, "answer_axes", {0: "n"})
    more_outputs = getattr(module, "more_outputs", {})
    try:
        with quiet_libraries(), torch.inference_mode():
            torch.onnx.export(
                module,
                tuple(example.values()),
                str(path),
                input_names=list(example),
                output_names=["answer", *more_outputs],
                dynamic_axes=axes | more_outputs,
                opset_version=_OPSET,
                do_constant_folding=True,
                dynamo=False,
            )
    except (RuntimeError, torch.onnx.errors.OnnxExporterError, TypeError, AttributeError) as error:
        raise WorkFailed(
            f"{record.name} cannot be exported to ONNX: {first_line(error)}",
            "--engine torch runs it without an export",
        ) from error


def fuse(plain: Path, fused: Path, fusion: str, config: Any) -> dict[str, int]:
    """Fuse attention, layer norms and GELUs of the graph `plain` into `fused`; returns how many of each were found."""
    from onnxruntime.transformers import optimizer

    with quiet_libraries(), contextlib.redirect_stdout(io.StringIO()):  # the optimizer prints, and stdout is for data
        model = optimizer.optimize_model(
            str(plain),
            model_type=fusion,
            num_heads=int(getattr(config, "num_attention_heads", 0)),
            hidden_size=int(getattr(config, "hidden_size", 0)),
            opt_level=0,
        )
    save(model.model, fused, large=_size(plain.parent) > _ONE_FILE)
    return {name: int(count) for name, count in model.get_fused_operator_statistics().items() if count}


def move(traced: Path, path: Path) -> None:
    """Put a traced graph at `path`, the weights of a large one in PATH.data."""
    import onnx

    if _size(traced.parent) > _ONE_FILE:
        save(onnx.load(str(traced)), path, large=True)
    else:
        traced.replace(path)


def save(model: Any, path: Path, *, large: bool) -> None:
    """Write an ONNX model, its weights to PATH.data when it is `large`."""
    import onnx

    if large:
        data = path.with_name(f"{path.name}.data")
        onnx.save_model(model, str(path), save_as_external_data=True, location=data.name, size_threshold=_SMALL)
        data.chmod(path.stat().st_mode)  # onnx keeps it from all but its owner
    else:
        onnx.save_model(model, str(path))


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.iterdir())
