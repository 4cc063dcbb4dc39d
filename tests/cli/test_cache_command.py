"""`rerank cache`: it shows what is there, and removes what it is told and nothing else."""

import fcntl
import json
import os
import time

import pytest

from rerank_cli.cli.amounts import byte_count, seconds, shown_bytes
from rerank_cli.errors import WrongUsage
from rerank_cli.inference.cache import AnswerCache

DAY = 86400


@pytest.fixture
def kept(tmp_path):
    """A cache directory with two exported models (one made 40 days ago), answers, and things that are not ours."""
    place = tmp_path / "kept"
    for name, age, size in (("0123456789abcdef0123", 40, 3000), ("fedcba98765432100123", 1, 2000)):
        folder = place / "onnx" / name
        folder.mkdir(parents=True)
        (folder / "model.onnx").write_bytes(b"x" * size)
        (folder / "rerank.json").write_text(
            json.dumps({"name": f"model-{age}", "method": "monot5", "precision": "fp32"})
        )
        (place / "onnx" / f"{name}.lock").touch()
        moment = time.time() - age * DAY
        os.utime(folder, (moment, moment))
    (place / "hashes").mkdir()
    (place / "hashes" / f"{'a' * 32}.json").write_text("{}")
    (place / "onnx" / "my own notes").mkdir()
    (place / "onnx" / "my own notes" / "keep.txt").write_text("mine")
    (place / "photos").mkdir()
    (place / "photos" / ("b" * 32)).write_text("mine too")
    with AnswerCache(place / "answers", 1 << 30, pytest.fail) as cache:
        cache.put((b"%016d" % n, b"answer") for n in range(1000))
    return place


@pytest.fixture
def cache(rerank, kept):
    def run(*arguments):
        return rerank("cache", *arguments, env={"RERANK_CACHE_DIR": str(kept)})

    return run


def rows(done):
    assert done.code == 0, done.err
    return [line.split("\t") for line in done.lines]


def theirs(kept):
    return (kept / "onnx" / "my own notes" / "keep.txt").exists() and (kept / "photos" / ("b" * 32)).exists()


def test_each_kind_that_is_there_with_its_entries_and_the_total(cache, kept):
    shown = {row[0]: row[1:] for row in rows(cache())}
    assert list(shown) == ["answers", "onnx", "hashes", "total"]
    assert shown["answers"][0] == "1000"
    assert shown["onnx"][0] == "2"
    assert 5000 < int(shown["onnx"][1]) < 6000
    assert shown["onnx"][2] == str(kept / "onnx")
    assert int(shown["total"][1]) == sum(int(shown[kind][1]) for kind in ("answers", "onnx", "hashes"))


def test_a_named_kind_is_shown_entry_by_entry_the_oldest_first(cache):
    assert [(row[1], row[4]) for row in rows(cache("onnx"))] == [
        ("0123456789abcdef0123", "model-40, monot5, fp32"),
        ("fedcba98765432100123", "model-1, monot5, fp32"),
    ]


def test_paths_of_any_bytes_are_shown(rerank, tmp_path):
    place = os.fsencode(tmp_path) + b"/\xff kept"
    folder = os.path.join(place, b"texts", b"0" * 16)
    os.makedirs(folder)
    with open(os.path.join(folder, b"meta.json"), "w") as meta:
        json.dump({"files": [{"path": "/a\tb/\udcff.jsonl"}]}, meta)
    done = rerank("cache", "texts", env={"RERANK_CACHE_DIR": os.fsdecode(place)})
    assert done.code == 0, done.err
    assert done.out.endswith(b"\t/a b/\xff.jsonl\n")
    assert place in rerank("cache", env={"RERANK_CACHE_DIR": os.fsdecode(place)}).out


def test_an_empty_cache_directory_is_no_error_and_stays_empty(rerank, tmp_path):
    place = tmp_path / "none"
    assert rows(rerank("cache", env={"RERANK_CACHE_DIR": str(place)})) == [["total", "", "0", str(place)]]
    assert rerank("cache", "--prune", "all", env={"RERANK_CACHE_DIR": str(place)}).code == 0
    assert not place.exists()


def test_pruning_a_kind_removes_it_and_nothing_else(cache, kept):
    shown = {row[0]: row[1] for row in rows(cache("--prune", "onnx"))}
    assert "onnx" not in shown
    assert sorted(path.name for path in (kept / "onnx").iterdir() if path.suffix != ".lock") == ["my own notes"]
    assert theirs(kept)
    assert {row[0]: row[1] for row in rows(cache())} == {"answers": "1000", "hashes": "1", "total": ""}


def test_pruning_all_leaves_what_is_not_ours(cache, kept):
    done = cache("--prune", "all")
    assert "removed" in done.err
    assert rows(done)[0][:2] == ["answers", "0"]
    assert not list((kept / "hashes").iterdir())
    assert theirs(kept)


def test_pruning_by_age_and_by_size_takes_the_oldest(cache, kept):
    cache("--prune", "all", "--older-than", "30d")
    assert [row[1] for row in rows(cache("onnx"))] == ["fedcba98765432100123"]
    assert rows(cache())[0][:2] == ["answers", "1000"]
    cache("--prune", "onnx", "--max-size", "1G")
    assert len(rows(cache("onnx"))) == 1
    cache("--prune", "onnx", "--max-size", "1K")
    assert rows(cache("onnx")) == []
    assert theirs(kept)


def test_what_a_killed_build_left_goes_too(cache, kept):
    left = kept / "onnx" / ".0123456789abcdef0123.0123456789ab"
    left.mkdir()
    cache("--prune", "onnx", "--max-size", "1G")
    assert not left.exists()
    assert (kept / "onnx" / "0123456789abcdef0123").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--prune"], "does not know what to remove"),
        (["answers", "--older-than", "3d"], "give --prune too"),
        (["--prune", "onnx", "--older-than", "soon"], "--older-than is 'soon'"),
        (["--prune", "onnx", "--max-size", "-5G"], "--max-size"),
        (["pictures"], "pictures"),
    ],
)
def test_what_makes_no_sense_is_refused_and_removes_nothing(cache, kept, arguments, said):
    done = cache(*arguments)
    assert done.code == 2
    assert said in done.err
    assert len(list((kept / "onnx").glob("*/rerank.json"))) == 2


def test_a_damaged_store_is_shown_and_pruned(cache, kept):
    (path,) = kept.glob("answers/1/*.sqlite")
    path.write_bytes(b"no database" * 1000)
    done = cache()
    assert done.code == 0
    assert "is damaged" in done.err
    cache("--prune", "answers")
    assert path.with_name("x").parent.with_name("1.damaged").is_dir()
    assert not list(kept.glob("answers/1.damaged/*"))


@pytest.mark.parametrize(
    ("text", "size"),
    [("20G", 20 * 2**30), ("1.5m", 3 * 2**19), ("2 KiB", 2048), ("77", 77), ("77B", 77), ("1T", 2**40), ("0", 0)],
)
def test_sizes(text, size):
    assert byte_count(text, "--cache-size") == size


@pytest.mark.parametrize(("text", "time"), [("12h", 43200), ("30d", 30 * DAY), ("1.5w", 907200), ("1Y", 365 * DAY)])
def test_times(text, time):
    assert seconds(text, "--older-than") == time


@pytest.mark.parametrize("text", ["", "G", "-1G", "1.G", "5X", "1e9", "infG", "1 2G"])
def test_what_is_no_size_and_no_time(text):
    with pytest.raises(WrongUsage):
        byte_count(text, "--max-size")
    with pytest.raises(WrongUsage):
        seconds(text, "--older-than")


def test_sizes_for_people():
    assert [shown_bytes(n) for n in (0, 1023, 1024, 1536 * 2**20, 5 * 2**40)] == [
        "0 B", "1023 B", "1.0 KiB", "1.5 GiB", "5.0 TiB"
    ]  # fmt: skip


def unfinished(kept, name, age):
    folder = kept / "dense" / f"{name}.partial"
    folder.mkdir(parents=True)
    (folder / "vectors.npy").write_bytes(b"x" * 1000)
    (folder / "progress.json").write_text(json.dumps({"documents": 2048}))
    os.utime(folder, (time.time() - age * DAY,) * 2)
    return folder


def test_an_encoding_that_was_stopped_goes_and_is_said_but_one_under_way_stays(cache, kept):
    old, new, going_on = (unfinished(kept, letter * 24, age) for letter, age in (("a", 40), ("b", 1), ("c", 50)))
    assert ["dense", old.name, "1019"] in [row[:3] for row in rows(cache("dense"))]
    with open(kept / "dense" / f"{'c' * 24}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = cache("--prune", "dense", "--older-than", "30d")
        assert [folder.exists() for folder in (old, new, going_on)] == [False, True, True]
        assert f"{old.name} of dense was unfinished, with 2048 documents done, and is removed" in done.err
        assert f"{going_on.name} of dense is being made now, and is kept" in done.err and new.name not in done.err
        rows(cache("--prune", "all"))
        assert going_on.exists() and not new.exists()
    cache("--prune", "dense", "-q")
    assert not going_on.exists()


def test_what_fast_means_here_is_an_entry_of_the_exported_models(cache, kept):
    measured = kept / "onnx" / f"{'c' * 20}-fast"
    measured.mkdir()
    (measured / "fast.json").write_text("{}")
    assert len(rows(cache("onnx"))) == 3
    cache("--prune", "onnx")
    assert not measured.exists()
