"""`rerank retrieve`: topics in, the best documents of the whole collection out, as a run."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from rerank_cli.cli import model_options, options, retrieve_options
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
        "Words and vectors together, fused by reciprocal rank",
        "rerank retrieve -c demo -m bm25+minilm | rerank eval -c demo -m nDCG@10",
    ),
    (
        "A dense first stage whose queries move towards what they found",
        "rerank retrieve -c demo -m minilm --prf average --prf-docs 2 | rerank eval -c demo -m nDCG@10",
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
    norm: retrieve_options.NormBy = None,
    weights: retrieve_options.Weights = None,
    ann: retrieve_options.Ann = False,
    prf: retrieve_options.VectorPrf = None,
    prf_docs: retrieve_options.VectorPrfDocs = 3,
    prf_alpha: retrieve_options.VectorPrfAlpha = 0.9,
    prf_beta: retrieve_options.VectorPrfBeta = 0.1,
    method: model_options.MethodName = None,
    max_length: model_options.MaxLength = None,
    device: model_options.Device = None,
    precision: model_options.PrecisionName = None,
    batch_tokens: model_options.BatchTokens = None,
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

    -m names a bi-encoder or a learned sparse model too, as rerank rerank does: each document goes through the
    model once, and its vector or its weights are kept; encoding that was stopped goes on where it was. Vectors are
    searched exactly, or with --ann by a graph of neighbours. -m impact takes weights computed before, from
    documents and topics in JSONL with a "vector" of terms and weights each; topics without one are words that
    count once each time.

    A sum of first stages (-m bm25+minilm) asks each of them and fuses their lists, by reciprocal rank
    unless --fuse names another rule of rerank fuse.
    """
    from rerank_cli.cli.encoders import Encoders
    from rerank_cli.cli.retrievers import Given, open_retriever
    from rerank_cli.cli.run_output import provenance, written_run
    from rerank_cli.cli.settings import Settings
    from rerank_cli.cli.sources import collection_of, overrides
    from rerank_cli.core.run import Ranking
    from rerank_cli.retrieval.retriever import Topic, cut

    settings = Settings()
    chosen = settings.resolve("retriever", model, flag_name="-m")
    encoders = Encoders(
        method=method,
        device=device,
        precision=precision and precision.value,
        max_length=max_length,
        batch_tokens=batch_tokens,
        prf=prf and prf.value,
        prf_docs=prf_docs,
        prf_alpha=prf_alpha,
        prf_beta=prf_beta,
        ann=ann,
    )
    given = Given(
        index=index,
        k1=k1,
        b=b,
        analyzer=analyzer,
        fuse=fuse,
        norm=norm and norm.value,
        weights=weights,
        encoders=encoders,
        topics_from_stdin=topics == "-",
    )
    given.check(chosen)
    named = overrides(docs, None if topics == "-" else topics, None, split, all_topics, topic_fields, doc_template)
    found = collection_of(collection, named, settings, terminal)
    assert found is not None
    asked = _topics_from_stdin(named) if topics == "-" else found.topics()
    retriever = open_retriever(chosen, found, given, settings, terminal)
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
