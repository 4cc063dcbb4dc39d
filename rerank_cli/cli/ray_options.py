"""The options of commands that a Ray cluster can work for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from rerank_cli.cli.model_options import ENGINE
from rerank_cli.cli.settings import Settings
from rerank_cli.errors import WrongUsage

RAY = "Beyond one machine"

Ray = Annotated[
    str | None,
    typer.Option(
        "--ray",
        metavar="ADDRESS|local",
        rich_help_panel=RAY,
        help="Work on a Ray cluster: HOST:PORT of its head, auto, or local for one on this machine.",
    ),
]
WorkerCount = Annotated[
    int | None,
    typer.Option(
        "--workers",
        metavar="N",
        min=1,
        rich_help_panel=RAY,
        help="How many workers; default: one a GPU, or as many as use the cores.",
    ),
]
GpusPerWorker = Annotated[
    float | None,
    typer.Option(
        "--gpus-per-worker",
        metavar="G",
        min=0,
        rich_help_panel=RAY,
        help="GPUs of each worker, a part of one such as 0.5, or 0; default: one where there are any.",
    ),
]
#: The device of a command that several can work for.
Devices = Annotated[
    str | None,
    typer.Option(
        "--device",
        metavar="auto|cpu|cuda[:N][,...]",
        rich_help_panel=ENGINE,
        help="Where; one asked for by name is used or the command fails. Of several GPUs each has its worker.",
    ),
]


def wanted(typed: Mapping[str, Any], settings: Settings) -> bool:
    """Whether workers are asked for; raises as `check` does."""
    check(typed)
    return typed["ray"] is not None or "," in (settings.resolve("device", typed["device"]).value or "")


def check(typed: Mapping[str, Any]) -> None:
    """Raise `WrongUsage` for what shapes workers where there is no --ray."""
    if typed["ray"] is None:
        for name in ("workers", "gpus_per_worker"):
            if typed[name] is not None:
                raise WrongUsage(f"--{name.replace('_', '-')} is for workers, and there is no --ray", "add --ray local")
