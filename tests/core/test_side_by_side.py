"""Work done side by side: everything once, never too much at a time, and nobody waits for what hangs."""

import threading
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from waiting import PATIENCE

from rerank_cli.core.side_by_side import in_order, side_by_side


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers()), st.integers(1, 9))
def test_every_item_is_done_once(items, workers):
    assert sorted(side_by_side(lambda item: -item, items, workers)) == sorted(-item for item in items)


def test_as_many_at_a_time_as_asked_for():
    at_work, most, lock, met = 0, 0, threading.Lock(), threading.Event()

    def work(item):
        nonlocal at_work, most
        with lock:
            at_work += 1
            most = max(most, at_work)
            if at_work == 5:
                met.set()
        met.wait(PATIENCE)
        time.sleep(0.01)
        with lock:
            at_work -= 1

    list(side_by_side(work, range(40), 5))
    assert most == 5


def test_what_is_done_first_comes_first():
    held = threading.Event()

    def work(item):
        if item == 0:
            held.wait(PATIENCE)
        return item

    answers = side_by_side(work, range(4), 2)
    assert [next(answers) for _ in range(3)] == [1, 2, 3]
    held.set()
    assert list(answers) == [0]


@pytest.mark.parametrize("workers", [1, 3])
def test_an_error_is_raised_at_once_and_nothing_more_begins(workers):
    begun, held, given_up = [], threading.Event(), []

    def work(item):
        begun.append(item)
        if item == 0:
            raise ValueError("no")
        held.wait(PATIENCE) or given_up.append(item)

    with pytest.raises(ValueError, match="no"):
        list(side_by_side(work, range(50), workers))
    assert not given_up, "those that have begun are not waited for"
    held.set()
    time.sleep(0.05)
    assert len(begun) <= workers


def test_closing_lets_nothing_more_begin():
    begun, held = [], threading.Event()

    def work(item):
        begun.append(item)
        if item:
            held.wait(PATIENCE)

    answers = side_by_side(work, range(50), 3)
    next(answers)
    answers.close()
    held.set()
    time.sleep(0.05)
    assert len(begun) <= 4


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 3)), st.integers(1, 6))
def test_in_order_whatever_is_done_first(items, workers):
    def work(item):
        time.sleep(item / 2000)
        return -item

    taken = []
    answers = in_order(work, (taken.append(item) or item for item in items), workers)
    for given_so_far, item in enumerate(items):
        assert next(answers) == -item
        assert len(taken) <= given_so_far + 2 * workers
    assert not list(answers)


def test_in_order_an_error_is_raised_at_once():
    held, given_up = threading.Event(), []

    def work(item):
        if item == 3:
            raise ValueError("no")
        held.wait(PATIENCE) or given_up.append(item)

    with pytest.raises(ValueError, match="no"):
        list(in_order(work, range(100), 4))
    assert not given_up
    held.set()
