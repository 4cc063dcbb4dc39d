"""A Ray cluster of three nodes on this machine: a head without cores, where whoever asks is, and two that work."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from waiting import PATIENCE

from rerank_cli.cli.main import main

ROOT = Path(__file__).resolve().parents[2]
_NODE = {"object_store_memory": 150 * 2**20}


def patient(get_node: Callable[..., Any]) -> Callable[..., Any]:
    """Ray's own question whether a node is there, answered when it is: Ray itself gives a node half a minute."""

    def found(*where: Any) -> Any:
        end = time.monotonic() + PATIENCE
        while True:
            try:
                return get_node(*where)
            except RuntimeError:
                if time.monotonic() > end:
                    raise
                time.sleep(0.1)

    return found


class Nodes:
    """The cluster; nodes that work may be killed and begun."""

    def __init__(self, folder: str) -> None:
        from ray.cluster_utils import Cluster

        head = {"num_cpus": 0, "include_dashboard": False, "temp_dir": folder, **_NODE}
        self.cluster = Cluster(initialize_head=True, head_node_args=head)
        self.address: str = self.cluster.address
        self.working: list[Any] = []

    def begin(self) -> None:
        """One more node of one core; it may take a while until it is there."""
        self.working.append(self.cluster.add_node(wait=False, num_cpus=1, **_NODE))

    def kill(self) -> None:
        """The node that has worked longest ends, without a word to anybody."""
        self.cluster.remove_node(self.working.pop(0), allow_graceful=False)

    def ready(self) -> None:
        """As many nodes as at the beginning, and the cluster knows who is there and who is gone."""
        while len(self.working) < 2:
            self.begin()
        self.cluster.wait_for_nodes(PATIENCE)


@pytest.fixture(scope="package")
def all_nodes() -> Iterator[Nodes]:
    """The cluster of all tests here; begun once, which takes some ten seconds."""
    ray = pytest.importorskip("ray")
    from ray._private import services

    patched = pytest.MonkeyPatch()
    patched.setattr(services, "get_node", patient(services.get_node))
    patched.setenv("RAY_USAGE_STATS_ENABLED", "0")
    # Ray's workers would wait for everything else that this machine does.
    patched.setenv("RAY_worker_niceness", "0")
    # What is installed on every node.
    patched.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), str(ROOT / "tests")]))
    folder = tempfile.mkdtemp(prefix="ray-", dir="/tmp")
    nodes = Nodes(folder)
    yield nodes
    patched.undo()
    ray.shutdown()
    nodes.cluster.shutdown()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def nodes(all_nodes: Nodes) -> Nodes:
    """The cluster, two nodes at work."""
    all_nodes.ready()
    return all_nodes


@pytest.fixture
def inside(cache_dir: Path, tmp_path: Path, monkeypatch, capfd) -> Callable[..., tuple[int, str, str]]:
    """`inside(*arguments)` runs the program in this process, which has loaded everything: exit code, stdout, stderr."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RERANK_CACHE_DIR", str(cache_dir))
    for name in [name for name in os.environ if name.startswith("RERANK_") and name != "RERANK_CACHE_DIR"]:
        monkeypatch.delenv(name)

    def run(*arguments: object) -> tuple[int, str, str]:
        code = int(main([str(argument) for argument in arguments]))
        return code, *capfd.readouterr()

    return run
