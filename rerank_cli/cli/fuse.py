"""`rerank fuse`: several runs in, one run out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from rerank_cli.cli import fuse_options as own
from rerank_cli.cli import options
from rerank_cli.cli.terminal import Terminal
from rerank_cli.errors import WrongUsage

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rerank_cli.core.run import Run
    from rerank_cli.fusion.fuse import Recipe
    from rerank_cli.fusion.rule import Rule

EXAMPLES = [
    (
        "BM25 and the reranked run together, judged",
        "rerank retrieve -c demo -o bm25.run && rerank rerank -c demo bm25.run | rerank fuse bm25.run - | rerank eval -c demo",
    ),
    (
        "A weighted sum of scores between 0 and 1, the second run counting three times as much",
        "rerank retrieve -c demo -o a.run && rerank retrieve -c demo --k1 1.2 --b 0.75 -o b.run && rerank fuse -m wsum --norm min-max -w 1,3 a.run b.run -o fused.run",
    ),
    (
        "Reciprocal rank fusion with a constant for each run, the best 100",
        "rerank retrieve -c demo -o a.run && rerank retrieve -c demo --b 0.9 -o b.run && rerank fuse --rrf-k 60,10 -k 100 a.run b.run -o fused.run",
    ),
    (
        "Weights chosen by judgements: each query is fused with the weights of the folds it is not in",
        "rerank retrieve -c demo -o a.run && rerank retrieve -c demo --k1 2 --b 1 -o b.run && rerank fuse -m cc --tune nDCG@10 -c demo --params-out cc.json a.run b.run | rerank eval -c demo",
    ),
    (
        "The weights that were fitted on all judged queries, for a new run",
        "rerank fuse --params cc.json a.run b.run -o new.run",
    ),
    (
        "A constant for each run, chosen by leaving out one judged query at a time",
        "rerank fuse --tune nDCG@10 -c demo --folds 40 -w 1,1 --grid k=10,60/10:100:30 a.run b.run -o tuned.run",
    ),
    (
        "The lists of sub-queries, joined for the query that they were made of",
        "printf 'q1#1\\tfuse ranked lists\\nq1#2\\trank documents\\n' | rerank retrieve -c demo --topics - | rerank fuse --by-parent - -k 10",
    ),
    ("Which rules are there, what do they need, and which is for me?", "rerank fuse --list"),
]


def fuse(
    terminal: Terminal,
    runs: Annotated[
        list[str] | None, typer.Argument(metavar="RUN RUN...", help="The runs to fuse; one of them may be -, stdin.")
    ] = None,
    method: own.Method = None,
    norm: own.NormBy = None,
    weights: own.Weights = None,
    rrf_k: own.RrfK = None,
    param: own.Params = None,
    floor: own.Floor = "0",
    tune: own.Tune = None,
    folds: own.Folds = None,
    grid: own.Grid = None,
    params_out: own.ParamsOut = None,
    params: own.ParamsFile = None,
    qrels: options.QrelsFile = None,
    collection: options.Collection = None,
    split: options.Split = "test",
    by_parent: own.ByParent = False,
    separator: own.Separator = "#",
    depth: own.Depth = 1000,
    k: own.Keep = 1000,
    input_format: options.Input = options.InputFormat.auto,
    lenient: options.Lenient = False,
    output: options.Output = "-",
    output_format: options.OutputAs = options.OutputFormat.trec,
    tag: options.Tag = None,
    header: options.Header = False,
    show_list: own.ShowList = False,
) -> None:
    """Fuse runs into one.

    Reads two or more runs and writes one in which every document has a fused score. Queries are those of all
    runs, in the order of the first, then new ones; equal scores are ordered by document id. Rules that look at
    ranks (rrf, isr, rbc, the Borda counts, interleave, the pairwise rules) need no normalisation. Rules that look
    at scores (min, max, med, sum, anz, mnz, gmnz, wsum, wmnz, mixed, cc, average) want them on one scale
    first: --norm min-max is the usual choice. Rules that multiply by the number of runs refuse
    negative scores, because agreement would then count against a document.

    With --by-parent the lists of queries PARENT#1, PARENT#2, ... (rerank rewrite makes such topics) are fused
    into one list for PARENT, with equal weights.

    With --tune each judged query is fused with weights and parameters that were chosen on the folds it is not
    in, so the run may be evaluated on the same judgements; what each fold was given and got is said on stderr.
    Trained rules (posfuse, probfuse, segfuse, slidefuse, bayesfuse, mapfuse) learn in the same way. What is given
    (-w, --rrf-k, -p) is not tuned; --grid says which values are tried, also of weights, which are else the steps
    of a simplex (--grid weights=1/0.5,1,2). --params-out keeps what is fitted on all judged queries, for --params.
    """
    from dataclasses import replace

    from rerank_cli.cli.fuse_list import print_rules
    from rerank_cli.cli.fuse_tuning import one_measure, read_grids, read_params, told, tuned, write_params
    from rerank_cli.cli.run_output import provenance, written_run
    from rerank_cli.cli.whole_runs import agreed_header, read_runs, warn_of_absent_queries
    from rerank_cli.formats.output import is_regular_target
    from rerank_cli.fusion import all_rules, rule_named
    from rerank_cli.fusion.fuse import fused_blocks
    from rerank_cli.fusion.parents import fused_by_parent

    rules = all_rules()
    if show_list:
        print_rules(rules)
        return
    paths = runs or []
    if len(paths) < 2 and not (by_parent and paths):
        raise WrongUsage(f"fuse needs two runs or more, not {len(paths)}", "rerank fuse one.run two.run > fused.run")
    if not by_parent:
        terminal.refuse(["separator"], "is for --by-parent")
    if tune is None:
        terminal.refuse(
            ["folds", "grid", "qrels", "collection", "split"], "is for --tune", "add --tune nDCG@10, or leave it out"
        )
    else:
        if qrels is not None:
            terminal.refuse(["split"], "names judgements of a collection, and --qrels names others")
        one_measure(tune)  # a misspelt name is said before any run is read
    grids = read_grids(grid or [])
    if params is None:
        recipe = _recipe(rule_named(method or "rrf"), norm, weights, rrf_k, param, floor)
        recipe = replace(recipe, seed=terminal.seed)
    else:
        if tune or method or norm or weights or rrf_k or param or floor != "0":
            raise WrongUsage(
                "--params says the rule and all it is told", "leave out -m, --norm, -w, --rrf-k, -p, --floor and --tune"
            )
        recipe = read_params(params, rules, paths, terminal)
    if by_parent and (tune or params_out or recipe.weights is not None or not separator):
        raise WrongUsage(
            "--by-parent gives all lists of a parent equal weights",
            "leave out -w, --tune, --params-out and weights of --params",
        )
    if params_out == "-" and output == "-":
        raise WrongUsage("--params-out - and the run cannot both go to stdout", "name a file for one of them")
    recipe = replace(recipe, depth=depth, k=k)
    files = read_runs(paths, input_format.value, lenient, terminal)
    if not by_parent:
        warn_of_absent_queries(files, paths, terminal)
    rule = recipe.rule
    done, tag = None, tag or f"rerank-{rule.name}"
    parts: Iterable[Run]
    if by_parent:
        parts = [fused_by_parent([file.run for file in files], separator.encode(), recipe, tag, terminal.note)]
    elif tune is None:
        parts = fused_blocks([file.run for file in files], paths, recipe, tag, terminal.note)
        if params_out is not None or not is_regular_target(output):
            parts = list(parts)  # what cannot be taken back is written when nothing can fail any more
    else:
        done = tuned(tune, folds or 5, grids, recipe, files, paths, (qrels, collection, split), tag, terminal)
        parts, recipe, tag = [done.run], done.fitted, done.run.tag
    if params_out is not None:
        write_params(params_out, recipe, paths, done, tune)
    facts = provenance(
        "fuse",
        **(agreed_header(files, paths) if all(file.header for file in files) else {}),
        method=rule.name,
        norm=recipe.norm or (rule.norm if rule.takes == "scores" else None),
        weights=recipe.weights if done is None else None,
        params=dict(recipe.params) or None if done is None else None,
        tuned=None if done is None else {"measure": tune, "folds": [told(fold.recipe) for fold in done.folds]},
        depth=depth,
        by_parent=separator if by_parent else None,
        runs=paths,
    )
    rows = sum(len(file.run.docids) for file in files)
    with written_run(output, tag, output_format.value, facts, header=header, terminal=terminal) as writer:
        writer.write_runs(parts, rows)
    if writer.steps:
        terminal.note(f"{writer.steps} equal scores were written the smallest steps apart, the greater id first")


def _recipe(
    rule: Rule,
    norm: own.Norm | None,
    weights: str | None,
    rrf_k: str | None,
    params: list[str] | None,
    floor: str,
) -> Recipe:
    from rerank_cli.fusion.fuse import Recipe

    given = {}
    for text in params or []:
        name, equals, values = text.partition("=")
        if not equals:
            raise WrongUsage(f"--param {text!r} is not NAME=VALUE", "for example --param phi=0.9")
        given[name.strip()] = _numbers("--param " + name, values)
    if rrf_k is not None:
        if rule.name != "rrf":
            raise WrongUsage(f"--rrf-k is for rrf, not for {rule.name}", "leave it out, or use -m rrf")
        given["k"] = _numbers("--rrf-k", rrf_k)
    chosen = None if norm is None else norm.value
    if floor != "0" and (chosen or rule.norm) != "tmm":
        raise WrongUsage("--floor is for --norm tmm", "add --norm tmm, or leave --floor out")
    weighed = None if weights is None else _numbers("--weights", weights)
    return Recipe(rule, chosen, weighed, _numbers("--floor", floor), given)


def _numbers(option: str, text: str) -> list[float]:
    from math import isfinite

    try:
        numbers = [float(part) for part in text.split(",")]
    except ValueError:
        numbers = [float("nan")]
    if not all(map(isfinite, numbers)):
        raise WrongUsage(f"{option}: {text!r} is not a number or several joined by commas", "for example 0.7,0.3")
    return numbers
