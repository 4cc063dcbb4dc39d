"""Options that other programs have: who types theirs is told what ours is called.

Likeness of letters does not help there: `--hits` looks like `--pairs` and means `-k`. Read only when an option is
unknown.
"""

from __future__ import annotations

from collections.abc import Collection

#: What we have -> the names that Anserini, Pyserini, RankLLM, llm-rankers, ranx, trec_eval and habit give it. The first
#: word is the option; of several that a command has, the first counts.
_OPTIONS = {
    "-k": "depth hits k max-docs n num-results rerank-depth top-k top-k-candidates top-n topk topn",
    "--depth": "cutoff hits k max-docs top-k topk",
    "--topics": "q queries query query-file topics-file",
    "--docs": "corpus corpus-file docs-file documents texts",
    "-c": "collection-name data dataset ir-dataset ir-dataset-name",
    "--qrels": "gold ground-truth judgements judgments qrel qrels-file",
    "-o": "out output-file output-path output-trec-file results save save-path",
    "--tag": "run-id run-name run-tag runid runtag",
    "-m": "encoder metric metrics model-id model-name model-name-or-path model-path reranker retriever rule",
    "--max-length": "max-len max-seq-len max-seq-length passage-length query-length truncate",
    "--batch-tokens (tokens, not pairs)": "batch batch-size bs",
    "--precision": "dtype int8 quantize quantized torch-dtype",
    "--precision fp16": "fp16 half use-fp16",
    "--precision bf16": "bf16 use-bf16",
    "--device cuda": "cuda gpu gpus num-gpus use-gpu",
    "--engine": "backend onnx torch",
    "--window": "window-size",
    "--step": "step-size stride",
    "--passes": "num-passes",
    "--fanout": "num-child",
    "--interpolate": "alpha interpolation lambda weight",
    "--weights": "alpha interpolation lambda weight",
    "--passages": "max-passage maxp segment split-documents",
    "--score-as": "activation apply-softmax raw-scores sigmoid softmax",
    "--exclude-self": "remove-query",
    "--prompt": "prompt-file prompt-template prompt-template-path template",
    "--endpoint": "api-base base-url host openai-base-url server url",
    "--served-model": "api-model openai-model",
    "--api-key-env": "api-key key openai-key token",
    "--max-cost": "budget max-spend",
    "--norm": "normalisation normalise normalization normalize",
    "--rrf-k": "rrf.k",
    "--tune": "optimise optimize",
    "--folds": "cv k-fold kfold",
    "--rel": "l level-for-rel min-rel rel-level relevance-level",
    "--per-query": "by-query by-topic per-topic",
    "--compare": "significance stat-test ttest",
    "--correct": "correction multiple-testing",
    "--alpha": "max-p p-value",
    "--baseline": "compare-to reference",
    "--format": "csv json latex markdown out-format tsv",
    "--digits": "decimals round",
    "--analyzer": "analyser language stemmer",
    "--threads": "cpus j jobs n-jobs num-threads num-workers processes",
    "--progress": "no-progress",
    "--quiet": "silent",
}
#: What needs no option here.
_WITHOUT = {
    "a run is named without an option: rerank {command} RUN": "input input-file run run-file run-path runs",
    "run the same command again: what was answered is in the cache": "continue restart resume reuse",
    "the cache directory is RERANK_CACHE_DIR in the environment, or cache_dir in rerank.toml": "cache-dir cache-path",
    "judged topics that a run lacks count as 0 always": "complete complete-rel-info-wanted make-comparable",
}


def meant(typed: str, command: str, options: Collection[str]) -> str | None:
    """What to say to who `typed` an option (`--hits`) that `command`, which has these `options`, lacks; None if unknown."""
    guess = typed.lstrip("-").replace("_", "-").lower()
    for ours, guesses in _OPTIONS.items():
        if guess in guesses.split() and ours.split()[0] in options:
            return f"here it is {ours}"
    for advice, guesses in _WITHOUT.items():
        if guess in guesses.split():
            return advice.format(command=command)
    return None
