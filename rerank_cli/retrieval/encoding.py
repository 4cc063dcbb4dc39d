"""A corpus through a model, once: what is finished is kept while the rest is being made.

Encoding a corpus takes minutes to days, so what a killed build had done must not be lost. Documents go through the
model in blocks, in the order of the corpus. A block's numbers are put behind those of the blocks before it, in files
that only grow, in a folder beside the index (`NAME.partial`); then a small file says how many documents are done and
how long each file is. Whoever comes next cuts the files to these lengths and goes on from there. The index
itself appears when all of it is there.
"""

from __future__ import annotations

import json
import os
import shutil
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from rerank_cli.core.build_once import build_once
from rerank_cli.core.ids import shown
from rerank_cli.core.texts import Corpus, Document, rendered
from rerank_cli.errors import OutOfMemory
from rerank_cli.retrieval.retriever import Topic
from rerank_cli.retrieval.sharing import Batch, Over

if TYPE_CHECKING:
    from rerank_cli.methods.vectors import TextModel

#: Documents, or characters of them, encoded together, and lost at most when the work is killed; inside, batches are made
#: by length. A tokenizer needs a hundred times the room of a text: all of a block has to be tokenised at once.
BLOCK_DOCUMENTS, BLOCK_CHARACTERS = 2048, 8_000_000
#: Docids of the documents done, a line each.
DOCIDS = "docids.txt"
_PROGRESS = "progress.json"

Watch = Callable[[Iterable[Document]], Iterable[Document]]
#: File name -> what is put behind it.
Parts = Mapping[str, np.ndarray | bytes]


class Unfinished:
    """Files that only grow: what `add` has returned from outlives a kill."""

    def __init__(self, folder: Path, wanted: Mapping[str, Any]) -> None:
        """Open the folder; what was kept there of another corpus or model than `wanted` is removed."""
        self.folder = folder
        self._told: dict[str, Any] = {"wanted": dict(wanted), "documents": 0, "truncated": 0, "sizes": {}}
        path = folder / _PROGRESS
        try:
            kept = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            kept = {}
        if kept.get("wanted") == self._told["wanted"] and all(
            (folder / name).is_file() and (folder / name).stat().st_size >= size for name, size in kept["sizes"].items()
        ):
            self._told = kept
        #: How many documents of something else, or of files that are not whole, were done and are lost.
        self.discarded = int(kept.get("documents", 0)) - self.documents
        for file in folder.iterdir() if folder.is_dir() else ():
            if file.name not in (*self._told["sizes"], _PROGRESS):
                file.unlink()
        folder.mkdir(parents=True, exist_ok=True)
        for name, size in self._told["sizes"].items():
            os.truncate(folder / name, size)

    @property
    def documents(self) -> int:
        """How many documents are done."""
        return int(self._told["documents"])

    @property
    def truncated(self) -> int:
        """How many of them were longer than the model reads."""
        return int(self._told["truncated"])

    def add(self, parts: Parts, documents: int, truncated: int) -> None:
        """Put the numbers of some more documents behind the others."""
        sizes = self._told["sizes"]
        for name, part in parts.items():
            with open(self.folder / name, "ab") as file:
                file.write(part if isinstance(part, bytes) else np.ascontiguousarray(part).data)
                file.flush()
                os.fsync(file.fileno())
                sizes[name] = file.tell()
        self._told |= {"documents": self.documents + documents, "truncated": self.truncated + truncated}
        path = self.folder / _PROGRESS
        path.with_suffix(".new").write_text(json.dumps(self._told), encoding="utf-8")
        os.replace(path.with_suffix(".new"), path)

    def give(self, name: str, folder: Path) -> None:
        """Put a finished file into another folder of the same disk, without a copy.

        It stays here too where the disk knows links: until the index is whole, a kill must not cost what was encoded.
        """
        try:
            os.link(self.folder / name, folder / name)
        except OSError:
            os.rename(self.folder / name, folder / name)

    def remove(self) -> None:
        """Forget what is kept here."""
        shutil.rmtree(self.folder)


def encoded_once(
    place: Path,
    wanted: Mapping[str, Any],
    corpus: Corpus,
    model: TextModel,
    parts: Callable[[TextModel, list[np.ndarray]], Parts],
    finish: Callable[[Unfinished, list[bytes], Path], None],
    *,
    template: str,
    note: Callable[[str], None],
    watch: Watch = iter,
    over: Over = map,
    begun: Callable[[Parts], Parts] = dict,
) -> Path:
    """Make the index folder `place` where there is none, by one process of all that ask for it; returns it.

    `parts(model, arrays)` says what is kept of a block's arrays, where it was encoded (see `sharing`); `begun` puts
    before those of the first what begins their files, and `finish(work, docids, folder)` makes the index, here. n texts through the model; memory for the blocks that are
    on their way. Raises what the model raises; what was done before is kept.
    """
    unfinished = place.with_name(place.name + ".partial")

    def build(aside: Path) -> None:
        work = Unfinished(unfinished, wanted)
        name, began = model.description.name, time.monotonic()
        if work.documents:
            note(
                f"going on with {name} where an earlier build ended, after {work.documents} of {len(corpus)} documents"
            )
        else:
            if work.discarded:
                note(f"{work.discarded} documents in {unfinished} were encoded otherwise, and are removed")
            note(f"encoding {len(corpus)} documents with {name}, once")
        before = work.documents
        waiting: deque[list[bytes]] = deque()

        def batches() -> Iterator[Batch]:
            first = before
            for some in _blocks(islice(watch(corpus), before, None)):
                waiting.append([document.docid for document in some])
                yield Batch(first, [rendered(document, template) for document in some])
                first += len(some)

        try:
            for kept, truncated in over(partial(_encoded_parts, model, parts), batches()):
                ids = waiting.popleft()
                kept = kept if work.documents else begun(kept)
                work.add({**kept, DOCIDS: b"".join(docid + b"\n" for docid in ids)}, len(ids), truncated)
        except OutOfMemory as error:
            error.about(f"document {shown(waiting[0][error.row])}")
            raise
        docids = (unfinished / DOCIDS).read_bytes().split(b"\n")[:-1] if work.documents else []
        finish(work, docids, aside)
        took = time.monotonic() - began
        rate = (work.documents - before) / max(took, 1e-9)
        note(f"encoding took {took:.1f} s, {rate:.0f} documents a second; the index is kept in {place}")
        if work.truncated:
            length = model.description.max_length
            note(
                f"{work.truncated} of {work.documents} documents are longer than the {length} tokens that {name} reads"
            )

    waiting = f"waiting for another process to finish {place}"
    return build_once(place, build, waiting=lambda: note(waiting), partial=unfinished)


class Asked:
    """Topics through the model that made an index; that it reads only the beginning of a long one is said once."""

    def __init__(self, model: TextModel, note: Callable[[str], None]) -> None:
        self._model, self._note, self._said = model, note, False

    def arrays(self, topics: Sequence[Topic]) -> list[np.ndarray]:
        """What the model makes of the topics' texts, in their order."""
        try:
            arrays, cut = encoded(self._model, [topic.text for topic in topics], as_query=True)
        except OutOfMemory as error:
            error.about(f"query {shown(topics[error.row].qid)}")
            raise
        if cut.any() and not self._said:
            self._said = True
            first, about = shown(topics[int(np.argmax(cut))].qid), self._model.description
            read = f"the {about.max_length} tokens that {about.name} reads"
            self._note(f"query {first} is longer than {read}: of such queries the beginning is asked")
        return arrays


def encoded(model: TextModel, texts: list[str], *, as_query: bool) -> tuple[list[np.ndarray], np.ndarray]:
    """What the model makes of n texts, in their order, batched by length; and which of them (n,) bool were cut."""
    arrays: list[np.ndarray] = [np.empty(0)] * len(texts)
    truncated = np.zeros(len(texts), dtype=bool)
    for batch in model.embed(texts, as_query):
        for position, array in zip(batch.positions.tolist(), batch.arrays, strict=True):
            arrays[position] = array
        truncated[batch.positions] = batch.truncated
    return arrays, truncated


def _encoded_parts(
    model: TextModel, parts: Callable[[TextModel, list[np.ndarray]], Parts], batch: Batch
) -> tuple[Parts, int]:
    """What is kept of a batch, and how many of its texts were cut."""
    arrays, truncated = encoded(model, batch.texts, as_query=False)
    return parts(model, arrays), int(truncated.sum())


def _blocks(documents: Iterable[Document]) -> Iterator[list[Document]]:
    block: list[Document] = []
    characters = 0
    for document in documents:
        block.append(document)
        characters += len(document.title) + len(document.text)
        if len(block) >= BLOCK_DOCUMENTS or characters >= BLOCK_CHARACTERS:
            yield block
            block, characters = [], 0
    if block:
        yield block
