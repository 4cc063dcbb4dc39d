"""`rerank retrieve`: topics in, the best documents of the whole collection out, as a run."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from rerank_cli.cli import options, retrieve_options
from rerank_cli.cli.terminal import Terminal

if TYPE_CHECKING:
    from rerank_cli.collection import Collection, Overrides
    from rerank_cli.core.run import Ranking
    from rerank_cli.core.texts import Document
    from rerank_cli.formats.topics import TopicField

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
    (
        "Only what meets conditions on other fields of the corpus",
        "rerank retrieve -c demo --filter 'metadata.subject = \"retrieval\"' -k 10 -o one-subject.run",
    ),
    (
        "Searched again with the words of the three best documents",
        "rerank retrieve -c demo --prf each --prf-depth 3 | rerank eval -c demo",
    ),
    ("An index kept where you say", "rerank retrieve -c demo --index demo.index -k 10 > first.run"),
]


def retrieve(
    terminal: Terminal,
    model: retrieve_options.Retriever = None,
    k: retrieve_options.Wanted = 1000,
    exclude_self: retrieve_options.ExcludeSelf = False,
    filter: retrieve_options.Filter = None,
    topic_filters: retrieve_options.TopicFilters = False,
    index: retrieve_options.IndexFolder = None,
    k1: retrieve_options.K1 = 0.9,
    b: retrieve_options.B = 0.4,
    analyzer: retrieve_options.AnalyzerName = "english",
    fuse: retrieve_options.FusedBy = "rrf",
    weights: retrieve_options.Weights = None,
    prf: retrieve_options.PrfWay = None,
    prf_depth: retrieve_options.PrfDepth = None,
    prf_aggregate: retrieve_options.PrfAggregateBy = None,
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

    --filter lets only documents through whose fields in the JSONL corpus meet all conditions, FIELD OPERATOR VALUE joined
    by and: the operators are = != < <= > >=, strings stand in quotes, metadata.year is a field inside another. A
    condition on a number looks at numbers only; a field that is absent meets nothing. The search goes as deep as k
    documents that pass need, so the list is the one without a filter, less what does not pass; of a sum, each
    first stage is filtered before they are fused.

    --prf takes the best documents of a first search as relevant and searches with their words: behind the topic's, all
    in one query (concatenate) or one query a document (each); or in windows of 65 words, one every 32, without the
    topic's (windows). Queries end after 256 words. The lists of several queries are joined by --prf-aggregate.
    """
    from rerank_cli.cli.retrieve_filters import conditions_of, filtered_by
    from rerank_cli.cli.retrievers import Given, open_retriever
    from rerank_cli.cli.run_output import provenance, written_run
    from rerank_cli.cli.settings import Settings
    from rerank_cli.cli.sources import collection_of, overrides
    from rerank_cli.core.run import Ranking
    from rerank_cli.retrieval.retriever import Topic, cut

    settings = Settings()
    chosen = settings.resolve("retriever", model, flag_name="-m")
    given = Given(
        index=index,
        k1=k1,
        b=b,
        analyzer=analyzer,
        fuse=fuse,
        weights=weights,
        prf=prf and prf.value,
        prf_depth=prf_depth,
        prf_aggregate=prf_aggregate and prf_aggregate.value,
    )
    given.check(chosen)
    conditions = conditions_of(filter)
    named = overrides(docs, None if topics == "-" else topics, None, split, all_topics, topic_fields, doc_template)
    found = collection_of(collection, named, settings, terminal)
    assert found is not None
    asked, filters = _topics_of(found, named, topics == "-", topic_filters)
    filtered = filtered_by(filter, conditions, filters, found, settings, terminal)
    retriever = open_retriever(chosen, found, given, settings, terminal, filtered)
    facts = provenance(
        "retrieve",
        collection=found.name or None,
        fingerprint=found.fingerprint(),
        retriever=chosen.value,
        **retriever.facts,
        doc_template=found.doc_template,
        k=k,
        topics=len(asked),
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
        for topic, best in zip(searched, retriever.search(searched, k + exclude_self)):
            ranking = Ranking(topic.qid, *cut(best, k, topic.qid if exclude_self else None))
            if not len(ranking):
                without.append(topic.qid)
            carried = _documents(found, ranking) if output_format is options.OutputFormat.jsonl else None
            writer.write(ranking, query=topic.text, documents=carried)
            progress.advance()
    if writer.steps:
        terminal.note(f"{writer.steps} equal scores were written the smallest steps apart, the greater id first")
    _say_without(without, len(asked), terminal.warn)


def _topics_of(
    found: Collection, named: Overrides, on_stdin: bool, with_filters: bool
) -> tuple[dict[bytes, str], dict[bytes, TopicField] | None]:
    """The topics, and the filter of those that have one (None: these are not asked for)."""
    from io import BytesIO

    from rerank_cli.cli.retrieve_filters import FIELD
    from rerank_cli.cli.streams import input_stream
    from rerank_cli.formats.topics import read_topic_field, read_topics

    if not on_stdin:
        return found.topics(), found.topic_field(FIELD) if with_filters else None
    with input_stream("-", "topics") as (stream, name):
        read = BytesIO(stream.read())
    topics = read_topics(read, name, fields=named.topic_fields)
    read.seek(0)
    return topics, read_topic_field(read, name, FIELD) if with_filters else None


def _documents(found: Collection, ranking: Ranking) -> dict[bytes, Document]:
    """The texts of a list's documents, by id."""
    docids = ranking.docids.tolist()
    texts = found.documents().lookup(docids)
    return {docid: document for docid, document in zip(docids, texts, strict=True) if document is not None}


def _say_without(without: list[bytes], total: int, warn: Callable[[str], None]) -> None:
    from rerank_cli.core.ids import shown

    if without:
        first = ", ".join(shown(qid) for qid in without[:3]) + (", …" if len(without) > 3 else "")
        warn(f"{len(without)} of {total} topics match no document and are not in the run: {first}")
