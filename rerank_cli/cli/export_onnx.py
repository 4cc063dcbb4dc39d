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
    ("With weights in 8 bits, if that keeps the order", "rerank export-onnx minilm --precision int8 -o minilm-int8"),
    (
        "Use it",
        "rerank retrieve -c demo | rerank rerank -c demo -m ./minilm-onnx | rerank eval -c demo",
    ),
]


class ExportPrecision(enum.StrEnum):
    """The numbers the graph computes with."""

    fp32 = "fp32"
    fp16 = "fp16"
    int8 = "int8"


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
    force: Annotated[
        bool, typer.Option("--force", help="Write a reduced graph even when it does not keep the order of fp32.")
    ] = False,
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
    --precision int8 rounds weights to 8 bits in blocks, fp16 all but the labels: both graphs then rank the demo
    collection, and below a tau of 0.97 nothing is written unless --force is given.
    Afterwards rerank rerank -m DIR needs neither torch nor transformers.
    """
    import tempfile
    from pathlib import Path

    from rerank_cli.cli.precisions import real_lists
    from rerank_cli.cli.settings import Settings
    from rerank_cli.errors import WorkFailed
    from rerank_cli.export import acceptable, write_export
    from rerank_cli.export.folder import refuse_foreign, write_folder
    from rerank_cli.export.reduced import HOLDS, loses_order, write_reduced
    from rerank_cli.inference.devices import onnx_provider
    from rerank_cli.methods.catalog import find
    from rerank_cli.methods.source import open_source

    settings = Settings()
    onnx_provider("auto", device, terminal.note)
    target = Path(output)
    refuse_foreign(target)
    source = open_source(
        find(model, method=method),
        cache_dir=settings.cache_dir,
        offline=terminal.offline,
        trust_remote_code=trust_remote_code,
        note=terminal.note,
    )

    def build(folder: Path) -> None:
        exact = folder if precision is ExportPrecision.fp32 else Path(tempfile.mkdtemp(dir=folder.parent))
        agreement = write_export(source, exact, max_length=max_length, device=device, threads=terminal.threads)
        typer.echo(f"largest_difference\t{agreement.difference:.3g}")
        typer.echo(f"kendall_tau\t{agreement.tau:.6f}")
        typer.echo(f"pairs\t{agreement.pairs}")
        if not (acceptable(agreement) if atol is None else agreement.difference <= atol):
            raise WorkFailed(
                f"the graph of {model} differs from PyTorch by {agreement.difference:.3g}, more than is allowed",
                f"nothing was written to {output}",
            )
        if exact != folder:
            found = write_reduced(
                exact,
                folder,
                precision.value,
                real_lists(settings),
                threads=terminal.threads,
                note=terminal.note,
            )
            typer.echo(f"{precision.value}_difference\t{found.difference:.3g}")
            typer.echo(f"{precision.value}_tau\t{found.tau:.6f}")
            typer.echo(f"{precision.value}_queries\t{found.queries}")
            if found.tau < HOLDS and not force:
                raise loses_order(model, precision.value, found)

    write_folder(target, build)
    terminal.note(f"wrote {output}: use it with -m {output if '/' in output else './' + output}")
