"""What `eval` cannot do together, said before anything is read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rerank_cli.cli import pictures
from rerank_cli.cli.eval_options import Format
from rerank_cli.errors import WrongUsage

if TYPE_CHECKING:
    from rerank_cli.evaluation.assertions import Assertion


def refuse_nonsense(
    *,
    runs: int,
    lists: int,
    assertions: list[Assertion],
    baseline: bool,
    base: bool,
    depth_curve: bool,
    depth: bool,
    compare: bool,
    tested: bool,
    alpha: float | None,
    eps: float | None,
    judged_only: bool,
    plot: str | None,
    phantoms: bool,
    separation: bool,
    stats: bool,
    shape: bool,
    tokens: bool,
    calls: bool,
    per_query: bool,
    texts: bool,
    style: Format,
    output: str,
) -> None:
    """Raise `WrongUsage` for options that have no meaning together; `lists` are the runs with the one they refer to."""
    if not baseline and any(assertion.needs_baseline for assertion in assertions):
        raise WrongUsage("an assertion refers to the baseline, but there is none", "name it with --baseline RUN")
    if base != depth_curve:
        raise WrongUsage("--depth-curve and --base belong together", "--base names the run that was reranked")
    if depth_curve and (compare or baseline or assertions or depth):
        raise WrongUsage("--depth-curve goes with neither --compare, --baseline, --depth nor --assert")
    if depth_curve and lists < 2:
        raise WrongUsage("a depth curve needs a reranked run beside --base", "name it before the options")
    if (stats or tokens) != shape or (stats and tokens):
        hint = "--shape names the model, and --stats or --tokens says what it read"
        raise WrongUsage("--shape and one of --stats and --tokens belong together", hint)
    if calls and not tokens:
        raise WrongUsage("--calls is for --tokens, which is not there", "--stats has counted the calls")
    if separation or shape:
        name = "--separation" if separation else "--shape"
        if compare or depth_curve or baseline or plot is not None or (separation and shape):
            raise WrongUsage(f"{name} goes with neither --compare, --baseline, --plot nor another analysis")
        if runs > 1:
            raise WrongUsage(f"{name} is about one run, and there are {runs}")
        if shape and per_query:
            raise WrongUsage("--shape is over all queries, and --per-query asks for each")
    if phantoms and not depth_curve:
        raise WrongUsage("--phantoms is for --depth-curve, which is not there")
    if (separation or phantoms) and not texts:
        name = "--separation" if separation else "--phantoms"
        raise WrongUsage(f"{name} needs the texts of a collection", "name it with -c")
    if judged_only and (depth_curve or separation or shape):
        raise WrongUsage("--judged-only goes with neither --depth-curve, --separation nor --shape")
    if compare:
        _refuse_comparison(per_query, style, lists)
    elif tested or eps is not None or (alpha is not None and plot is None):
        raise WrongUsage(
            "--test, --correct, --alpha and --eps belong to --compare, which is not there", "add --compare"
        )
    if alpha is not None and not 0 < alpha < 1:
        raise WrongUsage(f"--alpha is a probability between 0 and 1, not {alpha:g}")
    if plot is not None:
        pictures.refuse_unwritable(plot)
        if plot == output == "-" and style not in (Format.auto, Format.table, Format.markdown):
            raise WrongUsage(f"--plot - and --format {style} would both go to stdout", "-o FILE takes the values")


def _refuse_comparison(per_query: bool, style: Format, lists: int) -> None:
    if per_query:
        raise WrongUsage("--compare is over all queries, and --per-query asks for each", "see rerank diff for each")
    if style is Format.trec:
        raise WrongUsage("--format trec has no column for the run, and --compare writes several", "use --format tsv")
    if lists < 2:
        raise WrongUsage("a comparison needs at least two runs", "name another, or --baseline RUN")
