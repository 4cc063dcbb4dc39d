"""Indexes that are built when missing and kept: in the cache directory, or in a folder of the user's.

In the cache an index's name is a hash of everything that it depends on (the documents, the template,
the analyzer, the format), so a change finds another folder and never a stale index. A folder that the
user names is compared with what it should hold instead, and refused when it differs.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from rerank_cli.core.build_once import build_once, opened
from rerank_cli.core.texts import TITLE_AND_TEXT, Corpus, Document
from rerank_cli.retrieval.analyzers import analyzer_named
from rerank_cli.retrieval.bm25 import Bm25Index
from rerank_cli.retrieval.field_weights import FIELDS
from rerank_cli.retrieval.fields import FieldIndex
from rerank_cli.retrieval.index import FORMAT
from rerank_cli.retrieval.manifest import key_of, refuse_other
from rerank_cli.retrieval.sharing import Over

Watch = Callable[[Iterable[Document]], Iterable[Document]]


def kept_bm25_index(
    corpus: Corpus,
    *,
    cache_dir: Path,
    note: Callable[[str], None],
    template: str = TITLE_AND_TEXT,
    analyzer: str = "english",
    folder: Path | None = None,
    watch: Watch = iter,
    processes: int = 1,
    over: Over | None = None,
) -> Bm25Index:
    """Open the BM25 index of a corpus, building it first where there is none: in `folder`, or in the cache.

    `watch` is passed the documents as they are indexed, to show progress; `over`: see `build_index`. Processes that ask at the same
    time build it once; a killed build leaves nothing. Raises `BadData` when `folder` holds an index of
    other documents, another template or another analyzer, `Missing` when it holds something else.
    """
    wanted = _wanted(corpus, analyzer, {"doc_template": template})

    def build(aside: Path) -> None:
        how: dict[str, Any] = {"processes": processes, "over": over}
        Bm25Index.build(watch(corpus), aside, analyzer, template=template, fingerprint=corpus.fingerprint, **how)

    what = f"BM25 ({analyzer} analyzer)"
    index = opened(lambda: _built(corpus, wanted, what, folder, cache_dir, note, build), Bm25Index.open)
    refuse_other(index.index.manifest, wanted, index.index.folder)
    return index


def kept_field_index(
    corpus: Corpus,
    *,
    cache_dir: Path,
    note: Callable[[str], None],
    analyzer: str = "english",
    folder: Path | None = None,
    watch: Watch = iter,
    processes: int = 1,
    over: Over | None = None,
) -> FieldIndex:
    """The same with title and text indexed apart; the documents are read once for each."""
    wanted = _wanted(corpus, analyzer, {"fields": ",".join(FIELDS)})

    def build(aside: Path) -> None:
        how: dict[str, Any] = {"processes": processes, "over": over}
        FieldIndex.build(lambda: watch(corpus), aside, analyzer, fingerprint=corpus.fingerprint, **how)

    what = f"BM25 in fields ({analyzer} analyzer)"
    index = opened(lambda: _built(corpus, wanted, what, folder, cache_dir, note, build), FieldIndex)
    refuse_other(index.manifest, wanted, index.folder)
    for name in FIELDS:
        if not index.manifest[name]["documents_with_terms"]:
            note(f"no document has a {name}: its weight changes nothing")
    return index


def _wanted(corpus: Corpus, analyzer: str, more: dict[str, str]) -> dict[str, str | int]:
    """What an index depends on."""
    version = analyzer_named(analyzer).version
    return {"fingerprint": corpus.fingerprint, **more, "analyzer": analyzer, "analyzer_version": version}


def _built(
    corpus: Corpus,
    wanted: dict[str, str | int],
    what: str,
    folder: Path | None,
    cache_dir: Path,
    note: Callable[[str], None],
    build: Callable[[Path], None],
) -> Path:
    """Where the index is; built first, and said, where there was none."""
    place = folder or cache_dir / "bm25" / key_of(wanted, FORMAT)

    def told(aside: Path) -> None:
        note(f"indexing {len(corpus)} documents for {what}, once")
        began = time.monotonic()
        build(aside)
        note(f"the BM25 index took {time.monotonic() - began:.1f} s and is kept in {place}")

    return build_once(place, told, waiting=lambda: note(f"waiting for another process to finish {place}"))
