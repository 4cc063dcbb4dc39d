"""What is read out of good and broken replies, and that nothing a model can write breaks a reader."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rerank_cli.errors import BadData
from rerank_cli.inference.writing import Completion
from rerank_cli.methods.words.replies import MISSING, PARSERS, TWICE, WRONG, reading

NAN = float("nan")
#: A long time of thinking with numbers in it.
THINK = "<think>[3] looks best, then [1]; 7 of 9 </think>"


def read(parser: str, text: str, n: int = 3, letters: bool = False) -> tuple[list[float], str, str]:
    labels = list("ABCDEFGHIJKLMNOPQRSTUVWXYZ"[:n]) if letters else [str(i + 1) for i in range(n)]
    parsed = reading(parser, "test").parse(Completion(text, 1, 1), labels)
    return parsed.values.tolist(), parsed.repaired, parsed.reason


@pytest.mark.parametrize(
    ("parser", "text", "values", "repaired"),
    [
        ("order", "[2] > [3] > [1]", [1, 3, 2], ""),
        ("order", "  [2]>[3]>[1]  \n", [1, 3, 2], ""),
        ("order", "[2]\n[3]\n[1]", [1, 3, 2], ""),
        ("order", "2, 3, 1", [1, 3, 2], ""),
        ("order", "[PASSAGE2, PASSAGE3, PASSAGE1]", [1, 3, 2], ""),
        ("order", "Passage 2 is best, 10 of 10; then Passage 3, Passage 1.", [1, 3, 2], ""),
        ("order", "[02] > [3] > [1]", [1, 3, 2], ""),
        ("order", "[②] > [³] > [１]", [1, 3, 2], ""),
        ("order", "[२] > [३] > [१]", [1, 3, 2], ""),
        ("order", "½ of it is [2] > [3] > [1]", [1, 3, 2], ""),
        ("order", "[2] > [3]", [NAN, 3, 2], MISSING),
        ("order", "[2] > [2] > [3]", [NAN, 3, 2], TWICE),
        ("order", "[2] > [3] > [1] > [9]", [1, 3, 2], WRONG),
        ("order", "[0] > [4]", [NAN] * 3, WRONG),
        ("order", "", [NAN] * 3, WRONG),
        ("order", "I cannot rank these passages.", [NAN] * 3, WRONG),
        ("order", "9" * 6000, [NAN] * 3, WRONG),
        ("order", "The format is [1] > [2], so:\n[3] > [1] > [2]", [2, 1, 3], ""),
        ("order", "[2] first, so [1], [3] remain\n[3] next, so [1] remains\n[2] > [3] > [1]", [1, 3, 2], ""),
        ("order", "[2] > [3] > [1]\n\nPassage [2] is a good match.", [1, 3, 2], ""),
        ("order", f"{THINK}[2] > [3] > [1]", [1, 3, 2], ""),
        ("order", f"{THINK}\n<answer> [2] > [3] > [1] </answer>", [1, 3, 2], ""),
        ("order", f"{THINK}<answer>[2] > [3] > [1]", [1, 3, 2], ""),
        ("order", "<ANSWER>[2] > [3] > [1]</ANSWER> because of [1]", [1, 3, 2], ""),
        ("order", "<think> [3] > [2] > [1] is a draft and <answer>[3] > [2]</answer> too", [NAN] * 3, WRONG),
        ("order", "no tag was opened </think> [2] > [3] > [1]", [1, 3, 2], ""),
        ("anywhere", "[2] > [3], see page 1", [1, 3, 2], ""),
        ("anywhere", "[1] > [2]: [3] > [1] > [2]", [3, 2, 1], TWICE),
        ("subset", "[3], [1]", [2, NAN, 3], ""),
        ("subset", "None", [NAN] * 3, ""),
        ("subset", '"None".', [NAN] * 3, ""),
        ("subset", "NO_RELEVANT_SNIPPETS_FOUND", [NAN] * 3, ""),
        ("subset", "none of these, or all of them", [NAN] * 3, WRONG),
        ("subset", "[3], [7]", [NAN, NAN, 3], ""),
        ("subset", "The 2 best:\nDocument 3, ..., Document 1.", [2, NAN, 3], ""),
        ("ties", "[3] > [1] = [2]", [1 / 2, 1 / 2, 1], ""),
        ("ties", "First [1] > [2].\n[3] > [1] = [2]\n", [1 / 2, 1 / 2, 1], ""),
        ("ties", "`[3] > [1]`", [1 / 2, NAN, 1], MISSING),
        ("ties", "[3] > [1] > [3] > [2]", [1 / 2, NAN, 1], TWICE),
        ("ties", "[3] > [0] > [2] > [1]", [1 / 4, 1 / 3, 1], WRONG),
        ("pick", "[2]", [0, 1, 0], ""),
        ("pick", f"{THINK} <answer>[2]</answer>.", [0, 1, 0], ""),
        ("pick", "not [1] but [2]", [0, 1, 0], ""),
        ("pick", "[12]", [NAN] * 3, WRONG),
        ("pick", "<think> [2]", [NAN] * 3, WRONG),
        ("json_scores", '```json\n{"[1]": 5, "[2]": 3, "[3]": 8}\n```', [5, 3, 8], ""),
        ("json_scores", '<reason> 7 </reason><answer>{"[1]": 5, "2": 3.5, "[3]": "8"}</answer>', [5, 3.5, 8], ""),
        ("json_scores", '{"[1]": 0} is no answer; {"[1]": 5, "[2]": 3, "[3]": 8}', [5, 3, 8], ""),
        ("json_scores", '{"[1]]": 5, "[2]": 3, "[3]": 8', [5, 3, 8], WRONG),
        ("json_scores", '{"[1]": 5, "[2]": 3, "[3]": 8,}', [5, 3, 8], WRONG),
        ("json_scores", "[1]: 5\n[2]: 3\n[3]: 8", [5, 3, 8], WRONG),
        ("json_scores", '{"[1]": 5, "[2]": 3, "[', [5, 3, NAN], MISSING),
        ("json_scores", '{"[1]": 5, "[9]": 3}', [5, NAN, NAN], MISSING),
        ("json_scores", '{"[1]": 5, "[2]": NaN, "[3]": true}', [5, NAN, NAN], MISSING),
        ("json_scores", '<reason> [1]: 5 [2]: 3 and so on', [NAN] * 3, WRONG),
        ("json_scores", "[" * 5000 + "{" * 5000, [NAN] * 3, WRONG),
        ("json_list", '{"ranking": [2, 3, 1]}', [1, 3, 2], ""),
        ("json_list", "[]", [NAN] * 3, WRONG),
    ],
)  # fmt: skip
def test_a_reply_about_numbered_documents(parser: str, text: str, values: list[float], repaired: str) -> None:
    found, mended, _ = read(parser, text)
    np.testing.assert_allclose(found, values)
    assert mended == repaired


@pytest.mark.parametrize(
    ("parser", "text", "values", "repaired"),
    [
        ("order", "[B] > [C] > [A]", [1, 3, 2], ""),
        ("order", "B > C > A", [1, 3, 2], ""),
        ("order", "Answer: [B] > [C] > [A]", [1, 3, 2], ""),
        ("order", "ANSWER", [NAN] * 3, WRONG),
        ("pick", "B", [0, 1, 0], ""),
        ("pick", "b.", [0, 1, 0], ""),
        ("pick", "Passage B", [0, 1, 0], ""),
        ("pick", "A look at them shows that Passage B answers best.", [0, 1, 0], ""),
        ("pick", "I think C", [0, 0, 1], ""),
        ("pick", "passage a", [NAN] * 3, WRONG),
        ("pick", "Z", [NAN] * 3, WRONG),
    ],
)
def test_a_reply_about_lettered_documents(parser: str, text: str, values: list[float], repaired: str) -> None:
    found, mended, _ = read(parser, text, letters=True)
    np.testing.assert_allclose(found, values)
    assert mended == repaired


@pytest.mark.parametrize(
    ("text", "values"), [("A", [1, 0]), ("Passage B", [0, 1]), (": B", [0, 1]), ("both", [NAN, NAN])]
)
def test_a_duel_in_words(text: str, values: list[float]) -> None:
    found, mended, _ = read("prefer", text, 2, letters=True)
    np.testing.assert_allclose(found, values)
    assert mended == (WRONG if text == "both" else "")


def test_a_duel_by_probability() -> None:
    told = ((" A", {" A": np.log(0.6), "B": np.log(0.2), " B": np.log(0.1), "the": -1.0}),)
    parsed = PARSERS["prefer"].parse(Completion(" A", 9, 1, told), ["A", "B"])
    np.testing.assert_allclose(parsed.values, [0.75, 0.25])


def test_the_first_letter_ranks_all_and_missing_letters_are_counted() -> None:
    told = (("B", {"B": -0.1, "A": -2.0, "▁A": -1.5, "[C": -9.0, "Cat": -0.2}), ("]", {"A": 0.0}))
    parsed = PARSERS["first_token"].parse(Completion("B]", 9, 2, told), ["A", "B", "C"])
    assert parsed.values.tolist() == [-1.5, -0.1, -9.0] and parsed.repaired == ""
    parsed = PARSERS["first_token"].parse(Completion("B", 9, 1, told), ["A", "B", "C", "D"])
    assert np.isnan(parsed.values[3]) and parsed.repaired == MISSING
    assert PARSERS["first_token"].parse(Completion("B", 9, 1), ["A", "B"]).repaired == WRONG


def test_reasons_are_kept() -> None:
    assert read("order", "<think> because </think> [1] > [2] > [3]")[2] == "because"
    assert read("json_scores", '<reason>\nso </reason><answer>{"1": 1, "2": 2, "3": 3}</answer>')[2] == "so"
    assert read("order", "<think> never ends [1]")[2] == "never ends [1]"


def test_criteria_are_added_up_here() -> None:
    text = (
        '{"1": {"relevance": 6, "depth": 2, "diversity": 1, "clarity": 1, "authoritativeness": 0, "recency": 0, "final": 1}, '
        '"[2]": {"Relevance": 6, "depth": 2, "authoritativeness": 2}, "3": {"relevance": 2, "depth": 5, "clarity": 5}}'
    )
    values, mended, _ = read("json_components", text)
    np.testing.assert_allclose(values, [6 + 0.5 * 5, 6 + 0.5 * 4 + 0.002, 2 - 10])
    assert mended == ""
    assert read("json_components", '{"1": {"relevance": 6}, "2": 4, "3": {"relevance": 1}}')[1] == MISSING
    assert read("json_components", "Doc: 1, Relevance: 6")[1] == WRONG


def test_a_parser_that_is_not_there() -> None:
    with pytest.raises(BadData, match=r"mine.toml: there is no parser 'yes_no'"):
        reading("yes_no", "mine.toml")


PIECES = st.sampled_from(
    ["[1]", "[2]", " > ", "=", "[99]", "1", "2", "A", "[B]", "Passage ", "Document 1", "<think>", "</think>", "<answer>", "</answer>",
     "```json", "```", "{", "}", '"[1]": 5', ",", ":", "[", "]", "None", "\n", "²", "⑫", "٣", "½", "NaN", "1e999", "\ud800", "-", '"'])  # fmt: skip
TEXTS = st.one_of(st.text(max_size=80), st.lists(PIECES, max_size=30).map("".join))


@given(parser=st.sampled_from(list(PARSERS)), text=TEXTS, n=st.integers(1, 26), letters=st.booleans())
def test_any_text_whatever_gives_a_valid_answer(parser: str, text: str, n: int, letters: bool) -> None:
    values, repaired, _ = read(parser, text, n, letters)
    array = np.array(values)
    known = array[~np.isnan(array)]
    assert len(values) == n and np.isfinite(known).all()
    assert repaired in ("", WRONG, TWICE, MISSING)
    if PARSERS[parser].asks == "order" and parser not in ("ties", "first_token"):
        assert len(set(known)) == len(known) and all(n - len(known) < value <= n for value in known)
    if parser not in ("subset",):
        assert repaired or not np.isnan(array).any(), "what is not known is said"
