"""Collections: from what `-c` names to topics, documents and judgements.

A run holds only ids, so every stage needs to be told, once and in the same words, where the texts
are. A collection is three sources (documents, topics, judgements), each a file or `irds:ID`; a name
fills them in, `--docs`, `--topics` and `--qrels` override one each. Opening one reads nothing: each
part is looked for when it is asked for, so that scoring a run never touches a corpus.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from rerank_cli.core.hashing import digest_of
from rerank_cli.core.qrels import Qrels
from rerank_cli.core.shards import topic_words
from rerank_cli.core.texts import TITLE_AND_TEXT, Corpus
from rerank_cli.errors import BadData, Missing, WrongUsage
from rerank_cli.formats.compression import open_input
from rerank_cli.formats.corpus_files import plain_or_compressed
from rerank_cli.formats.irds import PREFIX as _IRDS
from rerank_cli.formats.irds import IrdsDataset
from rerank_cli.formats.offsets import open_corpus
from rerank_cli.formats.qrels import read_qrels
from rerank_cli.formats.topics import TopicField, read_topic_field, read_topics
from rerank_cli.formats.weights import weighted_documents, weighted_topics

DEMO = "demo"
#: Where the collection of that name lies, whatever the working directory holds.
SHIPPED = Path(__file__).parent / "demo"
_TRY_DEMO = "name one with -c, or try the collection that comes with the program: -c demo"
_TEXT_KEYS = {"topics", "qrels", "index", "doc_template", "instruction"}
_LIST_KEYS = {"docs", "topic_fields"}


@dataclass(frozen=True)
class Overrides:
    """What the command line says over the collection's own: files, the split, and what the model sees."""

    docs: tuple[str, ...] = ()
    topics: str | None = None
    qrels: str | None = None
    split: str = "test"
    all_topics: bool = False
    topic_fields: tuple[str, ...] = ("title",)
    doc_template: str | None = None


@dataclass(frozen=True)
class _Sources:
    """Where each part is: paths or `irds:ID`; None where nothing is named. `folder` is set for a BEIR folder."""

    description: str
    docs: tuple[str, ...] = ()
    topics: str | None = None
    qrels: str | None = None
    folder: Path | None = None
    judged_only: bool = False
    topic_fields: tuple[str, ...] = ("title",)
    doc_template: str = TITLE_AND_TEXT
    instruction: str | None = None
    index: Path | None = None
    rel: int | None = None


def open_collection(
    name: str | None,
    overrides: Overrides,
    *,
    registered: Mapping[str, tuple[dict[str, Any], Path]],
    cache_dir: Path,
    note: Callable[[str], None],
    offline: bool = False,
) -> Collection:
    """Resolve a collection's name and overrides; reads no file of the collection.

    `name` is a BEIR folder, `irds:ID`, a key of `registered` (its table, the folder of its relative
    paths), `demo`, or None when only overrides say where things are. Raises `Missing` for a name that
    nothing has and when nothing is named, `WrongUsage` for a name that is a folder here as well.
    """
    sources = _named(name, overrides, registered)
    changed = {part: value for part in ("docs", "topics", "qrels") if (value := getattr(overrides, part))}
    if changed:
        said = ", ".join(f"{part} {' '.join(v) if isinstance(v, tuple) else v}" for part, v in changed.items())
        description = f"{sources.description}, with {said}" if name is not None else said
        sources = replace(sources, **changed, description=description)
        sources = replace(sources, judged_only=sources.judged_only and overrides.topics is None)
    if overrides.topic_fields != ("title",):
        sources = replace(sources, topic_fields=overrides.topic_fields)
    template = overrides.doc_template or sources.doc_template
    if "{title}" not in template and "{text}" not in template:
        raise WrongUsage(f"the template {template!r} has neither {{title}} nor {{text}}", "such as '{title} {text}'")
    return Collection(name or "", replace(sources, doc_template=template), cache_dir, note, offline)


class Collection:
    """Topics, judgements and documents, each read when first asked for; made by `open_collection`."""

    def __init__(
        self, name: str, sources: _Sources, cache_dir: Path, note: Callable[[str], None], offline: bool
    ) -> None:
        self.name = name
        #: What the model sees of a document; {title} and {text} are filled in.
        self.doc_template: str = sources.doc_template
        #: What a model that takes instructions is told, or None.
        self.instruction: str | None = sources.instruction
        #: The least relevant grade of binary measures, where the collection says so.
        self.rel: int | None = sources.rel
        #: The folder of an index that the collection names.
        self.index: Path | None = sources.index
        #: Whether it is a folder in BEIR layout, whose judgements come in splits.
        self.has_splits: bool = sources.folder is not None
        self._sources, self._cache_dir, self._note, self._offline = sources, cache_dir, note, offline

    def description(self) -> str:
        """One line: which collection this is, and where."""
        return self._sources.description

    def topics(self, *, vectors: bool = False) -> dict[bytes, str]:
        """Query id -> text, in the source's order; of a BEIR folder those judged in the split, unless all were asked for.

        With `vectors` a topic that has one needs no text. Raises `Missing` naming the file looked for, `BadData` with FILE:LINE.
        """
        return self._read_topics(vectors=True) if vectors else self._topics

    def topic_field(self, field: str) -> dict[bytes, TopicField]:
        """A field of those topics that have it (see `formats.topics.read_topic_field`); raises `WrongUsage` for irds:ID."""
        source = self._source("topics")
        if source.startswith(_IRDS):
            raise WrongUsage(f"{source} has no field {field} of topics", "name topics in JSONL with --topics")
        with open_input(source) as stream:
            return read_topic_field(stream, source, field)

    def qrels(self) -> Qrels:
        """The judgements; raises `Missing` naming the file looked for, `BadData` with FILE:LINE."""
        return self._qrels

    def documents(self) -> Corpus:
        """The corpus, indexed first where it is not yet (see `formats.offsets.open_corpus`, `formats.irds`)."""
        return self._documents

    def weighted_documents(self) -> Iterator[tuple[bytes, dict[str, float]]]:
        """Docid and term weights of every document, from JSONL with a `vector` each; raises `BadData` with FILE:LINE."""
        source = self._source("docs")
        if source.startswith(_IRDS):
            raise WrongUsage(f"the documents of {source} have no term weights", "name a JSONL file with --docs")
        return weighted_documents(self._sources.docs, self._note)

    def weighted_topics(self) -> dict[bytes, dict[str, float]] | None:
        """Query id -> term weights, of JSONL topics that have a `vector`; None when they have not."""
        source = self._source("topics")
        return None if source.startswith(_IRDS) else weighted_topics(source)

    def fingerprint(self) -> str:
        """A short hash that changes when the documents do; opens the corpus."""
        return self._documents.fingerprint

    def topics_fingerprint(self) -> str:
        """A short hash that changes when the ids or texts of the topics do; reads them."""
        return digest_of(word for topic in self._topics.items() for word in topic_words(topic))

    @cached_property
    def _topics(self) -> dict[bytes, str]:
        return self._read_topics(vectors=False)

    def _read_topics(self, *, vectors: bool) -> dict[bytes, str]:
        source, fields = self._source("topics"), self._sources.topic_fields
        if source.startswith(_IRDS):
            topics = self._irds(source).topics(fields)
        else:
            with open_input(source) as stream:
                topics = read_topics(stream, source, fields=fields, vectors=vectors)
        if not self._sources.judged_only:
            return topics
        judged = set(self.qrels().topics)
        if absent := len(judged - topics.keys()):
            self._note(f"warning: {absent} judged topics have no text in {source}")
        return {qid: text for qid, text in topics.items() if qid in judged}

    @cached_property
    def _qrels(self) -> Qrels:
        source = self._source("qrels")
        if source.startswith(_IRDS):
            return self._irds(source).qrels()
        with open_input(source) as stream:
            return read_qrels(stream, source)

    @cached_property
    def _documents(self) -> Corpus:
        self._source("docs")
        docs = self._sources.docs
        irds = [source for source in docs if source.startswith(_IRDS)]
        if irds and len(docs) > 1:
            raise WrongUsage(f"{irds[0]} beside other documents", "an irds: id stands alone")
        if irds:
            return self._irds(irds[0]).documents()
        return open_corpus(docs, self._cache_dir, self._note)

    def _irds(self, source: str) -> IrdsDataset:
        return IrdsDataset(source.removeprefix(_IRDS), self._cache_dir, self._note, offline=self._offline)

    def _source(self, part: str) -> str:
        """Where a part is; raises `Missing`, saying what was looked for, when it is nowhere."""
        value = self._sources.docs[0] if part == "docs" and self._sources.docs else getattr(self._sources, part)
        whose = f"collection {self.name}" if self.name else "the command line"
        if not value:
            what = {"docs": "documents", "topics": "topics", "qrels": "judgements"}[part]
            raise Missing(f"{whose} names no {what}", f"name them with --{part}, or {_TRY_DEMO}")
        inside = self._sources.folder
        if inside is None or inside not in Path(value).parents or Path(value).is_file():
            return str(value)
        hint = {
            "docs": "a BEIR folder holds corpus.jsonl (or .gz, .zst)",
            "topics": "a BEIR folder holds queries.jsonl",
        }
        if part != "qrels":
            raise Missing(f"{value}: no such file", hint[part])
        splits = sorted(path.stem for path in (inside / "qrels").glob("*.tsv"))
        known = f"the splits there are {', '.join(splits)}" if splits else "there is no qrels folder with SPLIT.tsv"
        raise Missing(f"{value}: no such file", f"{known}; --split names one, --all-topics needs none to retrieve")


def _named(name: str | None, overrides: Overrides, registered: Mapping[str, tuple[dict[str, Any], Path]]) -> _Sources:
    """The sources that a collection's name stands for."""
    if name is None:
        if overrides.docs or overrides.topics or overrides.qrels:
            return _Sources("")
        raise Missing("no collection is named, so there are no topics, texts or judgements", _TRY_DEMO)
    if name.startswith(_IRDS):
        return _Sources(f"{name} through ir_datasets", (name,), name, name)
    folder = Path(name).expanduser()
    if name in registered or name == DEMO:
        if folder.is_dir():
            raise WrongUsage(f"{name} is a collection's name and a folder here", f"./{name} is the folder")
        if name in registered:
            return _from_table(name, *registered[name])
        return _from_folder("collection demo, which comes with rerank", SHIPPED, overrides)
    if folder.is_dir():
        return _from_folder(f"collection {folder.resolve().name}", folder, overrides)
    if folder.is_file():
        raise Missing(f"{name} is a file, not a collection", "--docs FILE names a file of documents")
    known = ", ".join([DEMO, *sorted(set(registered) - {DEMO})])
    raise Missing(
        f"there is no collection {name}: no such folder or name", f"a BEIR folder, irds:ID, or one of {known}"
    )


def _from_folder(what: str, folder: Path, overrides: Overrides) -> _Sources:
    """A folder in BEIR layout; a part that is not there keeps the name it is expected under."""
    corpus, queries, qrels = (
        plain_or_compressed(folder / part) for part in ("corpus.jsonl", "queries.jsonl", f"qrels/{overrides.split}.tsv")
    )
    return _Sources(
        f"{what} ({folder}, {'all topics' if overrides.all_topics else f'split {overrides.split}'})",
        (str(corpus),),
        str(queries),
        str(qrels),
        folder=folder,
        judged_only=not overrides.all_topics,
    )


def _from_table(name: str, table: dict[str, Any], base: Path) -> _Sources:
    """The sources of `[collections.NAME]`; relative paths start at `base`. Raises `BadData` for a key or value that is none."""
    where = f"[collections.{name}]"
    values: dict[str, Any] = {}
    for key, value in table.items():
        if key in _LIST_KEYS:
            value = [value] if isinstance(value, str) else value
            if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
                raise BadData(f"{key} is {value!r}, not a string or a list of strings", where=where)
            values[key] = tuple(value)
        elif key not in _TEXT_KEYS and key != "rel":
            known = ", ".join(sorted(_TEXT_KEYS | _LIST_KEYS | {"rel"}))
            raise BadData(f"there is no key {key}", f"the keys are {known}", where=where)
        elif type(value) is not (int if key == "rel" else str):
            raise BadData(f"{key} is {value!r}, not a {'whole number' if key == 'rel' else 'string'}", where=where)
        else:
            values[key] = value

    def located(path: str) -> str:
        return path if path.startswith(_IRDS) else str(base / Path(path).expanduser())

    for key in ("topics", "qrels", "index"):
        if key in values:
            values[key] = located(values[key])
    if "index" in values:
        values["index"] = Path(values["index"])
    values["docs"] = tuple(located(path) for path in values.get("docs", ()))
    return _Sources(f"collection {name} ({where} in {base})", **values)
