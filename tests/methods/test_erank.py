"""ERank: the number times its probability, and the number that is asked for again."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny_causal
from scripted_writer import ScriptedWriter
from written import asked, said

from rerank_cli.core.protocols import Pair
from rerank_cli.inference.writing import Completion, Decoding, Prompt
from rerank_cli.methods import erank
from rerank_cli.methods.catalog import find
from rerank_cli.methods.checkpoint import Checkpoint
from rerank_cli.methods.words.prompt_files import load_prompt
from rerank_cli.methods.words.writers import load_writer

PAIR = Pair("how do bees find home", "bees see light <answer>10</answer>")


def scorer(writer: Any, **options: Any) -> Any:
    told = {"max_length": None, "instruction": None, "note": pytest.fail} | options
    return erank.asked(find("erank-4b"), writer, None, **told)


def number(digits: str, logprob: float) -> tuple[str, dict[str, float]]:
    return digits, {digits: logprob, "0": -9.0} if digits != "0" else {digits: logprob}


@pytest.mark.parametrize(
    ("answer", "wanted"),
    [
        (said("<think>so</think>", "<answer>", number("8", -0.25), "</answer>"), 8 * math.exp(-0.25)),
        (said("<answer>", number("1", -0.5), number("0", -0.25), "</answer>"), 10 * math.exp(-0.75)),
        (said("<answer>\n", number("0", -0.1), "\n</answer>"), 0.0),
        (said("<answer>", number("3", -1.0), "</answer><answer>", number("7", -2.0), "</answer>"), 7 * math.exp(-2)),
        (said("<answer>", "9", "9", "</answer>"), 10.0),
        (said("<an", ("swer>4</answer>", {"swer>4</answer>": -0.5})), 4 * math.exp(-0.5)),
        (said("<answer>", ("5", {"6": -0.5}), "</answer>"), None),
        (said("<answer>", number("5", -0.5)), None),
        (Completion("<answer>5</answer>", 1, 1), None),
        (Completion("", 1, 0), None),
    ],
)
def test_the_score_is_the_number_times_its_probability(answer: Completion, wanted: float | None) -> None:
    assert erank.score_of(answer) == (wanted if wanted is None else pytest.approx(wanted))


def test_the_question_is_one_turn_with_the_users_instruction() -> None:
    writer = ScriptedWriter(lambda _: said("<think>", "hm", "</think><answer>", number("6", -0.5), "</answer>"))
    one = scorer(writer, instruction="What counts is light.")
    reasons: list[str] = []
    one.explain = lambda pair, reason: reasons.append(reason)
    found = one.score([PAIR])
    ((prompt, decoding),) = asked(writer)
    (turn,) = prompt.messages
    assert turn.role == "user" and "\nThe goal or relevance definition is: What counts is light.\n" in turn.content
    assert "\nbees see light < answer>10< /answer>\n" in turn.content and turn.content.endswith("\nYour output:")
    assert "Given a query, retrieval relevant passage." in scorer(writer)._prompt.filled("q", ["d"]).messages[0].content
    assert (decoding.max_tokens, decoding.logprobs, decoding.temperature) == (4096, 20, 0.0)
    assert found.values[0] == pytest.approx(6 * math.exp(-0.5)) and not found.repaired[0]
    assert reasons == ["hm"]


@pytest.mark.parametrize(
    ("digits", "wanted"),
    [
        ([number("7", -0.5)], 7 * math.exp(-0.5)),
        ([number("1", -0.5), number("0", -0.25)], 10 * math.exp(-0.75)),
        ([number("1", -0.5), "</"], math.exp(-0.5)),
        ([("maybe", {"maybe": 0.0})], 0.0),
    ],
)
def test_a_model_that_gives_no_number_is_made_to(digits: list[Any], wanted: float) -> None:
    answers = iter([said("<think>bees ", "fly", finish="length"), *map(said, digits)])
    writer = ScriptedWriter(lambda _: next(answers))
    found = scorer(writer).score([PAIR])
    assert found.values[0] == pytest.approx(wanted) and found.repaired[0] and found.calls == 1 + len(digits)
    prompt, decoding = asked(writer)[1]
    assert prompt.prefill == "<think>bees fly\n</think>\n<answer>"
    assert decoding == Decoding(max_tokens=1, logprobs=20, allowed=tuple("0123456789"))
    assert [one.prefill for one, _ in asked(writer)[2:]] == [prompt.prefill + "1"] * (len(digits) - 1)


def test_thoughts_that_were_closed_are_not_closed_again() -> None:
    assert erank.closed(Prompt(text="p", prefill="a "), "b </think> c").prefill == "a b\n</think>\n<answer>"


def test_a_real_models_number_has_its_own_probability(tmp_path: Path) -> None:
    """Forced digits of a tiny model, against its logits after one unpadded prompt at a time."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder = tiny_causal.causal(tmp_path / "qwen3", "qwen3", words="0 1 2 3 4 5 6 7 8 9")
    file = replace(load_prompt("erank"), decoding={"max_tokens": 4, "logprobs": 3})
    checkpoint = Checkpoint("tiny", str(folder), "erank")
    writer = load_writer(checkpoint, threads=1, device="cpu", note=pytest.fail)
    pairs = [Pair("bees", "bees see light"), Pair("copper", "the price of copper in a mine"), Pair("lake", "")]
    one = erank.asked(checkpoint, writer, file, max_length=None, instruction="x", note=pytest.fail)
    found = one.score(pairs)
    np.testing.assert_allclose(found.values, [one.score([pair]).values[0] for pair in pairs], atol=1e-5)
    assert found.repaired.all()
    model, tokenizer = AutoModelForCausalLM.from_pretrained(folder).eval(), AutoTokenizer.from_pretrained(folder)

    def after(text: str) -> Any:
        with torch.inference_mode():
            return model(tokenizer(text, add_special_tokens=False, return_tensors="pt")["input_ids"]).logits[0, -1]

    digits = tokenizer.convert_tokens_to_ids(list("0123456789"))
    for pair, value in zip(pairs, found.values):
        prompt = one._fitted(pair).prompt
        ((_, thought),) = writer.complete([prompt], one._decoding)
        turns = [{"role": "user", "content": prompt.messages[0].content}]
        begun = tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
        begun += erank.closed(Prompt(), thought.text).prefill
        logits = after(begun)
        chosen = int(logits[digits].argmax())
        wanted = chosen * float(logits.softmax(-1)[digits[chosen]])
        if chosen == 1 and int(after(begun + "1").argmax()) == digits[0]:
            wanted *= 10 * float(after(begun + "1").softmax(-1)[digits[0]])
        assert value == pytest.approx(wanted, abs=1e-5)
