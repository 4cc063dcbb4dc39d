"""What servers say of themselves before they are asked anything: which model, whose software, how much it reads.

OpenAI's `/v1/models` is answered by all that write; of those that only rerank, infinity has `/models` and TEI `/info`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from rerank_cli.errors import WorkFailed, WrongUsage
from rerank_cli.http import server_errors
from rerank_cli.http.servers import Servers

_SHOWN = 12


class Served(NamedTuple):
    """A model as its server calls it; `owner`: whose server (vllm, sglang, llamacpp, infinity, tei, …), empty where unknown."""

    model: str
    owner: str = ""
    #: Tokens of prompt and answer together, None where it does not say.
    context: int | None = None
    #: Where it listed its models, without `/models`: its other addresses begin alike.
    prefix: str = "/v1"


def served(servers: Servers, wanted: str | None, note: Callable[[str], None], *, reranks: bool = False) -> Served:
    """The model that all servers serve: the one `wanted`, else the only one that is listed.

    `reranks`: ask also as rerank servers are asked. Raises `WrongUsage` naming the models when there are several, and
    `WorkFailed` when no server can be reached, or none lists any and none was named.
    """
    found: dict[str, Served] = {}
    unreachable: list[str] = []
    refused: tuple[str, int] | None = None
    for number, address in enumerate(servers.addresses):
        listed = None
        for path in ("/info", "/v1/models", "/models") if reranks else ("/v1/models",):
            status, reply = servers.look(number, path)
            if status in (401, 403):
                refused = address + path, status
            if status == 0:
                unreachable.append(address)
                break
            listed = {one.model: one for one in _listed(path, reply)} if status == 200 else None
            if listed:
                found |= listed
                break
    if len(unreachable) == len(servers.addresses):
        raise WorkFailed(
            f"{', '.join(unreachable)}: cannot be reached", "is the server running, and is this its address?"
        )
    if unreachable:
        note(f"{', '.join(unreachable)}: cannot be reached; the others are asked")
    if wanted is not None:
        # Ollama lists llama3:latest and answers to llama3.
        like = found.get(wanted) or next(iter(found.values()), Served(wanted))
        return like._replace(model=wanted, context=like.context if like.model == wanted else None)
    if len(found) == 1:
        return next(iter(found.values()))
    shown = ", ".join(servers.addresses)
    if refused and not found:
        raise WorkFailed(f"{refused[0]} answered {refused[1]}", server_errors.hint(refused[1], ""))
    if not found:
        raise WorkFailed(f"{shown}: no list of models", "name the one to ask with --served-model")
    names = ", ".join([*sorted(found)[:_SHOWN], *(["…"] if len(found) > _SHOWN else [])])
    raise WrongUsage(f"{shown}: {len(found)} models are served, and --served-model was not given", f"they are {names}")


def _listed(path: str, reply: Any) -> Iterator[Served]:
    """The models of a reply to `path`; none when it is no such list."""
    if not isinstance(reply, dict):
        return
    if path == "/info":
        if isinstance(reply.get("model_id"), str) and "reranker" in (reply.get("model_type") or ()):
            yield Served(reply["model_id"], "tei", reply.get("max_input_length"), "")
        return
    models = reply.get("data")
    for model in models if isinstance(models, list) else ():
        if isinstance(model, dict) and isinstance(model.get("id"), str):
            context = model.get("max_model_len")
            owner = str(model.get("owned_by") or "").lower()
            yield Served(
                model["id"], owner, context if isinstance(context, int) else None, path.removesuffix("/models")
            )
