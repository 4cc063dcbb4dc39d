"""`irds:ID`: topics, judgements and documents through ir_datasets.

ir_datasets downloads what it needs on first use, into its own folder (`IR_DATASETS_HOME`), and has
neither an offline switch nor a lock; both are added here. Its own messages go to `note`.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from rerank_cli.core.build_once import build_once
from rerank_cli.core.ids import id_array, shown
from rerank_cli.core.qrels import Qrels
from rerank_cli.core.texts import Document
from rerank_cli.errors import BadData, Missing, RerankError, missing_extra
from rerank_cli.formats.fields import DOCUMENT_TEXT, identifier, mended
from rerank_cli.formats.sgml import TOPIC_FIELDS

PREFIX = "irds:"
#: Bounds the texts in memory when only their ids are asked for.
_READ_AT_A_TIME = 4096


class IrdsDataset:
    """One data set of ir_datasets; `dataset_id` without the prefix. Nothing is loaded before the first question."""

    def __init__(self, dataset_id: str, cache_dir: Path, note: Callable[[str], None], *, offline: bool = False) -> None:
        self.dataset_id = dataset_id
        self._cache_dir, self._note, self._offline = cache_dir, note, offline

    def topics(self, fields: Sequence[str] = ("title",)) -> dict[bytes, str]:
        """Query id -> text; `title` is what ir_datasets calls the default text, other fields its own names or TREC's."""
        with self._opened("queries") as dataset:
            topics: dict[bytes, str] = {}
            for query in dataset.queries_iter():
                qid = identifier(query.query_id, "query id")
                if qid in topics:
                    raise BadData(f"query {shown(qid)} is there twice", where=PREFIX + self.dataset_id)
                topics[qid] = " ".join(self._field(query, field) for field in fields)
            return topics

    def qrels(self) -> Qrels:
        """All judgements; a subtopic, where there is one, is the iteration."""
        with self._opened("qrels") as dataset:
            rows = [
                (
                    identifier(row.query_id, "query id"),
                    str(getattr(row, "subtopic_id", getattr(row, "iteration", "0"))).encode(),
                    identifier(row.doc_id, "document id"),
                    int(row.relevance),
                )
                for row in dataset.qrels_iter()
            ]
        qids, iterations, docids, grades = zip(*rows, strict=True) if rows else ((), (), (), ())
        return Qrels(id_array(qids), id_array(iterations), id_array(docids), np.array(grades, dtype=np.int64))

    def documents(self) -> IrdsCorpus:
        """The documents; ir_datasets builds its own store of them when there is none yet."""
        with self._opened("docs") as dataset:
            return IrdsCorpus(self, dataset.docs_store())

    def _field(self, query: Any, field: str) -> str:
        names = [field, *(long for long, short in TOPIC_FIELDS.items() if short == field)]
        if field == "title" and "title" not in query._fields:
            return str(query.default_text()).strip()
        for name in names:
            if name in query._fields:
                return str(getattr(query, name)).strip()
        raise BadData(
            f"{PREFIX}{self.dataset_id}: topics have no field {field}", f"they have {', '.join(query._fields)}"
        )

    @contextmanager
    def _opened(self, part: str) -> Iterator[Any]:
        """Hand over the data set with `part` (queries, qrels or docs) ready; its failures become `Missing`."""
        ir_datasets = _imported(self._note, self._offline)
        name = PREFIX + self.dataset_id
        try:
            with _downloads(ir_datasets, allowed=not self._offline):
                dataset = _loaded(ir_datasets, self.dataset_id)
                if not dataset.has(part):
                    raise Missing(f"{name} has no {part}", f"it has {_parts(dataset)}")
                home = str(ir_datasets.util.home_path())
                build_once(
                    self._cache_dir / "irds" / _short_hash(home, self.dataset_id, part),
                    lambda _: _prepare(dataset, part, name, offline=self._offline),
                    waiting=lambda: self._note(f"waiting for another process to prepare {name}"),
                )
                yield dataset
        except RerankError:
            raise
        except Exception as error:
            raise _not_here(name, part, error, self._offline) from error


class IrdsCorpus:
    """A `core.texts.Corpus` over the document store of ir_datasets."""

    def __init__(self, dataset: IrdsDataset, store: Any) -> None:
        self._dataset, self._store = dataset, store

    @property
    def fingerprint(self) -> str:
        """A hash of the data set's id and its number of documents."""
        return _short_hash(self._dataset.dataset_id, str(len(self)))

    def __len__(self) -> int:
        with self._dataset._opened("docs") as dataset:
            count = dataset.docs_count()
            return sum(1 for _ in dataset.docs_iter()) if count is None else int(count)

    def __iter__(self) -> Iterator[Document]:
        with self._dataset._opened("docs") as dataset:
            for record in dataset.docs_iter():
                yield _document(record)

    def lookup(self, docids: Sequence[bytes]) -> list[Document | None]:
        """See `core.texts.Texts.lookup`."""
        names = [bytes(docid).decode("utf-8", "surrogateescape") for docid in docids]
        found = {name: _document(record) for name, record in self._store.get_many(list(dict.fromkeys(names))).items()}
        return [found.get(name) for name in names]

    def contains(self, docids: Sequence[bytes]) -> list[bool]:
        """See `core.texts.Texts.contains`; the store has no ids apart from texts, so it reads these, some at a time."""
        there: list[bool] = []
        for start in range(0, len(docids), _READ_AT_A_TIME):
            names = [
                bytes(docid).decode("utf-8", "surrogateescape") for docid in docids[start : start + _READ_AT_A_TIME]
            ]
            found = self._store.get_many(list(dict.fromkeys(names)))
            there += [name in found for name in names]
        return there


def _document(record: Any) -> Document:
    """Title and text by their usual names; a record without them gives its default text (title included)."""
    docid = identifier(record.doc_id, "document id")
    name = next((name for name in DOCUMENT_TEXT if name in record._fields), None)
    if name is None:
        return Document(docid, "", mended(record.default_text()))
    return Document(docid, mended(getattr(record, "title", None) or ""), mended(getattr(record, name) or ""))


def _loaded(ir_datasets: Any, dataset_id: str) -> Any:
    try:
        return ir_datasets.load(dataset_id)
    except KeyError:
        raise Missing(f"ir_datasets knows no data set {dataset_id}", "https://ir-datasets.com lists them") from None


def _prepare(dataset: Any, part: str, name: str, *, offline: bool) -> None:
    """Have a part downloaded and, for documents, its store built: nothing but errors of ours leaves."""
    try:
        if part == "docs":
            dataset.docs_store().get(next(iter(dataset.docs_iter())).doc_id)
        else:
            next(iter(getattr(dataset, f"{part}_iter")()), None)
    except Exception as error:
        raise _not_here(name, part, error, offline) from error


def _not_here(name: str, part: str, error: Exception, offline: bool) -> Missing:
    if offline:
        return Missing(f"the {part} of {name} are not on this machine", "run once without --offline to download them")
    last = error.args[1][-1][1] if len(error.args) == 2 and isinstance(error.args[1], list) else error
    reason = " ".join(str(last).split())
    return Missing(
        f"the {part} of {name} cannot be had: {reason[:200] or type(last).__name__}",
        f"https://ir-datasets.com/{name.removeprefix(PREFIX).split('/')[0]}.html says how to get it by hand",
    )


def _parts(dataset: Any) -> str:
    return ", ".join(part for part in ("docs", "queries", "qrels") if dataset.has(part)) or "nothing"


def _imported(note: Callable[[str], None], offline: bool) -> Any:
    try:
        import ir_datasets
    except ImportError:
        raise missing_extra("ir_datasets", "irds", "irds:ID") from None
    logger = ir_datasets.log.easy().logger()
    logger.handlers = [_Noting(note)]
    logger.setLevel(logging.ERROR if offline else logging.INFO)
    return ir_datasets


class _Noting(logging.Handler):
    """Passes log records on to a `note`."""

    def __init__(self, note: Callable[[str], None]) -> None:
        super().__init__()
        self._note = note

    def emit(self, record: logging.LogRecord) -> None:
        self._note(f"ir_datasets: {record.getMessage()}")


@contextmanager
def _downloads(ir_datasets: Any, *, allowed: bool) -> Iterator[None]:
    """Without leave, every download that ir_datasets begins inside raises instead (it has no switch of its own)."""
    if allowed:
        yield
        return

    def refuse(self: Any) -> Any:
        raise ConnectionError("downloads are not allowed (--offline)")

    module = ir_datasets.util.download
    kinds = [module.RequestsDownload, module.GoogleDriveDownload, module.GoogleCloudBucketStream]
    kept = [kind.stream for kind in kinds]
    try:
        for kind in kinds:
            kind.stream = refuse
        yield
    finally:
        for kind, stream in zip(kinds, kept, strict=True):
            kind.stream = stream


def _short_hash(*parts: str) -> str:
    return hashlib.blake2b("\0".join(parts).encode(), digest_size=8).hexdigest()
