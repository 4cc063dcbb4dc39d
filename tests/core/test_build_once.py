"""What the cache directory promises: built once, whole or not at all."""

import multiprocessing
import time

import pytest

from rerank_cli.core.build_once import build_once
from rerank_cli.errors import WorkFailed


def _slow_build(folder, log):
    def build(aside):
        time.sleep(0.2)
        (aside / "data").write_text("whole")
        with open(log, "a") as handle:
            handle.write("built\n")

    build_once(folder, build)


def test_processes_that_start_together_build_once(tmp_path):
    folder, log = tmp_path / "cache" / "index", tmp_path / "log"
    context = multiprocessing.get_context("fork")
    workers = [context.Process(target=_slow_build, args=(folder, log)) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0] * 4
    assert log.read_text() == "built\n"
    assert (folder / "data").read_text() == "whole"


def test_a_build_that_fails_leaves_nothing(tmp_path):
    def build(aside):
        (aside / "half").write_text("…")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build_once(tmp_path / "index", build)
    assert [p.name for p in tmp_path.iterdir()] == ["index.lock"]


def test_what_a_killed_build_left_is_swept_by_the_next(tmp_path):
    (tmp_path / ".index.killed").mkdir()
    build_once(tmp_path / "index", lambda aside: (aside / "data").write_text("whole"))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["index", "index.lock"]


def test_a_folder_that_cannot_be_written_is_one_clear_error(tmp_path):
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(WorkFailed, match="cannot write"):
        build_once(tmp_path / "file" / "index", lambda aside: None)
