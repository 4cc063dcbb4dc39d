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


def open_scorer(
    model: Setting,
    settings: Settings,
    terminal: Terminal,
    *,
    method: str | None = None,
    engine: str = "auto",
    device: str = "auto",
    provider: str = "auto",
    max_length: int | None = None,
    instruction: str | None = None,
    batch_tokens: int | None = None,
    trust_remote_code: bool = False,
    around: Callable[[Any], Any] | None = None,
) -> LoadedScorer:
    """Load the model of a setting as a `Scorer`; says on stderr which, and on what it runs. `around` wraps its backend."""
    from rerank_cli import export, methods
    from rerank_cli.methods import catalog

    checkpoint = catalog.find(model.value or "", method=method)
    fetching: dict[str, Any] = {
        "offline": terminal.offline,
        "trust_remote_code": trust_remote_code,
        "note": terminal.note,
    }
    running: dict[str, Any] = {
        "device": device,
        "threads": terminal.threads,
        "max_length": max_length,
        "instruction": instruction,
        "batch_tokens": batch_tokens,
        "around": around,
    }
    if engine == "torch":
        if provider != "auto":
            raise WrongUsage(f"--provider {provider} is ONNX Runtime's, and --engine torch was asked for")
        scorer = methods.load_torch(checkpoint, cache_dir=settings.cache_dir, **fetching, **running)
    else:
        folder = export.ensure_exported(checkpoint, settings.cache_dir, max_length=max_length, **fetching)
        scorer = methods.load(folder, provider=provider, note=terminal.note, name=checkpoint.name, **running)
    terminal.note(f"{scorer.description!s} ({model.origin})")
    return scorer


@contextmanager
def keeping_answers(
    scorer: LoadedScorer, limit_bytes: int | None, settings: Settings, terminal: Terminal
) -> Iterator[LoadedScorer]:
    """The scorer with the answers of the cache directory before it; as it is when `limit_bytes` is None."""
    from rerank_cli.core.protocols import ListScorer
    from rerank_cli.inference.cache import AnswerCache
    from rerank_cli.pipeline.cached import CachedScorer

    if limit_bytes is None:
        yield scorer
        return
    with AnswerCache(settings.cache_dir / "answers", limit_bytes, terminal.warn) as cache:
        if isinstance(scorer, ListScorer):
            # A rating depends on its whole list: what is kept is what the model made of each text.
            if hasattr(scorer, "keep_in"):
                scorer.keep_in(cache)
            yield scorer
            return
        yield CachedScorer(scorer, cache)


def facts_of(scorer: LoadedScorer) -> dict[str, Any]:
    """What provenance says of a model."""
    import dataclasses

    facts = dataclasses.asdict(scorer.description)
    return {"model": facts.pop("name"), **facts}
