"""A store that is damaged, full or in the way: said once, done without or begun anew, and never a wrong answer."""

import multiprocessing
import os
import random
import resource
import shutil
import sqlite3

import pytest
from test_answer_cache import MEGABYTE, filled, key, value

from rerank_cli.core.build_once import build_once
from rerank_cli.inference.cache import AnswerCache, _Damage


def database(folder):
    (path,) = folder.glob("[0-9]/*.sqlite")
    return path


def cut(path):
    os.truncate(path, path.stat().st_size // 2)


def empty(path):
    path.write_bytes(b"")


def garbage(path):
    path.write_bytes(random.Random(1).randbytes(path.stat().st_size))


def another_database(path):
    path.unlink()
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE songs (name TEXT)")


@pytest.mark.parametrize("damage", [cut, empty, garbage, another_database])
def test_a_damaged_file_is_said_moved_aside_and_begun_anew(tmp_path, damage):
    filled(tmp_path, 2000).close()
    damage(database(tmp_path))
    notes = []
    with AnswerCache(tmp_path, 100 * MEGABYTE, notes.append) as cache:
        found = cache.get([key(n) for n in range(2000)])
        assert all(one in (None, value(n)) for n, one in enumerate(found))
        cache.put([(key("new"), b"new")])
        assert cache.get([key("new")]) == [b"new"]
    assert len(notes) == 1
    assert "is damaged" in notes[0]
    assert "1.damaged" in notes[0]
    assert (tmp_path / "1.damaged" / "kept.sqlite").exists()
    with AnswerCache(tmp_path, 100 * MEGABYTE, pytest.fail) as cache:
        assert cache.get([key("new")]) == [b"new"]


@pytest.mark.parametrize("seed", range(12))
def test_bytes_changed_anywhere_never_make_an_answer(tmp_path, seed):
    filled(tmp_path, 1500).close()
    path = database(tmp_path)
    whole, chance = bytearray(path.read_bytes()), random.Random(seed)
    for _ in range(2 ** (seed % 6)):
        if seed < 6:
            whole[chance.randrange(len(whole))] ^= 1 << chance.randrange(8)
        else:
            start = chance.randrange(len(whole) - 16)
            whole[start : start + 16] = chance.randbytes(16)
    path.write_bytes(whole)
    cache = AnswerCache(tmp_path, 100 * MEGABYTE, lambda _: None)
    for n in range(1500):
        assert cache.get([key(n)])[0] in (None, value(n))
        if n % 50 == 0:
            cache.put([(key(-n), value(-n))])
    cache.kept()
    cache.close()


def test_a_process_that_still_has_the_damaged_store_open_harms_nobody(tmp_path):
    first, notes = filled(tmp_path, 2000), []
    second = AnswerCache(tmp_path, 100 * MEGABYTE, notes.append)
    garbage(database(tmp_path))
    third = AnswerCache(tmp_path, 100 * MEGABYTE, notes.append)
    third.put([(key("third"), b"third")])
    for cache in (first, second):
        cache._note = notes.append
        cache.get([key(n) for n in range(2000)])
        cache.put([(key(cache), b"more")])
        cache.close()
    third.put([(key("last"), b"last")])
    third.close()
    with AnswerCache(tmp_path, 100 * MEGABYTE, pytest.fail) as cache:
        assert cache.get([key("third"), key("last")]) == [b"third", b"last"]


def folder_for_file(folder):
    path = database(folder)
    path.unlink()
    path.mkdir()


def file_for_folder(folder):
    path = database(folder)
    path.unlink()
    path.parent.rmdir()
    folder.rename(folder.with_name("elsewhere"))
    folder.write_text("not a folder")


@pytest.mark.parametrize("damage", [folder_for_file, file_for_folder])
def test_a_store_that_cannot_be_opened_is_said_once_and_done_without(tmp_path, damage):
    folder, notes = tmp_path / "answers", []
    filled(folder, 10).close()
    for left in folder.glob("*.lock"):
        left.unlink()
    damage(folder)
    with AnswerCache(folder, 100 * MEGABYTE, notes.append) as cache:
        for n in range(3):
            cache.put([(key(n), value(n))])
            assert cache.get([key(n)]) == [None]
        assert cache.kept().entries == 0
        cache.prune()
    assert len(notes) == 1
    assert "answers" in notes[0]


def _fill_a_small_disk(folder, sent):
    resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))
    notes = []
    with AnswerCache(folder, 100 * MEGABYTE, notes.append) as cache:
        for n in range(20_000):
            cache.put([(key(n), value(n))])
            if notes:
                break
        sent.send((n, notes, cache.get([key(m) for m in range(n)]) == [value(m) for m in range(n)]))


def test_a_full_disk_is_said_once_and_what_is_kept_stays(tmp_path):
    context = multiprocessing.get_context("fork")
    received, sent = context.Pipe(duplex=False)
    process = context.Process(target=_fill_a_small_disk, args=(tmp_path, sent))
    process.start()
    stopped, notes, all_found = received.recv()
    process.join()
    assert stopped > 10
    assert len(notes) == 1
    assert "keeps no more answers" in notes[0]
    assert all_found
    with AnswerCache(tmp_path, 100 * MEGABYTE, pytest.fail) as cache:
        assert cache.get([key(0), key(stopped - 1)]) == [value(0), value(stopped - 1)]


def test_pruning_empties_what_was_damaged(tmp_path):
    filled(tmp_path, 2000).close()
    garbage(database(tmp_path))
    with AnswerCache(tmp_path, 100 * MEGABYTE, lambda _: None) as cache:
        assert cache.kept().size > 2 * 50_000
        cache.prune()
        assert cache.kept().size < 100_000
    assert not (tmp_path / "1").exists(), "a process may still have it open under this path"


def test_what_is_put_after_another_process_moved_the_store_is_found_by_the_next(tmp_path):
    notes = []
    mine = AnswerCache(tmp_path, 100 * MEGABYTE, notes.append)
    garbage(database(tmp_path))
    with AnswerCache(tmp_path, 100 * MEGABYTE, notes.append) as other:
        other.put([(key("other"), b"other")])
    mine.put([(key("mine"), b"mine")])
    mine.close()
    assert len(notes) == 1
    with AnswerCache(tmp_path, 100 * MEGABYTE, pytest.fail) as cache:
        assert cache.get([key("other"), key("mine")]) == [b"other", b"mine"]


def test_what_is_put_after_the_store_was_removed_is_kept_in_a_new_one(tmp_path):
    mine = filled(tmp_path / "answers", 10)
    shutil.rmtree(tmp_path / "answers")
    mine.put([(key("mine"), b"mine")])
    mine.close()
    with AnswerCache(tmp_path / "answers", 100 * MEGABYTE, pytest.fail) as cache:
        assert cache.get([key("mine"), key(3)]) == [b"mine", None]


def test_an_answer_that_meets_the_damage_is_kept_in_the_new_store(tmp_path, monkeypatch):
    real, notes, tries = AnswerCache._add, [], []

    def damaged_at_first(self, rows):
        tries.append(rows)
        if len(tries) == 1:
            raise _Damage("a page is torn")
        real(self, rows)

    with filled(tmp_path, 20, notes) as cache:
        monkeypatch.setattr(AnswerCache, "_add", damaged_at_first)
        cache.put([(key("mine"), b"mine")])
        assert cache.get([key("mine")]) == [b"mine"]
    assert len(notes) == 1


def test_a_store_that_is_moved_between_two_looks_is_not_begun_again_under_its_name(tmp_path, monkeypatch):
    filled(tmp_path, 10).close()

    def moved_first(place, build):
        if place.name == "1" and place.is_dir():
            place.rename(tmp_path / "1.damaged")
        return build_once(place, build)

    monkeypatch.setattr("rerank_cli.inference.cache.build_once", moved_first)
    with AnswerCache(tmp_path, 100 * MEGABYTE, pytest.fail) as cache:
        cache.put([(key("mine"), b"mine")])
    monkeypatch.undo()
    with AnswerCache(tmp_path, 100 * MEGABYTE, pytest.fail) as cache:
        assert cache.get([key("mine")]) == [b"mine"]
