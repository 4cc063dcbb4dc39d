"""Arrays in files: whole, or an error."""

import multiprocessing
import resource

import numpy as np
import pytest
from waiting import PATIENCE

from rerank_cli.core.arrays import mapped_array, save_array


def _saved_with_a_limit(path, answer):
    resource.setrlimit(resource.RLIMIT_FSIZE, (200, 200))
    try:
        save_array(path, np.arange(10))
    except OSError:
        answer.put("said")
    else:
        answer.put(f"{path.stat().st_size} bytes, and nothing said")


def test_a_last_block_that_finds_no_room_is_said(tmp_path):
    context = multiprocessing.get_context("fork")
    answer = context.Queue()
    writer = context.Process(target=_saved_with_a_limit, args=(tmp_path / "a.npy", answer))
    writer.start()
    assert answer.get(timeout=PATIENCE) == "said"
    writer.join()


@pytest.mark.parametrize("array", [np.arange(100_000), np.empty(0, np.int32), np.arange(12).reshape(3, 4)])
def test_what_is_saved_is_read_back(tmp_path, array):
    save_array(tmp_path / "a.npy", array)
    read = np.load(tmp_path / "a.npy", mmap_mode="r")
    assert read.dtype == array.dtype
    np.testing.assert_array_equal(read, array)


@pytest.mark.parametrize("length", [0, 100_000])
def test_a_mapped_array_has_its_room_before_it_is_written(tmp_path, length):
    out = mapped_array(tmp_path / "a.npy", np.dtype(np.int32), length)
    told = (tmp_path / "a.npy").stat()
    assert told.st_blocks * 512 >= told.st_size >= 4 * length
    out[:] = 7
    out.flush()
    np.testing.assert_array_equal(np.load(tmp_path / "a.npy"), np.full(length, 7))
