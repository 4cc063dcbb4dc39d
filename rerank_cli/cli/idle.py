"""Options that were typed and could change nothing: refused, because whoever typed them expected something of them.

What can be told from the command line alone is told before anything is opened. Values play no part: an option at its
default that is typed out is refused as well.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rerank_cli.cli.settings import Setting
from rerank_cli.cli.terminal import Terminal

#: Options of servers, and of models that run here.
SERVED = ("served_model", "api", "concurrency", "timeout", "hedge_delay", "api_key_env", "max_cost", "price")
HERE = ("engine", "device", "provider", "precision", "batch_tokens", "trust_remote_code")

_FIELDS = ("field_b", "fields_by")
_BM25 = ("k1", "b", "variant", "delta", "exact_lengths", "analyzer", "field_weights", *_FIELDS)
_SUM = ("fuse", "norm", "weights")
_FEEDBACK = (
    "rm3",
    "rocchio",
    "prf",
    "feedback",
    "fb_docs",
    "fb_terms",
    "fb_weight",
    "prf_aggregate",
    "prf_alpha",
    "prf_beta",
)
_MODEL = ("method", "max_length", "device", "precision", "batch_tokens")
_OURS = (
    "ray",
    "workers",
    "gpus_per_worker",
    "index",
    "docs",
    "doc_template",
    "filter",
    "topic_filters",
    "ann",
    *_BM25,
    *_SUM,
    *_FEEDBACK,
)
_ENGINE = ("engine_fields", "engine_id", "rank_profile", "vector_name", "concurrency", "timeout", "api_key_env")
#: Where the topics of a collection come from.
TOPICS_OF_COLLECTION = ("split", "all_topics")


def refuse_for_retrieve(terminal: Terminal, parts: Sequence[str], typed: Mapping[str, Any]) -> None:
    """What does nothing for the first stages `parts`, or for another engine (--from)."""
    if typed["topics"] is not None:
        terminal.refuse(TOPICS_OF_COLLECTION, "chooses topics of a collection, and --topics names others")
    if typed["source"] is not None:
        terminal.refuse(_OURS, "is not for --from")
        if not typed["source"].startswith("qdrant"):
            terminal.refuse(_MODEL, "is for the model of -m, and this engine ranks without one")
        return
    terminal.refuse(_ENGINE, "is for another engine, and no --from names one")
    if "bm25" not in parts:
        terminal.refuse(_BM25, f"is for bm25, and {'+'.join(parts)} is asked")
    if len(parts) == 1:
        terminal.refuse(_SUM, "is for a sum of first stages", "as in -m bm25+minilm")
    if typed["field_weights"] is None:
        terminal.refuse(_FIELDS, "is for fields", "add --field-weights title=2,text=1, or leave it out")
    whole = [part for part in parts if part != "impact" and not (part == "bm25" and typed["field_weights"])]
    if not whole and typed["prf"] is None:
        terminal.refuse(["doc_template"], "makes one text of a document, which no first stage here reads")


def refuse_for_index(terminal: Terminal, parts: Sequence[str], *, looked_at: str | None) -> None:
    """What does nothing for an index of `parts`, or for one that is only `looked_at`."""
    if looked_at is not None:
        built = ("ray", "model", "place", "analyzer", "field_weights", "collection", "docs", "doc_template")
        terminal.refuse(built, f"says what to build, and {looked_at} is looked at")
    if "bm25" not in parts:
        terminal.refuse(["analyzer", "field_weights"], f"is for bm25, and {'+'.join(parts)} is asked")
    elif "field_weights" in terminal.typed and len(parts) == 1:
        terminal.refuse(["doc_template"], "makes one text of a document, whose fields are indexed apart")


def refuse_for_place(terminal: Terminal, servers: Setting | None, kept: bool) -> None:
    """What does nothing because the model runs at `servers`, or (None) does not; and because no answers are `kept`."""
    if servers is None:
        terminal.refuse(SERVED, "is for servers, and a model on this machine answers", "name them with --endpoint")
    else:
        terminal.refuse(HERE, f"is for a model on this machine, and servers answer ({servers.origin})")
    if not kept:
        refuse_cache_size(terminal)


def refuse_cache_size(terminal: Terminal) -> None:
    """Room for answers where --no-cache keeps none."""
    terminal.refuse(["cache_size"], "is for answers that are kept, and --no-cache keeps none")


def refuse_for_rewrite(terminal: Terminal, *, from_collection: bool, context: bool, join: bool) -> None:
    """What does nothing for topics that do not come from the collection, without a run in view, or joined."""
    if not context:
        terminal.refuse(["context_depth", "docs", "doc_template"], "is for the documents of --context")
    if not from_collection:
        terminal.refuse(TOPICS_OF_COLLECTION, "chooses topics of a collection, and they come from elsewhere")
        if not context:
            note_collection(terminal)
    if join:
        terminal.refuse(["keep_query"], "writes the query itself, which --join does in any case")


def note_collection(terminal: Terminal) -> None:
    """A collection that is not opened: said, not refused, because it is named all along a pipe."""
    if "collection" in terminal.typed:
        terminal.note("nothing here reads a collection: -c is not used")
