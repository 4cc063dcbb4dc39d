"""`rerank eval --plot` and `--depth-curve`: files that can be opened, rows that are right, refusals before work."""

from __future__ import annotations

import importlib.util
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
from conftest import Runner

QRELS = "1 0 c 1\n2 0 b 1\n3 0 a 1\n"
#: The relevant document is third, second, first.
BASE = "".join(f"{q} Q0 {d} {n + 1} {9 - n} base\n" for q in (1, 2, 3) for n, d in enumerate("abcd"))
#: The relevant document first for 1 and 2, last for 3.
DEEP = "".join(
    f"{q} Q0 {d} {n + 1} {9 - n} deep\n"
    for q, ds in (("1", "cbad"), ("2", "bdca"), ("3", "dbca"))
    for n, d in enumerate(ds)
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in {"qrels": QRELS, "base.run": BASE, "deep.run": DEEP, "short.run": "1 Q0 a 1 1 s\n"}.items():
        (tmp_path / name).write_text(text)
    return tmp_path


def evaluated(rerank: Runner, *arguments: str):  # type: ignore[no-untyped-def]
    return rerank("eval", "-Q", "qrels", "-m", "RR", *arguments)


CURVE = ("deep.run", "--base", "base.run", "--depth-curve", "4,1,2")


def test_a_depth_curve_is_the_base_with_more_and_more_reranked(folder: Path, rerank: Runner) -> None:
    done = evaluated(rerank, *CURVE, "--per-query")
    assert done.code == 0, done.err
    values = {tuple(line.split("\t")[:3:2]): line.split("\t")[3] for line in done.lines}
    # At 2, query 1 keeps c third, 2 gets b first, 3 falls to b first and a second.
    assert [values["base", q] for q in ("1", "2", "3", "all")] == ["0.3333", "0.5000", "1.0000", "0.6111"]
    assert [values["deep@1", q] for q in ("1", "2", "3", "all")] == ["0.3333", "0.5000", "1.0000", "0.6111"]
    assert [values["deep@2", q] for q in ("1", "2", "3", "all")] == ["0.3333", "1.0000", "0.5000", "0.6111"]
    assert [values["deep@4", q] for q in ("1", "2", "3", "all")] == ["1.0000", "1.0000", "0.2500", "0.7500"]
    assert "deep: RR is best at depth 4, 0.7500" in done.err and "below" not in done.err


def test_depths_below_the_base_are_flagged(folder: Path, rerank: Runner) -> None:
    done = evaluated(rerank, "base.run", "--base", "deep.run", "--depth-curve", "2,4", "--format", "csv")
    assert "warning: base: RR is below deep (0.7500) at depths 2, 4" in done.err
    # Query 1: b before c at depth 2; the rest as it was, 2 stays first, 3 last: (1/2 + 1 + 1/4) / 3.
    assert done.lines[2] == "base@2,RR,all,0.5833,-0.1667"


def test_a_run_that_is_too_short_for_the_depth_is_bad_data(folder: Path, rerank: Runner) -> None:
    done = evaluated(rerank, "short.run", "--base", "base.run", "--depth-curve", "2")
    assert done.code == 3 and not done.out
    assert "short.run: document b of query 1 is not in it, but is among the first 2 of the base run" in done.err


@pytest.mark.parametrize(
    ("arguments", "count"),
    [
        (("--baseline", "base.run", "deep.run"), 3),
        (("base.run", "deep.run"), 2),
        (CURVE, 3),
        (("--compare", "--baseline", "base.run", "deep.run", "--test", "randomization"), 3),
    ],
)
def test_a_picture_is_xml_with_a_mark_a_value_and_the_same_twice(
    folder: Path, rerank: Runner, arguments: tuple[str, ...], count: int
) -> None:
    plain = evaluated(rerank, *arguments)
    done = evaluated(rerank, *arguments, "--plot", "p.svg")
    assert (done.code, done.out) == (0, plain.out), done.err
    root = ElementTree.parse(folder / "p.svg").getroot()
    assert len([e for e in root.iter() if e.get("class") == "mark"]) == count
    first = (folder / "p.svg").read_bytes()
    evaluated(rerank, *arguments, "--plot", "p.svg")
    assert (folder / "p.svg").read_bytes() == first


def test_a_png(folder: Path, rerank: Runner) -> None:
    done = evaluated(rerank, "base.run", "deep.run", "--plot", "p.png")
    if importlib.util.find_spec("resvg_py"):
        assert done.code == 0 and (folder / "p.png").read_bytes().startswith(b"\x89PNG\r\n")
    else:
        assert (done.code, done.out) == (4, b"")
        assert "pip install 'rerank-cli[plot]'" in done.err and not (folder / "p.png").exists()


def test_in_the_terminal_the_picture_follows_the_table(folder: Path, rerank: Runner) -> None:
    done = evaluated(rerank, "--baseline", "base.run", "deep.run", "--plot", "-")
    assert done.code == 0
    assert done.lines[0].split() == ["Run", "RR"]
    assert done.lines[-4:-1] == [
        "  1 +0.6667 " + " " * 20 + "│" + "█" * 17 + "▊",
        "  2 +0.5000 " + " " * 20 + "│" + "█" * 13 + "▍",
        "  3 -0.7500 " + "▒" * 20 + "│",
    ]
    values = evaluated(rerank, "deep.run", "--baseline", "base.run", "--plot", "-", "-o", "v.tsv", "--format", "tsv")
    assert values.lines[0].startswith("RR: deep - base") and (folder / "v.tsv").read_text().startswith("deep\tRR")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("deep.run", "--plot", "p.pdf"), "FILE.svg, FILE.png or -"),
        (("deep.run", "--plot", "-", "--format", "json"), "-o FILE takes the values"),
        (("--baseline", "base.run", "base.run", "--plot", "p.svg"), "there is no other run"),
        (("deep.run", "--depth-curve", "10"), "belong together"),
        (("deep.run", "--base", "base.run"), "belong together"),
        (("deep.run", "--base", "base.run", "--depth-curve", "10,x"), "no list of depths"),
        (("deep.run", "--base", "base.run", "--depth-curve", "0,5"), "no list of depths"),
        ((*CURVE, "--compare"), "goes with neither"),
        ((*CURVE, "--assert", "RR>0"), "goes with neither"),
        (("base.run", "--base", "base.run", "--depth-curve", "2"), "beside --base"),
    ],
)
def test_refusals_are_exit_2_and_write_nothing(
    folder: Path, rerank: Runner, arguments: tuple[str, ...], message: str
) -> None:
    done = evaluated(rerank, *arguments)
    assert (done.code, done.out) == (2, b""), done.err
    assert message in done.err and not (folder / "p.svg").exists()
