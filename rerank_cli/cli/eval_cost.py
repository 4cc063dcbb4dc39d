"""`eval --shape`: what a ranking cost in arithmetic, from the model's shape and the tokens that were counted or stated."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rerank_cli.cli.terminal import Terminal
from rerank_cli.errors import BadData, WrongUsage

if TYPE_CHECKING:
    import numpy as np

    from rerank_cli.core.run import Run
    from rerank_cli.evaluation.measures import Evaluation


def stated_tokens(text: str) -> tuple[int, int]:
    """The tokens of a call that `--tokens IN[,OUT]` states: read and written."""
    parts = text.split(",")
    if len(parts) > 2 or not all(part.isascii() and part.isdigit() for part in parts) or int(parts[0]) < 1:
        raise WrongUsage(f"--tokens {text!r} is not IN or IN,OUT", "for example --tokens 128, or --tokens 4000,100")
    return int(parts[0]), int(parts[1]) if len(parts) > 1 else 1


def with_cost(
    evaluation: Evaluation,
    run: Run,
    model: str,
    stats: str | None,
    tokens: tuple[int, int],
    calls: int | None,
    formula: str,
    terminal: Terminal,
) -> Evaluation:
    """The evaluation with the measures TFLOPs (a query), QPP and RPP(MEASURE), over the judged topics.

    Counted by the statistics where there are some; else by `tokens` (read, written) of a call, and `calls` a query
    or one for each document that the run has. Topics that the run lacks cost nothing, as they gain nothing.
    """
    import numpy as np

    from rerank_cli.evaluation.cost import efficiency, query_flops, shape_of

    shape = shape_of(*_config(model, terminal))
    if stats is not None:
        inputs, read = _counted(evaluation, stats)
        written = 1
    else:
        length = dict(zip(run.qids, np.diff(run.offsets).tolist(), strict=True))
        of_topic = np.array([length.get(qid, 0) for qid in evaluation.topics])
        inputs = of_topic if calls is None else np.where(of_topic > 0, calls, 0)
        read, written = inputs * tokens[0], tokens[1]
        terminal.note(
            f"{evaluation.name}: the cost is of {int(inputs.sum()):,} calls for {len(of_topic):,} queries, "
            f"{tokens[0]:,} tokens in and {tokens[1]:,} out each"
        )
    flops = query_flops(shape, inputs, read, written, formula)
    ratios = {
        f"RPP({measure})": efficiency(evaluation.values[row], flops).rpp
        for row, measure in enumerate(evaluation.measures)
        if measure not in evaluation.counts
    }
    added = {"TFLOPs": float(flops.mean()) / 1e12, "QPP": efficiency(np.ones(len(flops)), flops).qpp, **ratios}
    # Ratios of means have no value of a query; only the overall values are written.
    return replace(
        evaluation,
        measures=(*evaluation.measures, *added),
        values=np.vstack([evaluation.values, np.full((len(added), len(flops)), np.nan)]),
        overall=np.concatenate([evaluation.overall, list(added.values())]),
    )


def _counted(evaluation: Evaluation, stats: str) -> tuple[np.ndarray, np.ndarray]:
    """Texts put to the model (Q,) and their tokens (Q,) of each judged topic; `BadData` when the run has one they lack."""
    import numpy as np

    from rerank_cli.cli.streams import input_stream
    from rerank_cli.core.ids import shown
    from rerank_cli.formats.stats import QueryCost, read_stats

    with input_stream(stats, "statistics") as (stream, name):
        costs = read_stats(stream, name)
    known = [costs.get(shown(qid)) for qid in evaluation.topics]
    absent = [qid for qid, cost in zip(evaluation.topics, known, strict=True) if cost is None]
    if len(absent) > evaluation.lacking:
        raise BadData(
            f"{len(absent) - evaluation.lacking} judged queries of the run are not in it, such as {shown(absent[-1])}",
            "these must be the statistics of this very run",
            where=stats,
        )
    spent = [cost or QueryCost(0, 0) for cost in known]
    return np.array([cost.inputs for cost in spent]), np.array([cost.tokens for cost in spent])


def _config(model: str, terminal: Terminal) -> tuple[dict[str, Any], str]:
    """The config.json that `--shape` means, and its name for messages."""
    from rerank_cli.cli.settings import Settings
    from rerank_cli.methods import catalog
    from rerank_cli.methods.detect import model_config, read_json
    from rerank_cli.methods.source import open_source

    path = Path(model).expanduser()
    if path.is_file():
        config = read_json(path)
        if not isinstance(config, dict):
            raise BadData("is no object of settings", "config.json as transformers writes it", where=model)
        return config, model
    if path.is_dir():
        return model_config(path, model), str(path / "config.json")
    source = open_source(
        catalog.find(model),
        cache_dir=Settings().cache_dir,
        offline=terminal.offline,
        trust_remote_code=False,
        note=terminal.note,
    )
    return source.config, f"config.json of {model}"
