"""From the options of `rerank retrieve --from` to an engine that is asked, and its run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rerank_cli.cli.encoders import Encoders
from rerank_cli.cli.endpoints import key_from
from rerank_cli.cli.settings import Setting, Settings
from rerank_cli.cli.terminal import Terminal
from rerank_cli.errors import WrongUsage

if TYPE_CHECKING:
    import numpy as np

    from rerank_cli.retrieval.engines.engine import Dialect, Engine, Fields


@dataclass(frozen=True)
class Elsewhere:
    """The options that say which engine is asked, and how."""

    address: str
    fields: str | None
    docid: str | None
    rank_profile: str | None
    vector_name: str | None
    concurrency: int
    timeout: float
    api_key_env: str | None
    #: Whether the run holds texts.
    texts: bool

    def open(self, model: Setting, encoders: Encoders, settings: Settings, terminal: Terminal) -> Engine:
        """The engine, asked only whether it has the fields, said on stderr.

        Raises `WrongUsage` for a model that does not go with it, and `WorkFailed` when it lacks a field.

        Qdrant wants the bi-encoder that made its vectors, named by -m and opened as `encoders` says; the others rank without a model of ours.
        """
        from rerank_cli.http.servers import Servers
        from rerank_cli.http.transport import bearer
        from rerank_cli.retrieval.engines import elastic
        from rerank_cli.retrieval.engines.address import read_address
        from rerank_cli.retrieval.engines.engine import Engine, asking, hint
        from rerank_cli.retrieval.engines.qdrant import Qdrant
        from rerank_cli.retrieval.engines.vespa import Vespa

        place = read_address(self.address)
        signed = {"elastic": elastic.signed, "opensearch": elastic.signed_opensearch}.get(place.kind, bearer)
        servers = Servers(
            [place.root],
            key=key_from(self.api_key_env, settings.environment),
            signed=signed,
            hint=hint,
            concurrency=self.concurrency,
            timeout=self.timeout,
            note=terminal.note,
        )
        what = f"{place.target} of " if place.target else ""
        terminal.note(f"{what}{place.kind} at {place.root} (--from), {self.concurrency} requests at a time")
        fields = self._fields()
        dialect: Dialect
        if place.kind == "vespa":
            dialect = Vespa(place.path, fields, place.target, self.rank_profile or "", self.timeout)
        elif place.kind == "qdrant":
            encode = _encoder(model, encoders, settings, terminal)
            dialect = Qdrant(place.path, place.target, fields, encode, self.vector_name or "")
        else:
            dialect = elastic.opened(place.kind, f"{place.path}/{place.target}", fields, asking(servers))
        return Engine(dialect, servers, terminal.note)

    def _fields(self) -> Fields:
        from rerank_cli.retrieval.engines.engine import Fields

        names = [name.strip() for name in (self.fields or "").split(",")] if self.fields is not None else []
        if len(names) > 2 or not all(names):
            raise WrongUsage(f"--engine-fields {self.fields}: one or two fields are wanted", "as in title,text or text")
        return Fields(self.docid, names[0] if len(names) == 2 else None, names[-1] if names else None, self.texts)

    def check(self, model: Setting) -> None:
        """Raise `WrongUsage` for an address that is none, and for an option of another engine."""
        from rerank_cli.retrieval.engines.address import read_address

        kind = read_address(self.address).kind
        if kind == "qdrant" and (model.origin == "default" or model.value == "bm25"):
            raise WrongUsage("Qdrant searches by vectors", "-m names the bi-encoder that made those of the collection")
        if kind != "qdrant" and model.origin == "-m":
            raise WrongUsage(f"-m {model.value}: {kind} ranks by itself", "leave -m out")
        for name, value, own in (
            ("--rank-profile", self.rank_profile, "vespa"),
            ("--vector-name", self.vector_name, "qdrant"),
        ):
            if value is not None and kind != own:
                raise WrongUsage(f"{name} is for {own}, and --from names {kind}", "leave it out")


def _encoder(
    model: Setting, encoders: Encoders, settings: Settings, terminal: Terminal
) -> Callable[[Sequence[str]], Sequence[np.ndarray]]:
    """What makes the vectors of queries; raises `WrongUsage` for a model that makes no vector of a text."""
    from rerank_cli.methods.vectors import TextScorer

    scorer = encoders.scorer(model, settings, terminal)
    if not isinstance(scorer, TextScorer) or scorer.description.method != "bi-encoder":
        raise WrongUsage(f"-m {model.value} is no bi-encoder", "Qdrant is searched by one vector a query")
    texts = scorer.model

    def encode(queries: Sequence[str]) -> list[np.ndarray]:
        vectors: list[Any] = [None] * len(queries)
        for some in texts.embed(queries, as_query=True):
            for at, array in zip(some.positions.tolist(), some.arrays, strict=True):
                vectors[at] = array
        return vectors

    return encode
