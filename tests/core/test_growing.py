"""Columns that come in parts are what joining the parts gives."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from rerank_cli.core.growing import Growing
from rerank_cli.core.ids import id_array

ids = st.lists(st.binary(min_size=1, max_size=30).filter(lambda b: not b.endswith(b"\0")), max_size=5)
long = st.just([b"x" * 9000])


@given(st.lists(ids | long, max_size=12))
def test_ids_of_any_width(parts):
    column = Growing()
    for part in parts:
        column.add(id_array(part))
    assert column.array.tolist() == [one for part in parts for one in part]


@given(st.lists(st.lists(st.floats(allow_nan=False)), max_size=12))
def test_numbers(parts):
    column = Growing()
    for part in parts:
        column.add(np.array(part, dtype=np.float64))
    assert column.array.tolist() == [one for part in parts for one in part]


def test_one_long_id_does_not_widen_all_the_others():
    column = Growing()
    column.add(id_array([b"d%d" % n for n in range(5000)]))
    column.add(id_array([b"x" * 9000]))
    assert column.array.dtype == object
    assert column.array[-1] == b"x" * 9000
