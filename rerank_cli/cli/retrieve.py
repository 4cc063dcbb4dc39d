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
        "Another formula, with the lengths of documents as they are",
        "rerank retrieve -c demo --variant bm25+ --delta 0.5 --exact-lengths | rerank eval -c demo -m nDCG@10",
    ),
    ("Feedback: the words of the first ten documents join the query", "rerank retrieve -c demo --rm3 > rm3.run"),
    (
        "Feedback from a reranked run: retrieve, rerank, and retrieve again with the words of what came out on top",
        "rerank retrieve -c demo -k 50 | rerank rerank -c demo -m minilm | rerank retrieve -c demo --feedback - --rm3 > again.run",
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
    variant: retrieve_options.VariantName = "lucene",
    delta: retrieve_options.Delta = None,
    exact_lengths: retrieve_options.ExactLengths = False,
    analyzer: retrieve_options.AnalyzerName = "english",
    rm3: retrieve_options.Rm3 = False,
    rocchio: retrieve_options.Rocchio = False,
    feedback: retrieve_options.FeedbackFrom = None,
    fb_docs: retrieve_options.FeedbackDocs = 10,
    fb_terms: retrieve_options.FeedbackTerms = 10,
    fb_weight: retrieve_options.FeedbackWeight = None,
    fuse: retrieve_options.FusedBy = "rrf",
    weights: retrieve_options.Weights = None,
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
    EnglishAnalyzer does it; the analyzers of other languages (german, french, …) stem as Snowball does, have no
    stop words, and need the extra rerank-cli[snowball]. The index is built once, kept in the cache directory and
    memory-mapped; k1, b and the formula are applied when searching, so that others need no other index. Queries
    are written in the order of the topics, each as soon as it is done; only documents that share a term with the
    query are.

    The formula is Lucene's unless --variant names another of the literature: robertson (idf without the 1, a term in
    more than half of the documents counts nothing), atire, bm25l and bm25+ (a document that lacks a term gets nothing
    for it, as in their paper). --rm3 and --rocchio search twice, as Anserini does them: the terms of the first
    documents (--fb-docs, --fb-terms) join the query. With --feedback those documents are the first of a run, in its
    order; they weigh alike, and a topic that the run lacks is asked as it is.

    A sum of first stages (-m bm25+minilm) asks each of them and fuses their lists, by reciprocal rank
    unless --fuse names another rule of rerank fuse.
    """
    from rerank_cli.cli.feedback import feedback_run
    from rerank_cli.cli.retrievers import Expanding, Given, Scoring, open_retriever
    from rerank_cli.cli.run_output import provenance, written_run
    from rerank_cli.cli.settings import Settings
    from rerank_cli.cli.sources import collection_of, overrides
    from rerank_cli.core.run import Ranking
    from rerank_cli.errors import WrongUsage
    from rerank_cli.retrieval.retriever import Topic, cut

    settings = Settings()
    chosen = settings.resolve("retriever", model, flag_name="-m")
    scoring = Scoring(k1=k1, b=b, variant=variant, delta=delta, exact_lengths=exact_lengths, analyzer=analyzer)
    expansion = Expanding(rm3=rm3, rocchio=rocchio, feedback=feedback, docs=fb_docs, terms=fb_terms, weight=fb_weight)
    given = Given(index=index, scoring=scoring, expanding=expansion, fuse=fuse, weights=weights)
    given.check(chosen)
    if topics == "-" and feedback == "-":
        raise WrongUsage("stdin cannot be the topics and the feedback", "name a file for one of them")
    run = feedback_run(feedback, fb_docs) if feedback is not None else None
    named = overrides(docs, None if topics == "-" else topics, None, split, all_topics, topic_fields, doc_template)
    found = collection_of(collection, named, settings, terminal, header=run.header if run else None)
    assert found is not None
    asked = _topics_from_stdin(named) if topics == "-" else found.topics()
    retriever = open_retriever(chosen, found, given, settings, terminal, run.feedback if run else None)
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
    if run is not None:
        run.say_absent(asked, terminal.warn)
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


def _topics_from_stdin(named: Overrides) -> dict[bytes, str]:
    from rerank_cli.cli.streams import input_stream
    from rerank_cli.formats.topics import read_topics

    with input_stream("-", "topics") as (stream, name):
        return read_topics(stream, name, fields=named.topic_fields)


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
