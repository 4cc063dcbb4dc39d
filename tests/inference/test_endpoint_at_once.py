"""Many requests at a time: how much quicker, what a killed run pays twice, and how soon Ctrl-C is heard."""

import functools
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from conftest import ROOT
from inference.loopback import Loopback, Reply, echoing

from rerank_cli.http.servers import Servers
from rerank_cli.inference.cache import AnswerCache
from rerank_cli.inference.endpoint import EndpointWriter
from rerank_cli.inference.kept_words import KeptWriter
from rerank_cli.inference.served import Served
from rerank_cli.inference.writing import Decoding, Message, Prompt

#: A process of its own, killed in its middle: 43 queries x 9 windows through the store, eight at a time.
ASKING = """
import sys
from pathlib import Path
from rerank_cli.inference.cache import AnswerCache
from rerank_cli.inference.endpoint import EndpointWriter
from rerank_cli.inference.kept_words import KeptWriter
from rerank_cli.inference.served import Served
from rerank_cli.http.servers import Servers
from rerank_cli.inference.writing import Decoding, Message, Prompt

url, folder = sys.argv[1:]
servers = Servers([url], concurrency=8, note=print)
prompts = [Prompt((Message("user", f"query {q} window {w}"),)) for q in range(43) for w in range(9)]
with AnswerCache(Path(folder), 1 << 27, print) as store:
    for _, completion in KeptWriter(EndpointWriter(servers, Served("m"), note=print), store).complete(prompts, Decoding()):
        print(completion.text, flush=True)
"""


def seconds_for(n, url, concurrency):
    writer = EndpointWriter(Servers([url], concurrency=concurrency, note=pytest.fail), Served("m"), note=pytest.fail)
    start = time.monotonic()
    found = dict(writer.complete([Prompt((Message("user", str(at)),)) for at in range(n)], Decoding()))
    assert len(found) == n
    return time.monotonic() - start


def test_sixteen_at_a_time_are_many_times_quicker_than_one_by_one(record_property):
    """At least twelve times on a machine that has nothing else to do."""
    with Loopback(lambda seen: Reply(echoing(seen), after=0.1)) as server:
        one_by_one = seconds_for(16, server.url, 1) * 4
        together = seconds_for(64, server.url, 16)
    record_property("times quicker", one_by_one / together)
    assert one_by_one / together >= 8
    assert server.most_in_flight == 16


def test_many_threads_may_ask_through_one_store(tmp_path):
    """Each for one prompt, as a ranking algorithm does; together no more at a time than the servers are to have."""

    def ask(at):
        ((_, completion),) = writer.complete([Prompt((Message("user", f"say {at}"),))], Decoding())
        return completion.text == f"SAY {at}"

    with (
        Loopback(lambda seen: Reply(echoing(seen), after=0.01)) as server,
        AnswerCache(tmp_path / "answers", 1 << 27, pytest.fail) as store,
        ThreadPoolExecutor(20) as threads,
    ):
        writer = EndpointWriter(Servers([server.url], concurrency=6, note=pytest.fail), Served("m"), note=pytest.fail)
        writer = KeptWriter(writer, store)
        assert all(threads.map(ask, range(40)))
        assert all(threads.map(ask, range(40)))
        assert server.most_in_flight == 6 and len(server.posts) == 40


@pytest.fixture
def asking(tmp_path):
    """Starts the process that asks `url`; its store is the test's own."""
    started = []

    def start(url):
        command = [sys.executable, "-c", ASKING, url, str(tmp_path / "answers")]
        environment = os.environ | {"PYTHONPATH": str(ROOT)}
        # Who runs the tests in the background ignores SIGINT, and children would too.
        heeding = functools.partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
        started.append(subprocess.Popen(command, stdout=subprocess.PIPE, env=environment, preexec_fn=heeding))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.communicate()


def test_a_killed_run_asks_again_only_what_was_on_its_way(asking):
    with Loopback(lambda seen: Reply(echoing(seen), after=0.02)) as server:
        first = asking(server.url)
        while len(server.posts) < 150:
            time.sleep(0.01)
            assert first.poll() is None
        first.send_signal(signal.SIGKILL)
        first.wait()
        time.sleep(0.1)
        before = [seen.body for seen in server.posts]
        assert 150 <= len(before) < 300
        second = asking(server.url)
        told, _ = second.communicate(timeout=60)
        after = [seen.body for seen in server.posts][len(before) :]
    lines = told.decode().splitlines()
    assert second.returncode == 0
    assert len(lines) == len(set(lines)) == 43 * 9
    assert len(set(before)) == len(before) and len(set(after)) == len(after)
    assert len({*before, *after}) == 43 * 9
    assert len(set(before) & set(after)) <= 8


def test_ctrl_c_does_not_wait_for_the_servers(asking):
    with Loopback(lambda seen: Reply(echoing(seen), after=20)) as server:
        process = asking(server.url)
        while len(server.posts) < 8:
            time.sleep(0.01)
        start = time.monotonic()
        process.send_signal(signal.SIGINT)
        process.wait(timeout=10)
        assert time.monotonic() - start < 3
