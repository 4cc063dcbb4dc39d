"""A rerank that is killed, run twice at once, or whose cache is broken writes the run that it would have written."""

import json
import os
import random
import re
import resource
import subprocess
import sys
from pathlib import Path

import counted_model
import pytest
from waiting import PATIENCE, until

LIMIT_BYTES = 200_000


class Counted:
    """The real program in a folder of its own, with `counted_model` behind it."""

    def __init__(self, folder, environment):
        self.folder, self.cache, self.log = folder, folder / "cache", folder / "log"
        self._environment = {**environment, "RERANK_CACHE_DIR": str(self.cache)}
        self._environment["PYTHONPATH"] += os.pathsep + str(Path(counted_model.__file__).parent)

    def start(self, *arguments, kills=0, file_limit=None):
        command = [sys.executable, "-P", counted_model.__file__, self.log, str(kills)]
        command += ["rerank", "candidates.run", "-c", "demo", *arguments]

        def limited():
            resource.setrlimit(resource.RLIMIT_FSIZE, (file_limit, file_limit))

        return subprocess.Popen(
            command,
            cwd=self.folder,
            env=self._environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            preexec_fn=limited if file_limit else None,
        )

    def run(self, *arguments, **how):
        """stdout and stderr of a run that must succeed."""
        process = self.start(*arguments, **how)
        out, err = process.communicate(timeout=PATIENCE)
        assert process.returncode == 0, err.decode()
        return out.decode(), err.decode()

    def asked(self):
        """How many pairs the model was asked so far."""
        return sum(map(int, self.log.read_text().split()))

    @property
    def store(self):
        (path,) = (self.cache / "answers").glob("[0-9]/kept.sqlite")
        return path


@pytest.fixture(scope="module")
def candidates(environment, tmp_path_factory):
    """BM25's lists for the demo collection."""
    path = tmp_path_factory.mktemp("candidates") / "candidates.run"
    line = [sys.executable, "-P", "-m", "rerank_cli", "retrieve", "-c", "demo", "-o", str(path)]
    subprocess.run(line, env=environment, check=True, capture_output=True)
    return path


@pytest.fixture
def counted(environment, tmp_path, candidates):
    (tmp_path / "candidates.run").write_bytes(candidates.read_bytes())
    return Counted(tmp_path, environment)


@pytest.fixture(scope="module")
def uninterrupted(environment, tmp_path_factory, candidates):
    """The run without a cache, and how many pairs it asks."""
    folder = tmp_path_factory.mktemp("uninterrupted")
    (folder / "candidates.run").write_bytes(candidates.read_bytes())
    counted = Counted(folder, environment)
    out, _ = counted.run("--no-cache")
    assert not (counted.cache / "answers").exists()
    return out, counted.asked()


def test_twenty_kills_cost_at_most_a_batch_each_and_change_nothing(counted, uninterrupted):
    run, pairs = uninterrupted
    _, err = counted.run("-o", "out.run", "--stats", "stats.jsonl", kills=20)
    assert (counted.folder / "out.run").read_text() == run
    again = counted.asked() - pairs
    assert 0 <= again <= 20 * counted_model.BATCH
    cached = sum(json.loads(line)["cached"] for line in (counted.folder / "stats.jsonl").read_text().splitlines())
    assert cached > 20 * counted_model.BATCH
    assert f"{cached} of {pairs} pairs were answered from the cache" in err
    before = counted.asked()
    assert counted.run()[0] == run
    assert counted.asked() == before


def test_processes_that_run_at_once_write_the_same_run(counted, uninterrupted):
    run, pairs = uninterrupted
    processes = [counted.start("-q")]
    until(
        lambda: counted.log.exists() and counted.asked() > counted_model.BATCH, processes[0]
    )  # so the first batch is kept: the others must find it
    processes += [counted.start("-q") for _ in range(2)]
    for process in processes:
        out, err = process.communicate(timeout=PATIENCE)
        assert process.returncode == 0, err.decode()
        assert out.decode() == run
    before = counted.asked()
    assert before < 3 * pairs, "none found an answer of another"
    assert counted.run()[0] == run
    assert counted.asked() == before


@pytest.mark.parametrize("damage", ["cut", "garbage"])
def test_a_damaged_cache_costs_time_and_no_score(counted, uninterrupted, damage):
    run, _ = uninterrupted
    counted.run("-k", "10")
    whole = counted.store.read_bytes()
    changed = {"cut": whole[:20_000], "garbage": random.Random(2).randbytes(len(whole))}[damage]
    counted.store.write_bytes(changed)
    out, err = counted.run("-q")
    assert out == run
    assert err.count("is damaged") == 1
    before = counted.asked()
    assert counted.run()[0] == run
    assert counted.asked() == before


def test_a_cache_that_cannot_be_written_is_said_and_done_without(counted, uninterrupted):
    run, _ = uninterrupted
    counted.run("--no-cache", "-k", "1")
    (counted.cache / "answers").write_text("not a folder")
    out, err = counted.run("-q")
    assert out == run
    assert err.count("warning: ") == 1
    assert "answers" in err


def test_a_disk_that_fills_up_is_said_and_loses_no_output(counted, uninterrupted):
    run, pairs = uninterrupted
    assert len(run) < LIMIT_BYTES
    counted.run("--no-cache", "-k", "1")
    _, err = counted.run("-q", "-o", "out.run", file_limit=LIMIT_BYTES)
    assert (counted.folder / "out.run").read_text() == run
    assert err.count("keeps no more answers") == 1
    before = counted.asked()
    assert counted.run()[0] == run
    assert counted.asked() - before < pairs, "what was kept before the disk was full is found"


def test_another_depth_asks_only_what_is_new_and_the_estimate_knows(counted, uninterrupted):
    run, pairs = uninterrupted
    counted.run("-k", "10")
    first = counted.asked()
    cost = dict(line.split("\t") for line in counted.run("--dry-run")[0].splitlines())
    assert (int(cost["pairs"]), int(cost["cached"]), int(cost["calls"])) == (pairs, first, pairs - first)
    assert counted.run()[0] == run
    assert counted.asked() == pairs


def test_the_cache_stays_below_its_size(counted):
    counted.run("--cache-size", "100K")
    assert counted.store.stat().st_size < 120_000
    counted.run("--cache-size", "60K", "-k", "1")
    assert counted.store.stat().st_size < 72_000


def test_a_size_that_is_none_is_refused_before_any_work(counted):
    process = counted.start("--cache-size", "much")
    err = process.communicate()[1].decode()
    assert process.returncode == 2
    assert "--cache-size is 'much'" in err
    assert not counted.log.read_text()


def test_the_embedded_model_gives_the_same_run_from_the_cache(rerank, candidates):
    first = rerank("rerank", candidates, "-c", "demo", "-k", "20")
    second = rerank("rerank", candidates, "-c", "demo", "-k", "20")
    assert first.code == second.code == 0, first.err
    assert second.out == first.out
    assert re.search(r"(\d+) of \1 pairs were answered from the cache", second.err)
