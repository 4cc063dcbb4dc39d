"""`rerank expand`: documents in, documents with the queries that they answer out (doc2query)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rerank_cli.cli import endpoint_options, model_options, options, strategy_options
from rerank_cli.cli import rewrite_options as own
from rerank_cli.cli.settings import Settings
from rerank_cli.cli.terminal import Terminal

if TYPE_CHECKING:
    from rerank_cli.core.texts import Document

EXAMPLES = [
    (
        "What would five queries for each document of a collection cost, asked of a server?",
        "rerank expand -c demo -n 5 --dry-run --price 0.15,0.60",
    ),
    (
        "The same for documents of your own",
        'printf \'{"_id": "d1", "text": "Fresnel lenses bend light into a beam."}\\n\' | rerank expand --dry-run',
    ),
]


def expand(
    terminal: Terminal,
    documents: Annotated[
        str | None,
        typer.Argument(
            metavar="[DOCS]", help="A file of documents (JSONL, TSV, TREC SGML); default: those of -c, else stdin."
        ),
    ] = None,
    n: own.Queries = None,
    field: own.InField = None,
    model: own.Writes = None,
    prompt: own.Prompt = None,
    instruction: own.Instruction = None,
    trust_remote_code: model_options.TrustRemoteCode = False,
    endpoint: endpoint_options.Endpoint = None,
    served_model: endpoint_options.ServedModel = None,
    api: endpoint_options.Api = endpoint_options.Interface.auto,
    concurrency: endpoint_options.Concurrency = 16,
    timeout: endpoint_options.Timeout = 120.0,
    hedge_delay: endpoint_options.HedgeDelay = None,
    api_key_env: endpoint_options.ApiKeyEnv = None,
    max_cost: endpoint_options.MaxCost = None,
    price: endpoint_options.Price = None,
    device: model_options.Device = None,
    precision: model_options.PrecisionName = None,
    batch_tokens: model_options.BatchTokens = None,
    cache: model_options.Cached = True,
    cache_size: model_options.CacheSize = "20G",
    collection: options.Collection = None,
    docs: options.Docs = None,
    doc_template: options.DocTemplate = None,
    max_calls: own.MaxCalls = None,
    max_repaired: strategy_options.MaxRepaired = 50.0,
    output: options.Output = "-",
    dry_run: own.DryRun = False,
) -> None:
    """Append to documents the queries that they answer.

    Reads documents one after another and writes them as JSONL (_id, title, text and what other fields a JSONL file
    has), each as soon as it and all before it are done, so that a first stage of words finds them by words that
    they do not hold. Of a collection (-c) id, title and text are read. With --field the queries stand in a field
    of their own.

    A T5 (-m doc2query-t5-base, -m FOLDER) reads the document and nothing else, as doc2query-T5 was trained to,
    and draws 40 queries of at most 63 tokens from the 10 likeliest tokens each; repeated ones are appended once.
    Any other model, here or at a server, is asked once for 10 queries in words.

    Each reply is kept in the cache directory before it is used: a run that was killed goes on where it was. A
    document without a reply is written as it was, and is counted.
    """
    #: Everything that was typed, for who takes a group of it.
    typed = dict(locals())
    from contextlib import ExitStack

    from rerank_cli.cli.estimates import say_writing_estimate
    from rerank_cli.cli.scorer import cache_opener
    from rerank_cli.cli.streams import output_stream
    from rerank_cli.cli.writer import opened_writer, say_room, say_tally
    from rerank_cli.core.texts import rendered
    from rerank_cli.formats.fields import json_line
    from rerank_cli.rewriting.expander import ASKED, TRAINED, expanded
    from rerank_cli.rewriting.rewriter import asking

    if documents is not None:
        terminal.refuse(["collection", "docs"], f"names documents, and those to expand are in {documents}")
    settings = Settings()
    open_cache = cache_opener(settings, cache_size) if cache else None
    with ExitStack() as opened:
        writer, apart = opened.enter_context(opened_writer(typed, settings, terminal, open_cache))
        named, usual = TRAINED if apart else ASKED
        how = asking(prompt or named, n or usual, shows=("documents",), instruction=instruction, seed=terminal.seed)
        given, template = opened.enter_context(
            _documents(documents, collection, docs, doc_template, settings, terminal)
        )
        if dry_run:
            say_writing_estimate("documents", (("", [rendered(one, template)]) for one, _ in given), how, writer, price)
            return
        say_room(how, writer, terminal)
        stream = opened.enter_context(output_stream(output))
        progress = opened.enter_context(terminal.progress(None, "documents"))
        for one in expanded(given, writer, how, template):
            stream.write(json_line(one.record(field)))
            stream.flush()
            progress.advance()
    say_tally(how.tally, "documents", "have no query", terminal, max_repaired)


@contextmanager
def _documents(
    path: str | None,
    collection: str | None,
    docs: list[str] | None,
    template: str | None,
    settings: Settings,
    terminal: Terminal,
) -> Iterator[tuple[Iterator[tuple[Document, dict[str, Any]]], str]]:
    """The documents of a file or stdin with their other fields, else those of the collection; and what the model sees of one."""
    from rerank_cli.cli.sources import collection_of, overrides
    from rerank_cli.cli.streams import input_stream
    from rerank_cli.core.texts import TITLE_AND_TEXT
    from rerank_cli.formats.documents import read_records

    if path is None and (collection or docs):
        found = collection_of(collection, overrides(docs, doc_template=template), settings, terminal)
        yield ((document, {}) for document in found.documents()), found.doc_template
        return
    with input_stream(path, "documents") as (stream, name):
        yield read_records(stream, name), template or TITLE_AND_TEXT
