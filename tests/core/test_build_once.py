"""What the cache directory promises: built once, whole or not at all."""

import json
import multiprocessing
import time

import pytest

from rerank_cli.core.build_once import build_once, remove_built, sweep_killed_builds, write_whole
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
    (tmp_path / ".index.0123456789ab").mkdir()
    build_once(tmp_path / "index", lambda aside: (aside / "data").write_text("whole"))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["index", "index.lock"]


def test_a_build_leaves_alone_what_is_built_beside_it_under_a_longer_name(tmp_path):
    def build(aside):
        build_once(tmp_path / "index", lambda other: (other / "data").write_text("old"))
        (aside / "data").write_text("new")

    build_once(tmp_path / "index.v2", build)
    assert (tmp_path / "index.v2/data").read_text() == "new"


def test_a_folder_that_cannot_be_written_is_one_clear_error(tmp_path):
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(WorkFailed, match="cannot write"):
        build_once(tmp_path / "file" / "index", lambda aside: None)


def _builds_and_removals(folder, log):
    for _ in range(30):
        build_once(folder, lambda aside: (aside / "data").write_text("whole"))
        remove_built(folder)
    with open(log, "a") as handle:
        handle.write("done\n")


def test_builders_and_removers_do_not_disturb_each_other(tmp_path):
    folder, log = tmp_path / "cache" / "index", tmp_path / "log"
    context = multiprocessing.get_context("fork")
    workers = [context.Process(target=_builds_and_removals, args=(folder, log)) for _ in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert log.read_text() == "done\n" * 3
    assert [path.name for path in folder.parent.iterdir()] == ["index.lock"]


def test_what_killed_builds_left_is_swept_but_not_what_is_being_built(tmp_path):
    (tmp_path / ".killed.0123456789ab").mkdir()
    (tmp_path / "killed.lock").touch()

    def build(aside):
        sweep_killed_builds(tmp_path)
        assert not (tmp_path / ".killed.0123456789ab").exists()
        (aside / "data").write_text("whole")

    assert (build_once(tmp_path / "index", build) / "data").read_text() == "whole"


def _writes(path, number):
    for _ in range(200):
        write_whole(path, json.dumps([number] * 5000))


def test_processes_that_write_one_file_at_once_leave_it_whole_and_fail_nobody(tmp_path):
    path = tmp_path / "cache" / "known.json"
    context = multiprocessing.get_context("fork")
    workers = [context.Process(target=_writes, args=(path, number)) for number in range(4)]
    for worker in workers:
        worker.start()
    while any(worker.is_alive() for worker in workers):
        if path.exists():
            assert len(set(json.loads(path.read_text()))) == 1
    assert [worker.exitcode for worker in workers] == [0] * 4
    assert [left.name for left in path.parent.iterdir()] == ["known.json"]


def test_a_file_that_cannot_be_written_is_one_clear_error(tmp_path):
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(WorkFailed, match="cannot write"):
        write_whole(tmp_path / "file" / "known.json", "{}")
