"""Pictures: well-formed, one mark for each value, in the right order and place, legible without colour."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rerank_cli.evaluation.comparison import Interval
from rerank_cli.evaluation.plots import bars, pictures
from rerank_cli.evaluation.plots.data import Curve, Differences, Means
from rerank_cli.evaluation.plots.svg import Scale, shortened, tick_text, ticks

NS = "{http://www.w3.org/2000/svg}"


def marks(svg: str) -> list[ElementTree.Element]:
    return [element for element in ElementTree.fromstring(svg).iter() if element.get("class") == "mark"]


def titles(svg: str) -> list[str]:
    return [mark.findtext(f"{NS}title") or "" for mark in marks(svg)]


def panel(values: list[float], queries: list[str] | None = None) -> Differences:
    names = queries or [f"q{n}" for n in range(len(values))]
    return Differences("nDCG@10", "run", "base", names, np.array(values), Interval(-0.1, 0.2))


def test_differences_have_a_mark_a_query_best_first() -> None:
    svg = pictures.differences([panel([-0.5, 0.0, 0.25, 0.5])])
    assert titles(svg) == ["q3: +0.5000", "q2: +0.2500", "q1: +0.0000", "q0: -0.5000"]
    gain, small, equal, loss = marks(svg)
    assert [mark.tag for mark in (gain, small, equal, loss)] == [f"{NS}rect", f"{NS}rect", f"{NS}circle", f"{NS}rect"]
    # Twice the gain is twice the height; gains end where losses begin, on the line of the equal one.
    assert float(gain.get("height", 0)) == pytest.approx(2 * float(small.get("height", 0)), abs=0.02)
    zero = float(equal.get("cy", 0))
    assert float(gain.get("y", 0)) + float(gain.get("height", 0)) == pytest.approx(zero, abs=0.02)
    assert float(loss.get("y", 0)) == pytest.approx(zero, abs=0.02)
    # Without colour: a loss is hollow.
    assert gain.get("fill") == gain.get("stroke") and loss.get("fill") == "#ffffff"
    assert "2 better, 1 equal, 1 worse; mean +0.0625 [-0.1000, +0.2000]" in svg


@given(
    st.lists(st.floats(-1, 1), min_size=1, max_size=150).flatmap(
        lambda values: st.tuples(st.just(values), st.lists(st.text(), min_size=len(values), max_size=len(values)))
    )
)
def test_any_differences_of_queries_of_any_name(drawn: tuple[list[float], list[str]]) -> None:
    values, queries = drawn
    found = marks(pictures.differences([panel(values, queries)]))
    assert len(found) == len(values)
    for mark in found:
        assert 0 <= float(mark.get("x", mark.get("cx")) or -1) <= 520
        assert float(mark.get("width", 1)) > 0 and float(mark.get("height", 1)) > 0
    assert len(list(bars.differences([panel(values, queries)]))) <= bars.LINES + 4


def test_means_have_a_mark_a_run_the_best_filled() -> None:
    runs = [("a<b>&", 0.4, Interval(0.3, 0.5)), ("c", 0.6, Interval(0.5, 0.7))]
    svg = pictures.means([Means("AP", runs)])
    assert titles(svg) == ["a<b>&: 0.4000 [0.3000, 0.5000]", "c: 0.6000 [0.5000, 0.7000]"]
    first, second = marks(svg)
    assert first.get("fill") == "#ffffff" != second.get("fill")
    assert float(first.get("cx", 0)) < float(second.get("cx", 0))
    text = list(bars.means([Means("AP", runs)]))
    assert text[0] == "AP, 0.3 to 0.7"
    # 41 columns from 0.3 to 0.7: the mean 0.4 is the eleventh, its interval begins in the first and ends in the 21st.
    assert text[1] == "  a<b>& ├─────────●─────────┤" + " " * 20 + " 0.4000 [0.3000, 0.5000]"


CURVE = Curve("nDCG@10", "bm25", 0.5, [10, 100], [("minilm", [0.6, 0.4]), ("other", [0.5, 0.55])])


def test_a_curve_has_a_mark_a_depth_hollow_below_the_base() -> None:
    svg = pictures.curve([CURVE])
    assert titles(svg) == [
        "minilm, 10 documents: 0.6000",
        "minilm, 100 documents: 0.4000",
        "other, 10 documents: 0.5000",
        "other, 100 documents: 0.5500",
    ]
    found = marks(svg)
    assert [mark.get("fill") == "#ffffff" for mark in found] == [False, True, False, False]
    assert found[0].tag != found[2].tag, "runs differ by the shape of their markers"
    assert [line for line in bars.curve([CURVE]) if line.endswith("below the base")] == [
        "  minilm@100 0.4000 " + "█" * 26 + "▋" + " " * 13 + "  below the base"
    ]


def test_one_depth_and_equal_values_are_drawn() -> None:
    svg = pictures.curve([Curve("P@1", "b", 0.0, [5], [("r", [0.0])])])
    assert len(marks(svg)) == 1 and "nan" not in svg
    flat = pictures.means([Means("P@1", [("r", 0.0, Interval(0.0, 0.0))])])
    assert len(marks(flat)) == 1 and "nan" not in flat


def test_differences_as_text() -> None:
    lines = list(bars.differences([panel([-0.5, 0.25, 0.5])]))
    assert lines[2:5] == [
        "  q2 +0.5000 " + " " * 20 + "│" + "█" * 20,
        "  q1 +0.2500 " + " " * 20 + "│" + "█" * 10,
        "  q0 -0.5000 " + "▒" * 20 + "│",
    ]
    many = list(bars.differences([panel([n / 100 for n in range(90)])]))
    assert "3 a line" in many[2] and many[3].split()[:2] == ["1-3", "+0.8800"]


@given(st.floats(-1e3, 1e3), st.floats(1e-4, 1e3))
def test_ticks_are_few_and_hold_the_values(low: float, span: float) -> None:
    found = ticks(low, low + span)
    slack = span * 1e-6 + 1e-9
    assert found[0] <= low + slack and found[-1] >= low + span - slack
    assert 2 <= len(found) <= 8
    assert len({tick_text(tick, found) for tick in found}) == len(found)


def test_scales_and_names() -> None:
    assert Scale(0, 2, 100, 0)(0.5) == 75
    assert Scale(10, 1000, 0, 100, logarithmic=True)(100) == pytest.approx(50)
    assert shortened("a_very_long_name", 7) == "a_v…ame" and shortened("short", 7) == "short"
