"""Many requests at a time: how many, what a killed run pays twice, and that Ctrl-C is heard at once."""

import functools
import os
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from conftest import ROOT
from inference.loopback import Loopback, Reply, echoing
from waiting import PATIENCE, until

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


def test_sixteen_at_a_time_take_a_sixteenth_of_the_servers_time():
    """It answers sixteen at once and never fewer, so that 64 requests take the time of four."""
    meeting = threading.Barrier(16, timeout=PATIENCE)

    def sixteen_at_once(seen):
        meeting.wait()
        return echoing(seen)

    with Loopback(sixteen_at_once) as server:
        servers = Servers([server.url], concurrency=16, note=pytest.fail)
        writer = EndpointWriter(servers, Served("m"), note=pytest.fail)
        found = dict(writer.complete([Prompt((Message("user", str(at)),)) for at in range(64)], Decoding()))
    assert len(found) == len(server.posts) == 64
    assert server.most_in_flight == 16


def test_many_threads_may_ask_through_one_store(tmp_path):
    """Each for one prompt, as a ranking algorithm does; together no more at a time than the servers are to have."""

    def ask(at):
        ((_, completion),) = writer.complete([Prompt((Message("user", f"say {at}"),))], Decoding())
        return completion.text == f"SAY {at}"

    with (
        Loopback(lambda seen: Reply(echoing(seen), after=0.01), together=6) as server,
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
    """The second asks a server of its own: what the first had sent may still be on its way when it is dead."""
    all_there = threading.Event()

    def held(seen):
        if seen.number >= 150:
            all_there.wait(PATIENCE)
        return echoing(seen)

    with Loopback(held) as server, Loopback(echoing) as another:
        first = asking(server.url)
        until(lambda: len(server.posts) == 158 or first.poll() is not None)
        first.send_signal(signal.SIGKILL)
        first.wait()
        all_there.set()
        before = [seen.body for seen in server.posts]
        second = asking(another.url)
        told, _ = second.communicate(timeout=PATIENCE)
        after = [seen.body for seen in another.posts]
    lines = told.decode().splitlines()
    assert second.returncode == 0
    assert len(lines) == len(set(lines)) == 43 * 9
    assert len(set(before)) == len(before) == 158 and len(set(after)) == len(after)
    assert len({*before, *after}) == 43 * 9
    assert len(set(before) & set(after)) == 8


def test_ctrl_c_does_not_wait_for_the_servers(asking):
    ended = threading.Event()
    with Loopback(lambda seen: ended.wait(10 * PATIENCE)) as server:
        process = asking(server.url)
        until(lambda: len(server.posts) == 8 or process.poll() is not None)
        process.send_signal(signal.SIGINT)
        process.wait(timeout=PATIENCE)
        assert server.in_flight == 8, "none has been answered"
        ended.set()
