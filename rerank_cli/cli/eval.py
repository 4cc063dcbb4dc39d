"""`rerank eval`: how good is a run, in every measure of the field, and which of several is better."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from rerank_cli.cli import eval_options as own
from rerank_cli.cli import options
from rerank_cli.cli.eval_options import Format
from rerank_cli.cli.terminal import Terminal
from rerank_cli.errors import Unmet

if TYPE_CHECKING:
    from rerank_cli.core.run import Run
    from rerank_cli.evaluation.assertions import Assertion
    from rerank_cli.evaluation.measures import Evaluation

EXAMPLES = [
    ("The default measures of a BM25 run", "rerank retrieve -c demo | rerank eval -c demo"),
    (
        "Measures by ir-measures' names or by trec_eval's, query by query",
        "rerank retrieve -c demo | rerank eval -c demo -m nDCG@10 -m 'P(rel=2)@5' -m recip_rank --per-query",
    ),
    (
        "Is the reranked run better? Both in one table, with the difference",
        "rerank retrieve -c demo -o bm25.run && rerank rerank -c demo bm25.run -o minilm.run && rerank eval -c demo --baseline bm25.run minilm.run --format markdown",
    ),
    (
        "Is that more than the luck of the topics? A test, intervals, wins and losses",
        "rerank eval -c demo --compare --baseline bm25.run minilm.run --test randomization -m nDCG@10",
    ),
    (
        "Three runs, all pairs, as a table for a paper",
        "rerank fuse bm25.run minilm.run -o fused.run && rerank eval -c demo bm25.run minilm.run fused.run --compare --test tukey --format latex",
    ),
    (
        "The same as pictures: query by query in the terminal, means with intervals in a file",
        "rerank eval -c demo --baseline bm25.run minilm.run -m nDCG@10 --plot - && rerank eval -c demo bm25.run minilm.run --plot means.svg",
    ),
    (
        "How deep should one rerank? One deep run tells, and warns where it falls below the first stage",
        "rerank eval -c demo minilm.run --base bm25.run --depth-curve 5,10,20,50,100 -m nDCG@10 -m R@20 --plot depth.svg",
    ),
    (
        "Does the model help where matching words mislead?",
        "rerank eval -c demo minilm.run --separation --format table",
    ),
    (
        "What did the arithmetic buy? RPP and QPP of the E2R-FLOPs paper",
        "rerank rerank -c demo bm25.run --stats costs.jsonl | rerank eval -c demo --stats costs.jsonl --shape minilm -m nDCG@10",
    ),
    (
        "The same with no statistics: a call for each of the first 100 documents, each of 128 tokens",
        "rerank eval -c demo minilm.run --depth 100 --shape minilm --tokens 128",
    ),
    (
        "Stop a script when the ranking gets worse (exit 6)",
        "rerank retrieve -c demo -o bm25.run && rerank rerank -c demo bm25.run | rerank eval -c demo --baseline bm25.run --assert 'nDCG@10>=baseline-0.005'",
    ),
]


def eval(
    terminal: Terminal,
    runs: Annotated[
        list[str] | None, typer.Argument(metavar="[RUN]...", help="The runs; stdin when absent or -.")
    ] = None,
    measure: own.Measures = None,
    rel: own.Rel = None,
    qrels: options.QrelsFile = None,
    collection: options.Collection = None,
    split: options.Split = "test",
    depth: own.Depth = None,
    compat: own.CompatWith = None,
    judged_only: own.JudgedOnly = False,
    intersection: own.Intersection = False,
    per_query: own.PerQuery = False,
    output_as: own.FormatAs = Format.auto,
    digits: own.Digits = 4,
    baseline: own.Baseline = None,
    compare: own.Compare = False,
    test: own.TestName = None,
    correct: own.CorrectBy = None,
    alpha: own.Alpha = None,
    eps: own.Eps = None,
    plot: own.Plot = None,
    depth_curve: own.DepthCurve = None,
    base: own.Base = None,
    phantoms: own.Phantoms = False,
    separation: own.Separation = False,
    shape: own.Shape = None,
    stats: own.Stats = None,
    tokens: own.Tokens = None,
    calls: own.Calls = None,
    flops: own.FlopsBy = own.Flops.exact,
    assertion: own.Assertions = None,
    input_format: options.Input = options.InputFormat.auto,
    lenient: options.Lenient = False,
    output: options.Output = "-",
) -> None:
    """Evaluate runs against judgements, and compare them.

    Means are over all judged topics; one that a run lacks counts as 0, and how many there are is said on
    stderr. Topics that are not judged are left out. Lists are ordered by score, then document id, before
    any measure sees them, so that no two measures break a tie differently.

    trec lines are MEASURE, `all` or the query, VALUE; tsv lines begin with the run's name, which is its
    file's name without ends such as .trec.gz, or the tag of a run from a pipe. In tables and csv, json,
    latex and markdown --baseline adds differences. --assert == compares at the decimals written.

    --compare writes a row a comparison as table and markdown, in which the best mean and the p below
    --alpha are marked; a record a comparison as csv and json (an infinite effect is "inf" there); runs by
    measures as latex, where letters name the runs that one beats significantly; and as tsv the four
    columns, the second being the measure, or measure, statistic and other run parted by blanks. The effect
    is the mean difference over the standard deviation of the differences. The same --seed gives the same p.

    --depth-curve writes the base run and each run at each depth, as NAME@K. It is exact for methods that
    score each document alone. --separation computes BM25 over each query's candidates; where the best other
    document has 0.5 more than the best relevant one, the words mislead.
    """
    #: Everything that was typed, for who takes a group of it.
    typed = dict(locals())
    from rerank_cli.cli import eval_analyses, eval_cost, eval_written, judged_runs, pictures
    from rerank_cli.cli.eval_usage import refuse_nonsense
    from rerank_cli.cli.streams import output_stream
    from rerank_cli.cli.whole_runs import read_runs
    from rerank_cli.evaluation.assertions import parse_assertion
    from rerank_cli.evaluation.depth_curve import parse_depths
    from rerank_cli.evaluation.measures import Judge
    from rerank_cli.evaluation.names import DEFAULT_MEASURES, parse_measures
    from rerank_cli.evaluation.phantoms import COUNT as PHANTOMS

    assertions = [parse_assertion(text) for text in assertion or []]
    # Names and what does not go together are checked before stdin is waited for.
    parse_measures([*(measure or ()), *(a.measure for a in assertions)], rel)
    depths = parse_depths(depth_curve) if depth_curve is not None else []
    stated = eval_cost.stated_tokens(tokens) if tokens is not None else (0, 1)
    paths: list[str | None] = [*runs] if runs else [None]
    count = len(paths)
    reference = baseline if baseline is not None else base
    if reference is not None and reference not in paths:
        paths.append(reference)
    refuse_nonsense(typed, len(paths), assertions)
    if plot == output == "-" and output_as is Format.auto:
        output_as = Format.table
    files = read_runs(paths, input_format.value, lenient, terminal)
    found = judged_runs.open_judged(qrels, collection, split, files, paths, terminal)
    judged = judged_runs.judgements(found, qrels)
    if intersection:
        judged = judged_runs.of_shared_topics(judged, files, terminal)
    rel = found.rel if rel is None else rel
    default = ("P@1", "nDCG@10") if separation else DEFAULT_MEASURES
    shown_measures = parse_measures(measure or default, rel)
    asserted = [parse_measures([a.measure], rel) for a in assertions]
    wanted = list(dict.fromkeys([*shown_measures, *(m for ms in asserted for m in ms)]))
    judged_runs.say_unreached(wanted, judged, terminal)
    judge = Judge(wanted, judged)
    named = [
        (name, _as_read(file.run, depth, compat), path or "stdin")
        for name, file, path in zip(judged_runs.run_names(paths, files), files, paths, strict=True)
    ]
    if judged_only:
        named = [(name, judged_runs.of_judged_documents(run, judge, name, terminal), path) for name, run, path in named]
    at = paths.index(reference) if reference is not None else None
    if depths and at is not None:
        reranked = [run for position, run in enumerate(named) if position != at]
        strange = eval_analyses.Phantoms(found, rel) if phantoms else None
        everything = eval_analyses.depth_curve(judge, named[at][:2], reranked, depths, strange, terminal)
        at, count = 0, len(everything)
    else:
        everything = [judged_runs.evaluated(judge, run, name, path, terminal) for name, run, path in named]
    names = [*map(str, shown_measures), *([PHANTOMS] if phantoms else [])]
    shown = [evaluation.only(names) for evaluation in everything]
    if shape is not None:
        run = named[0][1]
        shown = [eval_cost.with_cost(shown[0], run, shape, stats, stated, calls, flops.value, terminal)]
    if separation:
        shown = eval_analyses.separation(judge, named[0][1], shown[0], found, rel, per_query, terminal)
    other = None if at is None else shown[at]
    level = 0.05 if alpha is None else alpha
    drawn: list[Any] = []
    if depths:
        drawn = eval_analyses.curves(shown, [name for name, _, _ in reranked], depths)
        eval_analyses.say_where_it_falls(drawn, digits, terminal)
    elif plot is not None:
        drawn = pictures.of_runs(shown, other, level, terminal.seed)
    if compare:
        from rerank_cli.evaluation.report_comparison import compared

        named_test, correction = test.value if test else "t", correct.value if correct else None
        against = None if other is None else other.name
        report = compared(shown, against, named_test, correction, level, terminal.seed, digits, eps or 0.0)
        terminal.note(report.method())
        written = eval_written.comparison(report, output_as, output)
    else:
        from rerank_cli.evaluation.report import Report

        shown_runs = len(shown) if separation else count
        written = eval_written.values(Report(shown, per_query, other, digits), output_as, shown_runs, output)
    picture = pictures.picture(drawn, plot) if plot is not None else b""
    with output_stream(output) as stream:
        stream.writelines(written)
    if plot is not None:
        with output_stream(plot) as stream:
            stream.write(b"\n" + picture if plot == output == "-" else picture)
    base_evaluation = None if at is None else everything[at]
    _check(assertions, [[str(m) for m in ms] for ms in asserted], everything[:count], base_evaluation, terminal)


def _as_read(run: Run, depth: int | None, compat: own.Compat | None) -> Run:
    """The run as the measures see it: with the scores that an older evaluator kept, and cut."""
    if compat is own.Compat.trec_eval9:
        run = run.in_single_precision()
    return run if depth is None else run.top(depth)


def _check(
    assertions: list[Assertion],
    measures: list[list[str]],
    own: list[Evaluation],
    base: Evaluation | None,
    terminal: Terminal,
) -> None:
    failures = []
    for assertion, names in zip(assertions, measures, strict=True):
        for name in names:
            reference = base.of(name) if base is not None else None
            for evaluation in own:
                value = evaluation.of(name)
                if not assertion.holds(value, reference):
                    bound = f", the bound is {assertion.bound(reference):.6g}" if assertion.needs_baseline else ""
                    failures.append(f"{evaluation.name}: {assertion.text} does not hold, {name} is {value:.6g}{bound}")
    for failure in failures:
        terminal.warn(failure)
    if failures:
        raise Unmet(f"{len(failures)} of {sum(map(len, measures)) * len(own)} assertions did not hold")
