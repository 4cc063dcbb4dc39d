"""8-bit weights in blocks, with activations as they are: the int8 that does not disturb a ranking much.

Each block of a weight column has its own scale, so that one large weight does not coarsen the others, and a row's
answer depends on that row alone. (Quantising activations with one scale a batch is quicker, and makes a
score depend on the pairs beside it.)
"""

from __future__ import annotations

from typing import Any

import numpy as np

#: Weights that share a scale.
BLOCK = 32
#: ONNX Runtime's kernel: 8-bit products of block-wise rounded activations.
_ACCURACY_LEVEL = 4
_DOMAIN = "com.microsoft"


def quantised(weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Round weights (k, n) to 8 bits; returns codes (n, blocks, BLOCK) uint8 around 128 and scales (n, blocks) float32.

    A weight is (code - 128) x its block's scale, off by at most half a scale.
    """
    k, n = weights.shape
    columns = np.zeros((n, -(-k // BLOCK) * BLOCK), dtype=np.float32)
    columns[:, :k] = weights.T
    blocks = columns.reshape(n, -1, BLOCK)
    scales = (np.abs(blocks).max(axis=2) / 127).astype(np.float32)
    scales[scales == 0] = 1  # a block of zeros, or of numbers too small to have a scale
    codes = np.rint(blocks / scales[:, :, None]) + 128
    return codes.astype(np.uint8), scales


def quantise_graph(model: Any) -> int:
    """Put 8-bit weights in place of those of every product with a constant matrix, in place; returns how many."""
    from onnx import helper, numpy_helper

    graph = model.graph
    constants = {tensor.name: tensor for tensor in graph.initializer}
    replaced = []
    for node in graph.node:
        name = node.input[1] if node.op_type == "MatMul" else ""
        if name not in constants or len(constants[name].dims) != 2:
            continue
        k, n = constants[name].dims
        codes, scales = quantised(numpy_helper.to_array(constants[name]))
        if name not in replaced:
            graph.initializer.append(numpy_helper.from_array(codes, f"{name}.codes"))
            graph.initializer.append(numpy_helper.from_array(scales.reshape(-1), f"{name}.scales"))
            replaced.append(name)
        source = node.input[0]
        node.op_type, node.domain = "MatMulNBits", _DOMAIN
        del node.input[:]
        node.input.extend([source, f"{name}.codes", f"{name}.scales"])
        settings = {"K": k, "N": n, "bits": 8, "block_size": BLOCK, "accuracy_level": _ACCURACY_LEVEL}
        node.attribute.extend(helper.make_attribute(key, value) for key, value in settings.items())
    still_read = {name for node in graph.node for name in node.input}
    for name in replaced:
        if name not in still_read:
            graph.initializer.remove(constants[name])
    if not any(opset.domain == _DOMAIN for opset in model.opset_import):
        model.opset_import.append(helper.make_opsetid(_DOMAIN, 1))
    return len(replaced)
