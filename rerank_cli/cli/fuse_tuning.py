"""Tuning from the shell: judgements and a measure for `fusion.tuning`, its report on stderr, and files of parameters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isfinite
from typing import TYPE_CHECKING, Any

from rerank_cli.cli.terminal import Terminal
from rerank_cli.errors import BadData, WrongUsage

if TYPE_CHECKING:
    from rerank_cli.core.qrels import Qrels
    from rerank_cli.core.run import Run
    from rerank_cli.formats.runs import RunFile
    from rerank_cli.fusion.fuse import Recipe
    from rerank_cli.fusion.rule import Rule
    from rerank_cli.fusion.tuning import Tuned


def one_measure(text: str, rel: int | None = None) -> Any:
    """The measure that a --tune names; `WrongUsage` when it names several."""
    from rerank_cli.evaluation.names import parse_measures

    measures = parse_measures([text], rel)
    if len(measures) != 1:
        raise WrongUsage(
            f"--tune {text} names {len(measures)} measures", "one decides which weights are best: --tune nDCG@10"
        )
    return measures[0]


def read_grids(texts: Sequence[str]) -> dict[str, list[list[float]]]:
    """What each `--grid NAME=VALUES` says: name -> one list of values for all runs, or one a run."""
    grids: dict[str, list[list[float]]] = {}
    for text in texts:
        name, _, values = text.partition("=")
        if name in grids:
            raise WrongUsage(f"--grid {name} is given twice", "join its values with commas, or part lists by /")
        try:
            grids[name] = [_values(part) for part in values.split("/")]
        except ValueError:
            raise WrongUsage(
                f"--grid {text!r} is not NAME=VALUES", "for example k=10,60,200 or k=10:100:10 (from, to, step)"
            ) from None
    return grids


def _values(text: str) -> list[float]:
    """`1,5,60`, or `10:100:10` from 10 to 100 in steps of 10; `ValueError` for anything else."""
    if ":" not in text:
        values = [float(part) for part in text.split(",")]
    else:
        low, high, step = map(float, text.split(":"))
        if not (step > 0 and 0 <= (high - low) / step < 100_000):
            raise ValueError
        values = [round(low + n * step, 12) for n in range(int((high - low) / step + 1e-9) + 1)]
    if not all(map(isfinite, values)):
        raise ValueError
    return values


def tuned(
    measure: str,
    folds: int,
    grids: Mapping[str, Sequence[Sequence[float]]],
    recipe: Recipe,
    files: Sequence[RunFile],
    paths: list[str],
    judgements: tuple[str | None, str | None, str],
    tag: str,
    terminal: Terminal,
) -> Tuned:
    """Cross-validate and report each fold; `grids` as `read_grids` gives them, `judgements` are --qrels, --collection and --split as typed."""
    from rerank_cli.cli.judged_runs import judgements as judged_by
    from rerank_cli.cli.judged_runs import open_judged
    from rerank_cli.evaluation.measures import Judge
    from rerank_cli.fusion.tuning import tune

    opened = open_judged(*judgements, files, paths, terminal)
    qrels, rel = judged_by(opened, judgements[0]), opened.rel
    asked = one_measure(measure, rel)
    judge = Judge([asked], qrels)

    def values(run: Run) -> Mapping[bytes, float]:
        judged = judge.evaluate(run, "tuning")
        return dict(zip(judged.topics, judged.values[0].tolist(), strict=True))

    cutoff = asked.params.get("cutoff")
    runs = [file.run for file in files]
    least = 1 if rel is None else rel
    done = tune(runs, paths, recipe, qrels, values, folds, tag, terminal.note, least, cutoff, grids)
    _report(done, str(asked), qrels, terminal)
    return done


def _report(done: Tuned, measure: str, qrels: Qrels, terminal: Terminal) -> None:
    for number, fold in enumerate(done.folds, start=1):
        terminal.note(
            f"fold {number} of {len(done.folds)}: {measure} {fold.value:.4f} on {len(fold.held_out)} queries held out, "
            f"{fold.training_value:.4f} on the others, with {told(fold.recipe)}"
        )
    queries = sum(len(fold.held_out) for fold in done.folds)
    against = "" if done.untuned is None else f"; untuned {done.untuned:.4f}"
    terminal.note(f"cross-validated {measure} {done.value:.4f}, the mean over {queries} judged queries{against}")
    lacking = len(qrels.topics) - queries
    if lacking:
        terminal.warn(f"{lacking} judged queries are in none of the runs, and are not in the mean")
    if done.unjudged:
        terminal.note(f"{done.unjudged} queries without judgements were fused with what is fitted on all judged ones")
    terminal.note(f"fitted on all: {told(done.fitted)}")


def told(recipe: Recipe) -> str:
    """Weights and parameters in words."""
    words = [] if recipe.weights is None else [f"-w {','.join(f'{weight:g}' for weight in recipe.weights)}"]
    words += [f"{name}={','.join(f'{v:g}' for v in values)}" for name, values in sorted(recipe.params.items())]
    if recipe.rule.name == "mapfuse":
        words.append(f"MAP {','.join(f'{table[0]:.4f}' for table in recipe.tables)}")
    elif len(recipe.tables):
        words.append("learned tables")
    return " ".join(words) or "nothing set"


def write_params(path: str, recipe: Recipe, names: Sequence[str], done: Tuned | None, measure: str | None) -> None:
    """Write the recipe to PATH (- is refused: stdout is the run's)."""
    from rerank_cli.cli.streams import output_stream
    from rerank_cli.fusion.params import to_json

    facts = None
    if done is not None:
        facts = {
            "measure": measure,
            "folds": [round(fold.value, 6) for fold in done.folds],
            "cross_validated": round(done.value, 6),
            "queries": sum(len(fold.held_out) for fold in done.folds),
        }
    with output_stream(path) as stream:
        stream.write(to_json(recipe, names, facts).encode("utf-8", "surrogateescape"))


def read_params(path: str, rules: Mapping[str, Rule], runs: Sequence[str], terminal: Terminal) -> Recipe:
    """Read what --params-out wrote; another number of runs is `BadData`, other names are said."""
    from rerank_cli.cli.streams import input_stream
    from rerank_cli.fusion.params import from_json

    with input_stream(path, "file of parameters") as (stream, name):
        text = stream.read().decode("utf-8", "surrogateescape")
    recipe, names = from_json(text, rules, name)
    if len(names) != len(runs):
        raise BadData(
            f"it was made for {len(names)} runs ({', '.join(names)}), not {len(runs)}",
            "name the runs in that order",
            where=name,
        )
    if names != list(runs):
        terminal.note(f"{name} was made for {', '.join(names)}: taken in that order for {', '.join(runs)}")
    return recipe
