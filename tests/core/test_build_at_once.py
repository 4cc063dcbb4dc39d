"""What other processes do at the worst moment to what is built once: each moment is made to come, none is waited for."""

import fcntl
import os
import shutil
import time

import pytest

from rerank_cli.core.build_once import build_once, opened, passing_folder, remove_built, sweep_killed_builds


def whole(aside):
    (aside / "data").write_text("whole")


def test_what_is_removed_before_it_is_open_is_built_again(tmp_path):
    folder, tries = tmp_path / "index", []

    def read(place):
        tries.append(place)
        if len(tries) == 1:
            remove_built(place)
        return (place / "data").read_text()

    assert opened(lambda: build_once(folder, whole), read) == "whole"
    assert len(tries) == 2


def test_what_is_replaced_while_it_is_opened_is_opened_again(tmp_path):
    folder, tries = tmp_path / "exported", []
    build_once(folder, whole)

    def read(place):
        tries.append(place)
        if len(tries) == 1:
            os.rename(place, tmp_path / "old")
            build_once(place, whole)
            raise ValueError("half of the one and half of the other")
        return (place / "data").read_text()

    assert opened(lambda: folder, read) == "whole"


def test_what_cannot_be_opened_is_an_error_at_once(tmp_path):
    folder = build_once(tmp_path / "index", whole)
    with pytest.raises(FileNotFoundError):
        opened(lambda: folder, lambda place: (place / "other").read_text())


def test_what_was_to_be_gone_on_with_is_removed_by_who_holds_the_lock_alone(tmp_path):
    folder, partial = build_once(tmp_path / "index", whole), tmp_path / "index.partial"
    partial.mkdir()
    other = open(tmp_path / "index.lock")  # noqa: SIM115 (closed by `waiting`)
    fcntl.flock(other, fcntl.LOCK_EX)
    seen = []

    def waiting():
        seen.append(partial.is_dir())
        other.close()

    build_once(folder, pytest.fail, waiting=waiting, partial=partial)
    assert seen == [True]
    assert not partial.exists()


def test_a_file_of_the_users_with_the_name_of_a_lock_and_a_hidden_folder_of_his_stay(tmp_path):
    (tmp_path / "poetry.lock").write_text("his")
    (tmp_path / ".poetry.bak").mkdir()
    build_once(tmp_path / "poetry", whole)
    remove_built(tmp_path / "poetry")
    sweep_killed_builds(tmp_path)
    assert (tmp_path / "poetry.lock").read_text() == "his"
    assert (tmp_path / ".poetry.bak").is_dir()


def test_what_holds_something_that_is_being_built_stays(tmp_path):
    def build(aside):
        assert not remove_built(tmp_path / "model")
        whole(aside)

    inner = build_once(tmp_path / "model/gpu/64", build)
    assert (inner / "data").read_text() == "whole"
    assert remove_built(tmp_path / "model")
    assert not (tmp_path / "model").exists()


def test_files_that_a_kill_left_are_swept_when_nobody_can_be_writing_them(tmp_path):
    old, new, own = (tmp_path / name for name in (".a.json.0123456789ab", ".b.json.0123456789ab", ".mine"))
    for path in (old, new, own):
        path.write_text("{}")
    for path in (old, own):
        os.utime(path, (time.time() - 7200,) * 2)
    sweep_killed_builds(tmp_path)
    assert (old.exists(), new.exists(), own.exists()) == (False, True, True)


def test_a_folder_for_what_passes_is_swept_when_nobody_has_one(tmp_path):
    with passing_folder(tmp_path / "texts") as one, passing_folder(tmp_path / "texts") as other:
        shutil.copytree(one, left := one.with_name(".passing.0123456789ab"))
        sweep_killed_builds(tmp_path / "texts")
        assert one.is_dir() and other.is_dir() and left.is_dir()
    sweep_killed_builds(tmp_path / "texts")
    assert [path.name for path in (tmp_path / "texts").iterdir()] == ["passing.lock"]
