"""Building an inverted index in bounded memory: sorted chunks, then one merge.

Texts go in batches through `chunks`, in several processes where there are several batches. In the end the chunks'
terms are merged into one list and the postings are copied, a block of terms at a time, so that every file is written
from front to end. Memory depends on the batch; of the corpus only the lengths, the ids (while they are sorted) and
eight bytes a term are held.

S. Heinz, J. Zobel: Efficient single-pass index construction for text databases. JASIST 54(8), 2003.
"""

from __future__ import annotations

import heapq
import shutil
import time
from array import array
from collections.abc import Iterable, Iterator
from functools import partial
from itertools import chain, islice, pairwise
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from rerank_cli.core.arrays import save_array
from rerank_cli.retrieval.ahead import in_processes
from rerank_cli.retrieval.analysis import Analyzer
from rerank_cli.retrieval.chunks import (
    Chunk,
    Written,
    counted,
    counted_elsewhere,
    opened,
    write_chunks,
    write_chunks_elsewhere,
)
from rerank_cli.retrieval.docids import order_of
from rerank_cli.retrieval.index import FORMAT, KIND, array_header, length_bytes
from rerank_cli.retrieval.manifest import write_manifest
from rerank_cli.retrieval.sharing import Batch, Over

#: Tokens in a chunk: about 300 MB while it is sorted.
CHUNK_TOKENS = 4_000_000
#: Characters, and documents, that are handed on at a time: some three million tokens.
BATCH_CHARACTERS, BATCH_DOCUMENTS = 16_000_000, 400_000
#: Postings copied at a time in the merge.
BLOCK_POSTINGS = 4_000_000
_LONGEST = np.iinfo(np.int32).max
#: More processes would only wait for the one that reads.
_PROCESSES = 4


def build_index(
    texts: Iterable[tuple[bytes, str]],
    folder: Path,
    analyzer: Analyzer,
    about: dict[str, Any],
    *,
    chunk_tokens: int = CHUNK_TOKENS,
    processes: int = 1,
    over: Over | None = None,
) -> None:
    """Index (docid, text) pairs into an existing empty folder; `about` goes into its manifest.

    Raises `BadData` on a docid that comes twice. About a million tokens a second and process; `chunk_tokens` bounds
    the memory of each. A corpus that is one batch is counted in this process. With `over` the batches are counted
    there, the chunks (some twelve bytes a token) come back here, and the files are the same.
    """
    began = time.monotonic()
    aside = folder / "chunks"
    aside.mkdir()
    docid_ends = array("q")
    written: list[Written] = []
    with open(folder / "docids.bin", "wb") as docids_file:
        batches = _batches(texts, docids_file, docid_ends)
        if over is not None:
            counting = partial(counted_elsewhere, analyzer.name, chunk_tokens)
            written += (write_chunks(aside, chunks) for chunks in over(counting, batches))
        else:
            written += _written(batches, aside, analyzer, chunk_tokens, processes)
    ends = np.frombuffer(docid_ends, dtype=np.int64) if docid_ends else np.empty(0, dtype=np.int64)
    lengths = np.concatenate([np.empty(0, dtype=np.int32), *(batch.lengths for batch in written)])
    save_array(folder / "docid_ends.npy", ends)
    docids = (folder / "docids.bin").read_bytes()
    save_array(
        folder / "docid_order.npy", order_of([docids[one:other] for one, other in pairwise([0, *ends.tolist()])])
    )
    del docids
    save_array(folder / "lengths.npy", lengths)
    save_array(folder / "length_bytes.npy", length_bytes(lengths))
    _merge([opened(path) for batch in written for path in batch.chunks], folder)
    shutil.rmtree(aside)
    counts = {
        "documents": len(lengths),
        "documents_with_terms": int(np.count_nonzero(lengths)),
        "terms": len(np.load(folder / "term_ends.npy", mmap_mode="r")),
        "tokens": int(lengths.sum(dtype=np.int64)),
        "seconds": round(time.monotonic() - began, 1),
    }
    write_manifest(
        folder, KIND, FORMAT, {**about, "analyzer": analyzer.name, "analyzer_version": analyzer.version, **counts}
    )


def _batches(texts: Iterable[tuple[bytes, str]], docids_file: BinaryIO, docid_ends: array[int]) -> Iterator[Batch]:
    """The texts in batches; their ids are written and the ends of these noted as they pass."""
    batch, characters = Batch(0, []), 0
    for docid, text in texts:
        docids_file.write(docid)
        docid_ends.append(len(docid) + (docid_ends[-1] if docid_ends else 0))
        batch.texts.append(text)
        characters += len(text)
        if characters >= BATCH_CHARACTERS or len(batch.texts) >= BATCH_DOCUMENTS:
            yield batch
            batch, characters = Batch(len(docid_ends), []), 0
    if batch.texts:
        yield batch


def _written(
    batches: Iterator[Batch], aside: Path, analyzer: Analyzer, chunk_tokens: int, processes: int
) -> Iterator[Written]:
    """Each batch as chunks, in order: in this process, or in others where there are several batches."""
    first = list(islice(batches, 2))
    batches = chain(first, batches)
    if processes == 1 or len(first) < 2:
        yield from (write_chunks(aside, counted(analyzer, chunk_tokens, batch)) for batch in batches)
        return
    work = partial(write_chunks_elsewhere, aside, analyzer.name, chunk_tokens)
    yield from in_processes(work, batches, processes=min(processes, _PROCESSES))


def _merge(chunks: list[Chunk], folder: Path) -> None:
    """Write the terms and postings of all chunks, sorted, into the folder."""
    numbers, term_ends = _merge_terms(chunks, folder / "terms.bin")
    counts = np.zeros(len(term_ends), dtype=np.int64)
    most, shortest = np.zeros_like(counts, dtype=np.int32), np.full_like(counts, _LONGEST, dtype=np.int32)
    for chunk, number in zip(chunks, numbers, strict=True):
        counts[number] += chunk.counts
        most[number] = np.maximum(most[number], chunk.most)
        shortest[number] = np.minimum(shortest[number], chunk.shortest)
    save_array(folder / "most.npy", most)
    save_array(folder / "shortest.npy", shortest)
    ends = np.cumsum(counts)
    save_array(folder / "term_ends.npy", term_ends)
    save_array(folder / "postings_ends.npy", ends)
    total = int(ends[-1]) if len(ends) else 0
    narrow = next(np.dtype(t) for t in (np.uint8, np.uint16, np.int32) if most.max(initial=0) <= np.iinfo(t).max)
    keys = [chunk.pairs[:, 0].astype(np.int64) << 32 | chunk.pairs[:, 1] for chunk in chunks]
    pairs = np.unique(np.concatenate([np.empty(0, dtype=np.int64), *keys]))
    save_array(folder / "pairs.npy", np.stack([pairs >> 32, pairs & 0xFFFFFFFF], axis=1).astype(np.int32))
    code = np.dtype(np.uint16 if len(pairs) <= 1 << 16 else np.int32)
    firsts = [np.concatenate([[0], np.cumsum(chunk.counts, dtype=np.int64)]) for chunk in chunks]
    final = [np.searchsorted(pairs, own).astype(code) for own in keys]
    with open(folder / "documents.npy", "wb") as documents_file, open(folder / "codes.npy", "wb") as codes_file:
        documents_file.write(array_header(np.dtype(np.int32), total))
        codes_file.write(array_header(code, total))
        for documents, codes in _blocks(list(zip(chunks, numbers, firsts, final, strict=True)), ends, counts):
            documents_file.write(documents.data)
            codes_file.write(codes.data)
    _write_forward(chunks, numbers, folder, narrow)


def _write_forward(chunks: list[Chunk], numbers: list[np.ndarray], folder: Path, narrow: np.dtype[Any]) -> None:
    """Write what each document holds, chunk after chunk: their documents follow each other as they came."""
    counts = np.concatenate([np.empty(0, dtype=np.int64), *(chunk.document_counts for chunk in chunks)])
    ends = np.cumsum(counts, dtype=np.int64)
    save_array(folder / "document_ends.npy", ends)
    total = int(ends[-1]) if len(ends) else 0
    with (
        open(folder / "document_terms.npy", "wb") as terms_file,
        open(folder / "document_frequencies.npy", "wb") as frequencies_file,
    ):
        terms_file.write(array_header(np.dtype(np.int32), total))
        frequencies_file.write(array_header(narrow, total))
        for chunk, number in zip(chunks, numbers, strict=True):
            terms_file.write(number.astype(np.int32).take(chunk.document_terms).data)
            frequencies_file.write(chunk.document_frequencies.astype(narrow).data)


def _merge_terms(chunks: list[Chunk], path: Path) -> tuple[list[np.ndarray], np.ndarray]:
    """Write all distinct terms; returns each chunk's term numbers (v,) ascending, and the ends (V,) of the terms."""
    numbers = [array("i") for _ in chunks]
    ends = array("q")
    last = None
    with open(path, "wb") as out:
        for term, chunk in heapq.merge(*(_lines(chunk.terms, at) for at, chunk in enumerate(chunks))):
            if term != last:
                out.write(term)
                ends.append(len(term) + (ends[-1] if ends else 0))
                last = term
            numbers[chunk].append(len(ends) - 1)
    return [np.array(number, dtype=np.int64) for number in numbers], np.array(ends, dtype=np.int64)


def _lines(path: Path, chunk: int) -> Iterator[tuple[bytes, int]]:
    with open(path, "rb") as file:
        for line in file:
            yield line[:-1], chunk


def _blocks(
    sources: list[tuple[Chunk, np.ndarray, np.ndarray, np.ndarray]], ends: np.ndarray, counts: np.ndarray
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Documents and codes of all postings, in term order, some terms at a time; inside a term the chunks follow each other.

    With each chunk come the final numbers of its terms, where each term's rows begin (and the last one's end), and the final codes.
    """
    low = 0
    while low < len(ends):
        begin = int(ends[low] - counts[low])
        high = max(low + 1, int(np.searchsorted(ends, begin + BLOCK_POSTINGS, side="right")))
        size = int(ends[high - 1]) - begin
        documents, codes = np.empty(size, dtype=np.int32), np.empty(size, dtype=sources[0][3].dtype)
        free = ends[low:high] - counts[low:high] - begin
        for chunk, number, first, final in sources:
            a, b = np.searchsorted(number, [low, high])
            here, count = number[a:b] - low, np.diff(first[a : b + 1])
            places = np.repeat(free[here] - (first[a:b] - first[a]), count)
            places += np.arange(len(places))
            source = slice(first[a], first[b])
            documents[places] = chunk.documents[source]
            codes[places] = final.take(chunk.codes[source])
            free[here] += count
        yield documents, codes
        low = high
