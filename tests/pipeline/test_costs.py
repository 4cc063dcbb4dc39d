"""What a query is guessed to cost: its documents' lengths down to the depth, each up to what the model reads."""

from __future__ import annotations

import json
from pathlib import Path

from rerank_cli.core.candidates import Candidates
from rerank_cli.core.run import Ranking
from rerank_cli.core.texts import Document, MemoryTexts
from rerank_cli.formats.offsets import open_corpus
from rerank_cli.pipeline.costs import BYTES_A_TOKEN, costs

TEXTS = {b"short": "x" * 10, b"long": "x" * 1000, b"longer": "x" * 5000}


def candidates(*docids: bytes, carried: bool = False) -> Candidates:
    ranking = Ranking.build(b"q", docids, [-float(rank) for rank in range(len(docids))])
    return Candidates(ranking, "q", {d: Document(d, "", TEXTS[d]) for d in docids} if carried else None)


def test_lengths_come_from_the_index_of_the_texts(tmp_path: Path) -> None:
    lines = {docid: json.dumps({"_id": docid.decode(), "text": text}) + "\n" for docid, text in TEXTS.items()}
    (tmp_path / "corpus.jsonl").write_text("".join(lines.values()))
    corpus = open_corpus([str(tmp_path / "corpus.jsonl")], tmp_path / "cache", lambda _: None)
    size = {docid: len(line) for docid, line in lines.items()}
    run = [
        candidates(b"long", b"short", b"longer"),
        candidates(b"short"),
        candidates(b"nowhere", b"long"),
        candidates(),
    ]
    found = costs(run, corpus, 2, None).tolist()
    assert found == [1 + size[b"long"] + size[b"short"], 1 + size[b"short"], 1 + size[b"long"], 1]
    read = 50 * BYTES_A_TOKEN
    assert costs(run, corpus, 2, 50).tolist() == [1 + read + size[b"short"], 1 + size[b"short"], 1 + read, 1]
    assert costs(run, corpus, 0, None).tolist() == [1, 1, 1, 1]


def test_texts_that_come_with_the_run_are_measured_there() -> None:
    assert costs([candidates(b"long", b"short", carried=True)], None, 10, None).tolist() == [1011]


def test_documents_are_counted_where_lengths_are_not_known() -> None:
    texts = MemoryTexts({docid: Document(docid, "", text) for docid, text in TEXTS.items()})
    assert costs([candidates(b"long", b"short", b"longer"), candidates(b"long")], texts, 2, 512).tolist() == [3, 2]
