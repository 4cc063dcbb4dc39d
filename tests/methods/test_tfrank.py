"""TFRank: the grade expected after the yes or no that was written, with and without thinking aloud."""

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
from rerank_cli.inference.writing import Completion
from rerank_cli.methods import tfrank
from rerank_cli.methods.catalog import find
from rerank_cli.methods.checkpoint import Checkpoint
from rerank_cli.methods.words.prompt_files import load_prompt
from rerank_cli.methods.words.writers import load_writer

PAIR = Pair("how do bees find home", "bees see light")
YES = ("yes", {"yes": -0.5, "no": -1.5})
GRADE = ("3", {"3": -0.4, "2": -1.4, "4": -2.4, "1": -3.4, "0": -4.4})


def mean(told: dict[str, float]) -> float:
    weights = {int(grade): math.exp(value) for grade, value in told.items()}
    return sum(grade * weight for grade, weight in weights.items()) / sum(weights.values())


def scorer(writer: Any, prompt: str | None = None) -> Any:
    return tfrank.asked(find("tfrank-0.6b"), writer, prompt, max_length=None, instruction=None, note=pytest.fail)


@pytest.mark.parametrize(
    ("answer", "grade", "p_yes"),
    [
        (said(YES, "(", GRADE, ")"), mean(GRADE[1]), 1 / (1 + math.exp(-1))),
        (said("\n", YES, " (", GRADE, ")"), mean(GRADE[1]), 1 / (1 + math.exp(-1))),
        (said("no(4)?", "</think>", "\n\n", YES, "(", GRADE, ")"), mean(GRADE[1]), 1 / (1 + math.exp(-1))),
        (said(("Yes", {"Yes": -0.2, "NO": -0.7, "No": -3.2}), "(", GRADE), mean(GRADE[1]), 1 / (1 + math.exp(-3))),
        # A word or a grade that was not told is e^-10 of the least likely one that was.
        (said(("no", {"no": -0.1, "maybe": -2.0}), "(", GRADE), mean(GRADE[1]), 1 / (1 + math.exp(11.9))),
        (said(YES, "(", ("4", {"4": -0.1})), mean({"4": -0.1} | dict.fromkeys("0123", -10.1)), 1 / (1 + math.exp(-1))),
        (said(YES, ("(2)", {"(2)": 0.0})), None, None),
        (said("It is yes"), None, None),
        (said("yes(3)</think>"), None, None),
        (Completion("yes(3)", 1, 4), None, None),
        (Completion("", 1, 0), None, None),
    ],
)
def test_grade_and_yes_are_read_where_they_stand(answer: Completion, grade: float | None, p_yes: float | None) -> None:
    read = tfrank.read_of(answer)
    assert read is None if grade is None else read == pytest.approx((grade, p_yes))


def test_documents_of_one_grade_are_told_apart_by_yes() -> None:
    words = {"a": -0.9, "b": -0.1}
    sure = ("4", {"4": 0.0} | dict.fromkeys("0123", -math.inf))
    writer = ScriptedWriter(
        lambda prompt: said(
            next(
                ("yes", {"yes": value, "no": -1.0})
                for name, value in words.items()
                if f"<Document>: {name} " in prompt.messages[1].content
            ),
            "(",
            sure,
        )
    )
    first, second = scorer(writer).score([Pair("q", "a"), Pair("q", "b")]).values
    assert 4 < first < second < 4.0001


@pytest.mark.parametrize(("version", "switch"), [(None, " /no think"), ("tfrank@think", " /think")])
def test_the_frame_is_the_authors_byte_for_byte(version: str | None, switch: str) -> None:
    import jinja2

    writer = ScriptedWriter(lambda _: said(YES, "(", GRADE, ")"))
    found = scorer(writer, version).score([PAIR])
    ((prompt, decoding),) = asked(writer)
    turns = [{"role": role, "content": content} for role, content in prompt.messages]
    framed = jinja2.Template(tiny_causal.CHAT, keep_trailing_newline=True).render(
        messages=turns, add_generation_prompt=True
    )
    user = (
        "<Instruct>: Please judge the relevance strength between the query and the document, and directly output the "
        "relevance judgment (yes or no), followed by the relevance score in parentheses, e.g., yes(score) or no(score)."
        "\n\n\n- Relevance scores are represented by numbers from 0 to 4, with the following meanings:\n"
        "0 means completely irrelevant,\n1 means weakly relevant,\n2 means moderately relevant,\n"
        "3 means strongly relevant,\n4 means completely relevant.\n\n- For binary relevance judgment (yes or no), the "
        'rule is:\nScores 0 and 1 are considered irrelevant and represented as "no",\nScores 2, 3, and 4 are considered '
        'relevant and represented as "yes".\n\n\n<Query>: how do bees find home\n\n\n<Document>: bees see light'
    )
    assert framed + prompt.prefill == (
        "<|im_start|>system\nBased on the relevance of the Documents to the Query and the Instruct provided to complete "
        f"the task.\n<|im_end|>\n<|im_start|>user\n{user}{switch}\n<|im_end|>\n<|im_start|>assistant\n"
        + ("" if switch == " /think" else "<think>\n\n</think>\n\n")
    )
    assert decoding.max_tokens == (1024 if switch == " /think" else 128) and decoding.logprobs == 20
    assert found.values[0] == pytest.approx(mean(GRADE[1]), abs=2e-5) and not found.repaired[0]


@pytest.mark.parametrize(
    ("version", "first", "begun"),
    [
        ("tfrank@no-think", "It is relevant", "<think>\n\n</think>\n\n"),
        ("tfrank@think", "Bees fly", "Bees fly\n</think>\n\n"),
        ("tfrank@think", "Bees </think> perhaps", "Bees\n</think>\n\n"),
    ],
)
def test_a_model_that_gives_no_grade_is_made_to(version: str, first: str, begun: str) -> None:
    answers = iter([said(first), said(YES), said(GRADE)])
    writer = ScriptedWriter(lambda _: next(answers))
    found = scorer(writer, version).score([PAIR])
    assert found.values[0] == pytest.approx(mean(GRADE[1]), abs=2e-5) and found.repaired[0] and found.calls == 3
    assert [(prompt.prefill, decoding.allowed) for prompt, decoding in asked(writer)[1:]] == [
        (begun, ("yes", "no")),
        (f"{begun}yes(", tfrank.GRADES),
    ]
    silent = scorer(ScriptedWriter(lambda _: said("perhaps")), version).score([PAIR])
    assert silent.values[0] == 0.5 and silent.repaired[0]


def test_a_real_models_grade_is_the_one_it_expects(tmp_path: Path) -> None:
    """Forced through yes or no to the grade, against a tiny model's logits after one unpadded prompt at a time."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder = tiny_causal.causal(tmp_path / "qwen3", "qwen3")
    file = replace(
        load_prompt("tfrank"),
        text="{query} {passages}\n",
        turns=(),
        decoding={"max_tokens": 3, "logprobs": 3},
    )
    checkpoint = Checkpoint("tiny", str(folder), "tfrank")
    writer = load_writer(checkpoint, threads=1, device="cpu", note=pytest.fail)
    pairs = [PAIR, Pair("copper", "the price of copper in a mine"), Pair("lake", "")]
    one = tfrank.asked(checkpoint, writer, file, max_length=None, instruction=None, note=pytest.fail)
    found = one.score(pairs)
    np.testing.assert_allclose(found.values, [one.score([pair]).values[0] for pair in pairs], atol=1e-5)
    assert found.repaired.all()
    model, tokenizer = AutoModelForCausalLM.from_pretrained(folder).eval(), AutoTokenizer.from_pretrained(folder)
    yes, no, *grades = tokenizer.convert_tokens_to_ids(["yes", "no", *tfrank.GRADES])

    def after(text: str) -> Any:
        with torch.inference_mode():
            ids = tokenizer(text, add_special_tokens=False, return_tensors="pt")["input_ids"]
            return model(ids).logits[0, -1].double()

    for pair, value in zip(pairs, found.values):
        text = f"{pair.query} {pair.document}\n<think>\n\n</think>\n\n"
        word = after(text)
        said_yes = bool(word[yes] > word[no])
        last = after(f"{text}{'yes' if said_yes else 'no'}(")
        grade = float(last[grades].softmax(-1) @ torch.arange(5.0, dtype=torch.double))
        assert value == pytest.approx(grade + 1e-5 * float(torch.sigmoid(word[yes] - word[no])), abs=1e-5)
