"""The three pictures as SVG documents, a panel below the other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rerank_cli.evaluation.plots.data import Curve, Differences, Means
from rerank_cli.evaluation.plots.svg import (
    COLOURS,
    DASHES,
    FAINT,
    GAIN,
    INK,
    LOSS,
    MARKERS,
    WIDTH,
    Drawing,
    Scale,
    shortened,
    text_width,
    tick_text,
    ticks,
)

#: Up to so many queries have their names under the bars.
NAMED_QUERIES = 60
_LEFT, _RIGHT, _TITLE, _BELOW = 46.0, 12.0, 34.0, 34.0
_PLOT = 150.0
_SMALL = 8.0


def differences(panels: Sequence[Differences]) -> str:
    """Per query, the run's value minus the baseline's, from the largest gain to the largest loss.

    One bar a query (class `mark`, its name and difference as title): gains filled, losses hollow, queries that are
    equal a dot on the line. The dashed line is the mean, the grey band its interval.
    """
    names = max((len(q) for p in panels if len(p.values) <= NAMED_QUERIES for q in p.queries), default=0)
    below = 22.0 + min(names, 16) * 4.4 if names else _BELOW
    drawing = Drawing(WIDTH, len(panels) * (_TITLE + _PLOT + below))
    for number, panel in enumerate(panels):
        _bars(drawing, panel, number * (_TITLE + _PLOT + below), bool(names))
    return drawing.svg()


def _bars(drawing: Drawing, panel: Differences, top: float, named: bool) -> None:
    _title(drawing, f"{panel.measure}: {panel.run} − {panel.baseline}", f"{panel.summary()} (dashed, grey)", top)
    marks = ticks(min(0.0, float(panel.values.min())), max(0.0, float(panel.values.max())))
    y = Scale(marks[0], marks[-1], top + _TITLE + _PLOT, top + _TITLE)
    _grid(drawing, y, marks, _LEFT, WIDTH - _RIGHT, signed=True)
    band = y(panel.interval.high)
    height = y(panel.interval.low) - band
    drawing.add("rect", x=_LEFT, y=band, width=WIDTH - _RIGHT - _LEFT, height=height, fill="#e9e9e9")
    slot = (WIDTH - _RIGHT - _LEFT) / len(panel.values)
    for place, position in enumerate(panel.order().tolist()):
        value, query = float(panel.values[position]), panel.queries[position]
        left = _LEFT + slot * place
        title = f"{query}: {value:+.4f}"
        if value == 0:
            radius = min(1.8, slot * 0.4)
            drawing.add("circle", title, class_="mark", cx=left + slot / 2, cy=y(0.0), r=radius, fill=INK)
        else:
            # A hollow bar needs room for its outline; bars thinner than that are told apart by their direction.
            hollow: dict[str, Any] = {"fill": "#ffffff" if value < 0 and slot > 3 else LOSS if value < 0 else GAIN}
            outline: dict[str, Any] = {"stroke": LOSS if value < 0 else GAIN, "stroke_width": 1.2 if slot > 3 else 0}
            ends = sorted((y(value), y(0.0)))
            width = slot * 0.72 if slot > 3 else max(slot, 0.05)
            box: dict[str, Any] = {
                "x": left + (slot - width) / 2,
                "y": ends[0],
                "width": width,
                "height": max(ends[1] - ends[0], 0.3),
            }
            drawing.add("rect", title, class_="mark", **box, **hollow, **outline)
        if named and len(panel.values) <= NAMED_QUERIES:
            x, bottom = left + slot / 2 + 2.6, top + _TITLE + _PLOT + 5
            turned = f"rotate(-90 {x:.2f} {bottom:.2f})"
            drawing.text(x, bottom, shortened(query, 16), "end", 7.0, transform=turned)
    drawing.line(_LEFT, y(0.0), WIDTH - _RIGHT, y(0.0), INK, 1.0)
    mean = y(float(panel.values.mean()))
    drawing.line(_LEFT, mean, WIDTH - _RIGHT, mean, INK, 1.0, "5 3")
    if not named or len(panel.values) > NAMED_QUERIES:
        words = f"{len(panel.values)} queries, best first; dashed: mean"
        drawing.text((_LEFT + WIDTH - _RIGHT) / 2, top + _TITLE + _PLOT + 15, words, "middle", _SMALL)


def means(panels: Sequence[Means]) -> str:
    """Each run's mean and its interval, measure by measure: one dot and one bar a run."""
    row, head, foot = 17.0, 24.0, 28.0
    longest = max(text_width(shortened(name, 28)) for panel in panels for name, _, _ in panel.runs)
    left, right = longest + 16, 118.0
    drawing = Drawing(WIDTH, sum(head + row * len(panel.runs) + foot for panel in panels) + 4)
    top = 0.0
    for panel in panels:
        bottom = top + head + row * len(panel.runs)
        drawing.text(left, top + 16, panel.measure, font_weight="bold")
        ends = [end for _, _, i in panel.runs for end in (i.low, i.high)]
        marks = ticks(min(ends), max(ends), 4)
        x = Scale(marks[0], marks[-1], left, WIDTH - right)
        for mark in marks:
            drawing.line(x(mark), top + head, x(mark), bottom, FAINT, 0.6)
            drawing.text(x(mark), bottom + 11, tick_text(mark, marks), "middle", _SMALL)
        best = max(mean for _, mean, _ in panel.runs)
        for number, (name, mean, around) in enumerate(panel.runs):
            y = top + head + row * (number + 0.5)
            drawing.text(left - 8, y + 3.4, shortened(name, 28), "end")
            drawing.line(x(around.low), y, x(around.high), y, GAIN, 1.6)
            for end in (around.low, around.high):
                drawing.line(x(end), y - 3.5, x(end), y + 3.5, GAIN, 1.6)
            title = f"{name}: {mean:.4f} [{around.low:.4f}, {around.high:.4f}]"
            drawing.marker("circle", x(mean), y, GAIN, mean == best, title)
            words = f"{mean:.4f} [{around.low:.4f}, {around.high:.4f}]"
            drawing.text(WIDTH - right + 10, y + 3, words, size=_SMALL)
        top = bottom + foot
    drawing.text(
        left, drawing.height - 4, "dot: mean, the best filled; bar: bootstrap interval of the mean", size=_SMALL
    )
    return drawing.svg()


def curve(panels: Sequence[Curve]) -> str:
    """A measure by reranking depth (logarithmic), a line a run, the base run dotted; hollow marks are below the base."""
    height = _TITLE + _PLOT + _BELOW
    drawing = Drawing(WIDTH, len(panels) * height)
    names = [shortened(name, 22) for panel in panels for name in (panel.base, *(name for name, _ in panel.runs))]
    right = max(map(text_width, names)) + 18
    for number, panel in enumerate(panels):
        top = number * height
        _title(drawing, f"{panel.measure} by reranking depth", "", top)
        everything = [panel.base_value, *(value for _, values in panel.runs for value in values)]
        marks = ticks(min(everything), max(everything))
        y = Scale(marks[0], marks[-1], top + _TITLE + _PLOT, top + _TITLE)
        x = Scale(min(panel.depths), max(panel.depths), _LEFT + 14, WIDTH - right - 10, logarithmic=True)
        _grid(drawing, y, marks, _LEFT, WIDTH - right)
        free = -99.0
        for depth in sorted(panel.depths):
            drawing.line(x(depth), y.start, x(depth), y.start + 3)
            if x(depth) - text_width(str(depth), _SMALL) / 2 > free:
                drawing.text(x(depth), y.start + 13, str(depth), "middle", _SMALL)
                free = x(depth) + text_width(str(depth), _SMALL) / 2 + 3
        drawing.text((_LEFT + WIDTH - right) / 2, y.start + 26, "documents reranked", "middle", _SMALL)
        drawing.line(_LEFT, y(panel.base_value), WIDTH - right, y(panel.base_value), INK, 1.3, "1.3 2.6")
        labels = [(y(panel.base_value), panel.base, INK)]
        for run, (name, values) in enumerate(panel.runs):
            colour, dash = COLOURS[1 + run % (len(COLOURS) - 1)], DASHES[run % len(DASHES)]
            path = " ".join(f"{x(d):.2f},{y(v):.2f}" for d, v in zip(panel.depths, values, strict=True))
            dashed: dict[str, Any] = {"stroke_dasharray": dash} if dash else {}
            drawing.add("polyline", points=path, fill="none", stroke=colour, stroke_width=1.6, **dashed)
            for depth, value in zip(panel.depths, values, strict=True):
                shape = MARKERS[run % len(MARKERS)]
                title = f"{name}, {depth} documents: {value:.4f}"
                drawing.marker(shape, x(depth), y(value), colour, value >= panel.base_value, title)
            labels.append((y(values[-1]), name, colour))
        _labels(drawing, labels, WIDTH - right + 6)
    return drawing.svg()


def _title(drawing: Drawing, title: str, below: str, top: float) -> None:
    drawing.text(_LEFT, top + 14, shortened(title, 80), font_weight="bold")
    if below:
        drawing.text(_LEFT, top + 26, below, size=_SMALL)


def _grid(drawing: Drawing, y: Scale, marks: Sequence[float], left: float, right: float, signed: bool = False) -> None:
    for mark in marks:
        drawing.line(left, y(mark), right, y(mark), FAINT, 0.6)
        words = tick_text(mark, marks).replace("-", "−")
        drawing.text(left - 5, y(mark) + 3, f"+{words}" if signed and mark > 0 else words, "end", _SMALL)


def _labels(drawing: Drawing, labels: Sequence[tuple[float, str, str]], x: float) -> None:
    """Names beside the ends of their lines, moved apart where they would overlap."""
    lowest = -99.0
    for wanted, name, colour in sorted(labels):
        lowest = max(wanted + 3, lowest + 11)
        drawing.text(x, lowest, shortened(name, 22), size=_SMALL + 1, fill=colour)
