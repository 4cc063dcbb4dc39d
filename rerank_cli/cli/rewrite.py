"""`rerank rewrite`: topics in, topics in a model's words out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from rerank_cli.cli import endpoint_options, model_options, options, strategy_options
from rerank_cli.cli import rewrite_options as own
from rerank_cli.cli.terminal import Terminal
from rerank_cli.errors import WrongUsage

if TYPE_CHECKING:
    from rerank_cli.collection import Collection
    from rerank_cli.formats.topics import TopicRecord
    from rerank_cli.rewriting.rewriter import Rewritten, Topic

EXAMPLES = [
    (
        "What would eight hypothetical passages for each topic cost, at 0.15 and 0.60 for a million tokens?",
        "rerank rewrite -c demo --how hyde --dry-run --price 0.15,0.60",
    ),
    (
        "The same for sub-questions of queries of your own",
        "printf 'q1\\twho crossed the ocean that Magellan named\\n' | rerank rewrite --how decompose --dry-run",
    ),
    (
        "And for queries rewritten with the three best documents of a run in view",
        "rerank retrieve -c demo -k 3 | rerank rewrite -c demo --context - --dry-run",
    ),
]


def rewrite(
    terminal: Terminal,
    topics: Annotated[
        str | None,
        typer.Argument(metavar="[TOPICS]", help="Topics (JSONL, TSV, TREC SGML); default: those of -c, else stdin."),
    ] = None,
    how: own.How = own.Way.rewrite,
    n: own.Texts = None,
    join: own.Joined = False,
    keep_query: own.KeepQuery = False,
    fields: own.FieldNames = None,
    context: own.Context = None,
    context_depth: own.ContextDepth = 3,
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
    split: options.Split = "test",
    all_topics: options.AllTopics = False,
    topic_fields: options.TopicFields = "title",
    doc_template: options.DocTemplate = None,
    max_calls: own.MaxCalls = None,
    max_repaired: strategy_options.MaxRepaired = 50.0,
    output: options.Output = "-",
    output_format: own.OutputAs = own.TopicFormat.auto,
    dry_run: own.DryRun = False,
) -> None:
    """Write topics anew in the words of a model.

    Reads topics and asks a model that writes, at a server (--endpoint) or on this machine (-m), what to make of
    each query. The topics go out in their order, each as soon as it and all before it are answered. --how says
    what a query becomes: rewrite, one clearer query, with --context in view of the best documents of a run;
    decompose, the smaller questions that it is made of; aspects, queries for its different sides; hyde,
    passages that might answer it, which are looked for in its place; keywords, the words to look for; filters,
    the query without its conditions on fields, and these as an expression (year >= 2020 and venue = "ACL") in
    the JSONL field filter.

    One text keeps the topic's id; of several each is a topic QID#1, QID#2, ..., whose JSONL field parent is
    QID. rerank retrieve --topics - reads them, and rerank fuse --by-parent joins the lists of one parent again. With
    --join the query and its texts make one topic. JSONL keeps the other fields of JSONL topics.

    Each reply is kept in the cache directory before it is used: a rerun after a crash pays only for what was
    under way. A reply that says nothing leaves the query as it was, and is counted; so does a budget that is
    spent (--max-calls, --max-cost).
    """
    #: Everything that was typed, for who takes a group of it.
    typed = dict(locals())
    from contextlib import ExitStack

    from rerank_cli.cli.estimates import say_writing_estimate
    from rerank_cli.cli.idle import refuse_for_rewrite
    from rerank_cli.cli.scorer import cache_opener
    from rerank_cli.cli.settings import Settings
    from rerank_cli.cli.sources import collection_of, overrides
    from rerank_cli.cli.streams import output_stream
    from rerank_cli.cli.writer import opened_writer, say_room, say_tally
    from rerank_cli.rewriting.rewriter import WAYS, asking, rewritten

    from_collection = topics is None and collection is not None
    refuse_for_rewrite(terminal, from_collection=from_collection, context=context is not None, join=join)
    jsonl = output_format is own.TopicFormat.jsonl
    if how is own.Way.filters:
        if output_format is own.TopicFormat.tsv or join:
            option = "--join" if join else "--output-format tsv"
            raise WrongUsage(f"{option} has no place for a filter", f"leave {option} out")
        jsonl = True
    if context is not None and how is not own.Way.rewrite and prompt is None:
        raise WrongUsage(f"--context is for --how rewrite, not for {how.value}", "or for a --prompt FILE of yours")
    named = prompt or (f"{how.value}-context" if context is not None else how.value)
    asked = asking(
        named,
        n or WAYS[how.value],
        shows=("query",) if context is None else ("query", "documents"),
        instruction=instruction,
        fields=[name.strip() for name in (fields or "").split(",") if name.strip()],
        seed=terminal.seed,
    )
    settings = Settings()
    open_cache = cache_opener(settings, cache_size) if cache else None
    told = overrides(docs, None, None, split, all_topics, topic_fields, doc_template)
    found = collection_of(collection, told, settings, terminal) if collection or docs or context else None
    given = _topics(topics, context, found if collection else None, told.topic_fields)
    if not given:
        terminal.note("there are no topics: nothing to rewrite")
    everything = _with_context(given, context, context_depth, found, terminal)
    with ExitStack() as opened:
        writer, _ = opened.enter_context(opened_writer(typed, settings, terminal, open_cache))
        if dry_run:
            say_writing_estimate("topics", ((topic.text, topic.context) for topic in everything), asked, writer, price)
            return
        say_room(asked, writer, terminal)
        stream = opened.enter_context(output_stream(output))
        progress = opened.enter_context(terminal.progress(len(given), "topics"))
        first = True
        for some in rewritten(everything, writer, asked, keep_query=keep_query, joined=join):
            for topic in some:
                stream.write(_line(topic, jsonl, first=first))
                first = False
            stream.flush()
            progress.advance()
    say_tally(asked.tally, "topics", "keep their query", terminal, max_repaired)


def _topics(
    path: str | None, context: str | None, found: Collection | None, fields: tuple[str, ...]
) -> dict[bytes, TopicRecord]:
    """The topics of a file or stdin, else those of the collection that was named."""
    from rerank_cli.cli.streams import input_stream
    from rerank_cli.formats.topics import TopicRecord, read_topic_records

    if path is None and found is not None:
        return {qid: TopicRecord(text, {}) for qid, text in found.topics().items()}
    if path in (None, "-") and context == "-":
        raise WrongUsage("topics and --context cannot both come from stdin", "name a file for one of them")
    with input_stream(path, "topics") as (stream, name):
        return read_topic_records(stream, name, fields=fields)


def _with_context(
    given: dict[bytes, TopicRecord], context: str | None, depth: int, found: Collection | None, terminal: Terminal
) -> Iterator[Topic]:
    """The topics with the texts of their first documents in the run `context`; the run is read before the first topic is asked for."""
    from rerank_cli.cli.whole_runs import read_runs
    from rerank_cli.core.texts import rendered
    from rerank_cli.rewriting.rewriter import Topic

    run = None if context is None else read_runs([context], "auto", False, terminal)[0].run
    if run is not None and (absent := sum(qid not in run for qid in given)):
        terminal.warn(f"{absent} of {len(given)} topics are not in {context}: the model sees no documents for them")

    def shown(qid: bytes) -> list[str]:
        if run is None or found is None or qid not in run:
            return []
        texts = found.documents().lookup(run[qid].docids[:depth].tolist())
        return [rendered(document, found.doc_template) for document in texts if document is not None]

    return (Topic(qid, topic.text, shown(qid), topic.fields) for qid, topic in given.items())


def _line(topic: Rewritten, jsonl: bool, *, first: bool) -> bytes:
    from rerank_cli.formats.topics import json_topic, tsv_topic

    if not jsonl:
        return tsv_topic(topic.qid, topic.text, first=first)
    parent = {"parent": topic.parent.decode("utf-8", "surrogateescape")} if topic.qid != topic.parent else {}
    filtered = {"filter": topic.conditions} if topic.conditions else {}
    return json_topic(topic.qid, topic.text, {**topic.fields, **parent, **filtered})
