"""What servers say of themselves before they are asked anything: which model, whose software, how much it reads.

OpenAI's `/v1/models` is answered by all that write; of those that only rerank, infinity has `/models` and TEI `/info`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from rerank_cli.core.side_by_side import side_by_side
from rerank_cli.errors import WorkFailed, WrongUsage
from rerank_cli.http import server_errors
from rerank_cli.http.servers import Servers
from rerank_cli.http.transport import Refused

_SHOWN = 12


class Served(NamedTuple):
    """A model as its server calls it; `owner`: whose server (vllm, sglang, llamacpp, infinity, tei, …), empty where unknown."""

    model: str
    owner: str = ""
    #: Tokens of prompt and answer together, None where it does not say.
    context: int | None = None
    #: Where it listed its models, without `/models`: its other addresses begin alike.
    prefix: str = "/v1"


class _Look(NamedTuple):
    """What looking at one server told: the models that it lists at `path`, by name; if none, how the last path was refused."""

    address: str
    path: str
    #: 0: it cannot be reached.
    status: int
    listed: dict[str, Served]
    #: How it refuses whatever it is asked.
    refused: Refused | None = None


def served(servers: Servers, wanted: str | None, note: Callable[[str], None], *, reranks: bool = False) -> Served:
    """The model that all servers serve: the one `wanted`, else the only one that is listed; each server is looked at once.

    `reranks`: ask also as rerank servers are asked. Of several, one that does not answer is ejected until it does, and one
    whose connection cannot be trusted is left out. Raises
    `WrongUsage` naming the models when there are several, or servers that do not go together, and `WorkFailed` when no
    server can be reached, or none lists any and none was named.
    """
    paths = ("/info", "/v1/models", "/models") if reranks else ("/v1/models",)
    every = range(len(servers.addresses))
    found = dict(side_by_side(lambda at: (at, _look(servers, at, paths)), every, len(every)))
    looks = [found[at] for at in every]
    shown = ", ".join(servers.addresses)
    if not any(look.status for look in looks):
        if refusal := next((look.refused for look in looks if look.refused), None):
            raise refusal
        raise WorkFailed(f"{shown}: cannot be reached", "is the server running, and is this its address?")
    for at, look in enumerate(looks):
        if look.refused:
            servers.leave_out(at, look.refused)
        elif len(looks) > 1 and (not look.status or look.status in server_errors.PASSING):
            servers.eject(at, f"answered {look.status}" if look.status else "cannot be reached", look.status)
    listing = [look for look in looks if look.listed]
    if listing:
        one = _together(listing, wanted, reranks, note)
        servers.watch(listing[0].path, lambda reply: _objection(reply, listing[0], one.model))
        return one
    if wanted is not None:
        return Served(wanted)
    for look in looks:
        if look.status in (401, 403):
            what = f"{look.address}{look.path} answered {look.status}"
            raise WorkFailed(what, server_errors.hint(look.status, ""))
    raise WorkFailed(f"{shown}: no list of models", "name the one to ask with --served-model")


def _look(servers: Servers, number: int, paths: Sequence[str]) -> _Look:
    address = servers.addresses[number]
    refused = _Look(address, paths[0], 0, {})
    for path in paths:
        try:
            status, reply = servers.look(number, path)
        except Refused as refusal:
            return _Look(address, path, 0, {}, refusal)
        if listed := {one.model: one for one in _listed(path, reply)} if status == 200 else {}:
            return _Look(address, path, status, listed)
        if not status:
            return _Look(address, path, 0, {})
        if refused.status not in (401, 403):
            refused = _Look(address, path, status, {})
    return refused


def _together(listing: Sequence[_Look], wanted: str | None, reranks: bool, note: Callable[[str], None]) -> Served:
    """The model as the servers serve it that list any; raises `WrongUsage` when they do not agree on one."""
    names = {name for look in listing for name in look.listed}
    if wanted is None and len(names) > 1:
        if any(look.listed.keys() != names for look in listing):
            each = "; ".join(f"{look.address} serves {_shown(look.listed)}" for look in listing)
            raise WrongUsage(each, "all servers answer with one model: name it with --served-model, or leave one out")
        what = f"{', '.join(look.address for look in listing)}: {len(names)} models are served"
        raise WrongUsage(f"{what}, and --served-model was not given", f"they are {_shown(names)}")
    model = min(names) if wanted is None else wanted
    if model in names:
        for look in listing:
            if model not in look.listed:
                what = f"{look.address} serves {_shown(look.listed)}, not {model}"
                raise WrongUsage(what, "all servers answer with one model: leave this one out")
        ones = [look.listed[model] for look in listing]
    else:  # Ollama lists llama3:latest and answers to llama3.
        ones = [next(iter(look.listed.values()))._replace(model=model, context=None) for look in listing]
    one = ones[0]._replace(context=min((one.context for one in ones if one.context), default=None))
    if len({(one.owner, one.prefix) for one in ones}) > 1:
        kinds = ", ".join(f"{look.address} by {one.owner or 'some server'}" for look, one in zip(listing, ones))
        if reranks:
            raise WrongUsage(f"{kinds}: they are asked in different ways", "name those of one kind")
        note(f"{model}: {kinds}; they are asked only what both understand")
        one = one._replace(owner="")
    return one


def _objection(reply: Any, first: _Look, model: str) -> str:
    """What is wrong with what a server lists that has come back; empty when it is the model that the others serve."""
    names = {one.model for one in _listed(first.path, reply)}
    return f"serves {_shown(names)} now, not {model}" if names and model in first.listed and model not in names else ""


def _shown(names: Iterable[str]) -> str:
    """Names in their order, no more than a line takes."""
    ordered = sorted(names)
    return ", ".join([*ordered[:_SHOWN], *(["…"] if len(ordered) > _SHOWN else [])])


def _listed(path: str, reply: Any) -> Iterator[Served]:
    """The models of a reply to `path`; none when it is no such list."""
    if not isinstance(reply, dict):
        return
    if path == "/info":
        kinds, longest = reply.get("model_type"), reply.get("max_input_length")
        if isinstance(reply.get("model_id"), str) and isinstance(kinds, dict | list | str) and "reranker" in kinds:
            yield Served(reply["model_id"], "tei", longest if isinstance(longest, int) else None, "")
        return
    models = reply.get("data")
    for model in models if isinstance(models, list) else ():
        if isinstance(model, dict) and isinstance(model.get("id"), str):
            context = model.get("max_model_len")
            owner = str(model.get("owned_by") or "").lower()
            yield Served(
                model["id"], owner, context if isinstance(context, int) else None, path.removesuffix("/models")
            )
