"""Conditions as they are written: what they mean, and where one that cannot be read goes wrong."""

from __future__ import annotations

import json
import operator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rerank_cli.errors import WrongUsage
from rerank_cli.retrieval.conditions import Condition, parsed


def test_fields_operators_and_values() -> None:
    assert parsed(' year>=1990 AND lang = "en" and  metadata.price != -1.5e2\n') == (
        Condition("year", ">=", 1990),
        Condition("lang", "=", "en"),
        Condition("metadata.price", "!=", -150.0),
    )
    assert parsed("x-y < 'and'") == (Condition("x-y", "<", "and"),)
    assert parsed('größe = "say \\"hi\\" \\u00e9"') == (Condition("größe", "=", 'say "hi" é'),)


@given(st.text(), st.sampled_from(["=", "!=", "<", "<=", ">", ">="]))
def test_any_text_can_be_a_value_and_never_more_than_one(value: str, compared: str) -> None:
    assert parsed(f"field {compared} {json.dumps(value)}") == (Condition("field", compared, value),)
    assert parsed(f"field {compared} {json.dumps(value, ensure_ascii=False)}") == (Condition("field", compared, value),)


NAMES = {"=": operator.eq, "!=": operator.ne, "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}
NUMBERS = st.integers(-3, 3) | st.sampled_from([0.5, -2.0, 10**20])


@given(st.sampled_from(sorted(NAMES)), NUMBERS, NUMBERS)
def test_numbers_compare_as_numbers(compared: str, one: float, other: float) -> None:
    assert Condition("f", compared, other).holds(one) == NAMES[compared](one, other)
    assert not Condition("f", compared, other).holds(str(one))
    assert not Condition("f", compared, str(other)).holds(one)


def test_dates_compare_as_strings() -> None:
    assert Condition("date", ">", "2024-05-01").holds("2024-10-01")
    assert not Condition("date", ">", "2024-05-01").holds("2023-12-31")


@pytest.mark.parametrize(
    ("text", "character", "words"),
    [
        ("", 1, "the end where a field's name"),
        ("year", 5, "the end where one of"),
        ("year >> 3", 7, "'> 3' where a number"),
        ("year = 1990s", 8, "'1990s' where a number"),
        ("lang = en", 8, "'en' where a number or a string in quotes"),
        ('lang = "en', 8, "where a number or a string"),
        ('lang = "en" or year = 3', 13, "'or year = 3' where and"),
        ("a = 1 and", 10, "the end where a field's name"),
        ("a = 1 android = 2", 7, "'android = 2' where and"),
        ("a == 1", 4, "'= 1' where a number"),
    ],
)
def test_what_cannot_be_read_is_told_with_its_place(text: str, character: int, words: str) -> None:
    with pytest.raises(WrongUsage) as told:
        parsed(text)
    assert f"at character {character}: " in told.value.message and words in told.value.message
