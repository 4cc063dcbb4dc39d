"""The options that name a model and say what computes it, shared by the commands that load one."""

from __future__ import annotations

import enum
from typing import Annotated

import typer

MODEL, ENGINE, CACHE = "Model", "Engine", "Cache"


class Engine(enum.StrEnum):
    """What computes the scores."""

    auto = "auto"
    onnx = "onnx"
    torch = "torch"


class Provider(enum.StrEnum):
    """The ONNX Runtime execution provider."""

    auto = "auto"
    tensorrt = "tensorrt"
    cuda = "cuda"
    cpu = "cpu"


class Precision(enum.StrEnum):
    """The numbers a model is computed with."""

    fp32 = "fp32"
    fp16 = "fp16"
    bf16 = "bf16"
    int8 = "int8"
    fast = "fast"


Model = Annotated[
    str | None,
    typer.Option(
        "-m",
        "--model",
        metavar="MODEL",
        rich_help_panel=MODEL,
        help="A name from 'rerank models', a Hugging Face id (ID@REVISION), or a folder; default: minilm-blend.",
    ),
]
MethodName = Annotated[
    str | None,
    typer.Option(
        "--method",
        metavar="NAME",
        rich_help_panel=MODEL,
        help="How to use a checkpoint whose configuration does not tell.",
    ),
]
MaxLength = Annotated[
    int | None,
    typer.Option(
        "--max-length",
        metavar="N",
        min=8,
        rich_help_panel=MODEL,
        help="Tokens the model sees; default: the checkpoint's own.",
    ),
]
Instruction = Annotated[
    str | None,
    typer.Option(
        "--instruction",
        metavar="TEXT",
        rich_help_panel=MODEL,
        help="What an instruction-aware model is told to look for; default: the checkpoint's own.",
    ),
]
Prompt = Annotated[
    str | None,
    typer.Option(
        "--prompt",
        metavar="PROMPT|FILE",
        rich_help_panel=MODEL,
        help="Ask in other words: NAME or NAME@VERSION of a prompt that comes with rerank, or a file of yours (docs/prompts.md).",
    ),
]
TrustRemoteCode = Annotated[
    bool,
    typer.Option("--trust-remote-code", rich_help_panel=MODEL, help="Let a checkpoint run the code it ships."),
]
EngineName = Annotated[
    Engine, typer.Option("--engine", rich_help_panel=ENGINE, help="What computes the scores; auto is onnx.")
]
Device = Annotated[
    str | None,
    typer.Option(
        "--device",
        metavar="auto|cpu|cuda[:N]",
        rich_help_panel=ENGINE,
        help="Where; one asked for by name is used or the command fails.",
    ),
]
ProviderName = Annotated[
    Provider,
    typer.Option(
        "--provider",
        rich_help_panel=ENGINE,
        help="ONNX Runtime's execution provider; auto, on a GPU: cuda, until rerank bench found tensorrt quicker.",
    ),
]
PrecisionName = Annotated[
    Precision | None,
    typer.Option(
        "--precision",
        rich_help_panel=ENGINE,
        help="Numbers to compute with; default: fp32; fast: the quickest that was measured as ranking alike.",
    ),
]
BatchTokens = Annotated[
    int | None,
    typer.Option(
        "--batch-tokens",
        metavar="N",
        min=1,
        rich_help_panel=ENGINE,
        help="Most tokens in a batch, padding included.",
    ),
]
Cached = Annotated[
    bool,
    typer.Option(
        "--cache/--no-cache",
        rich_help_panel=CACHE,
        help="Keep answers in the cache directory, and ask the model nothing that was answered before.",
    ),
]
CacheSize = Annotated[
    str,
    typer.Option(
        "--cache-size", metavar="SIZE", rich_help_panel=CACHE, help="Forget the oldest answers beyond this: 20G, 500M."
    ),
]
