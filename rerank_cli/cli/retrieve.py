"""`rerank retrieve`: topics in, the best documents of the whole collection out, as a run."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from rerank_cli.cli import (
    endpoint_options,
    engine_options,
    feedback_options,
    model_options,
    options,
    ray_options,
    retrieve_options,
    shard_options,
)
from rerank_cli.cli.terminal import Terminal
from rerank_cli.errors import WrongUsage

if TYPE_CHECKING:
    from rerank_cli.collection import Collection
    from rerank_cli.retrieval.retriever import Retriever

EXAMPLES = [
    ("The 1000 best documents of each topic, judged", "rerank retrieve -c demo | rerank eval -c demo"),
    (
        "A query of your own, asked of any documents",
        "printf 'q1\\tfuse two ranked lists\\n' | rerank retrieve -c demo --topics - -k 5",
    ),
    (
        "Other parameters; those of a usual Lucene",
        "rerank retrieve -c demo --k1 1.2 --b 0.75 -o bm25.run && rerank eval bm25.run -c demo -m nDCG@10",
    ),
    (
        "Words of a title count three times as much as those of a text",
        "rerank retrieve -c demo --field-weights title=3,text=1 | rerank eval -c demo -m nDCG@10",
    ),
    (
        "Candidates with their texts, for a stage that has no collection",
        "rerank retrieve -c demo -k 20 --output-format jsonl | rerank rerank",
    ),
    (
        "Words and vectors together, fused by reciprocal rank",
        "rerank retrieve -c demo -m bm25+minilm | rerank eval -c demo -m nDCG@10",
    ),
    ("Feedback: the words of the first ten documents join the query", "rerank retrieve -c demo --rm3 > rm3.run"),
    (
        "Feedback from a reranked run: retrieve, rerank, and retrieve again with the words of what came out on top",
        "rerank retrieve -c demo -k 50 | rerank rerank -c demo -m minilm | rerank retrieve -c demo --feedback - --rm3 > again.run",
    ),
    (
        "A dense first stage whose queries move towards what they found",
        "rerank retrieve -c demo -m minilm --prf average --fb-docs 2 | rerank eval -c demo -m nDCG@10",
    ),
    (
        "Only what meets conditions on other fields of the corpus",
        "rerank retrieve -c demo --filter 'metadata.subject = \"retrieval\"' -k 10 -o one-subject.run",
    ),
    ("By two workers of this machine", "rerank retrieve -c demo -m minilm --ray local --workers 2 -k 10 > first.run"),
    ("An index kept where you say", "rerank retrieve -c demo --index demo.index -k 10 > first.run"),
]


def retrieve(
    terminal: Terminal,
    model: retrieve_options.Retriever = None,
    k: retrieve_options.Wanted = 1000,
    exclude_self: retrieve_options.ExcludeSelf = False,
    filter: retrieve_options.Filter = None,
    topic_filters: retrieve_options.TopicFilters = False,
    index: retrieve_options.IndexFolder = None,
    k1: retrieve_options.K1 = 0.9,
    b: retrieve_options.B = 0.4,
    variant: retrieve_options.VariantName = "lucene",
    delta: retrieve_options.Delta = None,
    exact_lengths: retrieve_options.ExactLengths = False,
    analyzer: retrieve_options.AnalyzerName = "english",
    field_weights: retrieve_options.FieldWeights = None,
    field_b: retrieve_options.FieldB = None,
    fields_by: retrieve_options.FieldsJoined = None,
    rm3: feedback_options.Rm3 = False,
    rocchio: feedback_options.Rocchio = False,
    prf: feedback_options.PrfWay = None,
    feedback: feedback_options.FeedbackFrom = None,
    fb_docs: feedback_options.FeedbackDocs = None,
    fb_terms: feedback_options.FeedbackTerms = None,
    fb_weight: feedback_options.FeedbackWeight = None,
    prf_aggregate: feedback_options.PrfAggregateBy = None,
    prf_alpha: feedback_options.PrfAlpha = None,
    prf_beta: feedback_options.PrfBeta = None,
    fuse: retrieve_options.FusedBy = "rrf",
    norm: retrieve_options.NormBy = None,
    weights: retrieve_options.Weights = None,
    ann: retrieve_options.Ann = False,
    method: model_options.MethodName = None,
    max_length: model_options.MaxLength = None,
    device: ray_options.Devices = None,
    precision: model_options.PrecisionName = None,
    batch_tokens: model_options.BatchTokens = None,
    source: engine_options.From = None,
    engine_fields: engine_options.EngineFields = None,
    engine_id: engine_options.EngineId = None,
    rank_profile: engine_options.RankProfile = None,
    vector_name: engine_options.VectorName = None,
    concurrency: endpoint_options.Concurrency = 16,
    timeout: endpoint_options.Timeout = 120.0,
    api_key_env: endpoint_options.ApiKeyEnv = None,
    ray: ray_options.Ray = None,
    workers: ray_options.WorkerCount = None,
    gpus_per_worker: ray_options.GpusPerWorker = None,
    collection: options.Collection = None,
    docs: options.Docs = None,
    topics: retrieve_options.Topics = None,
    split: options.Split = "test",
    all_topics: options.AllTopics = False,
    topic_fields: options.TopicFields = "title",
    doc_template: options.DocTemplate = None,
    output: options.Output = "-",
    output_format: options.OutputAs = options.OutputFormat.trec,
    tag: options.Tag = None,
    header: options.Header = False,
    shard: shard_options.ShardOf = None,
) -> None:
    """Retrieve the best documents of a collection for each topic.

    BM25 by Lucene's formula, its parameters as Anserini sets them; --variant names another of the literature. Text is
    analysed as Lucene's EnglishAnalyzer does it; the analyzers of other languages stem as Snowball does, have no
    stop words and need the extra rerank-cli[snowball]. The index is built once, kept in the cache directory and
    memory-mapped; parameters and formula are chosen when searching. Queries are written in the order of the
    topics, each as soon as it is done; only documents that share a term with the query are.

    -m names a bi-encoder or a learned sparse model too, as rerank rerank does: each document goes through the
    model once, and its vector or its weights are kept; encoding that was stopped goes on where it was. Vectors are
    searched exactly, or with --ann by a graph of neighbours. -m impact takes weights computed before, from
    documents and topics in JSONL with a "vector" of terms and weights each; topics without one are words that
    count once each time. A sum (-m bm25+minilm) asks each of its first stages and fuses their lists, by reciprocal
    rank unless --fuse names another rule of rerank fuse.

    With --field-weights title and text are indexed apart and a term's frequencies in both are weighed before they
    saturate (BM25F); df counts the documents that hold it in a field that has a weight. It is for BM25 alone: --rm3 and
    --rocchio want the documents whole.

    Feedback searches twice: the first documents of the first search, or of the run that --feedback names, join the query
    as terms (--rm3, --rocchio, as Anserini has them), as words or as vectors (--prf). Documents of a run weigh alike, and a
    topic that the run lacks is asked as it is.

    --filter lets only documents through whose fields in the JSONL corpus meet all conditions, FIELD OPERATOR VALUE joined
    by and: the operators are = != < <= > >=, strings stand in quotes, metadata.year is a field inside another. A
    condition on a number looks at numbers only; a field that is absent meets nothing. The list is the one without a
    filter, less what does not pass; of a sum, each first stage is filtered before they are fused.

    --from lets another engine retrieve: OpenSearch, Elasticsearch, Vespa, or Qdrant with the bi-encoder that
    -m names. No documents are needed here, and with --output-format jsonl their texts come with the run.
    Scores are the engine's own.

    With --ray the workers of a cluster encode documents, count them for BM25, and search; indexes are written here, and
    the run is the same. An index must lie where all workers see it, in a folder that --index or RERANK_CACHE_DIR
    names; so must a model's files, and the cache directory for --filter and feedback in words.
    """
    #: Everything that was typed, for who takes a group of it.
    typed = dict(locals())
    from functools import partial

    from rerank_cli.cli.feedback import feedback_run
    from rerank_cli.cli.idle import refuse_for_retrieve
    from rerank_cli.cli.retrieve_filters import conditions_of, filtered_by
    from rerank_cli.cli.retrieve_topics import documents_of, lists, topics_from_stdin, topics_of
    from rerank_cli.cli.retrievers import given_of, needs_models, open_retriever, parts_of
    from rerank_cli.cli.run_output import provenance, written_run
    from rerank_cli.cli.settings import Settings
    from rerank_cli.cli.sources import collection_of, overrides
    from rerank_cli.core.run import Ranking
    from rerank_cli.core.shards import Shard, Share, by_position, topic_words
    from rerank_cli.retrieval.ahead import in_processes
    from rerank_cli.retrieval.retriever import Topic, cut
    from rerank_cli.retrieval.sharing import Shared, worth_processes

    own = Shard.read(shard) if shard is not None else None
    settings = Settings()
    chosen = settings.resolve("retriever", model, flag_name="-m")
    refuse_for_retrieve(terminal, parts_of(chosen), typed)
    given = given_of(typed)
    conditions = conditions_of(filter)
    named = overrides(docs, None if topics == "-" else topics, None, split, all_topics, topic_fields, doc_template)
    with ExitStack() as opened:
        about: dict[str, Any] = {"k": k, "exclude_self": exclude_self or None}
        found: Collection | None
        retriever: Retriever
        if source is None:
            cluster = None
            if ray_options.wanted(typed, settings):
                from rerank_cli.cli.crew import cluster_for, crew_of

                cluster = cluster_for(typed, needs_models(chosen), settings)
            given.check(chosen)
            if [topics, feedback, *(docs or ())].count("-") > 1:
                raise WrongUsage("stdin can be one of topics, feedback and documents", "name a file for the others")
            run = feedback_run(feedback, given.feeding.documents) if feedback is not None else None
            found = collection_of(collection, named, settings, terminal, header=run.header if run else None)
            asked, filters = topics_of(
                found, named, topics == "-", topic_filters, vectors=parts_of(chosen) == ["impact"]
            )
            filtered = filtered_by(filter, conditions, filters, found, settings, terminal)
            if not len(found.documents()):
                terminal.warn("there are no documents to retrieve from")
            if run is not None:
                run.say_absent(asked, terminal.warn)
            fed = run.feedback if run else None
            crew = opened.enter_context(crew_of(cluster, settings, terminal)) if cluster else None
            how: dict[str, Any] = {"filtered": filtered, "feedback": fed, "crew": crew}
            retriever = open_retriever(chosen, found, given, settings, terminal, **how)
            if crew is not None:
                retriever = Shared(retriever, crew.over)
            elif (
                terminal.threads > 1
                and not needs_models(chosen)
                and prf is None
                and worth_processes(len(found.documents()), len(asked))
            ):
                retriever = Shared(retriever, partial(in_processes, processes=terminal.threads))
            about |= {"fingerprint": found.fingerprint(), "retriever": chosen.value, "doc_template": found.doc_template}
            about["feedback_run"] = run and run.fingerprint
        else:
            from rerank_cli.cli.engines import Elsewhere

            with_texts = output_format is options.OutputFormat.jsonl
            engine = (engine_fields, engine_id, rank_profile, vector_name, concurrency, timeout, api_key_env)
            elsewhere = Elsewhere(source, *engine, with_texts)
            elsewhere.check(chosen)
            found = None if topics == "-" else collection_of(collection, named, settings, terminal)
            asked = topics_from_stdin(named)[0] if found is None else found.topics()
            retriever = elsewhere.open(chosen, given.encoders, settings, terminal)
            about |= {"retriever": retriever.name}
        facts = provenance(
            "retrieve", collection=found and (found.name or None), **about, **retriever.facts, topics=len(asked)
        )
        if not asked:
            terminal.note("there are no topics: nothing to retrieve")
        share = None
        if own is not None:
            share = Share(own, "queries", by_position(own))
            asked = dict(share.of(asked.items(), topic_words))

        with (
            written_run(
                output, tag or retriever.name, output_format.value, facts, header=header, terminal=terminal, share=share
            ) as writer,
            terminal.progress(len(asked), "queries") as progress,
        ):
            without: list[bytes] = []
            searched = [Topic(qid, text) for qid, text in asked.items()]
            answered = lists(retriever, found, searched, k + exclude_self, elsewhere=source is not None)
            for topic, (best, texts) in zip(searched, answered, strict=True):
                ranking = Ranking(topic.qid, *cut(best, k, topic.qid if exclude_self else None))
                if not len(ranking):
                    without.append(topic.qid)
                carried = documents_of(texts, ranking) if output_format is options.OutputFormat.jsonl else None
                writer.write(ranking, query=topic.text, documents=carried)
                progress.advance()
        if writer.steps:
            terminal.note(f"{writer.steps} equal scores were written the smallest steps apart, the greater id first")
        _say_without(without, len(asked), terminal.warn)


def _say_without(without: list[bytes], total: int, warn: Callable[[str], None]) -> None:
    from rerank_cli.core.ids import first_few

    if without:
        warn(f"{len(without)} of {total} topics match no document and are not in the run: {first_few(without)}")
