"""What large jobs take, worked out from named inputs: `python benchmarks/scale.py` prints the tables of docs/scale.md.

Change an input and read the tables again; `--measure` measures again those that were measured on this machine's driver:
how many pairs a second one core reads, orders and writes, and how many it looks up and keeps in the store of answers.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Input:
    """A number, what it is, and where it comes from."""

    value: float
    what: str
    source: str


@dataclass(frozen=True)
class Collection:
    """How many texts; a passage is as long as those of MS MARCO, a page is cut to `PAGE_TOKENS`."""

    name: str
    texts: float
    tokens: float


TOKENS = Input(81.7, "tokens of a passage", "measured: the 10,852 passages of TREC DL 2019's runs, BERT's tokenizer")
TEXT_BYTES = Input(368, "bytes of a passage", "measured: the same passages")
TEXT_WORDS = Input(59.9, "words of a passage", "measured: the same passages")
PAGE_TOKENS = Input(
    512, "tokens of a web page", "assumed: cut to what small models read; bytes and words in proportion"
)
INDEX_BYTES = Input(
    552 * 2**20 / 1e6 / 55.9,
    "bytes of a BM25 index for a word",
    "measured: 552 MiB for a million documents of 55.9 words, `benchmarks/retrieval.py --full`",
)
VECTOR_BYTES = Input(2 * 384, "bytes of a vector", "384 dimensions of float16")
ID_BYTES = Input(28, "bytes of a document's id", "as in msmarco_passage_00_000000000")
SCORE_BYTES = Input(8, "bytes of a score", "a 64-bit float")
NETWORK = Input(10, "Gbit/s of a machine's network", "assumed")
READ_BYTES = Input(4096, "bytes read for one text", "assumed: one block of a file, nothing of it in memory")
DRIVE_READS = Input(
    500_000, "blocks a second of a machine's own drive", "assumed, from memory: a drive of a data centre"
)
GPUS = Input(8, "GPUs of a machine", "assumed")
STREAM = Input(
    289_000, "pairs a second read, ordered and written by the driver", "measured: one core of an AMD EPYC, `--measure`"
)
STORE_BYTES = Input(66, "bytes of a kept answer", "measured: a store of 300,000")
STORE = Input(41_000, "pairs a second looked up and kept by the driver", "measured: the same, blocks of 128 pairs")
INPUTS = (
    *(TOKENS, TEXT_BYTES, TEXT_WORDS, PAGE_TOKENS, INDEX_BYTES, VECTOR_BYTES, ID_BYTES, SCORE_BYTES),
    *(NETWORK, READ_BYTES, DRIVE_READS, GPUS, STREAM, STORE, STORE_BYTES),
)
#: Pairs a second of one H100 in bf16, at most 512 tokens: published by Hugging Face ("ettin-reranker"), not measured here.
MODELS = {"MiniLM-L6 (23M)": 3817.0, "bge-v2-m3 (568M)": 1569.0, "mxbai-large-v2 (1.5B)": 387.0}
#: Of the two cores that this program was measured on: MiniLM-L6, fp32, pairs of 79 tokens.
PROCESSOR = 111.7
#: Texts a second that an H100 encodes with MiniLM-L6: assumed to be no fewer than the pairs, which are longer.
ENCODED = 3817.0

V1 = Collection("MS MARCO v1", 8_841_823, TOKENS.value)
V2 = Collection("MS MARCO v2", 138_364_198, TOKENS.value)
CLUEWEB_B = Collection("ClueWeb22-B", 200e6, PAGE_TOKENS.value)
COLLECTIONS = (
    V1,
    V2,
    CLUEWEB_B,
    Collection("ClueWeb22-A", 2e9, PAGE_TOKENS.value),
    Collection("ClueWeb22-L", 10e9, PAGE_TOKENS.value),
)
#: Collection, topics, depth.
JOBS = ((V1, 6_980, 100), (V1, 6_980, 1000), (V2, 10_000, 1000), (V2, 100_000, 1000), (CLUEWEB_B, 100_000, 1000))


def text_bytes(collection: Collection) -> float:
    """Bytes of one text."""
    return TEXT_BYTES.value * collection.tokens / TOKENS.value


def travelling_bytes() -> float:
    """Bytes that one pair sends over the network on Ray: id and score out, id and score back."""
    return 2 * (ID_BYTES.value + SCORE_BYTES.value)


def collections() -> Iterator[tuple[str, ...]]:
    """What a collection takes: its texts, its indexes, and the time to encode it."""
    yield "collection", "texts", "texts on disk", "BM25 index", "vectors", "to encode, GPU hours"
    for one in COLLECTIONS:
        words = TEXT_WORDS.value * one.tokens / TOKENS.value
        sizes = (text_bytes(one), INDEX_BYTES.value * words, VECTOR_BYTES.value)
        hours = one.texts / ENCODED / 3600
        yield one.name, count(one.texts), *(size(one.texts * some) for some in sizes), count(hours)


def jobs() -> Iterator[tuple[str, ...]]:
    """What reranking takes: pairs, hours of each model, and bytes that are read and sent."""
    hours = (f"{name}, GPU hours" for name in MODELS)
    yield "job", "pairs", "two cores, hours", *hours, "sent on Ray", "if texts were sent", "answers kept"
    for one, topics, depth in JOBS:
        pairs = topics * depth
        here = count(pairs / PROCESSOR / 3600) if one.tokens == TOKENS.value else "not measured"
        each = (count(pairs / rate / 3600) for rate in MODELS.values())
        sizes = (travelling_bytes(), text_bytes(one), STORE_BYTES.value)
        yield f"{one.name}, {topics:,} × {depth}", count(pairs), here, *each, *(size(pairs * some) for some in sizes)


def limits() -> Iterator[tuple[str, ...]]:
    """Pairs a second that each resource carries, and how many GPUs of each model fill it."""
    yield "resource", "pairs a second", *(f"{name}: full at" for name in MODELS)
    bytes_a_second = NETWORK.value * 1e9 / 8
    carried = {
        "the driver's store of answers": STORE.value,
        "the driver's stream": STREAM.value,
        "texts from one file server": bytes_a_second / READ_BYTES.value,
        "the driver's network": bytes_a_second / travelling_bytes(),
    }
    for name, pairs in sorted(carried.items(), key=lambda item: item[1]):
        yield name, count(pairs), *(f"{count(pairs / rate)} GPUs" for rate in MODELS.values())
    each = (f"{GPUS.value * rate / DRIVE_READS.value:.1%} used" for rate in MODELS.values())
    yield f"texts from each machine's own drive, {GPUS.value} GPUs", count(DRIVE_READS.value), *each


def inputs() -> Iterator[tuple[str, ...]]:
    """Everything above that is not measured GPU by GPU."""
    yield "input", "value", "from"
    for one in INPUTS:
        yield one.what, f"{one.value:,.1f}".removesuffix(".0"), one.source


def count(value: float) -> str:
    """A number to three digits, with a word for what is large."""
    for large, word in ((1e9, " billion"), (1e6, " million")):
        if value >= large:
            return f"{value / large:.3g}{word}"
    return f"{round(value, -1 if value >= 1000 else 0):,.0f}" if value >= 100 else f"{value:.2g}"


def size(value: float) -> str:
    """Bytes to three digits."""
    for large, word in ((1e12, "TB"), (1e9, "GB"), (1e6, "MB")):
        if value >= large:
            return f"{value / large:.3g} {word}"
    return f"{value / 1e3:.3g} kB"


def table(rows: Iterator[tuple[str, ...]]) -> str:
    """Rows as Markdown, the first as the heads of the columns."""
    heads, *lines = rows
    return "\n".join(f"| {' | '.join(row)} |" for row in (heads, ["---"] * len(heads), *lines))


TABLES = (inputs, collections, jobs, limits)


def measure() -> Iterator[tuple[str, ...]]:
    """The driver's two figures again, on this machine: processor seconds, so that others' work beside it counts little."""
    import io
    import os
    import tempfile
    import time
    from pathlib import Path

    import numpy as np

    from rerank_cli.formats.run_writer import RunWriter
    from rerank_cli.formats.runs import RunStream
    from rerank_cli.inference.cache import AnswerCache

    yield "measured here", "pairs a second of one core"
    draw, depth, queries = np.random.default_rng(0), 1000, 500
    run = "".join(
        f"{1_000_000 + query} Q0 msmarco_passage_{at % 70:02d}_{draw.integers(10**9):09d} {at + 1} {30 - at / 50:.6f} bm25\n"
        for query in range(queries)
        for at in range(depth)
    ).encode()
    writer, began = RunWriter(io.BytesIO(), "measured", "trec"), time.process_time()
    for candidates in RunStream(io.BytesIO(run), "run"):
        scores = draw.random(len(candidates.ranking))
        order = np.argsort(-scores)
        writer.write(candidates.ranking.reordered(order, scores[order]))
    yield STREAM.what, count(queries * depth / (time.process_time() - began))
    keys = [os.urandom(16) for _ in range(200_000)]
    with (
        tempfile.TemporaryDirectory() as folder,
        AnswerCache(Path(folder), 1 << 34, lambda told: print(told, file=sys.stderr)) as store,
    ):
        began = time.process_time()
        for start in range(0, len(keys), 128):
            some = keys[start : start + 128]
            store.get(some)
            store.put([(key, b"123456789") for key in some])
        yield STORE.what, count(len(keys) / (time.process_time() - began))


if __name__ == "__main__":
    chosen = (measure,) if "--measure" in sys.argv[1:] else TABLES
    print("\n\n".join(table(rows()) for rows in chosen))
