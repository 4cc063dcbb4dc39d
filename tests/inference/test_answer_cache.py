"""The store of answers: what was put is found again whatever happened since, and what is found is what was put."""

import hashlib
import multiprocessing
import os
import random
import signal
import threading
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rerank_cli.inference.cache import AnswerCache

MEGABYTE = 1 << 20


def key(number):
    return hashlib.blake2b(str(number).encode(), digest_size=16).digest()


def value(number):
    return f"answer {number}".encode()


@pytest.fixture(params=[False, True], ids=["own disk", "network disk"])
def on_network(request, monkeypatch):
    """Whether the store believes to lie on a disk that other machines use too."""
    monkeypatch.setattr("rerank_cli.inference.cache.on_network_disk", lambda folder: request.param)
    return request.param


def filled(folder, count, notes=None):
    cache = AnswerCache(folder, 100 * MEGABYTE, pytest.fail if notes is None else notes.append)
    for start in range(0, count, 50):
        cache.put((key(n), value(n)) for n in range(start, min(start + 50, count)))
    return cache


@settings(max_examples=25, deadline=None)
@given(st.dictionaries(st.binary(min_size=16, max_size=32), st.binary(max_size=200_000), max_size=12), st.data())
def test_what_was_put_is_found_by_the_next_process_and_nothing_else_is(tmp_path_factory, kept, data):
    folder = tmp_path_factory.mktemp("answers")
    with AnswerCache(folder, 100 * MEGABYTE, pytest.fail) as cache:
        cache.put(kept.items())
    others = data.draw(st.lists(st.binary(min_size=16, max_size=32)))
    asked = [*others, *kept, *others]
    with AnswerCache(folder, 100 * MEGABYTE, pytest.fail) as cache:
        assert cache.get(asked) == [kept.get(one) for one in asked]
        assert cache.kept().entries == len(kept)


def _put_until_killed(folder, told):
    cache = AnswerCache(folder, 100 * MEGABYTE, lambda _: os._exit(3))
    for batch in range(10_000):
        cache.put((key(batch * 7 + n), value(batch * 7 + n)) for n in range(7))
        os.write(told, b"x")


def test_what_put_returned_from_survives_kill_9(tmp_path, on_network):
    context = multiprocessing.get_context("fork")
    for moment in random.Random(7).choices(range(1, 300), k=5):
        folder = tmp_path / str(moment)
        told_read, told = os.pipe()
        process = context.Process(target=_put_until_killed, args=(folder, told))
        process.start()
        os.close(told)
        done = 0
        while done < moment:
            done += len(os.read(told_read, moment - done))
        os.kill(process.pid, signal.SIGKILL)
        process.join()
        done += len(os.read(told_read, 10_000))
        os.close(told_read)
        with AnswerCache(folder, 100 * MEGABYTE, pytest.fail) as cache:
            assert cache.get([key(n) for n in range(done * 7)]) == [value(n) for n in range(done * 7)]
            # The batch in flight is there whole or not at all.
            assert cache.kept().entries in (done * 7, done * 7 + 7)


def _share(folder, seed):
    numbers = random.Random(seed).sample(range(2000), 1000)
    with AnswerCache(folder, 100 * MEGABYTE, lambda _: os._exit(3)) as cache:
        for start in range(0, 1000, 20):
            some = numbers[start : start + 20]
            found = cache.get([key(n) for n in some])
            if any(one not in (None, value(n)) for one, n in zip(found, some, strict=True)):
                os._exit(4)
            cache.put((key(n), value(n)) for n in some)
            if cache.get([key(n) for n in some]) != [value(n) for n in some]:
                os._exit(5)


def test_processes_that_start_together_share_one_store(tmp_path, on_network):
    context = multiprocessing.get_context("fork")
    processes = [context.Process(target=_share, args=(tmp_path / "answers", seed)) for seed in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0] * 4
    put = {n for seed in range(4) for n in random.Random(seed).sample(range(2000), 1000)}
    with AnswerCache(tmp_path / "answers", 100 * MEGABYTE, pytest.fail) as cache:
        assert cache.kept().entries == len(put)


def test_machines_share_a_file_and_no_memory(tmp_path, on_network):
    with filled(tmp_path, 10):
        names = {path.suffix for path in tmp_path.rglob("kept.sqlite*")}
    assert names == ({".sqlite"} if on_network else {".sqlite", ".sqlite-wal", ".sqlite-shm"})


def test_threads_share_one_store(tmp_path):
    cache = AnswerCache(tmp_path, 100 * MEGABYTE, pytest.fail)
    wrong = []

    def work(first):
        for n in range(first, 400, 4):
            cache.put([(key(n), value(n))])
            wrong.extend(one for one in cache.get([key(n)]) if one != value(n))

    threads = [threading.Thread(target=work, args=(first,)) for first in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert cache.kept().entries == 400


@pytest.mark.parametrize(("size", "batch"), [(9, 100), (30_000, 3)])
def test_the_oldest_go_when_the_limit_is_reached(tmp_path, size, batch):
    limit = MEGABYTE // 2
    count = 6 * limit // (size + 50)
    with AnswerCache(tmp_path, limit, pytest.fail) as cache:
        for start in range(0, count, batch):
            cache.put((key(n), n.to_bytes(9, "little") * (size // 9)) for n in range(start, start + batch))
        newest = range(start, start + batch)
        assert None not in cache.get([key(n) for n in newest])
        assert cache.get([key(n) for n in range(batch)]) == [None] * batch
        assert cache.kept().entries > count // 20
    assert cache.kept().size < 1.3 * limit


def test_pruning_gives_the_space_back(tmp_path):
    filled(tmp_path, 20_000).close()
    cache = AnswerCache(tmp_path, 100 * MEGABYTE, pytest.fail)
    before = cache.kept()
    assert before.entries == 20_000
    cache.prune(before.size // 2)
    after = cache.kept()
    assert 0.3 < after.size / before.size < 0.6
    assert cache.get([key(0), key(19_999)]) == [None, value(19_999)]
    assert after.entries == sum(one is not None for one in cache.get([key(n) for n in range(20_000)]))
    cache.prune()
    assert cache.kept().entries == 0
    assert cache.kept().size < 60_000
    cache.close()


def test_a_store_above_its_limit_is_pruned_when_it_is_opened(tmp_path):
    filled(tmp_path, 20_000).close()
    with AnswerCache(tmp_path, MEGABYTE, pytest.fail) as cache:
        assert cache.kept().size < 1.1 * MEGABYTE
        assert cache.get([key(19_999)]) == [value(19_999)]


def test_pruning_by_age_leaves_what_is_younger(tmp_path, monkeypatch):
    cache = filled(tmp_path, 100)
    now = time.time()
    with monkeypatch.context() as later:
        later.setattr(time, "time", lambda: now + 5 * 3600)
        cache.put((key(n), value(n)) for n in range(100, 150))
        cache.prune(older_than=10 * 3600)
        assert cache.kept().entries == 150
        cache.prune(older_than=3 * 3600)
        assert cache.get([key(99), key(100)]) == [None, value(100)]
        assert cache.kept().entries == 50
        later.setattr(time, "time", lambda: now + 50 * 3600)
        cache.prune(older_than=10 * 3600)
        assert cache.kept().entries == 0
    cache.close()
