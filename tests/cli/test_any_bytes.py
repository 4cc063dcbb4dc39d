"""No bytes make a traceback: eval, fuse and check on anything, as the program they are, in this process."""

from __future__ import annotations

import contextlib
import gzip
import io
import re
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from rerank_cli.cli.main import main
from rerank_cli.formats.run_writer import RunWriter
from rerank_cli.formats.runs import read_run

RUN = b"1 Q0 a 1 2.5 t\n1 Q0 b 2 1.5 t\n2 Q0 c 1 1e-3 t\n"
QRELS = b"1 0 a 1\n1 0 b 0\n2 0 c 2\n"

#: Pieces that lines are made of, and what spoils them.
# fmt: off
FIELDS = st.sampled_from([
    b"1", b"2", b"Q0", b"0", b"a", b"b", b"2.5", b"-1", b"1e-3", b"1E+05", b"nan", b"inf", b"-Infinity", b"1e400", b"t",
    b"5e-324", b"3.4e39", b"-1.7e308", b"9" * 400, b"0x1p3", b"1_0", b"+1", b".5", b"1.", b"--1", b"#", b"\xff\xfe",
    b"\xef\xbb\xbf", b"\0", "é".encode(), b"\xc2\xa0", b"\xe2\x80\xa8", b"\x1c", b"\x85", b"\x1b[2J", b'"', b"{", b"[]",
])
JSON = st.sampled_from([
    b'{"qid": "1", "docid": "a", "score": 1}', b'{"qid": 1, "docid": 2, "score": 1e400}', b'{"query": {"qid": "1"},',
    b'{"query": {"qid": "1", "text": "x"}, "candidates": [{"docid": "a", "score": 1, "doc": "x"}]}', b'{"query": 1}',
    b'{"query": null, "candidates": [1, null]}', b'{"qid": "\\ud800", "docid": "a", "score": 0}', b"{" * 3000 + b'"',
    b'{"qid": "1", "docid": "a b", "score": 1}', b'{"qid": "1", "docid": "a", "score": ' + b"9" * 5000 + b"}",
    b'{"qid": "1\\n2", "docid": "", "score": 1}', b'# rerank: {"collection": ["x"], "fingerprint": {}}',
    b'# rerank: {"fingerprint": "a"}', b"# rerank: [", b"1\ta\twhat\tis", b"1\ta\t1", b"1\tb\t2",
])
# fmt: on
BLANKS = st.sampled_from([b" ", b"\t", b"  ", b" \t", b"\v", b"\f", b"\r", b""])
ENDS = st.sampled_from([b"\n", b"\r\n", b"\n\n", b"\r", b"", b" \n"])
ROWS = st.builds(
    lambda q, d, s, r: b" ".join([q, b"Q0", d, r, s, b"t"]),
    st.sampled_from([b"1", b"2"]),
    st.sampled_from([b"a", b"b", b"c", b"\xff"]),
    FIELDS,
    FIELDS,
)
LINES = st.one_of(
    ROWS, JSON, st.lists(st.tuples(FIELDS, BLANKS), max_size=8).map(lambda pairs: b"".join(f + b for f, b in pairs))
)
MANGLED = st.lists(st.tuples(LINES, ENDS), max_size=8).map(lambda pairs: b"".join(line + end for line, end in pairs))
#: The same bytes whenever they are drawn: no time inside.
PACKED = MANGLED.map(lambda data: gzip.compress(data, mtime=0))
ANYTHING = st.one_of(st.binary(max_size=200), MANGLED, PACKED, PACKED.map(lambda data: data[:-5]))
FAST = settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("RERANK_COLLECTION", "RERANK_CACHE_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    (tmp_path / "good.run").write_bytes(RUN)
    (tmp_path / "good.qrels").write_bytes(QRELS)
    return tmp_path


def outcome(*arguments: str) -> tuple[int, str]:
    """The exit code and what was said; each error is one line, with a hint at most, and none is a surprise."""
    said = io.StringIO()
    with contextlib.redirect_stderr(said):
        code = main(list(arguments))
    errors = [line for line in said.getvalue().split("\n") if line.startswith("rerank: error: ")]
    rest = re.sub(r"(?m)^rerank: (error|hint|warning): .*\n|^rerank: .*\n", "", said.getvalue())
    assert not rest, rest
    assert len(errors) == (code != 0), said.getvalue()
    assert "unexpected" not in said.getvalue(), said.getvalue()
    return code, said.getvalue()


@FAST
@given(ANYTHING)
@example(b"1 Q0 a 1 1e400 t\n")
@example(b"\x1f\x8b")
def test_eval_of_any_run(folder: Path, data: bytes) -> None:
    (folder / "any.run").write_bytes(data)
    code, said = outcome("eval", "-Q", "good.qrels", "any.run", "-o", "out")
    assert code in (0, 3)
    assert code == 0 or "any.run" in said
    assert outcome("eval", "-Q", "good.qrels", "any.run", "-o", "out", "--lenient")[0] in (0, 3)


@FAST
@given(ANYTHING)
def test_eval_by_any_judgements(folder: Path, data: bytes) -> None:
    (folder / "any.qrels").write_bytes(data)
    code, said = outcome("eval", "-Q", "any.qrels", "good.run", "-o", "out")
    assert code in (0, 3)
    assert code == 0 or "any.qrels" in said or "good.run: none of its 2 queries" in said


@FAST
@given(ANYTHING, st.sampled_from(["rrf", "sum", "isr", "cc"]), st.sampled_from(["--lenient", "--header"]))
def test_fuse_of_any_run(folder: Path, data: bytes, rule: str, flag: str) -> None:
    (folder / "any.run").write_bytes(data)
    code, said = outcome("fuse", "any.run", "good.run", "-m", rule, flag, "-o", "out.run")
    assert code in (0, 2, 3)
    # Wrong scores for the rule, or ids that a TREC line cannot hold, are met when the lists are already one.
    assert (
        code == 0 or "any.run" in said or "--norm" in said or "score" in said or "the id " in said or "comment" in said
    )
    if code == 0:
        assert outcome("eval", "-Q", "good.qrels", "out.run", "-o", "out")[0] == 0


@FAST
@given(ANYTHING, st.sampled_from(["text", "tsv", "json"]))
def test_check_of_any_run(folder: Path, data: bytes, style: str) -> None:
    """It names what eval and fuse would stop at, and only that: its errors and theirs are the same files."""
    (folder / "any.run").write_bytes(data)
    code, _ = outcome("check", "any.run", "-Q", "good.qrels", "--format", style, "-o", "out")
    refused, said = outcome("fuse", "any.run", "any.run", "-o", "out.run", "--output-format", "jsonl")
    assert code == refused and code in (0, 3), said


@FAST
@given(ANYTHING)
def test_reading_what_was_written_gives_the_same_run(data: bytes) -> None:
    """Whatever could be read (leniently) comes back from its own writing: queries, order, documents, and scores but for steps."""
    from rerank_cli.errors import BadData

    try:
        run = read_run(io.BytesIO(data), "r", lenient=True).run
        out = io.BytesIO()
        writer = RunWriter(out, "t")
        for ranking in run:
            writer.write(ranking)
    except BadData:
        return
    again = read_run(io.BytesIO(out.getvalue()), "w", format="trec").run
    assert [r.qid for r in again] == [r.qid for r in run]
    assert [r.docids.tolist() for r in again] == [r.docids.tolist() for r in run]
    if not writer.steps:
        assert again.scores.tolist() == run.scores.tolist()
