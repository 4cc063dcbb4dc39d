"""`rerank export-onnx`: a checkpoint as one ONNX graph, checked against PyTorch, in a folder that needs neither."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Annotated

import typer

from rerank_cli.cli.model_options import MethodName, TrustRemoteCode
from rerank_cli.cli.terminal import Terminal

if TYPE_CHECKING:
    from pathlib import Path

EXAMPLES = [
    ("A folder that scores without PyTorch", "rerank export-onnx minilm -o minilm-onnx"),
    (
        "Use it",
        "rerank retrieve -c demo | rerank rerank -c demo -m ./minilm-onnx | rerank eval -c demo",
    ),
]


class ExportPrecision(enum.StrEnum):
    """The numbers the graph computes with."""

    fp32 = "fp32"


def export_onnx(
    terminal: Terminal,
    model: Annotated[str, typer.Argument(metavar="MODEL", help="A name, a Hugging Face id, or a transformers folder.")],
    output: Annotated[
        str, typer.Option("-o", "--output", metavar="DIR", help="The folder to write; renamed into place when whole.")
    ],
    precision: Annotated[
        ExportPrecision, typer.Option("--precision", help="The numbers the graph computes with.")
    ] = ExportPrecision.fp32,
    device: Annotated[
        str,
        typer.Option("--device", metavar="auto|cpu|cuda[:N]", help="Where the graph is compared with PyTorch."),
    ] = "cpu",
    atol: Annotated[
        float | None,
        typer.Option(
            "--atol",
            metavar="X",
            min=0.0,
            help="Fail when a score differs by more; default: 1e-4, of the largest score where that is above 1.",
            show_default=False,
        ),
    ] = None,
    method: MethodName = None,
    max_length: Annotated[
        int | None,
        typer.Option("--max-length", metavar="N", min=8, help="The length that scoring with the folder will use."),
    ] = None,
    trust_remote_code: TrustRemoteCode = False,
) -> None:
    """Export a model to one checked ONNX graph.

    DIR gets model.onnx, tokenizer.json and rerank.json (method, template, token ids, scoring rule, length, source and
    its hash). The graph and PyTorch score the same fixed pairs: the largest difference and the rank agreement
    (Kendall's tau, mean over queries) are printed. Beyond --atol nothing is written and the exit code is 1.
    Afterwards rerank rerank -m DIR needs neither torch nor transformers.
    """
    from pathlib import Path

    from rerank_cli.cli.settings import Settings
    from rerank_cli.errors import WorkFailed
    from rerank_cli.export import acceptable, write_export
    from rerank_cli.export.folder import refuse_foreign, write_folder
    from rerank_cli.inference.devices import onnx_provider
    from rerank_cli.methods.catalog import find
    from rerank_cli.methods.source import open_source

    onnx_provider("auto", device, terminal.note)
    target = Path(output)
    refuse_foreign(target)
    source = open_source(
        find(model, method=method),
        cache_dir=Settings().cache_dir,
        offline=terminal.offline,
        trust_remote_code=trust_remote_code,
        note=terminal.note,
    )

    def build(folder: Path) -> None:
        agreement = write_export(source, folder, max_length=max_length, device=device, threads=terminal.threads)
        typer.echo(f"largest_difference\t{agreement.difference:.3g}")
        typer.echo(f"kendall_tau\t{agreement.tau:.6f}")
        typer.echo(f"pairs\t{agreement.pairs}")
        if not (acceptable(agreement) if atol is None else agreement.difference <= atol):
            raise WorkFailed(
                f"the graph of {model} differs from PyTorch by {agreement.difference:.3g}, more than is allowed",
                f"nothing was written to {output}",
            )

    write_folder(target, build)
    terminal.note(f"wrote {output}: use it with -m {output if '/' in output else './' + output}")
