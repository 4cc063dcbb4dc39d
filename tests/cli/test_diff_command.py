"""`rerank diff`: by hand what two small runs differ in, as text and as tsv, with and without judgements."""

from __future__ import annotations

from pathlib import Path

import pytest
from conftest import Runner

QRELS = "1 0 c 1\n2 0 a 2\n3 0 a 1\n"
#: RR: 1/3, 1, 1.
A = "1 Q0 a 1 3 t\n1 Q0 b 2 2 t\n1 Q0 c 3 1 t\n2 Q0 a 1 2 t\n2 Q0 b 2 1 t\n3 Q0 a 1 1 t\n"
#: RR: 1, 1/2, 0 (the query is missing).
B = "1 Q0 c 1 3 t\n1 Q0 b 2 2 t\n1 Q0 a 3 1 t\n2 Q0 b 1 2 t\n2 Q0 a 2 1 t\n4 Q0 z 1 1 t\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "qrels").write_text(QRELS)
    (tmp_path / "old.run").write_text(A)
    (tmp_path / "new.run").write_text(B)
    (tmp_path / "queries.tsv").write_text("1\tfirst  words\n2\tsecond words\n")
    (tmp_path / "rerank.toml").write_text('[collections.mine]\nqrels = "qrels"\ntopics = "queries.tsv"\n')
    return tmp_path


def test_tsv_has_a_line_a_query(folder: Path, rerank: Runner) -> None:
    done = rerank("diff", "-Q", "qrels", "old.run", "new.run", "-m", "RR", "-k", "1", "--format", "tsv")
    assert done.code == 0, done.err
    assert [line.split("\t") for line in done.lines] == [
        ["query", "old", "new", "difference", "overlap@1", "tau", "rbo"],
        # RBO of three reversed: 0.1 / 0.9 * (0.81 / 2 + 0.729) + 0.729.
        ["1", "0.3333", "1.0000", "0.6667", "0.0000", "-1.0000", "0.8550"],
        ["2", "1.0000", "0.5000", "-0.5000", "0.0000", "-1.0000", "0.9000"],
        ["3", "1.0000", "0.0000", "-1.0000", "0.0000", "", "0.0000"],
        ["4", "", "", "", "0.0000", "", "0.0000"],
    ]
    assert "new: 1 of 3 judged topics are not in the run and count as 0" in done.err


def test_documents_that_moved(folder: Path, rerank: Runner) -> None:
    done = rerank("diff", "-Q", "qrels", "old.run", "new.run", "-m", "RR", "--documents")
    assert [line.split("\t") for line in done.lines] == [
        ["query", "document", "old", "new", "grade"],
        ["1", "a", "1", "3", ""],
        ["1", "c", "3", "1", "1"],
        ["2", "a", "1", "2", "2"],
        ["2", "b", "2", "1", ""],
        ["3", "a", "1", "", "1"],
        ["4", "z", "", "1", ""],
    ]
    (folder / "swapped.run").write_text("5 Q0 a 1 4 t\n5 Q0 b 2 3 t\n5 Q0 d 3 2 t\n5 Q0 c 4 1 t\n")
    (folder / "plain.run").write_text("5 Q0 a 1 4 t\n5 Q0 b 2 3 t\n5 Q0 c 3 2 t\n5 Q0 d 4 1 t\n")
    for depth, documents in ((2, []), (3, ["c", "d"])):
        lines = rerank("diff", "plain.run", "swapped.run", "--documents", "-k", str(depth)).lines
        assert [line.split("\t")[1] for line in lines[1:]] == documents


def test_text_shows_what_changed_with_the_words_of_the_collection(folder: Path, rerank: Runner) -> None:
    done = rerank("diff", "-c", "mine", "old.run", "new.run", "-m", "RR", "--show", "1", "--digits", "3")
    assert done.code == 0, done.err
    assert done.lines == [
        "A  old  3 queries, 2 of them in both",
        "B  new  3 queries, 2 of them in both",
        "",
        "overlap@10     mean 1.000, lowest 1.000 (1)",
        "Kendall tau    mean -1.000, lowest -1.000 (1)",
        "RBO (p 0.9)    mean 0.878, lowest 0.855 (1)",
        "",
        "RR  A 0.778  B 0.500  B - A -0.278; 1 better, 0 equal, 2 worse",
        "",
        "Most improved",
        "  1  0.333 -> 1.000  +0.667  RBO 0.855  first words",
        "    a 1 -> 3, c 3 -> 1 (grade 1)",
        "",
        "Most harmed",
        "  3  1.000 -> 0.000  -1.000  RBO 0.000",
        "    a 1 -> - (grade 1)",
        "",
        "Hardest (lowest mean of both)",
        "  3  1.000 -> 0.000  -1.000  RBO 0.000",
        "    a 1 -> - (grade 1)",
        "",
        "Most reordered (lowest RBO)",
        "  3  1.000 -> 0.000  -1.000  RBO 0.000",
        "    a 1 -> - (grade 1)",
    ]


def test_without_judgements_the_orders_are_compared(folder: Path, rerank: Runner) -> None:
    done = rerank("diff", "old.run", "-", stdin=A.encode(), cwd=folder)
    assert done.code == 0 and "only orders are compared" in done.err
    assert done.lines[3:] == [
        "overlap@10     mean 1.0000, lowest 1.0000 (1)",
        "Kendall tau    mean 1.0000, lowest 1.0000 (1)",
        "RBO (p 0.9)    mean 1.0000, lowest 1.0000 (1)",
    ]


def test_ids_that_are_no_utf8_come_out_as_they_went_in(folder: Path, rerank: Runner) -> None:
    (folder / "odd.run").write_bytes(b"\xff Q0 \xfe 1 1 t\n")
    done = rerank("diff", "old.run", "odd.run", "--documents")
    assert b"\xff\t\xfe\t\t1\t\n" in done.out


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["old.run"], 2, "diff takes two runs, not 1"),
        (["old.run", "new.run", "old.run"], 2, "diff takes two runs, not 3"),
        (["old.run", "new.run", "-m", "nope@3"], 2, "nope"),
        (["old.run", "new.run", "--rbo-p", "1"], 2, "between 0 and 1"),
        (["-", "-"], 2, "can be read once only"),
        (["old.run", "absent.run"], 4, "absent.run: no such file"),
        (["old.run", "queries.tsv"], 3, "queries.tsv:1"),
        (["old.run", "new.run", "-Q", "absent"], 4, "absent: no such file"),
    ],
)
def test_what_is_wrong_is_said(folder: Path, rerank: Runner, arguments: list[str], code: int, message: str) -> None:
    done = rerank("diff", *arguments)
    assert (done.code, done.out) == (code, b"")
    assert message in done.err
