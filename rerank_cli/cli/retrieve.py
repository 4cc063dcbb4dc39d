"""`rerank retrieve`: topics in, the best documents of the whole collection out, as a run."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from rerank_cli.cli import options
from rerank_cli.cli.terminal import Terminal
from rerank_cli.errors import WrongUsage

if TYPE_CHECKING:
    from pathlib import Path

    from rerank_cli.collection import Collection, Overrides
    from rerank_cli.core.run import Ranking
    from rerank_cli.core.texts import Document
    from rerank_cli.retrieval.bm25 import Bm25Index

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

LISTS = "Lists"
BM25 = "BM25"
#: What -m may name.
RETRIEVERS = ("bm25",)
#: Documents between two movements of the progress bar.
_STRIDE = 500


def retrieve(
    terminal: Terminal,
    model: Annotated[
        str | None, typer.Option("-m", "--model", metavar="MODEL", help="The first stage; bm25 is the default.")
    ] = None,
    k: Annotated[
        int, typer.Option("-k", metavar="N", min=1, rich_help_panel=LISTS, help="Write at most N documents a query.")
    ] = 1000,
    exclude_self: Annotated[
        bool,
        typer.Option("--exclude-self", rich_help_panel=LISTS, help="Leave out the document whose id is the query's."),
    ] = False,
    index: Annotated[
        str | None,
        typer.Option(
            "--index", metavar="DIR", help="Keep the index in this folder instead of the cache; built when missing."
        ),
    ] = None,
    k1: Annotated[
        float, typer.Option("--k1", metavar="X", rich_help_panel=BM25, help="How slowly repeated terms saturate.")
    ] = 0.9,
    b: Annotated[
        float,
        typer.Option("--b", metavar="X", rich_help_panel=BM25, help="How much long documents lose, from 0 to 1."),
    ] = 0.4,
    analyzer: Annotated[
        str,
        typer.Option(
            "--analyzer",
            metavar="NAME",
            rich_help_panel=BM25,
            help="english (words, stop words, Porter stems, as Lucene's) or whitespace (text analysed before).",
        ),
    ] = "english",
    collection: options.Collection = None,
    docs: options.Docs = None,
    topics: Annotated[
        str | None,
        typer.Option(
            "--topics",
            metavar="FILE",
            help="Topics (JSONL, TSV, TREC SGML); - is stdin.",
            rich_help_panel=options.COLLECTION,
        ),
    ] = None,
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
    """
    from rerank_cli.cli.run_output import provenance, written_run
    from rerank_cli.cli.settings import Settings
    from rerank_cli.cli.sources import collection_of, overrides
    from rerank_cli.retrieval.analysis import analyzer_named
    from rerank_cli.retrieval.bm25 import check_parameters

    settings = Settings()
    retriever = settings.resolve("retriever", model, flag_name="-m")
    if retriever.value not in RETRIEVERS:
        raise WrongUsage(
            f"there is no retriever {retriever.value!r} ({retriever.origin})", f"there is {', '.join(RETRIEVERS)}"
        )
    check_parameters(k1, b)
    analyzer_named(analyzer)
    named = overrides(docs, None if topics == "-" else topics, None, split, all_topics, topic_fields, doc_template)
    found = collection_of(collection, named, settings, terminal)
    assert found is not None
    asked = _topics_from_stdin(named) if topics == "-" else found.topics()
    bm25 = _open_index(found, index, analyzer, settings.cache_dir, terminal)
    facts = provenance(
        "retrieve",
        collection=found.name or None,
        fingerprint=found.fingerprint(),
        model=retriever.value,
        k1=k1,
        b=b,
        analyzer=analyzer,
        doc_template=found.doc_template,
        k=k,
        topics=len(asked),
    )
    if not asked:
        terminal.note("there are no topics: nothing to retrieve")

    with (
        written_run(output, tag or "bm25", output_format.value, facts, header=header, terminal=terminal) as writer,
        terminal.progress(len(asked), "queries") as progress,
    ):
        without: list[bytes] = []
        for qid, text in asked.items():
            ranking = _ranking(bm25, qid, text, k, k1, b, exclude_self)
            if not len(ranking):
                without.append(qid)
            carried = _documents(found, ranking) if output_format is options.OutputFormat.jsonl else None
            writer.write(ranking, query=text, documents=carried)
            progress.advance()
    if writer.steps:
        terminal.note(f"{writer.steps} equal scores were written the smallest steps apart, the greater id first")
    _say_without(without, len(asked), terminal.warn)


def _topics_from_stdin(named: Overrides) -> dict[bytes, str]:
    from rerank_cli.cli.streams import input_stream
    from rerank_cli.formats.topics import read_topics

    with input_stream("-", "topics") as (stream, name):
        return read_topics(stream, name, fields=named.topic_fields)


def _ranking(bm25: Bm25Index, qid: bytes, text: str, k: int, k1: float, b: float, exclude_self: bool) -> Ranking:
    from rerank_cli.core.run import Ranking

    docids, scores = bm25.search(text, k + exclude_self, k1=k1, b=b)
    if exclude_self:
        others = docids != qid
        docids, scores = docids[others][:k], scores[others][:k]
    return Ranking(qid, docids, scores)


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


def _open_index(found: Collection, index: str | None, analyzer: str, cache_dir: Path, terminal: Terminal) -> Bm25Index:
    """The collection's index: where the flag says, else where the collection says, else in the cache."""
    from pathlib import Path

    from rerank_cli.retrieval.kept import kept_bm25_index

    corpus = found.documents()

    def watched(documents: Iterable[Document]) -> Iterator[Document]:
        with terminal.progress(len(corpus), "documents indexed") as progress:
            for number, document in enumerate(documents, 1):
                yield document
                if number % _STRIDE == 0:
                    progress.advance(_STRIDE)

    return kept_bm25_index(
        corpus,
        cache_dir=cache_dir,
        note=terminal.note,
        template=found.doc_template,
        analyzer=analyzer,
        folder=Path(index) if index is not None else found.index,
        watch=watched,
    )
