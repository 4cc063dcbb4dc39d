"""From what the user typed after -m to a loaded model, exporting it on the way when it must be."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from rerank_cli.cli.settings import Setting, Settings
from rerank_cli.cli.terminal import Terminal
from rerank_cli.errors import WrongUsage

if TYPE_CHECKING:
    from rerank_cli.methods import LoadedScorer
    from rerank_cli.methods.checkpoint import Checkpoint


def open_scorer(
    model: Setting,
    settings: Settings,
    terminal: Terminal,
    *,
    method: str | None = None,
    engine: str = "auto",
    device: str = "auto",
    provider: str = "auto",
    precision: str | None = None,
    max_length: int | None = None,
    instruction: str | None = None,
    batch_tokens: int | None = None,
    trust_remote_code: bool = False,
    around: Callable[[Any], Any] | None = None,
) -> LoadedScorer:
    """Load the model of a setting as a `Scorer`; says on stderr which, and on what it runs. `around` wraps its backend."""
    from functools import partial

    from rerank_cli.cli.precisions import quickest_here
    from rerank_cli.methods import catalog

    checkpoint = catalog.find(model.value or "", method=method)
    opened = partial(
        _opened,
        checkpoint,
        settings,
        terminal,
        engine=engine,
        provider=provider,
        fetching={"offline": terminal.offline, "trust_remote_code": trust_remote_code, "note": terminal.note},
        running={
            "device": device,
            "threads": terminal.threads,
            "max_length": max_length,
            "instruction": instruction,
            "batch_tokens": batch_tokens,
            "around": around,
        },
    )
    if precision == "fast":
        precision = quickest_here(opened, settings, terminal)
    scorer = opened(precision)
    terminal.note(f"{scorer.description!s} ({model.origin})")
    return scorer


def _opened(
    checkpoint: Checkpoint,
    settings: Settings,
    terminal: Terminal,
    precision: str | None,
    *,
    engine: str,
    provider: str,
    fetching: dict[str, Any],
    running: dict[str, Any],
) -> LoadedScorer:
    """Open a checkpoint in one precision: PyTorch for what ONNX Runtime's provider does not compute, else a graph."""
    from rerank_cli import export, methods
    from rerank_cli.cli.precisions import real_lists
    from rerank_cli.export.reduced import ensure_reduced
    from rerank_cli.inference.devices import onnx_provider
    from rerank_cli.methods.exported import RECORD, read_record

    folder = checkpoint.folder
    own = read_record(folder).precision if folder and (folder / RECORD).is_file() else "fp32"
    precision = precision or own
    on_cpu = onnx_provider(provider, running["device"], lambda _: None)[0] == "cpu" if engine != "torch" else False
    by_torch = engine == "torch" or precision == "bf16" or (precision == "fp16" and on_cpu)
    if by_torch and precision == "int8":
        raise WrongUsage("--precision int8 is for the graph: --engine torch does not compute in it")
    if by_torch and (engine == "onnx" or provider != "auto"):
        asked = f"--provider {provider}" if provider != "auto" else "--engine onnx"
        raise WrongUsage(f"{asked}: ONNX Runtime does not compute {checkpoint.name} in {precision} here")
    if by_torch:
        return methods.load_torch(checkpoint, cache_dir=settings.cache_dir, precision=precision, **fetching, **running)
    folder = export.ensure_exported(checkpoint, settings.cache_dir, max_length=running["max_length"], **fetching)
    if precision != own:
        if own != "fp32":
            raise WrongUsage(f"{checkpoint.name} is a graph in {own}, and --precision {precision} was asked for")
        folder = ensure_reduced(
            folder,
            precision,
            settings.cache_dir,
            lists=lambda: real_lists(settings, terminal),
            threads=terminal.threads,
            note=terminal.note,
        )
    return methods.load(
        folder,
        provider=provider,
        note=terminal.note,
        name=checkpoint.name,
        cache_dir=settings.cache_dir,
        **running,
    )


@contextmanager
def keeping_answers(
    scorer: LoadedScorer, limit_bytes: int | None, settings: Settings, terminal: Terminal
) -> Iterator[LoadedScorer]:
    """The scorer with the answers of the cache directory before it; as it is when `limit_bytes` is None."""
    from rerank_cli.core.protocols import ListScorer, Ranker
    from rerank_cli.inference.cache import AnswerCache
    from rerank_cli.pipeline.cached import CachedScorer
    from rerank_cli.pipeline.kept_replies import KeptReplies

    if limit_bytes is None:
        yield scorer
        return
    with AnswerCache(settings.cache_dir / "answers", limit_bytes, terminal.warn) as cache:
        if hasattr(scorer, "keep_in"):
            # It keeps what is below its answers: what the model made of each text, or the words that it wrote.
            scorer.keep_in(cache)
            yield scorer
        elif isinstance(scorer, Ranker):
            yield KeptReplies(scorer, cache)
        else:
            yield scorer if isinstance(scorer, ListScorer) else CachedScorer(scorer, cache)


def facts_of(scorer: LoadedScorer) -> dict[str, Any]:
    """What provenance says of a model."""
    import dataclasses

    facts = dataclasses.asdict(scorer.description)
    return {"model": facts.pop("name"), **facts}
