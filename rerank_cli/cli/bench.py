"""`rerank bench`: how fast a model scores on this machine, and where its time goes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from rerank_cli.cli import model_options, options
from rerank_cli.cli.tables import write_rows
from rerank_cli.cli.terminal import Terminal
from rerank_cli.errors import WrongUsage

if TYPE_CHECKING:
    from rerank_cli.collection import Collection
    from rerank_cli.core.protocols import Pair
    from rerank_cli.inference.bench import Speed

EXAMPLES = [
    ("How many pairs a second does the embedded model score here?", "rerank bench minilm --pairs 50"),
    (
        "What does one pair alone take, and how near is the model to what this machine can do?",
        "rerank bench minilm --pairs 50 | grep -E '^(latency|peak_share)'",
    ),
    ("The same with documents of 250 words", "rerank bench minilm --pairs 20 --words 250"),
]


#: Pairs that speed is measured with.
PAIRS_OF_SPEED = 256


def bench(
    terminal: Terminal,
    model: Annotated[
        str, typer.Argument(metavar="MODEL", help="A name from 'rerank models', a Hugging Face id, or a folder.")
    ],
    prompt: Annotated[
        list[str] | None,
        typer.Option(
            "--prompt",
            metavar="FILE",
            help="Compare prompts of a likelihood model (upr, qlm, co-prompt); may be repeated.",
        ),
    ] = None,
    pairs: Annotated[
        int | None,
        typer.Option("--pairs", metavar="N", min=1, help="Score N pairs; default: 256, with --prompt up to 1500."),
    ] = None,
    words: Annotated[
        int | None,
        typer.Option(
            "--words",
            metavar="N",
            min=1,
            help="Join and cut documents to N words; default: as they are in the collection.",
        ),
    ] = None,
    collection: options.Collection = "demo",
    split: options.Split = "test",
    method: model_options.MethodName = None,
    max_length: model_options.MaxLength = None,
    trust_remote_code: model_options.TrustRemoteCode = False,
    engine: model_options.EngineName = model_options.Engine.auto,
    device: model_options.Device = None,
    provider: model_options.ProviderName = model_options.Provider.auto,
    batch_tokens: model_options.BatchTokens = None,
) -> None:
    """Measure a model's speed here, or the quality of its prompts.

    Pairs each of the collection's queries with documents of it, scores them, and prints WHAT and VALUE, separated
    by a tab: pairs and tokens a second, the milliseconds that one pair alone takes, the seconds of each
    stage, and the share that the model reaches of the machine's peak, which is measured by a product of large
    matrices on as many threads. Nothing is read from a cache of scores. The time to open a model, and to
    export it once, is not counted. On a GPU, what was measured of --provider cuda and of --provider tensorrt is kept,
    and --provider auto takes the quicker from then on.

    With --prompt it measures prompts instead, as Co-Prompt does: for each FILE the mean log-likelihood of the collection's
    queries given their relevant documents, best first, as FILE and QUALITY separated by a tab. A FILE is one text with
    {query} and {document}, as for rerank --prompt, which takes the best one then; {scored} may stand where
    the text begins whose probability is asked for. One model call a relevant pair and prompt. The likelihood is that of a
    whole query with upr and qlm, and a token's with co-prompt. No prompt is searched for, and none is written.
    """
    from rerank_cli.cli.bench_prompts import PAIRS, compare_prompts
    from rerank_cli.cli.prompts import read_template
    from rerank_cli.cli.providers import keep_measured
    from rerank_cli.cli.scorer import open_scorer
    from rerank_cli.cli.settings import Setting, Settings
    from rerank_cli.cli.sources import collection_of, overrides
    from rerank_cli.core.protocols import Ranker
    from rerank_cli.inference.bench import ALONE, WARM, Watched, speed

    settings = Settings()
    if prompt:
        terminal.refuse(["words"], "cuts the documents that speed is measured with, and --prompt measures prompts")
    else:
        terminal.refuse(["split"], "names judgements, and only --prompt reads any")
    templates = {file: read_template(file, model) for file in prompt or ()}
    found = collection_of(collection, overrides(split=split, all_topics=True), settings, terminal)
    watching: list[Watched] = []

    def around(backend: object) -> Watched:
        watching.append(Watched(backend))
        return watching[0]

    scorer = open_scorer(
        Setting(model, "MODEL"),
        settings,
        terminal,
        method=method,
        engine=engine.value,
        device=settings.resolve("device", device).value or "auto",
        provider=provider.value,
        max_length=max_length,
        batch_tokens=batch_tokens,
        trust_remote_code=trust_remote_code,
        around=around,
    )
    if prompt:
        compare_prompts(scorer, templates, found, pairs or PAIRS, terminal)
        return
    if isinstance(scorer, Ranker) or not watching:
        raise WrongUsage(
            f"{model} is asked about several documents at once, and rerank bench measures models that score one",
            "--stats FILE of rerank rerank tells tokens and seconds of any model",
        )
    wanted = WARM + ALONE + (pairs or PAIRS_OF_SPEED)
    asked = _pairs(found, wanted, words)
    if len(asked) < wanted:
        terminal.note(f"the collection has documents for {len(asked) - WARM - ALONE} pairs only")
    measured = speed(scorer, watching[0], asked, terminal.threads)
    keep_measured(scorer.description, measured, settings)
    _write(measured)


def _pairs(found: Collection, n: int, words: int | None) -> list[Pair]:
    """The first n documents, each with the next query; no document comes twice."""
    from itertools import cycle, islice

    from rerank_cli.core.protocols import Pair
    from rerank_cli.core.texts import rendered

    documents = (rendered(document, found.doc_template) for document in found.documents())
    if words is not None:
        flow = (word for document in cycle(list(islice(documents, 1000))) for word in document.split())
        documents = (" ".join(islice(flow, words)) for _ in range(n))
    return [Pair(query, document) for query, document in zip(cycle(found.topics().values()), islice(documents, n))]


def _write(speed: Speed) -> None:
    rows = [
        ("pairs", f"{speed.pairs}"),
        ("tokens", f"{speed.tokens}"),
        ("truncated", f"{speed.truncated}"),
        ("batches", f"{speed.batches}"),
        ("pairs_per_second", f"{speed.pairs / speed.seconds:.1f}"),
        ("tokens_per_second", f"{speed.tokens / speed.seconds:.0f}"),
        ("latency_ms", f"{1000 * speed.latency:.1f}"),
    ]
    for stage in ("tokenise", "model", "other"):
        seconds = getattr(speed, f"{stage}_seconds")
        rows += [(f"{stage}_seconds", f"{seconds:.3f}"), (f"{stage}_share", f"{seconds / speed.seconds:.3f}")]
    rows.append(("model_gflops", f"{speed.operations / 1e9:.1f}"))
    if speed.peak is not None:
        rows += [("peak_gflops", f"{speed.peak / 1e9:.1f}"), ("peak_share", f"{speed.operations / speed.peak:.3f}")]
    write_rows(("what", "value"), rows)
