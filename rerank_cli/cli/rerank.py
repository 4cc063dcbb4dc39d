"""`rerank rerank`: a run in, the same run in a better order out."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

from rerank_cli.cli import (
    endpoint_options,
    model_options,
    options,
    ray_options,
    rerank_options,
    shard_options,
    strategy_options,
)
from rerank_cli.cli.terminal import Terminal
from rerank_cli.errors import WrongUsage

if TYPE_CHECKING:
    from rerank_cli.cli.rerank_on_ray import OnRay

EXAMPLES = [
    (
        "Candidates from BM25, reranked by the default model, judged",
        "rerank retrieve -c demo | rerank rerank -c demo | rerank eval -c demo",
    ),
    (
        "Only the first 20 of each query, and only the best 10 written",
        "rerank retrieve -c demo | rerank rerank -c demo -k 20 --keep 10 -o best.run",
    ),
    (
        "The model's score and the first stage's together",
        "rerank retrieve -c demo | rerank rerank -c demo -m minilm --interpolate 0.8 | rerank eval -c demo",
    ),
    (
        "Long documents by passages of 128 tokens, one every 64, each document as good as its best",
        "rerank retrieve -c demo | rerank rerank -c demo -m minilm --passages 128:64 --aggregate max -o passages.run",
    ),
    (
        "The best five found by comparisons, three challengers at a time",
        "rerank retrieve -c demo -k 20 | rerank rerank -c demo -m minilm --strategy heapsort --top 5 | rerank eval -c demo",
    ),
    (
        "What a listwise strategy would ask",
        "rerank retrieve -c demo | rerank rerank -c demo -m minilm --strategy sliding --window 20 --step 10 --dry-run",
    ),
    (
        "By two workers of a Ray cluster on this machine",
        "rerank retrieve -c demo | rerank rerank -c demo -m minilm --ray local --workers 2 -o ray.run",
    ),
    ("What would it cost?", "rerank retrieve -c demo | rerank rerank -c demo --dry-run"),
    (
        "A run that carries its texts needs no collection",
        "rerank retrieve -c demo -k 10 --output-format jsonl | rerank rerank",
    ),
]


def rerank(
    terminal: Terminal,
    run: rerank_options.RunFile = None,
    model: model_options.Model = None,
    method: model_options.MethodName = None,
    max_length: model_options.MaxLength = None,
    instruction: model_options.Instruction = None,
    trust_remote_code: model_options.TrustRemoteCode = False,
    depth: rerank_options.Depth = 100,
    keep: rerank_options.Keep = None,
    tail: rerank_options.TailKept = rerank_options.Tail.keep,
    interpolate: rerank_options.Interpolate = None,
    missing: rerank_options.MissingKept = rerank_options.MissingText.error,
    passages: rerank_options.PassageWindow = None,
    aggregate: rerank_options.AggregateBy = None,
    score_as: rerank_options.ScoreScale = None,
    exclude_self: rerank_options.ExcludeSelf = False,
    require_topics: rerank_options.RequireTopics = None,
    collection: options.Collection = None,
    docs: options.Docs = None,
    topics: options.TopicsFile = None,
    topic_fields: options.TopicFields = "title",
    doc_template: options.DocTemplate = None,
    prompt: model_options.Prompt = None,
    endpoint: endpoint_options.Endpoint = None,
    served_model: endpoint_options.ServedModel = None,
    api: endpoint_options.Api = endpoint_options.Interface.auto,
    concurrency: endpoint_options.Concurrency = 16,
    timeout: endpoint_options.Timeout = 120.0,
    hedge_delay: endpoint_options.HedgeDelay = None,
    api_key_env: endpoint_options.ApiKeyEnv = None,
    max_cost: endpoint_options.MaxCost = None,
    price: endpoint_options.Price = None,
    engine: model_options.EngineName = model_options.Engine.auto,
    device: ray_options.Devices = None,
    provider: model_options.ProviderName = model_options.Provider.auto,
    precision: model_options.PrecisionName = None,
    batch_tokens: model_options.BatchTokens = None,
    ray: ray_options.Ray = None,
    workers: ray_options.WorkerCount = None,
    gpus_per_worker: ray_options.GpusPerWorker = None,
    cache: model_options.Cached = True,
    cache_size: model_options.CacheSize = "20G",
    input_format: options.Input = options.InputFormat.auto,
    lenient: options.Lenient = False,
    unordered: rerank_options.Unordered = False,
    output: options.Output = "-",
    output_format: options.OutputAs = options.OutputFormat.trec,
    tag: options.Tag = None,
    header: options.Header = False,
    strategy: strategy_options.StrategyName = None,
    top: strategy_options.Top = None,
    window: strategy_options.Window = None,
    step: strategy_options.Step = None,
    passes: strategy_options.Passes = None,
    fanout: strategy_options.Fanout = None,
    pairs: strategy_options.Pairs = None,
    winners: strategy_options.Winners = None,
    aggregate_by: strategy_options.AggregateRule = None,
    orders: strategy_options.OrdersOfPairs = None,
    compat: strategy_options.Compat = None,
    select: strategy_options.Select = False,
    explain: strategy_options.Explain = False,
    max_calls: strategy_options.MaxCalls = None,
    deadline: strategy_options.Deadline = None,
    max_repaired: strategy_options.MaxRepaired = 50.0,
    stats: rerank_options.Stats = None,
    dry_run: rerank_options.DryRun = False,
    shard: shard_options.ShardOf = None,
    shard_by: shard_options.ShardBy = None,
) -> None:
    """Rerank the first documents of every query of a run.

    Reads a run, scores each query's first DEPTH documents with a model, and writes the run in the new
    order, each query as soon as it and all before it are done. Documents below DEPTH follow in their old
    order, just below the lowest score. A run holds only ids: the texts come from the collection (-c),
    or from the run itself when it is in jsonl or top1000 format.

    A checkpoint that is not yet in ONNX is exported once into the cache directory; from then on scoring
    loads neither PyTorch nor transformers. Scores are the raw ones of the checkpoint's authors: a
    cross-encoder's logit, monoT5's log p(true), Qwen3-Reranker's p(yes), a bi-encoder's cosine.

    With --precision bf16 and fp16 the encoder rounds more coarsely (by some 0.001 of a cosine), int8 rounds the weights;
    labels and similarities are computed in fp32 always. On a processor a score does not depend on what is scored beside
    it. On a GPU, and where a model writes its answer, it may in bf16 and fp16: stderr says so.

    Each answer of the model is kept in the cache directory before it is used, under a hash of the model,
    of how it is asked and of the two texts. Another depth, another run and a rerun after a crash pay only
    for the pairs that are new; rerank cache shows what is kept.

    --stats tells the calls of the model that each query took. A batch may hold pairs of several queries: each counts the
    part of it that its pairs are, to two decimals, and what is kept counts nothing.

    With --strategy a ranking algorithm asks the model: which of two documents is better, which of several is best,
    how a window of them is ordered. Any algorithm runs with any model that tells enough; a model that scores
    single documents answers them all. Models that are made for such questions (duot5, setwise, rankzephyr,
    first, listt5, ...) bring theirs. Questions of many queries are asked together. --dry-run tells what it
    would cost; --max-calls and --deadline write the best order so far. An order alone is written as
    n - rank + 1. docs/methods.md says what each method and algorithm is good for.

    With --endpoint servers answer: those that speak OpenAI's chat and completions interfaces, in the words of the
    method's prompt, or rerank servers (TEI, infinity, vLLM, Cohere, Jina, Voyage, Mixedbread). Every reply is
    kept in the cache before it is used. Any reply makes a valid list; what had to be mended is counted.
    Of several servers the one with the least to do is asked, one that fails is left out until it is back, and
    docs/scale.md says how to run them.

    With --shard I/N one of N processes, which may run anywhere, reranks its share of the queries and writes a part
    with a header. rerank merge joins the parts, in any order, to the run that one process would have written.

    With --ray the workers of a Ray cluster score blocks of whole queries, and the run is written here in its order. Each
    worker opens model and texts by what was typed, so folders must have the same names on every node; answers are
    kept in this machine's cache directory. Workers and nodes may die: what they had goes to others. --device
    cuda:0,cuda:1 does the same with the GPUs of this machine.

    The default model, minilm-blend, needs no download. It adds four parts, each scaled to 0..1 inside a
    query's list: cosine, MaxSim and feedback of a small bi-encoder, and the first stage's own score. Its
    scores compare documents of one list only. It helps a first stage of plain term matching and hurts one that
    is better than the small model itself (a learned sparse or a large dense retriever): rerank those with
    another model.
    """
    #: Everything that was typed, for who takes a group of it.
    typed = dict(locals())
    import math
    from functools import partial

    from rerank_cli.cli.endpoints import paid
    from rerank_cli.cli.reranking import Reranking
    from rerank_cli.cli.run_input import checked_file, peeked, require, say_repairs, topic_ids
    from rerank_cli.cli.run_output import provenance, write_answers, write_nothing, written_run
    from rerank_cli.cli.scorer import cache_opener
    from rerank_cli.cli.settings import Settings
    from rerank_cli.cli.streams import input_stream
    from rerank_cli.core.shards import candidates_words
    from rerank_cli.formats.runs import RunStream

    settings = Settings()
    required = topic_ids(require_topics) if require_topics is not None else []
    own = shard_options.shard_of(shard, shard_by, run)
    qids = checked_file(run, input_format.value, lenient, unordered)
    if qids is not None:
        require(required, qids)
    total = None if qids is None else len(qids)
    window_of_passages = rerank_options.passage_window(passages)
    if aggregate and not window_of_passages:
        raise WrongUsage(f"--aggregate {aggregate.value} joins passages, and --passages was not given")
    strategy_options.check(typed)
    cluster = None
    if ray_options.wanted(typed, settings):
        from rerank_cli.cli.clusters import cluster_of

        cluster = cluster_of(typed, settings)
    open_cache = cache_opener(settings, cache_size) if cache else None
    with ExitStack() as opened:
        stream, name = opened.enter_context(input_stream(run, "run"))
        here = None
        if cluster is None or dry_run:
            # Loaded while the stage before us is still working.
            asked = typed if cluster is None else {**typed, "device": cluster.device}
            here = Reranking(asked, settings, terminal, open_cache and partial(open_cache, terminal.warn), opened)
        blocks = RunStream(stream, name, format=input_format.value, lenient=lenient, unordered=unordered)
        candidates, carries_texts = peeked(blocks)
        if candidates is None:
            if own is None:
                write_nothing(output, terminal, name)
                require(required, set())
                return
            candidates, carries_texts = iter(()), True
        if blocks.gathers and not unordered:
            terminal.note(f"{name} is in top1000 format, sorted by document: it is held in memory to its end")
        work: Reranking | OnRay
        if here is None:
            assert cluster is not None
            from rerank_cli.cli.rerank_on_ray import opened_on_ray

            queries = total if total is None or own is None else math.ceil(total / own[0].of)
            away = opened_on_ray(cluster, typed, settings, terminal, open_cache, blocks.header, carries_texts, queries)
            work = opened.enter_context(away)
        else:
            work = here
            here.find_texts(blocks.header, carries_texts)
        share = None
        if own is not None:
            share = shard_options.share_of(
                *own, typed, here.texts if here else None, here.longest if here else None, terminal
            )
            candidates = share.of(candidates, candidates_words)
        if here is not None and dry_run:
            here.say_estimate(candidates)
            return
        facts = provenance("rerank", **work.facts, topics=total, input=blocks.header)
        written = written_run(
            output,
            tag or "-".join(facts["model"].split()),
            output_format.value,
            facts,
            header=header,
            terminal=terminal,
            share=share,
        )
        mine = total if share is None or total is None else share.count(total)
        with paid(here.ledger if here else None, terminal):
            seen = write_answers(written, work.answers(candidates), terminal, mine, stats, max_repaired=max_repaired)
        if here is not None:
            here.say_refused()
        say_repairs(blocks.repairs, name, terminal)
    require(required, seen if share is None else share.ids)
