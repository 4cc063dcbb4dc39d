"""`rerank check` as a user and a nightly job meet it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from conftest import Runner

from rerank_cli.cli.main import main

GOOD = "1 Q0 a 1 3 t\n1 Q0 b 2 2 t\n2 Q0 c 1 9 t\n"
TIED = "1 Q0 a 1 3 t\n1 Q0 b 2 3 t\n"
BAD = "1 Q0 a 1 3 t\n1 Q0 b\n1 Q0 a 2 1 t\n"


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("RERANK_COLLECTION", raising=False)
    monkeypatch.setenv("RERANK_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    for name, text in (("good.run", GOOD), ("tied.run", TIED), ("bad.run", BAD)):
        (tmp_path / name).write_text(text)
    (tmp_path / "qrels").write_text("1 0 a 1\n4 0 a 1\n")
    return tmp_path


def run(capfd: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, list[list[str]], str]:
    code = main(["check", *arguments])
    out, err = capfd.readouterr()
    return int(code), [line.split("\t") for line in out.splitlines()], err


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["good.run"], 0),
        (["good.run", "--strict"], 0),
        (["tied.run"], 0),
        (["tied.run", "--strict"], 6),
        (["tied.run", "--strict", "--ignore", "tie"], 0),
        (["good.run", "tied.run", "--strict"], 6),
        (["bad.run"], 3),
        (["bad.run", "--strict"], 3),
        (["bad.run", "--ignore", "malformed"], 3),
        (["bad.run", "--ignore", "malformed", "--ignore", "duplicate"], 0),
        (["good.run", "bad.run", "tied.run", "--strict"], 3),
        (["good.run", "absent"], 4),
        (["good.run", "-Q", "absent"], 4),
        (["good.run", "-Q", "bad.run"], 3),
        (["good.run", "-Q", "qrels"], 0),
        (["good.run", "-Q", "qrels", "--strict"], 6),
        (["good.run", "--ignore", "ties"], 2),
        (["-", "-"], 2),
        (["good.run", "-c", "demo", "--strict"], 6),
    ],
)
def test_exit_codes_for_cron(capfd, files, arguments, code):
    got, _, err = run(capfd, *arguments)
    assert got == code and "Traceback" not in err
    assert err.count("rerank: error: ") == (code != 0)


def test_tsv_has_a_line_for_every_check_of_every_run(capfd, files):
    code, rows, err = run(capfd, "good.run", "bad.run", "-Q", "qrels")
    assert {len(row) for row in rows} == {4}
    found = {(row[0], row[1]): (int(row[2]), row[3]) for row in rows}
    assert found["good.run", "malformed"] == (0, "-")
    assert found["bad.run", "malformed"] == (1, "bad.run:2")
    assert found["bad.run", "duplicate"] == (1, "bad.run:3")
    assert found["good.run", "unknown-topic"] == (1, "good.run:3")
    assert found["good.run", "missing-topic"] == (1, "topic 4")
    assert found["good.run", "depth-max"] == (2, "good.run:1")
    assert len([row for row in rows if row[0] == "good.run"]) == len(rows) / 2
    assert code == 3
    assert err.startswith("rerank: error: bad.run:2: malformed: 3 fields, where a TREC run has 6 (malformed 1, dup")
    assert "in 1 of 2 runs" in err


def test_text_shows_the_first_places_and_counts_the_rest(capfd, files):
    (files / "many.run").write_text("junk\n" * 40 + GOOD)
    code = main(["check", "many.run", "--format", "text"])
    out = capfd.readouterr().out.splitlines()
    assert code == 3
    assert out[0] == "many.run: 3 rows, 2 queries, 1 to 2 documents each, median 1"
    assert out[1] == "  error: malformed: 40 lines that are no rows of a run"
    assert out[2:7] == [f"    many.run:{n}: 1 fields, where a TREC run has 6" for n in range(1, 6)]
    assert out[7] == "    and 35 more"
    main(["check", "good.run", "--format", "text"])
    assert capfd.readouterr().out.splitlines()[1:] == ["  nothing is wrong"]


def test_json_lines_hold_what_text_says(capfd, files):
    (files / "strange.run").write_bytes(b"1 Q0 \xff\x1b 1 3 t\n")
    main(["check", "strange.run", "--format", "json"])
    records = {record["check"]: record for record in map(json.loads, capfd.readouterr().out.splitlines())}
    assert records["not-utf8"] == {
        "file": "strange.run",
        "check": "not-utf8",
        "severity": "warning",
        "count": 1,
        "places": [{"where": "strange.run:1", "what": "query 1, document \\xff\\x1b"}],
    }
    assert records["rows"] | {"count": 1, "severity": "note"} == records["rows"]


def test_a_collection_shows_missing_documents(capfd, files):
    code, rows, err = run(capfd, "good.run", "-c", "demo")
    found = {row[1]: int(row[2]) for row in rows}
    assert code == 0 and "collection demo" in err
    assert found["missing-document"] == 3
    (files / "docs.jsonl").write_text('{"_id": "a", "text": "x"}\n{"_id": "c", "text": "y"}\n')
    _, rows, _ = run(capfd, "good.run", "--docs", "docs.jsonl")
    assert [row for row in rows if row[1].startswith("missing")] == [
        ["good.run", "missing-document", "1", "good.run:2"]
    ]


def test_settings_name_no_collection(capfd, files, monkeypatch):
    monkeypatch.setenv("RERANK_COLLECTION", "demo")
    assert "missing-document" not in {row[1] for row in run(capfd, "good.run")[1]}


def test_a_cut_file_does_not_hide_the_others(capfd, files):
    import gzip

    (files / "cut.gz").write_bytes(gzip.compress(GOOD.encode())[:-9])
    code, rows, err = run(capfd, "cut.gz", "tied.run")
    assert code == 3 and "cut.gz: unreadable: the compressed data ends too early" in err
    assert [row for row in rows if row[1] in ("unreadable", "tie")] == [
        ["cut.gz", "unreadable", "1", "cut.gz"],
        ["tied.run", "tie", "1", "tied.run:2"],
    ]


def test_in_a_pipe(rerank: Runner, shell: Runner, tmp_path: Path) -> None:
    (tmp_path / "bad.run").write_text(BAD)
    done = shell("gzip -c bad.run | rerank check - -q | awk -F '\\t' '$3 > 0 {print $2, $4}' | head -n 2")
    assert (done.code, done.lines) == (3, ["malformed stdin:2", "duplicate stdin:3"])
    assert rerank("check", stdin=GOOD.encode()).code == 0


def test_what_we_write_is_clean(shell: Runner) -> None:
    line = "rerank retrieve -c demo -o a.run && rerank fuse a.run a.run | rerank check a.run - -c demo --strict"
    done = shell(line)
    assert done.code == 0, done.err
