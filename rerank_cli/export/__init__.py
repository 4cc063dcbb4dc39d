"""PyTorch checkpoint -> one ONNX graph per scoring rule, checked against PyTorch, kept.

Done once a checkpoint; from then on scoring needs neither torch nor transformers.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import rerank_cli
from rerank_cli.core.build_once import build_once
from rerank_cli.errors import BadData, Missing, WorkFailed, WrongUsage
from rerank_cli.methods.checkpoint import Checkpoint
from rerank_cli.methods.exported import (
    GRAPH,
    RECORD,
    TOKENIZER,
    Record,
    graph_hash,
    of_graph,
    read_record,
    write_record,
)

if TYPE_CHECKING:
    import numpy as np

    from rerank_cli.export.check import Agreement
    from rerank_cli.methods.source import Source

#: Raised when the graphs of older exports should be made again.
GRAPHS = 2
#: How far a graph may be from PyTorch, relative to the largest score (absolute below 1).
TOLERANCE = 1e-4


def ensure_exported(
    checkpoint: Checkpoint,
    cache_dir: Path,
    *,
    note: Callable[[str], None],
    offline: bool,
    trust_remote_code: bool = False,
    max_length: int | None = None,
    fuses: bool = True,
) -> Path:
    """The folder of `checkpoint`'s graph: its own when it is an exported one, else exported once into `cache_dir/onnx`.

    Processes that start together export once. A `max_length` that the model cannot take is refused
    before the work (the graph itself takes any length). Without `fuses` it holds operators of the standard only, which
    TensorRT can read. Needs the extra `torch` unless the graph is already there. Raises
    `Missing` for files that cannot be had, `WorkFailed` when graph and PyTorch disagree.
    """
    from rerank_cli.methods.exported import chosen_length
    from rerank_cli.methods.source import open_source

    if checkpoint.folder is not None and (checkpoint.folder / RECORD).is_file():
        read_record(checkpoint.folder)
        return checkpoint.folder
    found = partial(open_source, checkpoint, cache_dir=cache_dir, offline=offline, trust_remote_code=trust_remote_code)
    source = found(note=note)
    told = f"{source.source_hash}\n{GRAPHS}\nfp32{'' if fuses else ' unfused'}"
    key = hashlib.sha256(told.encode()).hexdigest()[:20]

    def build(folder: Path) -> None:
        record = record_of(source, fuses=fuses)
        if max_length is not None:
            chosen_length(record, max_length, 0)
        if _borrowed(record, source, folder, cache_dir / "onnx"):
            return
        agreement = write_export(source, folder, record=record, fuses=fuses)
        if not acceptable(agreement):
            raise WorkFailed(
                f"the ONNX graph of {checkpoint.name} differs from PyTorch by {agreement.difference:.2g}",
                "--engine torch scores without the graph",
            )
        if found(note=lambda _: None).source_hash != source.source_hash:
            # A training that saved meanwhile: the graph would be taken for that of files that it was not made from.
            raise WorkFailed(f"{checkpoint.name} has changed while it was exported", "run again when it is whole")

    return build_once(
        cache_dir / "onnx" / key,
        build,
        waiting=lambda: note(f"waiting for another process that exports {checkpoint.name}"),
    )


def record_of(source: Source, *, fuses: bool) -> Record:
    """How `source` is asked, and from what its graph is made; raises `WrongUsage` when it has none, and what its method raises."""
    from rerank_cli.methods import engines_of, method_named

    module = method_named(source.checkpoint.method)
    if "onnx" not in engines_of(module):
        raise WrongUsage(
            f"{source.checkpoint.name} has no graph to export: the method {source.checkpoint.method} is run by PyTorch only",
            "rerank rerank runs it as it is",
        )
    record = module.record(source)
    if not source.checkpoint.verified:
        source.note(f"the template of {record.name} was not checked against its authors' files: {record.template!r}")
    return replace(record, graph_hash=graph_hash(record, f"{source.files_hash} {GRAPHS} {fuses}"))


def _borrowed(record: Record, source: Source, folder: Path, exports: Path) -> bool:
    """Take graph and tokenizer from an export in `exports` that differs in the prompt alone; False where there is none.

    Hard links where the file system has them, copies elsewhere; what was measured and which versions made it are its own.
    """
    for other in sorted(exports.glob("[!.]*/")):
        try:
            lent = read_record(other)
            if lent.graph_hash != record.graph_hash:
                continue
            for file in (other / TOKENIZER, *other.glob(f"{GRAPH}*")):
                _linked(file, folder / file.name)
        except (Missing, BadData, OSError):  # no export, or one that is being removed
            for file in folder.iterdir():
                file.unlink()
            continue
        source.note(f"{record.name} has a graph already: only the prompt is another")
        write_record(folder, replace(record, versions=lent.versions, report=lent.report))
        return True
    return False


def _linked(file: Path, to: Path) -> None:
    try:
        os.link(file, to)
    except OSError:
        shutil.copyfile(file, to)


def acceptable(agreement: Agreement) -> bool:
    """Whether a graph agrees with PyTorch to within `TOLERANCE`."""
    return agreement.difference <= TOLERANCE * max(1.0, agreement.largest)


def write_export(
    source: Source,
    folder: Path,
    *,
    record: Record | None = None,
    max_length: int | None = None,
    device: str = "cpu",
    threads: int = 0,
    fuses: bool = True,
) -> Agreement:
    """Write graph, tokenizer and record of `source` into the empty `folder`, and measure it against PyTorch.

    `record` is what `record_of` says, `max_length` recorded as the folder's own; the comparison runs on `device`. A fused graph that does
    not load or disagrees with PyTorch is left for the unfused one; that is said and recorded. Needs the
    extra `torch`; holds the weights in memory about three times.
    """
    from rerank_cli.export.check import ReferenceBackend, agreement, answers
    from rerank_cli.export.graph import fuse, move, write_graph
    from rerank_cli.methods import method_named
    from rerank_cli.methods.exported import chosen_length
    from rerank_cli.methods.source import needs_torch
    from rerank_cli.methods.torch_model import load_model

    record = record or record_of(source, fuses=fuses)
    if max_length is not None:
        record = replace(record, max_length=chosen_length(record, max_length, 0))
    module = method_named(record.method)
    source.note(f"exporting {record.name} to ONNX, once")
    with needs_torch(f"exporting {record.name} to ONNX"):
        model = load_model(source, module.MODEL_CLASS, may_lack=module.MAY_LACK)
        reference = ReferenceBackend(lambda batch: module.reference(model, record, source.folder, batch))
        wanted = answers(record, source.tokenizer, reference)
        traced, path = folder / "traced" / GRAPH, folder / GRAPH
        write_graph(module.graph(model, of_graph(record), source.folder), record, traced)

        def measured() -> Agreement:
            return agreement(wanted, _onnx_answers(record, source, path, device, threads))

        fused: dict[str, int] = {}
        if fuses and module.FUSION is not None:
            fused = fuse(traced, path, module.FUSION, model.config)
            found, complaint = _tried(measured)
            if complaint:
                source.note(f"keeping the graph of {record.name} unfused: {complaint}")
                fused = {}
                for file in folder.glob(f"{GRAPH}*"):
                    file.unlink()
        if not fused:
            move(traced, path)
            found = measured()
        shutil.rmtree(traced.parent)
    source.tokenizer.save(str(folder / TOKENIZER))
    report = {**found._asdict(), "fused": fused}
    write_record(folder, replace(record, versions=versions(), report=report))
    return found


def versions() -> dict[str, str]:
    """The versions of the packages that made an export."""
    from importlib.metadata import version

    packages = ("torch", "transformers", "tokenizers", "onnx")
    return {"rerank": rerank_cli.__version__, **{name: version(name) for name in packages}}


def _tried(measured: Callable[[], Agreement]) -> tuple[Agreement, str]:
    """A fused graph's agreement, and what is wrong with it: it does not load, or it differs from PyTorch."""
    from rerank_cli.export.check import Agreement

    try:
        found = measured()
    except WorkFailed as error:
        return Agreement(float("inf"), 0.0, 0.0, 0), error.message
    return found, "" if acceptable(found) else f"fused, it differs from PyTorch by {found.difference:.2g}"


def _onnx_answers(record: Record, source: Source, graph: Path, device: str, threads: int) -> np.ndarray:
    from rerank_cli.export.check import answers
    from rerank_cli.inference.onnx import OnnxBackend

    backend = OnnxBackend(graph, device=device, threads=threads, note=source.note)
    return answers(record, source.tokenizer, backend)
