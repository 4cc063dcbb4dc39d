"""Every kind of bad line and bad file, through the whole program: a right answer, or one line that says where.

`inside` runs it in this process, which is quick; what needs pipes and FIFOs is run as a process.
"""

from __future__ import annotations

import gzip
import io
import os
import random
import re
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import Result, Runner

from rerank_cli.cli.main import main

#: RR is 1 for both topics; the two lists fuse into a b, then c d.
RUN = b"1 Q0 a 1 20 t\n1 Q0 b 2 10 t\n2 Q0 c 1 20 t\n2 Q0 d 2 10 t\n"
QRELS = b"1 0 a 1\n1 0 b 0\n2 0 c 1\n"

#: The same run, told in other bytes.
SAME_RUN = {
    "tabs": RUN.replace(b" ", b"\t"),
    "tabs and blanks mixed": RUN.replace(b" Q0 ", b"\t \tQ0  ").replace(b" t\n", b"\tt \t\n"),
    "blanks before the line": RUN.replace(b"\n", b"\n \t").rstrip(b" \t"),
    "scientific notation": RUN.replace(b" 20 ", b" 2e1 ").replace(b" 10 ", b" 1.0E+01 "),
    "signs and bare points": RUN.replace(b" 20 ", b" +20. ").replace(b" 10 ", b" .1e2 "),
    "CRLF": RUN.replace(b"\n", b"\r\n"),
    "no final newline": RUN.rstrip(b"\n"),
    "a byte-order mark": b"\xef\xbb\xbf" + RUN,
    "a byte-order mark before a comment": b"\xef\xbb\xbf# made by hand\n" + RUN,
    "blank lines": b"\n" + RUN.replace(b"\n", b"\n \n\n"),
    "comments": b"# one\n" + RUN.replace(b"2 Q0 c", b"# two words\n2 Q0 c"),
    "queries interleaved": b"".join(RUN.splitlines(keepends=True)[row] for row in (2, 0, 3, 1)),
    "lines in any order": b"".join(RUN.splitlines(keepends=True)[row] for row in (1, 3, 0, 2)),
    "ranks that lie": RUN.replace(b" 1 20 ", b" 7 20 ").replace(b" 2 10 ", b" -1 10 "),
    "ranks that are no numbers": RUN.replace(b" 1 20 ", b" x 20 ").replace(b" 2 10 ", b" 1.5 10 "),
    "gzip": gzip.compress(RUN),
    "gzip members joined": gzip.compress(RUN[:20]) + gzip.compress(RUN[20:]),
    "negative zero and small numbers": RUN.replace(b" 20 ", b" 5e-324 ").replace(b" 10 ", b" -0 "),
}

#: Bytes in place of the third line, and what is said of them.
BAD_LINES = {
    "five fields": (b"2 Q0 c 1 20", "5 fields, where a TREC run has 6"),
    "four fields": (b"2 Q0 c 1", "4 fields, where a TREC run has 6"),
    "seven fields": (b"2 Q0 c 1 20 my tag", "7 fields, where a TREC run has 6"),
    "an id of two words": (b"2 Q0 c d 1 20 t", "7 fields, where a TREC run has 6"),
    "an empty id": (b"2 Q0  1 20 t", "5 fields, where a TREC run has 6"),
    "one long word": (b"x" * 100_000, "1 fields, where a TREC run has 6"),
    "NaN": (b"2 Q0 c 1 NaN t", "the score 'NaN' is not a finite number"),
    "infinity": (b"2 Q0 c 1 inf t", "the score 'inf' is not a finite number"),
    "minus infinity": (b"2 Q0 c 1 -Infinity t", "the score '-Infinity' is not a finite number"),
    "an overflow": (b"2 Q0 c 1 1e309 t", "the score '1e309' is not a finite number"),
    "a decimal comma": (b"2 Q0 c 1 2,5 t", "the score '2,5' is not a finite number"),
    "a word for a score": (b"2 Q0 c 1 score t", "the score 'score' is not a finite number"),
    "a score that is not UTF-8": (b"2 Q0 c 1 \xff t", "the score '\\\\xff' is not a finite number"),
    "a NUL": (b"2 Q0 c\0 1 20 t", "an id holds a NUL byte"),
    "a document twice": (b"1 Q0 a 3 5 t", "document a appears twice for query 1"),
    "JSON": (b'{"qid": "2", "docid": "c", "score": 20}', "the score '\"score\":' is not a finite number"),
    "HTML": (b"<html><body>404 Not Found</body></html>", "where a TREC run has 6"),
    "a conflict of versions": (b"<<<<<<< HEAD", "2 fields, where a TREC run has 6"),
}

SAME_QRELS = {
    "tabs": QRELS.replace(b" ", b"\t"),
    "tabs and blanks mixed": QRELS.replace(b" 0 ", b" \t0\t\t"),
    "CRLF": QRELS.replace(b"\n", b"\r\n"),
    "no final newline": QRELS.rstrip(b"\n"),
    "a byte-order mark": b"\xef\xbb\xbf" + QRELS,
    "grades as floats": QRELS.replace(b" 1\n", b" 1.0\n"),
    "blank lines and comments": b"# judged\n\n" + QRELS,
    "negative grades": QRELS.replace(b"b 0", b"b -2"),
    "gzip": gzip.compress(QRELS),
    "BEIR": b"query-id\tcorpus-id\tscore\n1\ta\t1\n1\tb\t0\n2\tc\t1\n",
    "BEIR with a byte-order mark and CRLF": b"\xef\xbb\xbfquery-id\tcorpus-id\tscore\r\n1\ta\t1\r\n2\tc\t1\r\n",
    "a pair judged twice, the last counts": b"1 0 a 0\n" + QRELS,
}

BAD_QRELS = {
    "three fields": (b"2 0 c", "3 fields, where judgements have 4"),
    "five fields": (b"2 0 c 1 x", "5 fields, where judgements have 4"),
    "a grade that is no number": (b"2 0 c yes", "the grade 'yes' is not a whole number"),
    "half a grade": (b"2 0 c 0.5", "the grade '0.5' is not a whole number"),
    "NaN": (b"2 0 c nan", "the grade 'nan' is not a whole number"),
    "infinity": (b"2 0 c inf", "the grade 'inf' is not a whole number"),
    "a grade beyond all": (b"2 0 c 1e30", "the grade '1e30' is not a whole number"),
    "a NUL": (b"2 0 c\0 1", "an id holds a NUL byte"),
    "a run": (b"2 Q0 c 1 20 t", "6 fields, where judgements have 4"),
}


def says_one_line(done: Result, code: int, error: str) -> None:
    """Exit code, nothing on stdout, one error that begins so, one hint at most, no traceback."""
    assert (done.code, done.out) == (code, b""), done.err
    told = [line for line in done.err.splitlines() if line.startswith("rerank: error: ")]
    assert len(told) == 1 and told[0].startswith(f"rerank: error: {error}"), done.err
    assert all(re.match("rerank: ", line) for line in done.err.splitlines()), done.err
    assert len(told[0]) < 250


@pytest.fixture
def inside(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]
) -> Iterator[Runner]:
    """`inside(*arguments, stdin=b"")` runs the program in this process, for a user who has set nothing."""
    monkeypatch.chdir(folder)
    monkeypatch.delenv("RERANK_COLLECTION", raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(folder))

    def run(*arguments: str, stdin: bytes = b"") -> Result:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        code = main(list(arguments))
        out, err = capfdbinary.readouterr()
        return Result(out, err.decode("utf-8", "replace"), int(code))

    yield run


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "good.run").write_bytes(RUN)
    (tmp_path / "good.qrels").write_bytes(QRELS)
    return tmp_path


def spoilt(good: bytes, line: int, bad: bytes) -> bytes:
    lines = good.splitlines(keepends=True)
    return b"".join([*lines[: line - 1], bad + b"\n", *lines[line:]])


@pytest.mark.parametrize("telling", SAME_RUN)
def test_the_same_run_in_other_bytes(telling: str, folder: Path, inside: Runner) -> None:
    (folder / "told.run").write_bytes(SAME_RUN[telling])
    done = inside(
        "eval", "-Q", "good.qrels", "told.run", "good.run", "-m", "RR", "-m", "nDCG", "-m", "P@1", "--per-query"
    )
    values = [line.split("\t") for line in done.lines]
    told, good = ([row[1:] for row in values if row[0] == name] for name in ("told", "good"))
    assert (done.code, told) == (0, good), done.err
    assert ["RR", "all", "1.0000"] in good
    fused = inside("fuse", "told.run", "told.run", "-o", "out.run")
    assert fused.code == 0, fused.err
    lists: dict[str, list[str]] = {}
    for line in (folder / "out.run").read_text().splitlines():
        lists.setdefault(line.split()[0], []).append(line.split()[2])
    assert lists == {"1": ["a", "b"], "2": ["c", "d"]}


@pytest.mark.parametrize("kind", BAD_LINES)
def test_a_bad_line_of_a_run_is_named(kind: str, folder: Path, inside: Runner) -> None:
    bad, message = BAD_LINES[kind]
    text = spoilt(RUN, 3, bad)
    (folder / "bad.run").write_bytes(text)
    for done in (inside("eval", "-Q", "good.qrels", "bad.run"), inside("fuse", "good.run", "bad.run")):
        says_one_line(done, 3, "bad.run:3: ")
        assert message in done.err
    says_one_line(inside("eval", "-Q", "good.qrels", stdin=gzip.compress(text)), 3, "stdin:3: ")
    lenient = inside("eval", "-Q", "good.qrels", "bad.run", "--lenient")
    assert lenient.code == 0 and "1 broken or doubled lines of bad.run were left out" in lenient.err


@pytest.mark.parametrize("telling", SAME_QRELS)
def test_the_same_judgements_in_other_bytes(telling: str, folder: Path, inside: Runner) -> None:
    (folder / "told.qrels").write_bytes(SAME_QRELS[telling])
    done = inside("eval", "-Q", "told.qrels", "good.run", "-m", "RR", "-m", "AP", "-m", "NumRel")
    assert (done.code, done.err) == (0, "")
    assert done.lines == ["RR\tall\t1.0000", "AP\tall\t1.0000", "NumRel\tall\t2"]


@pytest.mark.parametrize("kind", BAD_QRELS)
def test_a_bad_line_of_judgements_is_named(kind: str, folder: Path, inside: Runner) -> None:
    bad, message = BAD_QRELS[kind]
    (folder / "bad.qrels").write_bytes(spoilt(QRELS, 3, bad))
    says_one_line(inside("eval", "-Q", "bad.qrels", "good.run"), 3, f"bad.qrels:3: {message}")


@pytest.mark.parametrize("content", [b"", b"\n \n", b"# only a comment\n", gzip.compress(b""), b"\xef\xbb\xbf"])
def test_an_empty_file(content: bytes, folder: Path, inside: Runner) -> None:
    """An empty run is a run, whose topics all count 0; empty judgements judge nothing, which is an error."""
    (folder / "empty").write_bytes(content)
    done = inside("eval", "-Q", "good.qrels", "empty", "-m", "RR")
    assert (done.code, done.out) == (0, b"RR\tall\t0.0000\n") and "2 of 2 judged topics are not in the run" in done.err
    assert inside("fuse", "empty", "empty").out == b""
    assert len(inside("fuse", "empty", "good.run").lines) == 4
    says_one_line(inside("eval", "-Q", "empty", "good.run"), 3, "empty: no judgements")


def test_judgements_of_other_topics(folder: Path, inside: Runner) -> None:
    (folder / "other.qrels").write_bytes(QRELS.replace(b"1 0", b"901 0").replace(b"2 0", b"902 0"))
    says_one_line(inside("eval", "-Q", "other.qrels", "good.run"), 3, "good.run: none of its 2 queries is among the 2")
    (folder / "half.qrels").write_bytes(QRELS.replace(b"2 0", b"902 0"))
    half = inside("eval", "-Q", "half.qrels", "good.run", "-m", "RR")
    assert (half.code, half.lines) == (0, ["RR\tall\t0.5000"])
    assert "1 of 2 judged topics are not in the run and count as 0" in half.err
    assert "1 queries of the run are not judged" in half.err
    named_as_a_run = inside("eval", "good.qrels", "good.run")
    says_one_line(named_as_a_run, 3, "good.qrels:1: 4 fields, where a TREC run has 6")
    assert "-Q" in named_as_a_run.err


@pytest.mark.parametrize(
    ("name", "code", "error"),
    [
        ("a-folder", 2, "a-folder is a folder"),
        ("absent", 4, "absent: no such file"),
        ("a-folder/absent", 4, "a-folder/absent: no such file"),
        ("good.run/below", 4, "good.run/below"),
        ("dangling", 4, "dangling: no such file"),
        ("loop", 4, "loop cannot be read"),
        ("cut.gz", 3, "cut.gz: the compressed data ends too early"),
        ("broken.gz", 3, "broken.gz: the compressed data is corrupt"),
        ("program", 3, "program:1: "),
        ("utf16", 3, "utf16:1: "),
    ],
)
def test_a_file_that_is_none(name: str, code: int, error: str, folder: Path, inside: Runner) -> None:
    (folder / "a-folder").mkdir()
    (folder / "dangling").symlink_to("nowhere")
    (folder / "loop").symlink_to("loop")
    packed = gzip.compress(RUN * 2000)
    (folder / "cut.gz").write_bytes(gzip.compress(RUN)[:20])
    (folder / "broken.gz").write_bytes(packed[:20] + b"\xff\x00" * 20 + packed[60:])
    (folder / "program").write_bytes(bytes(range(256)) * 50)
    (folder / "utf16").write_bytes(RUN.decode().encode("utf-16"))
    says_one_line(inside("eval", "-Q", "good.qrels", name), code, error)
    says_one_line(inside("eval", "-Q", name, "good.run"), code, error)
    says_one_line(inside("fuse", "good.run", name), code, error)
    if code != 3:
        says_one_line(inside("check", name), code, error)


def test_ids_that_are_not_utf8_are_ids(folder: Path, rerank: Runner) -> None:
    run = b"\x80 Q0 \xff\xfe 1 20 t\n\x80 Q0 b 2 10 t\n2 Q0 caf\xe9 1 20 t\n"
    judged = b"\x80 0 \xff\xfe 1\n2 0 caf\xe9 1\n"
    (folder / "bytes.run").write_bytes(run)
    (folder / "bytes.qrels").write_bytes(judged)
    done = rerank("eval", "-Q", "bytes.qrels", "bytes.run", "-m", "RR", "--per-query")
    assert (done.code, done.out) == (0, b"RR\t\x80\t1.0000\nRR\t2\t1.0000\nRR\tall\t1.0000\n")
    fused = rerank("fuse", "bytes.run", "bytes.run").out
    assert [line.split()[:3:2] for line in fused.splitlines()] == [
        [b"\x80", b"\xff\xfe"],
        [b"\x80", b"b"],
        [b"2", b"caf\xe9"],
    ]


def test_gzip_in_the_middle_of_a_pipe(folder: Path, shell: Runner) -> None:
    done = shell("cat good.run | gzip | rerank fuse - good.run | gzip -c | rerank eval -Q <(gzip < good.qrels) -m RR")
    assert (done.code, done.lines) == (0, ["RR\tall\t1.0000"]), done.err
    cut = shell("rerank fuse good.run good.run | gzip -c | head -c 30 | rerank eval -Q good.qrels -m RR")
    assert (cut.code, cut.out) == (3, b"") and "stdin: the compressed data ends too early" in cut.err


def test_a_bad_line_that_comes_late_in_a_large_file(folder: Path, rerank: Runner) -> None:
    """Behind the first megabytes, where lines are read in columns: the same message and the right line."""
    lines = [b"%d Q0 d%d %d %d t\n" % (q, d, d, 1000 - d) for q in range(100) for d in range(700)]
    lines[65_432] = b"93 Q0 d 1 oops t\n"
    assert len(b"".join(lines)) > 1 << 20
    (folder / "large.run").write_bytes(b"".join(lines))
    for done in (rerank("fuse", "good.run", "large.run"), rerank("eval", "-Q", "good.qrels", "large.run")):
        says_one_line(done, 3, "large.run:65433: the score 'oops' is not a finite number")


def test_a_fifo_that_holds_junk(folder: Path, rerank: Runner) -> None:
    os.mkfifo(folder / "pipe")
    junk = b"\xff" + random.Random(2).randbytes(1000).replace(b"\n", b"") + b"\n"
    threading.Thread(target=(folder / "pipe").write_bytes, args=(junk,), daemon=True).start()
    says_one_line(rerank("eval", "-Q", "good.qrels", "pipe"), 3, "pipe")


@pytest.mark.parametrize(
    "header", ['{"collection": ["x"]}', '{"fingerprint": {"a": 1}}', '{"collection": 7}', "[]", "{"]
)
def test_a_header_that_is_none(header: str, folder: Path, inside: Runner) -> None:
    (folder / "told.run").write_bytes(b"# rerank: " + header.encode() + b"\n" + RUN)
    says_one_line(inside("fuse", "told.run", "told.run"), 3, "told.run:1: ")
    says_one_line(inside("eval", "told.run"), 3, "told.run:1: ")
    assert inside("eval", "told.run", "-Q", "good.qrels", "--lenient").code == 0


@pytest.mark.parametrize("control", ["\x1b[2J", "\u2028", "\x85", "\x1c", "\x7f"])
def test_no_id_and_no_name_breaks_the_line_or_steers_the_terminal(control: str, folder: Path, inside: Runner) -> None:
    (folder / "odd.run").write_text(f"1 Q0 d{control}d 1 2 t\n1 Q0 d{control}d 2 1 t\n", encoding="utf-8", newline="\n")
    done = inside("eval", "-Q", "good.qrels", "odd.run")
    says_one_line(done, 3, "odd.run:2: document d\\")
    assert control not in done.err
    for name in (f"no{control}file", "no\nfile", "no\rfile"):
        absent = inside("eval", "-Q", "good.qrels", name)
        says_one_line(absent, 4, "no\\")
        assert name not in absent.err
