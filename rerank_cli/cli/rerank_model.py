"""The model of `rerank rerank`, opened: on this machine, or at the servers that were named."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from rerank_cli.cli.idle import SERVED, refuse_for_place
from rerank_cli.cli.options import given
from rerank_cli.cli.settings import Setting, Settings
from rerank_cli.cli.terminal import Terminal

if TYPE_CHECKING:
    from rerank_cli.http.ledger import Ledger
    from rerank_cli.methods import LoadedScorer

_EITHER = ("method", "prompt", "max_length", "instruction")
_HERE = ("engine", "provider", "precision", "batch_tokens", "trust_remote_code")


def opened_model(
    model: Setting, settings: Settings, terminal: Terminal, typed: Mapping[str, Any], meanwhile: Callable[[], None]
) -> tuple[LoadedScorer, Ledger | None]:
    """The model and, of servers, what they are paid; `typed` are the command's options by their names, `meanwhile` see `open_scorer`."""
    from rerank_cli.cli.endpoints import open_served
    from rerank_cli.cli.scorer import open_scorer

    asked = {name: typed[name] for name in _EITHER}
    servers = settings.resolve("endpoint", typed["endpoint"])
    refuse_for_place(terminal, servers if servers.value else None, typed["cache"])
    if servers.value:
        return open_served(model, servers, settings, terminal, **asked, **given(typed, SERVED))
    device = settings.resolve("device", typed["device"]).value or "auto"
    how = given(typed, _HERE)
    return open_scorer(model, settings, terminal, **asked, device=device, meanwhile=meanwhile, **how), None
