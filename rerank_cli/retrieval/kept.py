"""Indexes that are built when missing and kept: in the cache directory, or in a folder of the user's.

In the cache an index's name is a hash of everything that it depends on (the documents, the template,
the analyzer, the format), so a change finds another folder and never a stale index. A folder that the
user names is compared with what it should hold instead, and refused when it differs.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from rerank_cli.core.build_once import build_once
from rerank_cli.core.texts import Corpus, Document
from rerank_cli.errors import BadData
from rerank_cli.retrieval.analyzers import analyzer_named
from rerank_cli.retrieval.bm25 import Bm25Index
from rerank_cli.retrieval.index import FORMAT

Watch = Callable[[Iterable[Document]], Iterable[Document]]


def kept_bm25_index(
    corpus: Corpus,
    *,
    cache_dir: Path,
    note: Callable[[str], None],
    template: str = "{title} {text}",
    analyzer: str = "english",
    folder: Path | None = None,
    watch: Watch = iter,
    processes: int = 1,
) -> Bm25Index:
    """Open the BM25 index of a corpus, building it first where there is none: in `folder`, or in the cache.

    `watch` is passed the documents as they are indexed, to show progress. Processes that ask at the same
    time build it once; a killed build leaves nothing. Raises `BadData` when `folder` holds an index of
    other documents, another template or another analyzer, `Missing` when it holds something else.
    """
    wanted: dict[str, str | int] = {
        "fingerprint": corpus.fingerprint,
        "doc_template": template,
        "analyzer": analyzer,
        "analyzer_version": analyzer_named(analyzer).version,
    }
    place = folder or cache_dir / "bm25" / _key(wanted)

    def build(aside: Path) -> None:
        note(f"indexing {len(corpus)} documents for BM25 ({analyzer} analyzer), once")
        began = time.monotonic()
        Bm25Index.build(
            watch(corpus), aside, analyzer, template=template, fingerprint=corpus.fingerprint, processes=processes
        )
        note(f"the BM25 index took {time.monotonic() - began:.1f} s and is kept in {place}")

    build_once(place, build, waiting=lambda: note(f"waiting for another process to finish {place}"))
    index = Bm25Index.open(place)
    _refuse_other(index, wanted, place)
    return index


def _key(wanted: dict[str, str | int]) -> str:
    whole = "\0".join(f"{name}={value}" for name, value in {**wanted, "format": FORMAT}.items())
    return hashlib.sha256(whole.encode("utf-8", "surrogatepass")).hexdigest()[:24]


def _refuse_other(index: Bm25Index, wanted: dict[str, str | int], place: Path) -> None:
    names = {
        "fingerprint": "the documents' fingerprint",
        "doc_template": "--doc-template",
        "analyzer": "the analyzer",
        "analyzer_version": "the analyzer's version",
    }
    for name, value in wanted.items():
        found = index.index.manifest.get(name)
        if found != value:
            raise BadData(
                f"the index was built from something else: {names[name]} is {found!r} there and {value!r} here",
                "name another folder with --index, or remove this one to have it built again",
                where=str(place),
            )
