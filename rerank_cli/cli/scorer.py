"""From what the user typed after -m to a loaded model, exporting it on the way when it must be."""

from __future__ import annotations

from typing import Any

from rerank_cli.cli.settings import Setting, Settings
from rerank_cli.cli.terminal import Terminal


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
    batch_tokens: int | None = None,
    trust_remote_code: bool = False,
) -> Any:
    """Load the model of a setting as a `Scorer`; says on stderr which, and on what it runs."""
    from rerank_cli import export, methods
    from rerank_cli.methods import catalog

    checkpoint = catalog.find(model.value or "", method=method)
    common = {
        "device": device,
        "threads": terminal.threads,
        "max_length": max_length,
        "batch_tokens": batch_tokens,
        "note": terminal.note,
    }
    if engine == "torch":
        scorer = methods.load_torch(checkpoint, offline=terminal.offline, trust_remote_code=trust_remote_code, **common)
    else:
        folder = export.ensure_exported(
            checkpoint,
            settings.cache_dir,
            note=terminal.note,
            offline=terminal.offline,
            trust_remote_code=trust_remote_code,
        )
        scorer = methods.load(folder, provider=provider, **common)
    terminal.note(f"{scorer.description} ({model.origin})")
    return scorer
