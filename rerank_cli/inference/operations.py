"""How many multiplications and additions a batch costs, counted by ONNX Runtime's own profile of the shapes it met.

Counted are products of matrices, where nearly all the work of a transformer lies. What they would take at the
machine's measured peak, against what the batch took, is the share of the peak.
"""

from __future__ import annotations

import json
import math
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

_PRODUCTS = {
    "MatMul",
    "FusedMatMul",
    "Gemm",
    "FusedGemm",
    "MatMulNBits",
    "MatMulIntegerToFloat",
    "DynamicQuantizeMatMul",
}


def operations(graph: Path, options: Any, providers: Sequence[Any], batch: dict[str, np.ndarray]) -> int:
    """Floating-point operations of one batch; runs it once in a session of its own, which has the weights in memory again."""
    import onnxruntime

    options.enable_profiling = True
    with tempfile.TemporaryDirectory() as folder:
        options.profile_file_prefix = f"{folder}/profile"
        session = onnxruntime.InferenceSession(str(graph), options, providers=list(providers))
        session.run(None, batch)
        events = json.loads(Path(session.end_profiling()).read_text(encoding="utf-8"))
    nodes = (event["args"] for event in events if event.get("cat") == "Node" and "output_type_shape" in event["args"])
    return sum(_of_node(n["op_name"], _shapes(n["input_type_shape"]), _shapes(n["output_type_shape"])) for n in nodes)


def _shapes(described: list[dict[str, list[int]]]) -> list[list[int]]:
    return [shape for one in described for shape in one.values()]


def _of_node(kind: str, inputs: list[list[int]], outputs: list[list[int]]) -> int:
    """Operations of one node; weights that were packed when the session opened are not among its inputs."""
    if kind in _PRODUCTS:
        return 2 * math.prod(outputs[0]) * inputs[0][-1]
    if kind == "Einsum":
        return 2 * math.prod(inputs[0]) * outputs[0][-1]
    if kind == "Attention":  # with the three projections: (rows, length, width in) -> (rows, length, width)
        rows, length, width = outputs[0]
        return rows * length * width * (6 * inputs[0][-1] + 4 * length)
    if kind == "MultiHeadAttention":
        return 4 * math.prod(inputs[0]) * inputs[1][1]
    return 0
