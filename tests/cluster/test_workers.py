"""Blocks go out, answers come back in order, whatever becomes of workers and nodes."""

from __future__ import annotations

import threading

import pytest
from waiting import PATIENCE, until

import rerank_cli
from cluster.jobs import FileCache, Job, log_of
from rerank_cli.cluster import workers as workers_module
from rerank_cli.cluster.workers import Workers
from rerank_cli.errors import DeviceUnavailable, Missing, WorkFailed


@pytest.fixture
def hired(nodes, tmp_path):
    """`hired(job, **how)`: workers of the cluster with what they said."""

    def begin(job, **how):
        said = []
        workers = Workers(nodes.address, job, note=said.append, name=lambda block: f"block {block}", **how)
        workers.said = said
        return workers

    return begin


def noted(answers, path):
    """The answers, each with a line in the file when it has arrived."""
    for answer in answers:
        with path.open("a") as arrived:
            arrived.write(f"{answer}\n")
        yield answer


def test_answers_come_in_order_and_input_is_read_no_further_than_there_is_room(hired, tmp_path):
    read = []

    def blocks():
        for number in range(60):
            read.append(number)
            yield number

    with hired(Job(tmp_path / "log", among=2)) as workers:
        assert workers.share == (2, 1, 0.0)
        assert workers.told == "double"
        for at, answer in enumerate(workers.answers(blocks())):
            assert answer == at * 2
            assert len(read) <= at + 1 + 4 * 2
    assert len({process for _, process in log_of(tmp_path / "log")}) == 2
    assert workers.said.count("here with 1 cores") == 1


def test_an_answer_does_not_wait_for_the_next_block(hired, tmp_path):
    more = threading.Event()

    def blocks():
        yield 1
        assert more.wait(PATIENCE), "the first answer was held back"
        yield 2

    with hired(Job(tmp_path / "log"), workers=1) as workers:
        answers = workers.answers(blocks())
        assert next(answers) == 2
        more.set()
        assert list(answers) == [4]


def test_a_worker_that_dies_is_replaced_and_what_it_had_is_named(hired, tmp_path):
    log, arrived = tmp_path / "log", tmp_path / "arrived"
    with hired(Job(log, dying=(5, 30), arrived=arrived), workers=1) as workers:
        assert list(noted(workers.answers(range(60)), arrived)) == [number * 2 for number in range(60)]
    begun = log_of(log)
    assert len({process for _, process in begun}) == 3
    # Nothing but what it died on is begun twice; what waited there is only put again.
    assert sorted(int(block) for block, _ in begun) == sorted([*range(60), 5, 30])
    gone = [text for text in workers.said if "a worker is gone" in text]
    assert [text.partition(",")[0] for text in gone] == [f"a worker is gone; put again: block {n}" for n in (5, 30)]


def test_a_node_that_is_killed_takes_nothing_along(hired, nodes, tmp_path):
    found = []
    with hired(Job(tmp_path / "log", 0.05)) as workers:
        for answer in workers.answers(range(80)):
            found.append(answer)
            if len(found) == 10:
                nodes.kill()
    assert found == [number * 2 for number in range(80)]


@pytest.mark.slow
def test_all_nodes_may_go_and_others_come(hired, nodes, tmp_path, monkeypatch):
    found, gate = [], tmp_path / "gate"
    with hired(Job(tmp_path / "log", gate=gate)) as workers:
        answers = threading.Thread(target=lambda: found.extend(workers.answers(range(80))))
        answers.start()
        until(lambda: len(found) == 20)
        monkeypatch.setattr(workers_module, "_PATIENCE", 1.0)
        nodes.kill()
        nodes.kill()
        until(lambda: any("waiting for the cluster to have room" in text for text in workers.said))
        nodes.ready()
        gate.touch()
        answers.join(PATIENCE)
    assert found == [number * 2 for number in range(80)]
    assert sum("waiting for the cluster to have room" in text for text in workers.said) == 1


def test_a_poisoned_block_is_named_after_three_tries(hired, tmp_path):
    log, arrived = tmp_path / "log", tmp_path / "arrived"
    found = []
    with (
        hired(Job(log, arrived=arrived), workers=1) as workers,
        pytest.raises(WorkFailed, match="3 workers died, one after the other, on block poison"),
    ):
        found.extend(noted(workers.answers([1, 2, "poison", *range(3, 40)]), arrived))
    assert found == [2, 4]
    assert sum(block == "poison" for block, _ in log_of(log)) == 3


def test_a_block_that_cannot_be_computed_is_tried_again_and_named_after_three_tries(hired, tmp_path):
    log = tmp_path / "log"
    found = []
    with (
        hired(Job(log), workers=1) as workers,
        pytest.raises(WorkFailed, match="block ill failed 3 times: no shape for ill") as caught,
    ):
        found.extend(workers.answers([1, "once", 2, "ill", *range(3, 40)]))
    assert found == [2, "onceonce", 4]
    assert [sum(one == block for one, _ in log_of(log)) for block in ("once", "ill")] == [2, 3]
    assert len({process for _, process in log_of(log)}) == 1 and isinstance(caught.value.__cause__, ValueError)
    again = [text for text in workers.said if "put again" in text]
    assert again == [f"a worker failed; put again: block {b}: no shape for {b}" for b in ("once", "ill", "ill")]


def test_what_a_worker_raises_arrives_as_itself(hired, tmp_path):
    with hired(Job(tmp_path / "log"), workers=1) as workers, pytest.raises(Missing) as caught:
        list(workers.answers([1, "missing", 2]))
    assert (caught.value.message, caught.value.hint) == ("no text", "name another collection")
    with pytest.raises(Missing, match="no such model"), hired(Job(tmp_path / "log", opening="missing"), workers=1):
        pass


def test_what_reading_raises_arrives_as_itself(hired, tmp_path):
    def blocks():
        yield 1
        raise Missing("no more")

    with hired(Job(tmp_path / "log"), workers=1) as workers, pytest.raises(Missing, match="no more"):
        list(workers.answers(blocks()))


def test_workers_that_die_at_the_beginning_are_not_replaced_for_ever(hired, tmp_path):
    with pytest.raises(WorkFailed, match="workers in a row died before they had begun"):
        hired(Job(tmp_path / "log", opening="die"), workers=1).__enter__()


def test_a_worker_of_another_version_is_refused(hired, tmp_path, monkeypatch):
    theirs = rerank_cli.__version__
    monkeypatch.setattr(rerank_cli, "__version__", "0.0.1")
    with pytest.raises(WorkFailed, match=f"a worker runs rerank {theirs}, and this is 0.0.1"):
        hired(Job(tmp_path / "log"), workers=1).__enter__()


def test_gpus_that_the_cluster_has_not(hired, tmp_path):
    with pytest.raises(DeviceUnavailable, match="no node of the cluster has 1 GPU"):
        hired(Job(tmp_path / "log"), gpus_per_worker=1).__enter__()


def test_one_cache_for_all_workers_has_what_a_dead_one_put(hired, tmp_path):
    from functools import partial

    folder = tmp_path / "cache"
    folder.mkdir()
    job = Job(tmp_path / "log", dying=(4,), among=2)
    with hired(job, open_cache=partial(FileCache, folder)) as workers:
        assert list(workers.answers(range(10))) == [number * 2 for number in range(10)]
    assert {path.name for path in folder.iterdir()} == {str(number) for number in range(10)}
    assert workers.said.count("the cache is open") == 1


@pytest.mark.parametrize("address", ["127.0.0.1:9", "localhost:9"])
def test_an_address_where_nobody_is_takes_no_minute(address, tmp_path):
    with pytest.raises(WorkFailed, match=f"no Ray cluster answers at {address}"):
        Workers(address, Job(tmp_path / "log"), note=print).__enter__()
