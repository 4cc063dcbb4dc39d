"""The same pictures as lines of text, for a terminal and for a mail."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from rerank_cli.evaluation.plots.data import Curve, Differences, Means
from rerank_cli.evaluation.plots.svg import Scale, shortened, ticks

#: Columns of a bar at most, and letters of a name.
_BAR, _NAME = 40, 24
#: More queries than this are drawn in groups of equal size, by their mean.
LINES = 60
_EIGHTHS = " ▏▎▍▌▋▊▉█"


def differences(panels: Sequence[Differences]) -> Iterator[str]:
    """A line a query, gains to the right and losses to the left; beyond `LINES` queries a line a group of them."""
    for panel in panels:
        yield f"{panel.measure}: {panel.run} - {panel.baseline}"
        yield f"  {panel.summary()}"
        order = panel.order()
        groups = [order[i : i + 1] for i in range(len(order))]
        names = [shortened(panel.queries[int(position)], _NAME) for position in order]
        if len(order) > LINES:
            groups = np.array_split(order, LINES // 2)
            ends = np.cumsum([len(group) for group in groups]).tolist()
            names = [f"{end - len(group) + 1}-{end}" for group, end in zip(groups, ends, strict=True)]
            yield f"  {len(order)} queries from the largest gain to the largest loss, {len(groups[0])} a line, their mean"
        values = [float(panel.values[group].mean()) for group in groups]
        largest = max(map(abs, values)) or 1.0
        half, wide = _BAR // 2, max(map(len, names))
        for name, value in zip(names, values, strict=True):
            bar = _bar(abs(value) / largest * half)
            left = ("▒" * round(-value / largest * half)).rjust(half) if value < 0 else " " * half
            yield f"  {name:<{wide}} {value:+.4f} {left}│{bar if value > 0 else ''}".rstrip()
        yield ""


def means(panels: Sequence[Means]) -> Iterator[str]:
    """A line a run: ● is the mean, the line through it the interval."""
    for panel in panels:
        ends = [end for _, _, i in panel.runs for end in (i.low, i.high)]
        marks = ticks(min(ends), max(ends), 4)
        place = Scale(marks[0], marks[-1], 0, _BAR)
        wide = max(len(shortened(name, _NAME)) for name, _, _ in panel.runs)
        yield f"{panel.measure}, {marks[0]:g} to {marks[-1]:g}"
        for name, mean, around in panel.runs:
            cells = [" "] * (_BAR + 1)
            low, high = round(place(around.low)), round(place(around.high))
            cells[low : high + 1] = "─" * (high - low + 1)
            cells[low], cells[high] = "├", "┤"
            cells[round(place(mean))] = "●"
            numbers = f"{mean:.4f} [{around.low:.4f}, {around.high:.4f}]"
            yield f"  {shortened(name, _NAME):<{wide}} {''.join(cells)} {numbers}"
        yield ""


def curve(panels: Sequence[Curve]) -> Iterator[str]:
    """A bar a depth, from zero; what is below the base run says so."""
    for panel in panels:
        yield f"{panel.measure} by documents reranked"
        largest = max([panel.base_value, *(value for _, values in panel.runs for value in values)]) or 1.0
        rows = [(panel.base, panel.base_value)]
        rows += [(f"{n}@{d}", v) for n, values in panel.runs for d, v in zip(panel.depths, values, strict=True)]
        wide = max(len(shortened(name, _NAME)) for name, _ in rows)
        for name, value in rows:
            below = "  below the base" if value < panel.base_value else ""
            bar = _bar(value / largest * _BAR).ljust(_BAR)
            yield f"  {shortened(name, _NAME):<{wide}} {value:.4f} {bar}{below}".rstrip()
        yield ""


def _bar(length: float) -> str:
    """Blocks of this length, the last one cut to eighths."""
    whole, part = divmod(round(max(length, 0.0) * 8), 8)
    return "█" * whole + (_EIGHTHS[part] if part else "")
