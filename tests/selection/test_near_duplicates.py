"""Near duplicates against brute force, and where a Jaccard stands exactly at the threshold."""

from __future__ import annotations

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from rerank_cli.selection.duplicates import near_duplicates, shingles


def brute_force(texts: list[str], threshold: Fraction) -> list[bool]:
    def runs(text: str) -> set[str]:
        words = text.split()
        return {" ".join(words[at : at + 5]) for at in range(len(words) - 4)} if len(words) > 5 else {" ".join(words)}

    left_out: list[bool] = []
    for at, text in enumerate(texts):
        kept = [earlier for earlier, out in zip(texts[:at], left_out) if not out]
        alike = (Fraction(len(runs(text) & runs(other)), len(runs(text) | runs(other))) for other in kept)
        left_out.append(any(jaccard >= threshold for jaccard in alike))
    return left_out


@given(
    st.lists(st.lists(st.sampled_from("ab"), max_size=14).map(" ".join), max_size=8),
    st.sampled_from([Fraction(1, 10), Fraction(1, 4), Fraction(1, 2), Fraction(7, 10), Fraction(9, 10), Fraction(1)]),
)
def test_equals_brute_force(texts: list[str], threshold: Fraction) -> None:
    assert near_duplicates(texts, float(threshold)).tolist() == brute_force(texts, threshold)


def test_case_and_punctuation_do_not_matter_and_one_word_does_not_hide_a_copy() -> None:
    text = "The ship sails the sea, day after day, until the harbour comes into sight again."
    texts = [text, text.upper().replace(",", ";"), text + " Indeed", "something else entirely"]
    assert near_duplicates(texts, 1.0).tolist() == [False, True, False, False]
    assert near_duplicates(texts, 0.9).tolist() == [False, True, True, False]


def test_what_is_left_out_takes_nothing_with_it() -> None:
    """a is like b and b like c, but a is not like c: c stays."""
    words = [f"w{number}" for number in range(40)]
    a, b, c = (" ".join(words[start : start + 30]) for start in (0, 4, 8))
    assert near_duplicates([a, b, c], 0.7).tolist() == [False, True, False]
    assert near_duplicates([b, a, c], 0.7).tolist() == [False, True, True]


def test_short_texts_are_one_shingle_and_empty_ones_are_alike() -> None:
    assert shingles("one two") == {("one", "two")}
    assert near_duplicates(["one two", "one two three", "One two.", "", ""], 0.1).tolist() == [
        False,
        False,
        True,
        False,
        True,
    ]
