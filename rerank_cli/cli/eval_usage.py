"""What `eval` cannot do together, said before anything is read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rerank_cli.cli import pictures
from rerank_cli.cli.eval_options import Format
from rerank_cli.errors import WrongUsage

if TYPE_CHECKING:
    from rerank_cli.evaluation.assertions import Assertion


def refuse_nonsense(typed: Mapping[str, Any], lists: int, assertions: Sequence[Assertion]) -> None:
    """Raise `WrongUsage` for options that have no meaning together.

    `typed` are the command's options by their names, `lists` the runs with the one they refer to.
    """
    given = {name for name, value in typed.items() if value is not None and value is not False}
    plot, style = typed["plot"], typed["output_as"]
    if "baseline" not in given and any(assertion.needs_baseline for assertion in assertions):
        raise WrongUsage("an assertion refers to the baseline, but there is none", "name it with --baseline RUN")
    if len(given & {"base", "depth_curve"}) == 1:
        raise WrongUsage("--depth-curve and --base belong together", "--base names the run that was reranked")
    if "depth_curve" in given and (assertions or given & {"compare", "baseline", "depth"}):
        raise WrongUsage("--depth-curve goes with neither --compare, --baseline, --depth nor --assert")
    if "depth_curve" in given and lists < 2:
        raise WrongUsage("a depth curve needs a reranked run beside --base", "name it before the options")
    if len(given & {"stats", "tokens"}) != ("shape" in given):
        hint = "--shape names the model, and --stats or --tokens says what it read"
        raise WrongUsage("--shape and one of --stats and --tokens belong together", hint)
    if "calls" in given and "tokens" not in given:
        raise WrongUsage("--calls is for --tokens, which is not there", "--stats has counted the calls")
    if alone := given & {"separation", "shape"}:
        name = "--separation" if "separation" in given else "--shape"
        if len(alone) == 2 or given & {"compare", "depth_curve", "baseline", "plot"}:
            raise WrongUsage(f"{name} goes with neither --compare, --baseline, --plot nor another analysis")
        if typed["runs"] and len(typed["runs"]) > 1:
            raise WrongUsage(f"{name} is about one run, and there are {len(typed['runs'])}")
        if given >= {"shape", "per_query"}:
            raise WrongUsage("--shape is over all queries, and --per-query asks for each")
    if "phantoms" in given and "depth_curve" not in given:
        raise WrongUsage("--phantoms is for --depth-curve, which is not there")
    if given & {"separation", "phantoms"} and "qrels" in given and "collection" not in given:
        name = "--separation" if "separation" in given else "--phantoms"
        raise WrongUsage(f"{name} needs the texts of a collection", "name it with -c")
    if "judged_only" in given and given & {"depth_curve", "separation", "shape"}:
        raise WrongUsage("--judged-only goes with neither --depth-curve, --separation nor --shape")
    if "compare" in given:
        _refuse_comparison("per_query" in given, style, lists)
    elif given & {"test", "correct", "eps"} or ("alpha" in given and plot is None):
        raise WrongUsage(
            "--test, --correct, --alpha and --eps belong to --compare, which is not there", "add --compare"
        )
    if "alpha" in given and not 0 < typed["alpha"] < 1:
        raise WrongUsage(f"--alpha is a probability between 0 and 1, not {typed['alpha']:g}")
    if plot is not None:
        pictures.refuse_unwritable(plot)
        if plot == typed["output"] == "-" and style not in (Format.auto, Format.table, Format.markdown):
            raise WrongUsage(f"--plot - and --format {style} would both go to stdout", "-o FILE takes the values")


def _refuse_comparison(per_query: bool, style: Format, lists: int) -> None:
    if per_query:
        raise WrongUsage("--compare is over all queries, and --per-query asks for each", "see rerank diff for each")
    if style is Format.trec:
        raise WrongUsage("--format trec has no column for the run, and --compare writes several", "use --format tsv")
    if lists < 2:
        raise WrongUsage("a comparison needs at least two runs", "name another, or --baseline RUN")
