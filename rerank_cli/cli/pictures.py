"""`--plot`: which picture answers what was asked, and where it goes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rerank_cli.errors import Missing, WrongUsage, missing_extra

if TYPE_CHECKING:
    from rerank_cli.evaluation.measures import Evaluation
    from rerank_cli.evaluation.plots.data import Curve, Differences, Means

#: 96 dots an inch times this: 192, sharp on screens and passable in print (SVG is for print).
_ZOOM = 2


def refuse_unwritable(path: str) -> None:
    """Refuse a name that says no format (exit 2) and a PNG without its package (exit 4), before any work."""
    if path == "-":
        return
    end = Path(path).suffix.lower()
    if end not in (".svg", ".png"):
        raise WrongUsage(f"--plot {path}: a picture is FILE.svg, FILE.png or - for the terminal")
    if end == ".png":
        from importlib.util import find_spec

        if find_spec("resvg_py") is None:
            absent: Missing = missing_extra("resvg-py", "plot", "a PNG picture")
            absent.hint += "; FILE.svg needs nothing more"
            raise absent


def of_runs(
    evaluations: Sequence[Evaluation], base: Evaluation | None, alpha: float, seed: int
) -> list[Differences] | list[Means]:
    """With a baseline the differences to it, query by query; without one the means of the runs with intervals.

    Counts (NumRet and its like) have no picture; `WrongUsage` when there is nothing else.
    """
    import numpy as np

    from rerank_cli.evaluation.comparison import intervals
    from rerank_cli.evaluation.plots.data import Differences, Means
    from rerank_cli.evaluation.significance import differences

    first = evaluations[0]
    measures = [(row, measure) for row, measure in enumerate(first.measures) if measure not in first.counts]
    if not measures:
        raise WrongUsage("a count has no picture", "name a measure such as nDCG@10 with -m")
    if base is None:
        # All rows in one call, which resamples once.
        around = intervals(np.concatenate([evaluation.values for evaluation in evaluations]), alpha, seed)
        runs = list(zip(evaluations, range(0, len(around), len(first.measures)), strict=True))
        return [Means(m, [(e.name, float(e.overall[row]), around[at + row]) for e, at in runs]) for row, m in measures]
    others = [evaluation for evaluation in evaluations if evaluation is not base]
    if not others:
        raise WrongUsage("--plot shows differences to the baseline, and there is no other run")
    queries = [qid.decode("utf-8", "replace") for qid in first.topics]
    pairs = [(row, measure, other) for row, measure in measures for other in others]
    values = [differences(other.values[row], base.values[row]) for row, _, other in pairs]
    return [
        Differences(measure, other.name, base.name, queries, own, interval)
        for (_, measure, other), own, interval in zip(
            pairs, values, intervals(np.array(values), alpha, seed), strict=True
        )
    ]


def picture(panels: Sequence[Differences] | Sequence[Means] | Sequence[Curve], path: str) -> bytes:
    """The picture as the bytes of an SVG or PNG file, or as lines of text for `-`."""
    from rerank_cli.evaluation.plots import bars, pictures
    from rerank_cli.evaluation.plots.data import Differences, Means

    kind = type(panels[0])
    name = "differences" if kind is Differences else "means" if kind is Means else "curve"
    if path == "-":
        return "".join(f"{line}\n" for line in getattr(bars, name)(panels)).encode("utf-8", "replace")
    svg: str = getattr(pictures, name)(panels)
    if path.lower().endswith(".svg"):
        return svg.encode("utf-8")
    import resvg_py

    return bytes(resvg_py.svg_to_bytes(svg_string=svg, zoom=_ZOOM, dpi=96, sans_serif_family="DejaVu Sans"))
