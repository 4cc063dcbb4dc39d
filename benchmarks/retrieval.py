"""BM25 beside other engines, in one run: index, size, load, first query, queries a second, peak memory.

`python benchmarks/retrieval.py [--full] [ENGINE ...]`: 100,000 documents of Zipfian words and varied length, 1,000,000
with --full; 1,000 queries of six content words, k = 1000. Every engine works in processes of its own; seconds are
wall (processor) seconds. Engines that cannot be imported are left out, and one that fails or works for more than an
hour on end is given up; both are said, and the others go on. Java has 4 GiB of heap. Scores are compared at every rank with
bm25s' (exact lengths, which is what it has) and pyserini's (Lucene's lengths; it tells four decimals). The rate is
given for one thread and for two, or two processes with their start and under way; "program" is `rerank retrieve` for one topic, from its start to its end.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
from collections import deque
from functools import partial
from pathlib import Path

from shared.bm25_peers import (
    K,
    bm25s_index,
    bm25s_search,
    pyserini_index,
    pyserini_search,
    tantivy_index,
    tantivy_search,
)
from shared.watch import Watch, corpus
from shared.zipfian_corpus import make_corpus

ROOT = Path(__file__).resolve().parent.parent
QUERIES = 1000
#: Queries whose scores are compared.
COMPARED = 100
#: Engine -> the package it needs.
ENGINES = {
    "rerank": "numpy",
    "rerank-english": "numpy",
    "bm25s": "bm25s",
    "bm25s-numba": "numba",
    "tantivy": "tantivy",
    "pyserini": "pyserini",
}
SLOW = {"bm25s"}
#: Seconds that one engine may index, or search.
LONGEST = 3600
JAVA = {"JAVA_TOOL_OPTIONS": "-Xmx4g"}


def rerank_index(folder: Path, place: Path, watch: Watch, analyzer: str) -> None:
    sys.path.insert(0, str(ROOT))
    from rerank_cli.core.texts import Document
    from rerank_cli.formats.offsets import open_corpus
    from rerank_cli.retrieval.bm25 import Bm25Index

    place.mkdir()
    fingerprint = open_corpus([str(folder / "corpus.tsv")], folder / "cache", lambda said: None).fingerprint
    documents = (Document(docid.encode(), "", text) for docid, text in corpus(folder))
    with watch("index"):
        Bm25Index.build(documents, place, analyzer, template="{text}", fingerprint=fingerprint, processes=2)


def rerank_search(place: Path, queries: list[str], watch: Watch) -> list[list[float]]:
    """With exact lengths, as bm25s has them; the first lists with Lucene's are kept for pyserini."""
    sys.path.insert(0, str(ROOT))
    from rerank_cli.retrieval.ahead import in_processes
    from rerank_cli.retrieval.bm25 import Bm25, Bm25Index
    from rerank_cli.retrieval.retriever import Topic
    from rerank_cli.retrieval.sharing import Shared
    from rerank_cli.retrieval.variants import Parameters

    with watch("program"):
        program_search(place, queries[0])
    with watch("load"):
        index = Bm25Index.open(place)
    topics = [Topic(b"%d" % number, query) for number, query in enumerate(queries)]
    exact = Parameters(lengths="exact")
    with watch("first"):
        next(Bm25(index, exact).search(topics[:1], K))
    retriever = Bm25(index, exact)
    with watch("1 threads"):
        lists = [found.scores.tolist() for found in retriever.search(topics, K)]
    shared = Shared(retriever, partial(in_processes, processes=2))
    with watch("2 processes"):
        deque(shared.search(topics, K), maxlen=0)
    # Under way: what four times the queries take more than once.
    with watch("2 under way"):
        deque(shared.search(topics * 4, K), maxlen=0)
    once, four_times = watch.seconds["2 processes"], watch.seconds["2 under way"]
    watch.seconds["2 under way"] = [(more - less) / 3 for more, less in zip(four_times, once)]
    rounded = [found.scores.tolist() for found in Bm25(index).search(topics[:COMPARED], K)]
    (place.parent / f"{place.name}-rounded.json").write_text(json.dumps(rounded))
    return lists


def program_search(place: Path, query: str) -> None:
    """The whole program for one topic, from its start to its last line, as a user has it."""
    options = ["--topics", "-", "--doc-template", "{text}", "--exact-lengths", "--offline", "-q"]
    analyzer = "english" if place.name.endswith("english") else "whitespace"
    where = ["--docs", str(place.parent / "corpus.tsv"), "--index", str(place), "--analyzer", analyzer]
    subprocess.run(
        [sys.executable, "-m", "rerank_cli", "retrieve", *where, *options],
        input=f"1\t{query}\n".encode(),
        stdout=subprocess.DEVNULL,
        check=True,
        env={**os.environ, "PYTHONPATH": str(ROOT), "RERANK_CACHE_DIR": str(place.parent / "cache")},
    )


def work(engine: str, phase: str, folder: Path) -> None:
    """One phase of one engine, in this process; prints what was measured as JSON."""
    watch, place = Watch(), folder / engine.removesuffix("-numba")
    if phase == "index":
        make = {"bm25s": bm25s_index, "tantivy": tantivy_index, "pyserini": pyserini_index}
        if engine.startswith("rerank"):
            rerank_index(folder, place, watch, "english" if engine.endswith("english") else "whitespace")
        else:
            make[engine](folder, place, watch)
        size = sum(path.stat().st_size for path in place.rglob("*") if path.is_file())
        print(json.dumps({**watch.seconds, "MiB": size / 2**20, "peak": _peak()}))
        return
    queries = (folder / "queries.txt").read_text().split("\n")
    asked = queries[:COMPARED] if engine in SLOW else queries
    if engine.startswith("rerank"):
        lists = rerank_search(place, asked, watch)
    elif engine.startswith("bm25s"):
        lists = bm25s_search(place, asked, watch, numba=engine.endswith("numba"))
    else:
        lists = {"tantivy": tantivy_search, "pyserini": pyserini_search}[engine](place, asked, watch)
    (folder / f"{engine}.json").write_text(json.dumps(lists[:COMPARED]))
    print(json.dumps({**watch.seconds, "asked": len(asked), "peak": _peak()}))


def _peak() -> float:
    """GiB."""
    told = [resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return max(told) / 2**20


def measured(engine: str, phase: str, folder: Path) -> dict[str, object]:
    command = [sys.executable, __file__, "--work", engine, phase, str(folder)]
    environment = {**JAVA, **os.environ}
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True, timeout=LONGEST, env=environment)
    return json.loads(done.stdout.splitlines()[-1])


def report(engine: str, folder: Path) -> None:
    """Index and search with an engine and print its line."""
    cells = [f"{engine:15}"]
    if not engine.endswith("-numba"):
        told = measured(engine, "index", folder)
        wall, processor = told["index"]
        cells.append(f"index {wall:6.1f} s ({processor:6.1f}), {told['MiB']:5.0f} MiB, peak {told['peak']:.2f} GiB;")
    told = measured(engine, "search", folder)
    cells.append(f"load {told['load'][0]:.3f} s, first {told['first'][0]:.3f} s, peak {told['peak']:.2f} GiB;")
    if "program" in told:
        cells.append(f"program {told['program'][0]:.3f} s ({told['program'][1]:.3f});")
    for how in ("1 threads", "2 threads", "2 processes", "2 under way"):
        if how in told:
            wall, processor = told[how]
            cells.append(f"{how}: {told['asked'] / wall:.0f} q/s ({told['asked'] / processor:.0f} a core second)")
    print(*cells, flush=True)


def largest_difference(folder: Path, one: str, other: str) -> float:
    """Over the first hundred queries, of the scores at each rank."""
    lists = [json.loads((folder / f"{engine}.json").read_text()) for engine in (one, other)]
    return max(abs(a - b) for ours, theirs in zip(*lists) for a, b in zip(ours, theirs))


def main() -> None:
    """Measure every engine in turn."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("engines", nargs="*", metavar="ENGINE", help=", ".join(ENGINES))
    asked.add_argument("--full", action="store_true", help="1,000,000 documents")
    asked.add_argument("--documents", type=int, help="another number of documents")
    asked.add_argument("--work", nargs=3, help=argparse.SUPPRESS)
    given = asked.parse_args()
    if given.work:
        work(given.work[0], given.work[1], Path(given.work[2]))
        return
    folder = Path(tempfile.mkdtemp(prefix="retrieval-"))
    try:
        make_corpus(folder, given.documents or (1_000_000 if given.full else 100_000), QUERIES)
        engines = [engine for engine in given.engines or ENGINES]
        for engine in engines:
            if importlib.util.find_spec(ENGINES[engine]) is None:
                print(f"{engine:15} left out: {ENGINES[engine]} is not installed", flush=True)
                continue
            try:
                report(engine, folder)
            except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as failure:
                why = f"took {LONGEST} s" if isinstance(failure, subprocess.TimeoutExpired) else "failed"
                print(f"{engine:15} given up: it {why}", flush=True)
        if (folder / "bm25s.json").exists() and "rerank" in engines:
            print(f"largest difference from bm25s' scores: {largest_difference(folder, 'rerank', 'bm25s'):.1e}")
        if (folder / "pyserini.json").exists() and "rerank" in engines:
            difference = largest_difference(folder, "rerank-rounded", "pyserini")
            print(f"with Lucene's lengths, from pyserini's scores: {difference:.1e}")
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
