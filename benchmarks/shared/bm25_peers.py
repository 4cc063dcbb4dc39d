"""Other engines that rank by BM25: each indexes the same corpus and answers the same queries."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from shared.watch import Watch, corpus

#: Documents a query.
K = 1000
#: Queries of one call of pyserini: each of a million hits would be a Java object that Python holds.
TOGETHER = 100


def bm25s_index(folder: Path, place: Path, watch: Watch) -> None:
    import bm25s

    texts = [text for _, text in corpus(folder)]
    with watch("index"):
        tokens = bm25s.tokenize(texts, stopwords=None, show_progress=False)
        index = bm25s.BM25(method="lucene", k1=0.9, b=0.4)
        index.index(tokens, show_progress=False)
        index.save(str(place))


def bm25s_search(place: Path, queries: list[str], watch: Watch, numba: bool) -> list[list[float]]:
    import bm25s

    with watch("load"):
        index = bm25s.BM25.load(str(place), mmap=True)
    how = {"k": K, "show_progress": False, "backend_selection": "numba" if numba else "numpy"}
    if numba:
        index.backend = "numba"
        index.activate_numba_scorer()

    def tokens(some: list[str]) -> object:
        return bm25s.tokenize(some, stopwords=None, show_progress=False)

    with watch("first"):
        index.retrieve(tokens(queries[:1]), **how)
    lists = []
    for threads in (1, 2):
        how["n_threads"] = 0 if threads == 1 else threads
        index.retrieve(tokens(queries[:4]), **how)  # numba compiles again for several threads
        with watch(f"{threads} threads"):
            _, scores = index.retrieve(tokens(queries), **how)
            lists = scores.tolist()
    return lists


def tantivy_schema() -> object:
    import tantivy

    builder = tantivy.SchemaBuilder()
    builder.add_text_field("id", stored=True, tokenizer_name="raw", index_option="basic")
    builder.add_text_field("body", stored=False, tokenizer_name="default", index_option="freq")
    return builder.build()


def tantivy_index(folder: Path, place: Path, watch: Watch) -> None:
    import tantivy

    place.mkdir()
    with watch("index"):
        writer = tantivy.Index(tantivy_schema(), str(place)).writer(512_000_000, 2)
        for docid, text in corpus(folder):
            writer.add_document(tantivy.Document(id=docid, body=text))
        writer.commit()
        writer.wait_merging_threads()


def tantivy_search(place: Path, queries: list[str], watch: Watch) -> list[list[float]]:
    """With ids, which are what a run is made of; its k1 and b are fixed, so its scores are not compared."""
    import tantivy

    with watch("load"):
        index = tantivy.Index.open(str(place))
        searcher = index.searcher()

    def search(query: str) -> list[str]:
        hits = searcher.search(index.parse_query(query, ["body"]), K).hits
        return [searcher.doc(address)["id"][0] for _, address in hits]

    with watch("first"):
        search(queries[0])
    with watch("1 threads"):
        for query in queries:
            search(query)
    return []


def pyserini_index(folder: Path, place: Path, watch: Watch) -> None:
    source = folder / "json"
    source.mkdir(exist_ok=True)
    with open(source / "corpus.jsonl", "w", encoding="ascii") as out:
        out.writelines(json.dumps({"id": docid, "contents": text}) + "\n" for docid, text in corpus(folder))
    options = "--collection JsonCollection --generator DefaultLuceneDocumentGenerator --threads 2 --pretokenized"
    command = [sys.executable, "-m", "pyserini.index.lucene", *options.split()]
    with watch("index"):
        subprocess.run([*command, "--input", str(source), "--index", str(place)], check=True, capture_output=True)


def pyserini_search(place: Path, queries: list[str], watch: Watch) -> list[list[float]]:
    from pyserini.analysis import JWhiteSpaceAnalyzer
    from pyserini.search.lucene import LuceneSearcher

    with watch("load"):
        searcher = LuceneSearcher(str(place))
        searcher.set_analyzer(JWhiteSpaceAnalyzer())
        searcher.set_bm25(0.9, 0.4)
    with watch("first"):
        searcher.search(queries[0], k=K)
    parts = [queries[start : start + TOGETHER] for start in range(0, len(queries), TOGETHER)]
    first: list[list[float]] = []
    for threads in (1, 2):
        with watch(f"{threads} threads"):
            for part in parts:
                numbers = [str(number) for number in range(len(part))]
                found = searcher.batch_search(part, numbers, k=K, threads=threads)
                first = first or [[hit.score for hit in found[number]] for number in numbers]
    return first
