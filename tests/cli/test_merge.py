"""`rerank merge` through the real program: what it writes, what it says, what it refuses, and passages by hand."""

from __future__ import annotations

import gzip
import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import Runner

from rerank_cli.core.run import Ranking
from rerank_cli.core.shards import Shard, Share, by_position
from rerank_cli.formats.parts import PartWriter
from rerank_cli.formats.run_writer import RunWriter

LISTS = [Ranking.build(b"q%d" % q, [b"d%d" % d for d in range(q)], [float(d) for d in range(q)]) for q in (2, 1, 3)]


def written(format: str = "trec") -> bytes:
    """The lists as one run."""
    out = io.BytesIO()
    writer = RunWriter(out, "t", format)
    for one in LISTS:
        writer.write(one)
    return out.getvalue()


WHOLE = written()

Parts = Callable[..., None]


@pytest.fixture
def parts(tmp_path: Path) -> Parts:
    """`parts(n, **facts)` writes part.1 to part.N of three short lists, as n shards would."""

    def write(
        n: int, prefix: str = "part", lists: list[Ranking] = LISTS, format: str = "trec", **facts: object
    ) -> None:
        for number in range(1, n + 1):
            share = Share(Shard(number, n), "queries", by_position(Shard(number, n)))
            with open(tmp_path / f"{prefix}.{number}", "wb") as stream:
                writer = PartWriter(stream, "t", format)
                writer.header({"stage": "rerank", "model": "m", **facts, "shard": share.facts() | writer.about})
                for one in share.of(lists, lambda ranking: [ranking.qid, ranking.scores.tobytes()]):
                    writer.write(one)
                writer.end(share.run())

    return write


def test_parts_come_back_in_order_with_their_provenance(parts: Parts, rerank: Runner, tmp_path: Path) -> None:
    parts(2, depth=7)
    done = rerank("merge", "part.2", "part.1", "-o", "whole.run")
    assert (done.code, done.out) == (0, b""), done.err
    assert (tmp_path / "whole.run").read_bytes() == WHOLE
    facts = {"stage": "rerank", "model": "m", "depth": 7, "shards": {"of": 2, "by": "queries"}, "topics": 3}
    assert json.loads((tmp_path / "whole.run.json").read_text()) == facts
    with_header = rerank("merge", "part.1", "part.2", "--header").out
    assert with_header == b"# rerank: " + json.dumps(facts).encode() + b"\n" + WHOLE


def test_one_part_may_be_a_pipe_and_any_may_be_compressed(parts: Parts, rerank: Runner, tmp_path: Path) -> None:
    parts(3)
    (tmp_path / "part.1").write_bytes(gzip.compress((tmp_path / "part.1").read_bytes()))
    done = rerank("merge", "part.1", "-", "part.3", stdin=(tmp_path / "part.2").read_bytes())
    assert (done.code, done.out) == (0, WHOLE), done.err


def test_what_lies_beside_parts_is_passed_over_and_said(parts: Parts, shell: Runner, tmp_path: Path) -> None:
    parts(2)
    (tmp_path / "part.1.json").write_text("{}")
    done = shell("rerank merge part.*")
    assert (done.code, done.out) == (0, WHOLE), done.err
    assert "passed over, since they are the provenance of parts: part.1.json\n" in done.err


def test_another_format_and_another_tag(parts: Parts, rerank: Runner) -> None:
    parts(2)
    assert rerank("merge", "part.1", "part.2", "--output-format", "msmarco").lines[:3] == [
        "q2\td1\t1",
        "q2\td0\t2",
        "q1\td0\t1",
    ]
    assert rerank("merge", "part.1", "part.2", "--tag", "mine").text == WHOLE.decode().replace(" t\n", " mine\n")
    parts(2, "json", format="jsonl")
    assert rerank("merge", "json.1", "json.2").out == written("jsonl")
    assert rerank("merge", "json.1", "json.2", "--output-format", "trec").out == WHOLE


def test_more_parts_than_files_that_may_be_open(parts: Parts, shell: Runner) -> None:
    parts(120)
    done = shell("ulimit -Sn 100; rerank merge part.*")
    assert (done.code, done.out) == (0, WHOLE), done.err
    done = shell("ulimit -n 100; rerank merge part.*")
    assert done.code == 1 and "120 parts" in done.err and "ulimit -n" in done.err


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("part.1 part.3", "part 2 of 3 missing"),
        ("part.1 part.2 part.2 part.3", "part.2: is part 2 of 3, as part.2 is"),
        ("part.1 two.2 part.3", "two.2: is part 2 of 2, and part.1 is part 1 of 3"),
        ("part.1 other.2 part.3", "other.2: is a part of another run than part.1"),
        ("part.1 depth.2 part.3", "depth.2: depth is 50, and None in part.1"),
        ("part.1 cut.2 part.3", "cut.2: is cut off: it lacks the last line"),
        ("part.1 plain.run part.3", "plain.run: is no part of a run"),
        ("<(cat part.1) <(cat cut.2) <(cat part.3)", "is cut off"),
        ("<(cat part.1) <(cat other.2) <(cat part.3)", "is a part of another run"),
    ],
)
def test_what_is_no_whole_run_is_refused_and_nothing_is_written(
    parts: Parts, shell: Runner, tmp_path: Path, line: str, says: str
) -> None:
    parts(3)
    parts(2, "two")
    parts(3, "other", [*LISTS[:2], LISTS[2].top(2)])
    parts(3, "depth", depth=50)
    (tmp_path / "cut.2").write_bytes((tmp_path / "part.2").read_bytes()[:-1].rpartition(b"\n")[0] + b"\n")
    (tmp_path / "plain.run").write_bytes(WHOLE)
    done = shell(f"rerank merge {line} -o whole.run")
    assert done.code == 3, done.err
    assert says in done.err
    assert "Traceback" not in done.err
    assert not (tmp_path / "whole.run").exists()


def test_files_are_read_to_their_ends_before_a_line_is_written(parts: Parts, rerank: Runner, tmp_path: Path) -> None:
    parts(2)
    (tmp_path / "part.2").write_bytes((tmp_path / "part.2").read_bytes()[:-5])
    done = rerank("merge", "part.1", "part.2")
    assert (done.code, done.out) == (3, b"")


def test_what_shards_ran_on_is_said_where_it_differs(parts: Parts, rerank: Runner) -> None:
    parts(2, device="cuda:0", versions={"rerank": "1"})
    parts(2, "cpu", device="cpu", versions={"rerank": "1"})
    done = rerank("merge", "part.1", "cpu.2")
    assert (done.code, done.out) == (0, WHOLE)
    assert "device differs: cuda:0 in part.1, cpu in cpu.2" in done.err
    assert "versions" not in done.err


PASSAGES = """\
q1 Q0 a#2 1 9 t
q1 Q0 b#0 2 8 t
q1 Q0 a#0 3 3 t
q1 Q0 whole 4 2 t
q1 Q0 b#10 5 1 t
q1 Q0 a#1 6 0 t
q2 Q0 x#y#1 1 -1 t
q2 Q0 x#y#0 2 -3 t
q2 Q0 #5 3 -3 t
"""


@pytest.mark.parametrize(
    ("aggregate", "expected"),
    [
        ("max", [("a", 9), ("b", 8), ("whole", 2), ("x#y", -1), ("#5", -3)]),
        ("mean", [("b", 4.5), ("a", 4), ("whole", 2), ("x#y", -2), ("#5", -3)]),
        ("sum", [("a", 12), ("b", 9), ("whole", 2), ("#5", -3), ("x#y", -4)]),
        # Equal scores in canonical order, the greater id first, a smallest step apart.
        ("first", [("b", 8), ("a", 3), ("whole", 2), ("x#y", -3), ("#5", pytest.approx(-3))]),
    ],
)
def test_passages_become_documents(rerank: Runner, aggregate: str, expected: list[tuple[str, float]]) -> None:
    done = rerank("merge", "--by-doc", "#", "--aggregate", aggregate, stdin=PASSAGES.encode())
    assert done.code == 0, done.err
    assert [(line.split()[2], float(line.split()[4])) for line in done.lines] == expected
    assert [line.split()[0] for line in done.lines] == ["q1", "q1", "q1", "q2", "q2"]
    assert "9 passages were joined into 5 documents" in done.err


def test_the_greatest_is_taken_unless_another_is_named(rerank: Runner, tmp_path: Path) -> None:
    (tmp_path / "p.run").write_text(PASSAGES.replace("#", "_p"))
    named = rerank("merge", "p.run", "--by-doc", "_p", "--aggregate", "max", "--output-format", "msmarco")
    assert named.out == rerank("merge", "p.run", "--by-doc", "_p", "--output-format", "msmarco").out
    done = rerank("merge", "p.run", "--by-doc", "#")
    assert "no document has two passages in a list" in done.err
    assert len(done.lines) == 9


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        ([], 2, "no parts are named"),
        (["-", "-"], 2, "can be read once only"),
        (["a", "--aggregate", "max"], 2, "--by-doc was not given"),
        (["a", "--lenient"], 2, "--by-doc was not given"),
        (["a", "--input-format", "trec"], 2, "--input-format is for passages"),
        (["a", "b", "--by-doc", "#"], 2, "--by-doc reads one run, not 2"),
        (["--by-doc", ""], 2, "--by-doc needs a separator"),
        (["none.1", "none.2"], 4, "none.1: no such file"),
        (["--by-doc", "#", "--aggregate", "first"], 3, "passage a#z of query q has no number behind '#'"),
    ],
)
def test_each_mistake_has_its_exit_code(rerank: Runner, arguments: list[str], code: int, says: str) -> None:
    done = rerank("merge", *arguments, stdin=b"q Q0 a#z 1 2 t\nq Q0 a#1 2 1 t\n")
    assert (done.code, done.out) == (code, b""), done.err
    assert says in done.err
    assert "Traceback" not in done.err
