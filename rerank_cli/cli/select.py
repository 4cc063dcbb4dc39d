"""`rerank select`: a run in, a shorter one out, or one in an order that repeats itself less."""

from __future__ import annotations

from collections import Counter
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from rerank_cli.cli import model_options, options, rerank_options
from rerank_cli.cli import select_options as own
from rerank_cli.cli.terminal import Terminal
from rerank_cli.errors import WrongUsage

if TYPE_CHECKING:
    from rerank_cli.cli.scorer import OpenCache
    from rerank_cli.cli.settings import Settings
    from rerank_cli.formats.runs import RunStream
    from rerank_cli.methods.vectors import TextMemory
    from rerank_cli.pipeline.selecting import Selected, Steps, Words

EXAMPLES = [
    (
        "Ten documents a query that repeat each other little",
        "rerank retrieve -c demo | rerank select -c demo --mmr 0.7 -k 10 | rerank eval -c demo",
    ),
    (
        "Only documents that score at least half as much as the best",
        "rerank retrieve -c demo | rerank select --ratio 0.5 -o half.run",
    ),
    (
        "No document that is nearly the words of one above it, then the five most useful together",
        "rerank retrieve -c demo -k 50 | rerank select -c demo --near-duplicates 0.9 --mmr 0.7 -k 5 --stats select.jsonl",
    ),
    (
        "What a language model would be given: reranked, cut where the score falls off",
        "rerank retrieve -c demo | rerank rerank -c demo -k 20 --keep 20 | rerank select --margin 0.3 -k 8",
    ),
]

#: What --mmr looks at unless --depth says otherwise, as `rerank rerank` does.
_MMR_DEPTH = 100
#: Step -> why a document was left out by it.
_WHY = {
    "depth": "below --depth",
    "min_score": "below --min-score",
    "ratio": "below --ratio of the best score",
    "margin": "more than --margin below the best score",
    "near_duplicates": "nearly the words of one above (--near-duplicates)",
    "k": "beyond -k",
}


def select(
    terminal: Terminal,
    run: own.RunFile = None,
    depth: own.Depth = None,
    min_score: own.MinScore = None,
    ratio: own.Ratio = None,
    margin: own.Margin = None,
    near_duplicates: own.NearDuplicates = None,
    mmr: own.Mmr = None,
    k: own.Wanted = None,
    model: own.Model = None,
    method: model_options.MethodName = None,
    max_length: model_options.MaxLength = None,
    device: model_options.Device = None,
    cache: model_options.Cached = True,
    cache_size: model_options.CacheSize = "20G",
    collection: options.Collection = None,
    docs: options.Docs = None,
    doc_template: options.DocTemplate = None,
    input_format: options.Input = options.InputFormat.auto,
    lenient: options.Lenient = False,
    unordered: rerank_options.Unordered = False,
    output: options.Output = "-",
    output_format: options.OutputAs = options.OutputFormat.trec,
    tag: options.Tag = None,
    header: options.Header = False,
    stats: own.Stats = None,
) -> None:
    """Shorten a run, or make it repeat itself less.

    Reads a run and writes each query as soon as it is read. The steps that are asked for are done in the order in
    which they stand below; what one leaves out the next does not see, and how many each left out is said at the end.

    --min-score, --ratio and --margin look at the scores as they came (a model's raw scores have no common scale: look
    at some first), and need no collection. --near-duplicates compares the words of documents, exactly and without a
    model. --mmr is maximal marginal relevance: one document after the other is chosen by its score, scaled to 0..1 over
    what is left of the list, less its cosine with the nearest document chosen before. 1 is the old order, 0 looks
    at diversity alone. Measures of relevance do not repay diversity: on TREC DL 2019, nDCG@10 of BM25 (.506) becomes .501
    with 0.9, .472 with 0.7 and .393 with 0.5. Texts' vectors are kept in the cache directory.

    Scores stay as they are. Only --mmr makes an order alone, and writes n - rank + 1.

    How many documents a query needs can also be left to a language model: rerank rerank -m dps --select.
    """
    from rerank_cli.cli.idle import note_collection, refuse_cache_size
    from rerank_cli.cli.run_input import checked_file, peeked, say_repairs
    from rerank_cli.cli.run_output import provenance, write_nothing, written_run
    from rerank_cli.cli.scorer import cache_opener
    from rerank_cli.cli.settings import Settings
    from rerank_cli.cli.streams import input_stream
    from rerank_cli.formats.runs import RunStream
    from rerank_cli.pipeline.selecting import Steps, selected

    if mmr is not None and depth is None:
        depth = _MMR_DEPTH
    steps = Steps(depth, min_score, ratio, margin, near_duplicates, mmr, k)
    _check(steps)
    if mmr is None:
        asked = ["model", "method", "max_length", "device", "cache", "cache_size"]
        terminal.refuse(asked, "is for --mmr, which was not given", "add --mmr 0.7, or leave it out")
    if not cache:
        refuse_cache_size(terminal)
    if not steps.reads_texts:
        terminal.refuse(["docs", "doc_template"], "is for --mmr and --near-duplicates, which read texts")
        note_collection(terminal)
    settings = Settings()
    open_cache = cache_opener(settings, cache_size) if cache else None
    qids = checked_file(run, input_format.value, lenient, unordered)
    with ExitStack() as opened:
        stream, name = opened.enter_context(input_stream(run, "run"))
        memory, model_facts = None, None
        if mmr is not None:
            how = {"method": method, "max_length": max_length}
            memory, model_facts = _open_model(model, how, device, open_cache, settings, terminal, opened)
        blocks = RunStream(stream, name, format=input_format.value, lenient=lenient, unordered=unordered)
        candidates, carries_texts = peeked(blocks)
        if candidates is None:
            write_nothing(output, terminal, name, "select from")
            return
        words: Words | None = None
        collection_facts: dict[str, Any] = {}
        if steps.reads_texts:
            words, collection_facts = _open_words(
                collection, docs, doc_template, blocks, carries_texts, settings, terminal
            )
        facts = provenance(
            "select",
            **collection_facts,
            steps={step: told for step, told in vars(steps).items() if told is not None},
            similarity=model_facts,
            topics=None if qids is None else len(qids),
            input=blocks.header,
        )
        writing = written_run(
            output, tag or "rerank-select", output_format.value, facts, header=header, terminal=terminal
        )
        lists = selected(candidates, words, steps, memory)
        with writing as writer:
            _write(lists, writer, stats, None if qids is None else len(qids), terminal)
        say_repairs(blocks.repairs, name, terminal)


def _check(steps: Steps) -> None:
    """Raise `WrongUsage` where nothing is asked for, or a number says nothing."""
    from math import isfinite

    given = {step: told for step, told in vars(steps).items() if told is not None}
    if not given:
        raise WrongUsage("nothing says what to leave out", "for example rerank select --mmr 0.7 -k 10, or --ratio 0.5")
    for step, told in given.items():
        if not isfinite(told) or (step == "near_duplicates" and told == 0):
            raise WrongUsage(f"--{step.replace('_', '-')} {told:g} says nothing", "see rerank select --help")


def _open_model(
    model: str | None,
    how: dict[str, Any],
    device: str | None,
    open_cache: OpenCache | None,
    settings: Settings,
    terminal: Terminal,
    opened: ExitStack,
) -> tuple[TextMemory, dict[str, Any]]:
    """What a bi-encoder makes of texts, kept where `open_cache` says; and what provenance says of it."""
    from rerank_cli.cli.scorer import facts_of, open_scorer
    from rerank_cli.cli.settings import Setting
    from rerank_cli.methods import catalog
    from rerank_cli.methods.vectors import TextScorer

    chosen = Setting(model or "minilm", "-m" if model else "default")
    other = WrongUsage(
        f"{chosen.value} makes no single vector of a text, which --mmr compares",
        "name a bi-encoder: -m minilm, or another with method bi-encoder in rerank models",
    )
    # What the catalogue knows is refused before it is loaded; a checkpoint from elsewhere when its files have told.
    if catalog.find(chosen.value or "", method=how["method"]).method not in ("", "bi-encoder"):
        raise other
    scorer = open_scorer(chosen, settings, terminal, device=settings.resolve("device", device).value or "auto", **how)
    if not isinstance(scorer, TextScorer) or scorer.description.method != "bi-encoder":
        raise other
    if open_cache is not None:
        scorer.memory.store = opened.enter_context(open_cache(terminal.warn))
    return scorer.memory, facts_of(scorer)


def _open_words(
    collection: str | None,
    docs: list[str] | None,
    doc_template: str | None,
    blocks: RunStream,
    carries_texts: bool,
    settings: Settings,
    terminal: Terminal,
) -> tuple[Words | None, dict[str, Any]]:
    """Where the texts are, None where the run carries them; and what provenance says of it."""
    from rerank_cli.cli.sources import overrides, texts_of
    from rerank_cli.pipeline.selecting import Words

    named = overrides(docs, all_topics=True, doc_template=doc_template)
    found = texts_of(collection, named, settings, terminal, header=blocks.header, carried=carries_texts)
    if found is None:
        return None, {}
    facts = {"collection": found.name or None, "fingerprint": found.fingerprint()}
    return Words(found.documents(), found.doc_template, found.name or found.description()), facts


def _write(lists: Any, writer: Any, stats: str | None, total: int | None, terminal: Terminal) -> None:
    """Write each list as it comes, and say what was left out."""
    import json

    from rerank_cli.cli.run_output import say_ties, stats_file
    from rerank_cli.core.ids import first_few, shown

    left_out = Counter[str]()
    emptied: list[bytes] = []
    documents = truncated = 0
    one: Selected
    with stats_file(stats) as stats_stream, terminal.progress(total, "queries") as progress:
        for one in lists:
            qid, n = shown(one.ranking.qid), len(one.ranking)
            writer.write(one.ranking, query=one.query, documents=one.documents)
            if not n:
                emptied.append(one.ranking.qid)
            left_out.update(one.left_out)
            documents += n + sum(one.left_out.values())
            truncated += one.truncated
            if stats_stream is not None:
                told = {"qid": qid, "documents": n + sum(one.left_out.values()), "kept": n, "left_out": one.left_out}
                stats_stream.write(json.dumps(told, ensure_ascii=False).encode() + b"\n")
            progress.advance()
    say_ties(writer.steps, terminal)
    why = ", ".join(f"{left_out[step]} {words}" for step, words in _WHY.items() if left_out[step])
    terminal.note(f"{left_out.total()} of {documents} documents were left out{': ' * bool(why)}{why}")
    if truncated:
        terminal.note(f"{truncated} documents were cut to the model's length before they were compared")
    if emptied:
        terminal.warn(f"{len(emptied)} queries have no document left and are not in the run: {first_few(emptied)}")
