"""Whole runs: any order of lines, two readers that agree, errors that name the line."""

from __future__ import annotations

import io
import math
import os
import random
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rerank_cli.core.run import Run, canonical_order
from rerank_cli.errors import BadData, WrongUsage
from rerank_cli.formats import columns
from rerank_cli.formats.compression import open_input
from rerank_cli.formats.runs import RunFile, read_run, validate_run

DATA = os.environ.get("RERANK_TEST_DATA")
Lists = dict[bytes, list[tuple[bytes, float]]]


def read(text: bytes, **options: object) -> RunFile:
    return read_run(io.BytesIO(text), "r.run", **options)  # type: ignore[arg-type]


def lists(run: Run) -> Lists:
    return {r.qid: list(zip(r.docids.tolist(), r.scores.tolist(), strict=True)) for r in run}


def by_hand(text: bytes) -> Lists:
    """trec_eval's order, computed the slow way."""
    found: Lists = {}
    for line in text.decode("latin-1").split("\n"):
        if line.strip() and not line.startswith("#"):
            qid, _, docid, _, score, _ = line.split()
            found.setdefault(qid.encode("latin-1"), []).append((docid.encode("latin-1"), float(score)))
    for rows in found.values():
        rows.sort(key=lambda row: row[0], reverse=True)
        rows.sort(key=lambda row: -row[1])
    return found


def run_text(queries: int, depth: int, seed: int = 0, *, ties: int = 10, columns: str = " ") -> list[bytes]:
    """Lines of a run whose scores tie often; longer than a megabyte from 100 x 400 on."""
    pick = random.Random(seed)
    return [
        columns.join([f"q{q}", "Q0", f"doc{d:06d}", str(n), str(pick.randrange(ties) / 8), "the-tag-of-it"]).encode()
        for q in range(queries)
        for n, d in enumerate(pick.sample(range(10**6), depth), 1)
    ]


def crlf(lines: list[bytes]) -> bytes:
    return b"\r\n".join(lines) + b"\r\n"


def shuffled(lines: list[bytes]) -> bytes:
    return b"\n".join(random.Random(1).sample(lines, len(lines)))


MESSES: dict[str, Callable[[list[bytes]], bytes]] = {
    "clean": lambda lines: b"\n".join(lines) + b"\n",
    "no final newline": lambda lines: b"\n".join(lines),
    "interleaved queries": shuffled,
    "CRLF": crlf,
    "tabs": lambda lines: b"\n".join(lines).replace(b" ", b"\t"),
    "tabs and blanks": lambda lines: b"\n".join(lines).replace(b" 0.", b"\t   0."),
    "trailing blanks": lambda lines: b" \t\n".join(lines),
    "leading blanks": lambda lines: b"\n  ".join(lines),
    "byte-order mark": lambda lines: b"\xef\xbb\xbf" + b"\n".join(lines),
    "header": lambda lines: b'# rerank: {"depth": 3}\n#\n' + b"\n".join(lines),
    "comment of six words": lambda lines: b"\n# Q0 d 1 2.5 t\n".join([b"\n".join(lines[:90]), b"\n".join(lines[90:])]),
    "blank lines": lambda lines: b"\n\n \n".join(lines),
    "blanks at the end": lambda lines: b"\n".join(lines) + b"\n \n\n",
    "not ASCII": lambda lines: b"\n".join(lines).replace(b"doc", "dök".encode()),
    "not UTF-8": lambda lines: b"\n".join(lines).replace(b"doc", b"d\xff\xfec"),
    "one long id": lambda lines: b"\n".join([*lines, b"q0 Q0 " + b"x" * 5000 + b" 1 0.5 the-tag-of-it"]),
    "a quote": lambda lines: b"\n".join([*lines, b'q0 Q0 "d,1" 1 0.5 the-tag-of-it']),
}


@pytest.mark.parametrize("mess", MESSES)
@pytest.mark.parametrize("reader", ["plain", "numpy", "polars"])
def test_messy_input_gives_the_same_run(mess: str, reader: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is small, larger and large, against a reader written for this test."""
    text = MESSES[mess](run_text(3 if reader == "plain" else 150, 300))
    assert (len(text) > columns.FAST_FROM) == (reader != "plain")
    monkeypatch.setattr(columns, "POLARS_FROM", 0 if reader == "polars" else 1 << 60)
    found = read(text)
    expected = by_hand(text.removeprefix(b"\xef\xbb\xbf"))
    assert lists(found.run) == expected
    assert list(found.run.qids) == list(expected)
    assert found.run.tag == "the-tag-of-it"
    assert found.header == ({"depth": 3} if mess == "header" else None)
    assert found.repairs == 0


FAULTS: dict[str, tuple[bytes, str]] = {
    "five fields": (b"q1 Q0 d 1 2.5", "5 fields, where a TREC run has 6"),
    "seven fields": (b"q1 Q0 d 1 2.5 t u", "7 fields, where a TREC run has 6"),
    "one field": (b"hello", "1 fields, where a TREC run has 6"),
    "no score": (b"q1 Q0 d 1 t t", "the score 't' is not a finite number"),
    "NaN": (b"q1 Q0 d 1 nan t", "the score 'nan' is not a finite number"),
    "infinity": (b"q1 Q0 d 1 -inf t", "the score '-inf' is not a finite number"),
    "overflow": (b"q1 Q0 d 1 1e999 t", "the score '1e999' is not a finite number"),
    "underscore": (b"q1 Q0 d 1 1_0 t", "the score '1_0' is not a finite number"),
    "hexadecimal": (b"q1 Q0 d 1 0x1p3 t", "the score '0x1p3' is not a finite number"),
    "NUL in a docid": (b"q1 Q0 d\0 1 2.5 t", "an id holds a NUL byte"),
    "NUL in a qid": (b"q\0 Q0 d 1 2.5 t", "an id holds a NUL byte"),
}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("queries", [3, 150])
@pytest.mark.parametrize("place", [2, None])
def test_a_bad_line_is_named_and_lenient_leaves_it_out(fault: str, queries: int, place: int | None) -> None:
    good = run_text(queries, 300)
    place = len(good) if place is None else place
    bad, message = FAULTS[fault]
    text = b"\n".join([b"# comment", *good[:place], bad, *good[place:]])
    with pytest.raises(BadData) as caught:
        read(text)
    assert caught.value.message == f"r.run:{place + 2}: {message}"
    assert caught.value.hint
    mended = read(text, lenient=True)
    expected = by_hand(b"\n".join(good))
    if fault == "seven fields":
        expected = by_hand(b"\n".join([*good[:place], b"q1 Q0 d 1 2.5 t", *good[place:]]))
    assert lists(mended.run) == expected
    assert mended.repairs == 1


@pytest.mark.parametrize("queries", [3, 150])
def test_a_doubled_document_is_named_and_lenient_keeps_the_best(queries: int) -> None:
    good = run_text(queries, 300)
    fields = good[310].split()
    better = b" ".join([*fields[:4], b"99.5", fields[5]])
    worse = b" ".join([*fields[:4], b"-99.5", fields[5]])
    text = b"\n".join([b"#", *good[:500], worse, *good[500:], better])
    with pytest.raises(BadData, match=rf"^r\.run:502: document {fields[2].decode()} appears twice for query q1$"):
        read(text)
    mended = read(text, lenient=True)
    assert mended.repairs == 2
    assert lists(mended.run) == by_hand(b"\n".join([*good[:310], better, *good[311:]]))


def test_lines_are_counted_across_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(columns, "CHUNK", 1 << 20)
    good = run_text(400, 300)
    text = b"\n".join([*good, b"q1 Q0 d 1 2.5"])
    assert len(text) > 3 << 20
    with pytest.raises(BadData, match=rf"^r\.run:{len(good) + 1}: 5 fields"):
        read(text)
    assert lists(read(b"\n".join(good)).run) == by_hand(b"\n".join(good))
    assert lists(read(shuffled(good)).run) == by_hand(b"\n".join(good))


def test_a_line_longer_than_a_chunk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(columns, "CHUNK", 10)
    assert lists(read(b"1 Q0 a-rather-long-docid 1 2.5 t\n1 Q0 b 1 3 t\n").run) == {
        b"1": [(b"b", 3.0), (b"a-rather-long-docid", 2.5)]
    }


token = st.sampled_from(
    [b"1", b"q#", b"#", b"d", b"0.5", b"-1e3", b".5", b"5.", b"+7", b"nan", b"1_0", b'"', b"1e-400"]
)
blank = st.sampled_from([b" ", b" ", b" ", b"\t", b"  ", b" \t", b"\r"])
raw_line = st.lists(st.tuples(token, blank), min_size=1, max_size=7).map(
    lambda parts: b"".join(a + b for a, b in parts)
)
good_line = st.builds(
    lambda q, d, s, between: between.join([q, b"Q0", d, b"1", repr(s).encode(), b"t"]),
    st.sampled_from([b"1", b"2", b"#3"]),
    st.binary(min_size=1, max_size=4).filter(lambda b: b.split() == [b] and b"\0" not in b),
    st.floats(allow_nan=False, allow_infinity=False),
    blank,
)


@settings(max_examples=400, deadline=None)
@given(st.lists(st.one_of(good_line, raw_line, st.just(b""), st.just(b"# c")), max_size=8), st.booleans())
def test_both_readers_agree_on_anything(lines: list[bytes], lenient: bool) -> None:
    """The columnar readers, made to try every input, against the plain one: the same run or the same error."""
    text = b"\n".join(lines)
    outcomes = []
    for limits in ((0, 0), (0, 1 << 60), (1 << 60, 0)):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(columns, "FAST_FROM", limits[0])
            patch.setattr(columns, "POLARS_FROM", limits[1])
            try:
                found = read(text, lenient=lenient, format="trec")
                outcomes.append((lists(found.run), found.run.tag, found.repairs))
            except BadData as error:
                outcomes.append(error.message)
    assert outcomes[0] == outcomes[1] == outcomes[2]


@given(st.lists(st.tuples(st.integers(0, 2), st.binary(max_size=2), st.sampled_from([-1.5, 0.0, -0.0, 1e308, -1e308]))))
def test_canonical_order_is_trec_evals(rows: list[tuple[int, bytes, float]]) -> None:
    rows = list({(q, d.rstrip(b"\0")): (q, d.rstrip(b"\0"), s) for q, d, s in rows}.values())
    queries = np.array([q for q, _, _ in rows], dtype=np.int64)
    docids = np.array([d for _, d, _ in rows], dtype="S2")
    scores = np.array([s for _, _, s in rows])
    expected = sorted(sorted(rows, key=lambda row: row[1], reverse=True), key=lambda row: (row[0], -row[2]))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert [rows[i] for i in canonical_order(docids, scores, queries)] == expected


def test_three_columns_are_scored_by_rank() -> None:
    run = read(b"1 d9 1\n1\td8\t2\n2 d9 1\n").run
    assert lists(run) == {b"1": [(b"d9", 1.0), (b"d8", 0.5)], b"2": [(b"d9", 1.0)]}
    for bad in (b"0", b"1.5", b"x", b"9" * 30):
        with pytest.raises(BadData, match=r"r\.run:2: the rank .* is not a whole number from 1"):
            read(b"1 d9 1\n1 d8 " + bad, format="msmarco")


def test_top1000_is_scored_by_position() -> None:
    text = b"7\td1\twho\tone\n8\td3\twhat\tx\n7\td2\twho\ttwo\twith a tab\n"
    assert lists(read(text).run) == {b"7": [(b"d1", 1.0), (b"d2", 0.5)], b"8": [(b"d3", 1.0)]}


def test_an_unknown_format_is_wrong_usage() -> None:
    with pytest.raises(WrongUsage, match="no run format 'xml'"):
        read(b"", format="xml")


@pytest.mark.parametrize("text", [b"", b"\n\n", b"# only a comment\n"])
def test_an_empty_run_is_a_run_of_no_queries(text: bytes) -> None:
    assert lists(read(text).run) == {}


@pytest.mark.parametrize("unordered", [False, True])
@pytest.mark.parametrize("fault", [*FAULTS, "doubled", "apart", "none"])
@pytest.mark.parametrize("queries", [3, 150])
def test_a_regular_file_is_checked_to_its_end(tmp_path: Path, fault: str, unordered: bool, queries: int) -> None:
    good = run_text(queries, 300)
    others = {"doubled": good[-1], "apart": b"q0 Q0 d 1 2.5 t", "none": b""}
    last = others[fault] if fault in others else FAULTS[fault][0]
    path = tmp_path / "r.run"
    path.write_bytes(b"\n".join([*good, last]))
    if fault == "none" or (fault == "apart" and unordered):
        validate_run(str(path), unordered=unordered)
        return
    with pytest.raises(BadData, match=rf"r\.run:{len(good) + 1}: "):
        validate_run(str(path), unordered=unordered)
    if fault not in ("apart", "seven fields"):
        validate_run(str(path), lenient=True, unordered=unordered)


def test_what_can_be_read_only_once_is_not_checked(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    validate_run(str(tmp_path / "fifo"))


@pytest.mark.parametrize(
    "name",
    [
        *(f"oracles/trec_eval/{n}" for n in ("results.test", "results-302.test")),
        *(f"oracles/trectools/{n}" for n in ("r1.run", "r2.run", "r3.run", "r4.run", "input.uic0301_top30")),
        *(f"oracles/anserini/{n}" for n in ("run1", "run2", "run3", "run4", "run5", "run_mixed_scores")),
        *(f"oracles/pyserini/simple_trec_run_{n}.txt" for n in ("read", "fusion_1", "msmarco_doc1", "filter")),
        *(f"oracles/ir_measures/{n}" for n in ("cwl.run", "compat.run")),
        "oracles/trec_eval/results.comment.test.gz",
        "oracles/ranx/run.trec.gz",
        "dl19-passage/runs/BM25.trec",
    ],
)
@pytest.mark.data
@pytest.mark.skipif(DATA is None, reason="RERANK_TEST_DATA does not point to the real collections")
@pytest.mark.parametrize("fast", [False, True])
def test_other_peoples_runs(name: str, fast: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    path = str(Path(DATA or "") / name)
    monkeypatch.setattr(columns, "FAST_FROM", 0 if fast else 1 << 60)
    with open_input(path) as stream:
        expected = by_hand(stream.read())
    with open_input(path) as stream:
        found = read_run(stream, path)
    assert lists(found.run) == expected
    assert all(math.isfinite(score) for score in found.run.scores)
    validate_run(path, unordered=name.endswith("results.test"))


@pytest.mark.data
@pytest.mark.skipif(DATA is None, reason="RERANK_TEST_DATA does not point to the real collections")
def test_junk_behind_six_fields_is_refused_unless_lenient() -> None:
    path = str(Path(DATA or "") / "oracles/trec_eval/results.trunc")
    with open_input(path) as stream, pytest.raises(BadData, match=r"results\.trunc:1: 9 fields"):
        read_run(stream, path)
    with open_input(path) as stream:
        found = read_run(stream, path, lenient=True)
    assert len(found.run.docids) == 584
    assert found.repairs == sum(len(line.split()) > 6 for line in Path(path).read_bytes().splitlines()) > 3
