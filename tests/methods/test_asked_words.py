"""Yes, no and grades read off a server's log-probabilities: the prompt and the numbers are the graph's."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny_causal
from inference.loopback import Loopback, models
from scripted_writer import ScriptedWriter
from test_prompt_entries import QWEN3
from written import asked, said

from rerank_cli.core.protocols import Pair
from rerank_cli.errors import WrongUsage
from rerank_cli.http.servers import Servers
from rerank_cli.inference.endpoint import EndpointWriter
from rerank_cli.inference.served import served
from rerank_cli.inference.writing import Completion, Decoding, Message
from rerank_cli.methods import graded, load_torch, yes_no
from rerank_cli.methods.catalog import find
from rerank_cli.methods.words.asked_words import scored
from rerank_cli.methods.words.writers import load_writer

PAIR = Pair("Q", "D")


def score(module: Any, checkpoint: Any, answer: Completion, instruction: str | None = None) -> Any:
    writer = ScriptedWriter(lambda _: answer)
    one = module.asked(checkpoint, writer, None, max_length=None, instruction=instruction, note=pytest.fail)
    found = one.score([PAIR])
    return found.values[0], bool(found.repaired[0]), *asked(writer)[0]


def test_qwen3_is_asked_one_token_of_the_prompt_that_it_was_trained_with() -> None:
    answer = said(("yes", {"yes": -0.1, "no": -2.6}))
    value, repaired, prompt, decoding = score(yes_no, find("qwen3-reranker-0.6b"), answer)
    assert prompt.text == QWEN3 and not prompt.messages and not prompt.prefill
    assert decoding == Decoding(max_tokens=1, logprobs=20, watched=("no", "yes"))
    assert value == pytest.approx(1 / (1 + math.exp(-2.5))) and not repaired
    value, repaired, prompt, _ = score(yes_no, find("qwen3-reranker-0.6b"), answer, "be strict")
    assert "<Instruct>: be strict\n<Query>: Q" in prompt.text


def test_a_word_that_was_not_told_counts_little_and_is_counted() -> None:
    value, repaired, *_ = score(yes_no, find("qwen3-reranker-0.6b"), said(("yes", {"yes": -0.1})))
    assert value == pytest.approx(1 / (1 + math.exp(-9.9))) and repaired
    value, repaired, *_ = score(yes_no, find("qwen3-reranker-0.6b"), Completion("yes", 1, 1))
    assert value == 0.5 and repaired


def test_the_scales_and_the_spellings() -> None:
    answer = said(("1", {"1": -0.5, "0": -2.0}))
    assert score(yes_no, find("mxbai-rerank-base-v2"), answer)[0] == pytest.approx(1.5)
    assert scored([-2.0, -0.5], "logprob") == pytest.approx(-math.log1p(math.exp(-1.5)))
    assert scored([-900.0, -0.5], "prob") == 1.0 and scored([-0.5, -900.0], "prob") == 0.0
    plain = replace(find("qwen3-reranker-0.6b"), template=None, words=(), instruction="")
    told = {"Yes": -1.0, " yes": -2.0, "no": -3.0, "perhaps": -0.1}
    value, _, prompt, decoding = score(yes_no, plain, said(("perhaps", told)))
    yes = math.exp(-1) + math.exp(-2)
    assert value == pytest.approx(yes / (yes + math.exp(-3)))
    assert prompt.messages == (Message("user", yes_no.QUESTION.format(query="Q", document="D")),)
    assert decoding.thinking is False
    grades = said(("3", {str(grade): float(grade) for grade in range(5)}))
    value, *_ = score(graded, replace(plain, score=""), grades)
    assert value == pytest.approx(sum(g * math.exp(g) for g in range(5)) / sum(math.exp(g) for g in range(5)))
    with pytest.raises(WrongUsage, match="scores with a raw logit, which no server tells"):
        score(yes_no, find("bge-reranker-v2-gemma"), answer)


def test_a_listed_reranker_is_asked_through_a_server() -> None:
    """The whole way over HTTP: one completion of one token a pair, its log-probabilities read."""

    def reply(seen: Any) -> Any:
        if seen.path == "/v1/models":
            return models("qwen", owner="vllm")
        yes = -0.5 if "<Document>: bees" in seen.json["prompt"] else -2.0
        told = {"tokens": ["yes"], "token_logprobs": [yes], "top_logprobs": [{"yes": yes, "no": -1.0}]}
        return {"choices": [{"text": "yes", "logprobs": told}], "usage": {"prompt_tokens": 99, "completion_tokens": 1}}

    with Loopback(reply) as server:
        servers = Servers([server.url], note=pytest.fail)
        writer = EndpointWriter(servers, served(servers, None, pytest.fail), note=pytest.fail)
        entry = find("qwen3-reranker-0.6b")
        one = yes_no.asked(entry, writer, None, max_length=None, instruction=None, note=pytest.fail)
        found = one.score([Pair("Q", "bees"), Pair("Q", "lake"), Pair("Q", "D")])
    assert found.values == pytest.approx([1 / (1 + math.exp(-0.5)), 1 / (1 + math.exp(1)), 1 / (1 + math.exp(1))])
    assert found.tokens.tolist() == [100] * 3 and not found.repaired.any()
    sent = [request.json for request in server.posts]
    assert QWEN3 in [body["prompt"] for body in sent] and {body["max_tokens"] for body in sent} == {1}


@pytest.mark.parametrize("name", ["rank1-7b-noreason", "tiny"])
def test_words_and_graph_give_the_same_numbers(tmp_path: Path, name: str) -> None:
    """A tiny model's graph, and the same model as a writer that is asked for one token."""
    folder = tiny_causal.causal(tmp_path / "qwen2", "qwen2", words="true false")
    own = {"template": "Q: {query}\nD: {document}\nIs it?", "words": ("f", "t"), "score": "margin", "instruction": ""}
    listed = find("rank1-7b-noreason") if name != "tiny" else replace(find("rank1-7b-noreason"), **own)
    checkpoint = replace(listed, name=name, source=str(folder), max_length=400)
    pairs = [PAIR, Pair("how do bees find home", "bees see light" * 5), Pair("copper </think> true", "")]
    graph = load_torch(checkpoint, threads=1, device="cpu", note=pytest.fail).score(pairs)
    writer = load_writer(checkpoint, threads=1, device="cpu", note=pytest.fail)
    words = yes_no.asked(checkpoint, writer, None, max_length=None, instruction=None, note=pytest.fail).score(pairs[:2])
    np.testing.assert_allclose(words.values, graph.values[:2], atol=1e-4)
    assert np.ptp(graph.values) > 0.001 and not words.repaired.any()
