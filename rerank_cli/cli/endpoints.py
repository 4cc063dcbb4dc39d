"""From the options of servers to a model that is asked there: words from a `Writer`, scores from a `Scorer`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast

from rerank_cli.cli.settings import Setting, Settings
from rerank_cli.cli.terminal import Terminal
from rerank_cli.errors import Missing, WrongUsage

if TYPE_CHECKING:
    from rerank_cli.http.ledger import Ledger
    from rerank_cli.http.servers import Servers
    from rerank_cli.inference.endpoint import EndpointWriter
    from rerank_cli.inference.rerank_servers import RemoteScorer
    from rerank_cli.inference.served import Served
    from rerank_cli.methods import LoadedScorer
    from rerank_cli.methods.pointwise import Description

_RERANKS, _WRITES = ("rerank", "score"), ("chat", "completions")


def open_endpoint(
    endpoint: Setting,
    environment: Mapping[str, str],
    terminal: Terminal,
    *,
    in_words: bool,
    served_model: str | None = None,
    api: str = "auto",
    concurrency: int = 16,
    timeout: float = 120.0,
    hedge_delay: float | None = None,
    api_key_env: str | None = None,
    max_cost: float | None = None,
    price: str | None = None,
) -> EndpointWriter | RemoteScorer:
    """Find out what the servers of a setting serve, say it on stderr, and return who asks them.

    `in_words`: whether the method asks a model that writes; if not, the servers must be rerank servers. Raises
    `WrongUsage` for an interface that does not go with it, `Missing` for a key whose variable is not set.
    """
    from rerank_cli.http.servers import Servers
    from rerank_cli.inference.endpoint import EndpointWriter
    from rerank_cli.inference.rerank_servers import RemoteScorer, shape_of
    from rerank_cli.inference.served import served

    if api in (_RERANKS if in_words else _WRITES):
        kind = "asks a model that writes" if in_words else "takes scores, not words"
        raise WrongUsage(f"--api {api}: the method {kind}", f"--api {'chat' if in_words else 'rerank'}, or another -m")
    servers = Servers(
        [url.strip() for url in (endpoint.value or "").split(",") if url.strip()],
        key=key_from(api_key_env, environment),
        concurrency=concurrency,
        timeout=timeout,
        hedge_delay=hedge_delay,
        ledger=_ledger(max_cost, price),
        note=terminal.note,
    )
    found = served(servers, served_model, terminal.note, reranks=not in_words)
    where = f"{', '.join(servers.addresses)} ({endpoint.origin})"
    each = " each" if len(servers.addresses) > 1 else ""
    if in_words:
        writer = EndpointWriter(servers, found, api=api, note=terminal.note)  # type: ignore[arg-type]
        terminal.note(f"{found.model}: words from {where}, {concurrency} requests at a time{each}")
        return writer
    shape = shape_of(servers.addresses[0], found, api)
    terminal.note(f"{found.model}: scores from {where}, asked as {shape.name} at {shape.path}")
    return RemoteScorer(servers, shape, found.model, _description(found, shape.name, shape.scale, servers))


def open_served(
    model: Setting,
    endpoint: Setting,
    settings: Settings,
    terminal: Terminal,
    *,
    method: str | None,
    prompt: str | None,
    max_length: int | None,
    instruction: str | None,
    api: str,
    **how: Any,
) -> tuple[LoadedScorer, Ledger]:
    """The model of a setting as servers answer it, in its method's words or as the rerank server that it is, and what is paid.

    A method that reads no words, or the default model, wants a rerank server; raises as `open_endpoint`, and `WrongUsage` for
    what a rerank server does not take.
    """
    from rerank_cli import methods
    from rerank_cli.methods import catalog

    module: Any = None
    if model.origin != "default" or method is not None:
        try:
            checkpoint = catalog.find(model.value or "", method=method)
        except Missing as error:
            served_there = "with --endpoint, -m is the method and its prompt (rankgpt), --served-model the model there"
            raise Missing(error.message, f"{served_there}; {error.hint}") from error
        module = methods.method_named(checkpoint.method) if checkpoint.method else None
    in_words = hasattr(module, "asked") and api not in _RERANKS
    opened = open_endpoint(endpoint, settings.environment, terminal, in_words=in_words, api=api, **how)
    if in_words:
        assert module is not None
        told = {"max_length": max_length, "instruction": instruction, "note": terminal.note}
        return module.asked(checkpoint, opened, prompt, **told), opened.ledger
    for name, value in (("--prompt", prompt), ("--instruction", instruction), ("--max-length", max_length)):
        if value is not None:
            raise WrongUsage(f"{name}: a rerank server keeps it to itself", f"leave {name} out")
    return cast("LoadedScorer", opened), opened.ledger


def key_from(variable: str | None, environment: Mapping[str, str]) -> str:
    """The key of servers, from the environment variable that --api-key-env names; raises `Missing` when it is not set."""
    if variable is None:
        return ""
    if not environment.get(variable):
        raise Missing(f"--api-key-env {variable}: this environment variable is not set", f"export {variable}=...")
    return environment[variable].strip()


@contextmanager
def paid(ledger: Ledger | None, terminal: Terminal) -> Iterator[None]:
    """Around the work of servers: tell at its end, a failure's too, what they were asked, what it cost, and what each of several did."""
    try:
        yield
    except BrokenPipeError:
        # Who closed a pipe wants to hear no more.
        ledger = None
        raise
    finally:
        if ledger is not None:
            terminal.note(f"the servers answered {ledger}")
            for line in ledger.of_each():
                terminal.note(line)


def _ledger(max_cost: float | None, price: str | None) -> Ledger:
    from rerank_cli.http.ledger import Ledger, Limits

    if max_cost is not None and price is None:
        raise WrongUsage("--max-cost needs the prices of tokens", "--price IN,OUT says them, for a million tokens each")
    return Ledger(Limits(cost=max_cost, prices=prices(price)))


def prices(text: str | None) -> tuple[float, float]:
    """`0.15,0.60` as two numbers; raises `WrongUsage` for anything else."""
    import math

    if text is None:
        return 0.0, 0.0
    try:
        for_read, for_written = (float(part) for part in text.split(","))
    except ValueError:
        for_read = for_written = -1.0
    if not (0 <= for_read < math.inf and 0 <= for_written < math.inf):
        raise WrongUsage(f"--price {text}: two prices are wanted", "for a million tokens read and written: 0.15,0.60")
    return for_read, for_written


def _description(found: Served, kind: str, scale: str, servers: Servers) -> Description:
    """What provenance says of a model at a server; all that can be known of it from here."""
    from rerank_cli.methods.pointwise import Description

    return Description(
        name=found.model,
        method=kind,
        score=scale,
        max_length=found.context or 0,
        engine="endpoint",
        provider=kind,
        device=",".join(servers.addresses),
        precision="",
        template="",
        source=found.model,
        revision=None,
        # The server's name for it is all that parts one model's answers from another's.
        model_hash=f"{found.owner} {found.model}",
        batch_tokens=0,
    )
