"""Cores and GPUs of a cluster's nodes, shared out."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rerank_cli.cluster.room import shared
from rerank_cli.errors import DeviceUnavailable, WorkFailed

NODES = st.lists(st.fixed_dictionaries({"CPU": st.integers(0, 64), "GPU": st.integers(0, 8)}), min_size=1, max_size=6)


def fits(nodes, cores, gpus):
    """How many workers of this size there is room for, counted one by one."""
    total = 0
    for node in nodes:
        cpu, gpu = node["CPU"], node["GPU"] + 1e-9
        while cpu >= cores and gpu >= gpus:
            cpu, gpu, total = cpu - cores, gpu - gpus, total + 1
    return total


@given(NODES)
def test_workers_without_gpus_use_nine_tenths_of_the_cores_and_are_as_large_as_that_allows(nodes):
    total = sum(node["CPU"] for node in nodes)
    if not total:
        with pytest.raises(WorkFailed):
            shared(nodes, None, 0)
        return
    share = shared(nodes, None, 0)
    assert share.workers == fits(nodes, share.cores, 0)
    assert share.workers * share.cores >= 0.9 * total
    for larger in range(share.cores + 1, 65):
        assert fits(nodes, larger, 0) * larger < 0.9 * total


@given(NODES, st.integers(1, 20), st.sampled_from([0, 0.5, 1, 2]))
def test_a_number_of_workers_has_the_most_cores_that_leave_room_for_all(nodes, workers, gpus):
    try:
        share = shared(nodes, workers, gpus)
    except (DeviceUnavailable, WorkFailed):
        assert fits(nodes, 1, gpus) == 0 or all(node["GPU"] < gpus for node in nodes)
        return
    assert (share.workers, share.gpus) == (workers, gpus)
    assert share.cores == 1 or fits(nodes, share.cores, gpus) >= workers
    assert fits(nodes, share.cores + 1, gpus) < workers


def test_a_worker_for_each_gpu_where_there_are_some():
    nodes = [{"CPU": 4}, {"CPU": 32, "GPU": 4}, {"CPU": 32, "GPU": 4}]
    assert shared(nodes, None, None) == (8, 8, 1.0)
    assert shared(nodes, None, 0.5) == (16, 4, 0.5)
    assert shared([{"CPU": 8}], None, None) == (1, 8, 0.0)


def test_gpus_that_no_node_has_are_named():
    with pytest.raises(DeviceUnavailable, match=r"no node of the cluster has 2 GPU .* the 2 has is 1"):
        shared([{"CPU": 4, "GPU": 1}, {"CPU": 4, "GPU": 1}], None, 2)
