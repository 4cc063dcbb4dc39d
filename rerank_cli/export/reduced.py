"""Graphs in fewer bits, made from the exact graph and measured against it on real pairs.

A reduced graph that does not keep the order is worse than a slow one: below `HOLDS` it is refused.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from rerank_cli.core.build_once import build_once
from rerank_cli.core.protocols import ListScorer, Pair, Slate
from rerank_cli.errors import WorkFailed
from rerank_cli.methods.exported import GRAPH, TOKENIZER, read_record, write_record

if TYPE_CHECKING:
    from rerank_cli.methods import LoadedScorer

#: Kendall's tau with fp32, mean over queries, below which a reduced graph is refused.
HOLDS = 0.97
#: Raised when the reduced graphs of older versions should be made again.
REDUCED = 1
Lists = Sequence[Sequence[Pair]]


class Ranked(NamedTuple):
    """How a reduced scorer ranks beside the exact one: `tau` (Kendall, mean over `queries`), the largest score `difference`."""

    tau: float
    difference: float
    queries: int
    pairs: int


def scored(scorer: LoadedScorer, lists: Lists) -> list[np.ndarray]:
    """The scores (n,) of each list; one model call a pair. A list method is told nothing of a first stage."""
    if isinstance(scorer, ListScorer):
        slates = [
            Slate(one[0].query, [pair.document for pair in one], np.zeros(len(one)), np.arange(len(one)))
            for one in lists
        ]
        return [np.asarray(values, np.float64) for values in scorer.rate(slates).values]
    whole = scorer.score([pair for one in lists for pair in one]).values.astype(np.float64)
    return np.split(whole, np.cumsum([len(one) for one in lists])[:-1])


def ranked(wanted: Sequence[np.ndarray], got: Sequence[np.ndarray]) -> Ranked:
    """Compare the orders of two scorers' answers to the same lists."""
    from rerank_cli.export.check import kendall

    pairs = sum(map(len, wanted))
    if not all(np.isfinite(one).all() for one in got):
        return Ranked(0.0, float("inf"), len(wanted), pairs)
    tau = float(np.mean([kendall(a, b) for a, b in zip(wanted, got, strict=True)]))
    difference = max(float(np.abs(a - b).max(initial=0)) for a, b in zip(wanted, got, strict=True))
    return Ranked(tau, difference, len(wanted), pairs)


def ensure_reduced(
    exact: Path,
    precision: str,
    cache_dir: Path,
    *,
    lists: Callable[[], Lists],
    threads: int,
    note: Callable[[str], None],
) -> Path:
    """The folder of the graph in `exact` in fewer bits, made once into `cache_dir/onnx`; needs the package onnx.

    Raises `WorkFailed` when it ranks otherwise than fp32 on `lists()` (tau below `HOLDS`).
    """
    record = read_record(exact)
    made = f"{record.versions}\n{record.report.get('fused')}"
    told = f"{record.source_hash}\n{record.max_length}\n{made}\n{precision}\n{REDUCED}"
    key = hashlib.sha256(told.encode()).hexdigest()[:20]

    def build(folder: Path) -> None:
        found = write_reduced(exact, folder, precision, lists(), threads=threads, note=note)
        if found.tau < HOLDS:
            raise loses_order(record.name, precision, found)

    return build_once(
        cache_dir / "onnx" / key,
        build,
        waiting=lambda: note(f"waiting for another process that makes {record.name} in {precision}"),
    )


def write_reduced(
    exact: Path, folder: Path, precision: str, lists: Lists, *, threads: int, note: Callable[[str], None]
) -> Ranked:
    """Write the graph in `exact` to the empty `folder` in int8 or fp16, and what comparing the two found."""
    import onnx

    from rerank_cli.export.graph import save
    from rerank_cli.methods import load, method_named, permitted
    from rerank_cli.methods.source import needs_torch, quiet_libraries

    record = read_record(exact)
    permitted(method_named(record.method), precision, record.name)
    note(f"making {record.name} in {precision}, once")
    with needs_torch(f"making {record.name} in {precision}"), quiet_libraries():
        model = onnx.load(str(exact / GRAPH))
        model = _halved(model) if precision == "fp16" else _in_blocks(model)
        save(model, folder / GRAPH, large=(exact / f"{GRAPH}.data").exists())
    shutil.copyfile(exact / TOKENIZER, folder / TOKENIZER)
    record = replace(record, precision=precision, graph_hash="")
    write_record(folder, record)
    quiet: dict[str, Any] = {"threads": threads, "device": "cpu", "note": note}
    found = ranked(scored(load(exact, **quiet), lists), scored(load(folder, **quiet), lists))
    report = {**record.report, "against_fp32": found._asdict()}
    write_record(folder, replace(record, report=report))
    return found


def loses_order(name: str, precision: str, found: Ranked) -> WorkFailed:
    """The refusal of a reduced graph."""
    return WorkFailed(
        f"{name} in {precision} ranks otherwise than in fp32: tau {found.tau:.3f} over {found.queries} queries, "
        f"and {HOLDS} is the least",
        "rerank export-onnx --force writes it all the same",
    )


def _in_blocks(model: Any) -> Any:
    from rerank_cli.export.blockwise import quantise_graph

    quantise_graph(model)
    return model


def _halved(model: Any) -> Any:
    """The graph in fp16, but for its inputs, its outputs and the last product, which makes the score."""
    from onnxruntime.transformers.onnx_model import OnnxModel

    whole = OnnxModel(model)
    whole.convert_float_to_float16(keep_io_types=True, node_block_list=_last_product(model.graph))
    made: set[str] = set()
    for node in list(whole.model.graph.node):
        if made >= set(node.output):  # two exact nodes that read one value get two casts of the same name
            whole.model.graph.node.remove(node)
        made.update(node.output)
    return whole.model


def _last_product(graph: Any) -> list[str]:
    """The names of the nodes from the answer back to the last matrix product, all of which stay exact."""
    maker = {name: node for node in graph.node for name in node.output}
    names: list[str] = []
    wanted = [output.name for output in graph.output]
    while wanted:
        node = maker.get(wanted.pop())
        if node is None or node.name in names:
            continue
        names.append(node.name)
        if node.op_type not in ("MatMul", "Gemm", "Attention") and not node.op_type.endswith("LayerNormalization"):
            wanted += node.input
    return names
