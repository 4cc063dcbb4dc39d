"""Fingerprints and tables of them against sets and dictionaries."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from rerank_cli.core import hashing
from rerank_cli.core.hashing import all_differ, fingerprints, one_of_each


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(0, 40), max_size=60), st.integers(0, 60))
def test_all_differ_finds_every_pair(values, shift):
    prints = np.array([(value << shift) % 2**64 for value in values], dtype=np.uint64)
    assert all_differ(prints) == (len(set(prints.tolist())) == len(values))


@settings(max_examples=200, deadline=None)
@given(st.lists(st.integers(0, 12), max_size=60), st.integers(0, 60))
def test_one_of_each_is_the_same_for_equal_ones_only(values, shift):
    prints = np.array([(value << shift) % 2**64 for value in values], dtype=np.uint64)
    position = one_of_each(prints)
    assert prints[position].tolist() == prints.tolist()
    assert len(set(position.tolist())) == len(set(prints.tolist()))


def test_a_fingerprint_does_not_depend_on_the_width_of_its_array():
    ids = [b"a", b"abcdefgh", b"abcdefghi"]
    groups = np.array([1, 1, 2])
    wide = fingerprints(np.array(ids, dtype="S40"), groups)
    assert wide.tolist() == fingerprints(np.array(ids, dtype="S9"), groups).tolist()
    assert (
        fingerprints(np.array([b"a"], dtype="S1"), groups[:1])[0]
        == wide[0]
        != fingerprints(np.array([b"a"], dtype="S1"), groups[2:])
    )
    assert hashing.slots_of(wide, 4).max() < 64
