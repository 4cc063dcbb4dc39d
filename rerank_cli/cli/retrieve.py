"""`rerank retrieve`: topics in, the best documents of the whole collection out, as a run."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from rerank_cli.cli import endpoint_options, engine_options, options, retrieve_options
from rerank_cli.cli.terminal import Terminal

if TYPE_CHECKING:
    from rerank_cli.collection import Collection, Overrides
    from rerank_cli.core.run import Ranking
    from rerank_cli.core.texts import Document, Texts
    from rerank_cli.retrieval.retriever import Retriever

EXAMPLES = [
    ("The 1000 best documents of each topic, judged", "rerank retrieve -c demo | rerank eval -c demo"),
    (
        "A query of your own, asked of any documents",
        "printf 'q1\\tfuse two ranked lists\\n' | rerank retrieve -c demo --topics - -k 5",
    ),
    (
        "Other parameters; those of a usual Lucene",
        "rerank retrieve -c demo --k1 1.2 --b 0.75 -o bm25.run && rerank eval bm25.run -c demo -m nDCG@10",
    ),
    (
        "Candidates with their texts, for a stage that has no collection",
        "rerank retrieve -c demo -k 20 --output-format jsonl | rerank rerank",
    ),
    ("An index kept where you say", "rerank retrieve -c demo --index demo.index -k 10 > first.run"),
]


def retrieve(
    terminal: Terminal,
    model: retrieve_options.Retriever = None,
    k: retrieve_options.Wanted = 1000,
    exclude_self: retrieve_options.ExcludeSelf = False,
    index: retrieve_options.IndexFolder = None,
    k1: retrieve_options.K1 = 0.9,
    b: retrieve_options.B = 0.4,
    analyzer: retrieve_options.AnalyzerName = "english",
    fuse: retrieve_options.FusedBy = "rrf",
    weights: retrieve_options.Weights = None,
    source: engine_options.From = None,
    engine_fields: engine_options.EngineFields = None,
    engine_id: engine_options.EngineId = None,
    rank_profile: engine_options.RankProfile = None,
    vector_name: engine_options.VectorName = None,
    concurrency: endpoint_options.Concurrency = 16,
    timeout: endpoint_options.Timeout = 120.0,
    api_key_env: endpoint_options.ApiKeyEnv = None,
    collection: options.Collection = None,
    docs: options.Docs = None,
    topics: retrieve_options.Topics = None,
    split: options.Split = "test",
    all_topics: options.AllTopics = False,
    topic_fields: options.TopicFields = "title",
    doc_template: options.DocTemplate = None,
    output: options.Output = "-",
    output_format: options.OutputAs = options.OutputFormat.trec,
    tag: options.Tag = None,
    header: options.Header = False,
) -> None:
    """Retrieve the best documents of a collection for each topic.

    BM25 by Lucene's formula, its parameters as Anserini sets them. Text is analysed as Lucene's
    EnglishAnalyzer does it. The index is built once, kept in the cache directory and memory-mapped; k1 and
    b are applied when searching, so that other values need no other index. Queries are written in the
    order of the topics, each as soon as it is done; only documents that share a term with the query are.

    A sum of first stages (-m bm25+minilm) asks each of them and fuses their lists, by reciprocal rank
    unless --fuse names another rule of rerank fuse.

    --from lets another engine retrieve: OpenSearch, Elasticsearch, Vespa, or Qdrant with the bi-encoder that
    -m names. No documents are needed here, and with --output-format jsonl their texts come with the run.
    Scores are the engine's own.
    """
    from rerank_cli.cli.engines import Elsewhere, check_options, with_texts
    from rerank_cli.cli.retrievers import Given, open_retriever
    from rerank_cli.cli.run_output import provenance, written_run
    from rerank_cli.cli.settings import Settings
    from rerank_cli.cli.sources import collection_of, overrides
    from rerank_cli.core.run import Ranking
    from rerank_cli.retrieval.retriever import Topic, cut

    ours = {"--index": index, "--weights": weights, "--docs": docs}
    theirs = {"--engine-fields": engine_fields, "--engine-id": engine_id, "--api-key-env": api_key_env}
    check_options(source, ours, {**theirs, "--rank-profile": rank_profile, "--vector-name": vector_name})
    settings = Settings()
    chosen = settings.resolve("retriever", model, flag_name="-m")
    given = Given(index=index, k1=k1, b=b, analyzer=analyzer, fuse=fuse, weights=weights)
    named = overrides(docs, None if topics == "-" else topics, None, split, all_topics, topic_fields, doc_template)
    about: dict[str, Any] = {"k": k}
    found: Collection | None
    retriever: Retriever
    if source is None:
        given.check(chosen)
        found = collection_of(collection, named, settings, terminal)
        assert found is not None
        asked = _topics_from_stdin(named) if topics == "-" else found.topics()
        retriever = open_retriever(chosen, found, given, settings, terminal)
        about |= {"fingerprint": found.fingerprint(), "retriever": chosen.value, "doc_template": found.doc_template}
    else:
        how = (engine_fields, engine_id, rank_profile, vector_name, concurrency, timeout, api_key_env)
        retriever = Elsewhere(source, *how).open(chosen, settings, terminal)
        found = None if topics == "-" else collection_of(collection, named, settings, terminal)
        asked = _topics_from_stdin(named) if found is None else found.topics()
        about |= {"retriever": retriever.name}
    facts = provenance(
        "retrieve", collection=found and (found.name or None), **about, **retriever.facts, topics=len(asked)
    )
    if not asked:
        terminal.note("there are no topics: nothing to retrieve")

    with (
        written_run(
            output, tag or retriever.name, output_format.value, facts, header=header, terminal=terminal
        ) as writer,
        terminal.progress(len(asked), "queries") as progress,
    ):
        without: list[bytes] = []
        searched = [Topic(qid, text) for qid, text in asked.items()]
        for topic, (best, texts) in zip(searched, with_texts(retriever, found, searched, k + exclude_self)):
            ranking = Ranking(topic.qid, *cut(best, k, topic.qid if exclude_self else None))
            if not len(ranking):
                without.append(topic.qid)
            carried = _documents(texts, ranking) if output_format is options.OutputFormat.jsonl else None
            writer.write(ranking, query=topic.text, documents=carried)
            progress.advance()
    if writer.steps:
        terminal.note(f"{writer.steps} equal scores were written the smallest steps apart, the greater id first")
    _say_without(without, len(asked), terminal.warn)


def _topics_from_stdin(named: Overrides) -> dict[bytes, str]:
    from rerank_cli.cli.streams import input_stream
    from rerank_cli.formats.topics import read_topics

    with input_stream("-", "topics") as (stream, name):
        return read_topics(stream, name, fields=named.topic_fields)


def _documents(texts: Texts, ranking: Ranking) -> dict[bytes, Document]:
    """The texts of a list's documents, by id."""
    docids = ranking.docids.tolist()
    found = texts.lookup(docids)
    return {docid: document for docid, document in zip(docids, found, strict=True) if document is not None}


def _say_without(without: list[bytes], total: int, warn: Callable[[str], None]) -> None:
    from rerank_cli.core.ids import shown

    if without:
        first = ", ".join(shown(qid) for qid in without[:3]) + (", …" if len(without) > 3 else "")
        warn(f"{len(without)} of {total} topics match no document and are not in the run: {first}")
