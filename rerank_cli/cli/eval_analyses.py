"""The analyses of `eval` that look at more than one list of a query: how each becomes rows of the usual table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rerank_cli.cli.judged_runs import evaluated
from rerank_cli.cli.terminal import Terminal

if TYPE_CHECKING:
    from rerank_cli.core.run import Run
    from rerank_cli.evaluation.measures import Evaluation, Judge
    from rerank_cli.evaluation.plots.data import Curve


def depth_curve(
    judge: Judge, base: tuple[str, Run], runs: Sequence[tuple[str, Run, str]], depths: Sequence[int], terminal: Terminal
) -> list[Evaluation]:
    """The base run's evaluation, then for each run (name, run, path) and depth K that of NAME@K.

    What the base run lacks is said once: no depth changes it.
    """
    from rerank_cli.evaluation.depth_curve import at_depth

    name, first_stage = base
    evaluations = [evaluated(judge, first_stage, name, name, terminal)]
    for run_name, run, path in runs:
        for depth in depths:
            evaluations.append(judge.evaluate(at_depth(first_stage, run, depth, path), f"{run_name}@{depth}"))
    return evaluations


def curves(shown: Sequence[Evaluation], runs: Sequence[str], depths: Sequence[int]) -> list[Curve]:
    """What `depth_curve` gave, measure by measure; `runs` are the runs' names without depths."""
    from rerank_cli.evaluation.plots.data import Curve

    base, rest = shown[0], shown[1:]
    found = []
    for row, measure in enumerate(base.measures):
        values = [float(evaluation.overall[row]) for evaluation in rest]
        lines = [(run, values[n * len(depths) : (n + 1) * len(depths)]) for n, run in enumerate(runs)]
        if measure not in base.counts:
            found.append(Curve(measure, base.name, float(base.overall[row]), depths, lines))
    return found


def say_where_it_falls(found: Sequence[Curve], digits: int, terminal: Terminal) -> None:
    """Say each run's best depth, and warn of depths at which it is below the base run."""
    for curve in found:
        for run, values in curve.runs:
            best = max(range(len(values)), key=lambda place: (values[place], -place))
            terminal.note(f"{run}: {curve.measure} is best at depth {curve.depths[best]}, {values[best]:.{digits}f}")
            below = [str(d) for d, value in zip(curve.depths, values, strict=True) if value < curve.base_value]
            if below:
                depths = f"depth{'s' if len(below) > 1 else ''} {', '.join(below)}"
                terminal.warn(
                    f"{run}: {curve.measure} is below {curve.base} ({curve.base_value:.{digits}f}) at {depths}"
                )
