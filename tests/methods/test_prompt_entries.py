"""The prompts of listed checkpoints, byte for byte as their authors' code writes them."""

from __future__ import annotations

import pytest

from rerank_cli.methods.catalog import find

QWEN3 = (
    "<|im_start|>system\nJudge whether the Document meets the requirements based on the Query and the Instruct provided. "
    'Note that the answer can only be "yes" or "no".<|im_end|>\n<|im_start|>user\n'
    "<Instruct>: Given a web search query, retrieve relevant passages that answer the query\n<Query>: Q\n<Document>: D"
    "<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n"
)
MXBAI = (
    "<|im_start|>system\nYou are Qwen, created by Alibaba Cloud. You are a helpful assistant.<|im_end|>\n"
    "<|im_start|>user\n",
    "query: Q",
    "\n",
    "document: D",
    "\n",
    "You are a search relevance expert who evaluates how well documents match search queries. For each query-document "
    "pair, carefully analyze the semantic relationship between them, then provide your binary relevance judgment "
    "(0 for not relevant, 1 for relevant).\nRelevance:",
    "<|im_end|>\n<|im_start|>assistant\n",
)
BGE = (
    "<bos>",
    "A: Q",
    "\n",
    "B: D",
    "\n",
    "Given a query A and a passage B, determine whether the passage contains an answer to the query by providing a "
    "prediction of either 'Yes' or 'No'.",
)


def parts(name: str) -> tuple[str, ...]:
    entry = find(name)
    filled = (entry.template or "").replace("{instruction}", entry.instruction)
    return tuple(filled.replace("{query}", "Q").replace("{document}", "D").split("{|}"))


@pytest.mark.parametrize("size", ["0.6b", "4b", "8b"])
def test_qwen3(size: str) -> None:
    assert "".join(parts(f"qwen3-reranker-{size}")) == QWEN3
    assert (find(f"qwen3-reranker-{size}").words, find(f"qwen3-reranker-{size}").score) == (("no", "yes"), "prob")


@pytest.mark.parametrize("size", ["base", "large"])
def test_mxbai(size: str) -> None:
    entry = find(f"mxbai-rerank-{size}-v2")
    assert parts(entry.name) == MXBAI
    assert entry.instruction_as == "instruction: {instruction}\n" and entry.words == ("0", "1")


def test_bge_gemma() -> None:
    assert parts("bge-reranker-v2-gemma") == BGE
