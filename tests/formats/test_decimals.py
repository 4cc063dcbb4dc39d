"""Plain decimals: the float that Python reads, or nothing."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from rerank_cli.formats.decimals import ROOM, plain_decimals

PLAIN = re.compile(rb"-?(?=\.?[0-9])[0-9]{0,7}(\.[0-9]{0,8})?")
plain = st.from_regex(PLAIN, fullmatch=True)
anything = st.text("0123456789.-+e_:/xnaif", min_size=1, max_size=20)


def read(fields: list[bytes]) -> np.ndarray | None:
    text = b" ".join(fields) + b"\n" + bytes(ROOM)
    stops = np.cumsum([len(field) + 1 for field in fields]) - 1
    window = np.ndarray((len(text) - 7,), dtype="<u8", buffer=text, strides=(1,))
    return plain_decimals(window, stops - [len(field) for field in fields], stops)


@settings(max_examples=500, deadline=None)
@given(st.lists(plain, min_size=1, max_size=8))
@example([b"-0", b".5", b"5.", b"-.25", b"0.1", b"9999999.99999999", b"0000001.1"])
def test_plain_ones_are_read_as_python_reads_them(fields):
    found = read(fields)
    assert found is not None
    assert found.tobytes() == np.array([float(field) for field in fields]).tobytes()


@settings(max_examples=500, deadline=None)
@given(plain, anything.map(str.encode))
@example(b"1.5", b"12345678")
@example(b"1.5", b"123456789.5")
@example(b"1.5", b"1.123456789")
def test_one_that_is_not_plain_leaves_all_to_others(good, field):
    found = read([good, field])
    if PLAIN.fullmatch(field):
        assert found is not None and found[1] == float(field)
    else:
        assert found is None


@pytest.mark.parametrize(
    "field", [b"-", b".", b"-.", b"--1", b"1-", b"1.2.3", b"1..2", b"1e5", b"+1", b"1,5", b"1_0", b"inf"]
)
def test_what_is_no_plain_decimal(field):
    assert read([field]) is None
