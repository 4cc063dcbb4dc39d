"""`irds:ID` gives topics, judgements and documents through ir_datasets; offline it downloads nothing and says so."""

import subprocess
import sys
import threading
import uuid
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import NamedTuple

import pytest

ir_datasets = pytest.importorskip("ir_datasets", reason="the extra irds is not installed")

from rerank_cli.collection import Overrides, open_collection  # noqa: E402
from rerank_cli.core.texts import Document  # noqa: E402
from rerank_cli.errors import BadData, ExitCode, Missing  # noqa: E402
from rerank_cli.formats.irds import IrdsDataset  # noqa: E402


class Topic(NamedTuple):
    """Three fields, as TREC's topics have them in ir_datasets."""

    query_id: str
    title: str
    description: str

    def default_text(self):
        return self.title


class TopicsInMemory(ir_datasets.formats.BaseQueries):
    def queries_iter(self):
        yield Topic("7", "a title", "a description")

    def queries_cls(self):
        return Topic


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("IR_DATASETS_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("IR_DATASETS_DL_TRIES", "1")
    return tmp_path


def register(dataset) -> str:
    name = f"test-{uuid.uuid4().hex}"
    ir_datasets.registry.register(name, dataset)
    return name


@pytest.fixture
def local(home) -> str:
    """A data set of files on this machine."""
    (home / "docs.tsv").write_text("d1\tfirst text\nd2\tsecond text\n")
    (home / "topics.tsv").write_text("2\tsecond\n1\tfirst\n")
    (home / "qrels").write_text("1 0 d1 2\n2 a d2 0\n")
    return register(ir_datasets.create_dataset(str(home / "docs.tsv"), str(home / "topics.tsv"), str(home / "qrels")))


def opened(dataset_id: str, home: Path, offline: bool = False) -> IrdsDataset:
    return IrdsDataset(dataset_id, home / "cache", lambda text: None, offline=offline)


@pytest.mark.parametrize("offline", [False, True])
def test_what_is_on_this_machine_is_read(local, home, offline):
    dataset = opened(local, home, offline)
    assert list(dataset.topics().items()) == [(b"2", "second"), (b"1", "first")]
    assert dataset.qrels().by_query == {b"1": {b"d1": 2}, b"2": {b"d2": 0}}
    assert dataset.qrels().iterations.tolist() == [b"0", b"a"]
    corpus = dataset.documents()
    assert corpus.lookup([b"d2", b"nowhere", b"d1", b"d2"]) == [
        Document(b"d2", "", "second text"),
        None,
        Document(b"d1", "", "first text"),
        Document(b"d2", "", "second text"),
    ]
    assert corpus.contains([b"d2", b"nowhere", b"d1", b"d2"]) == [True, False, True, True]
    assert [document.docid for document in corpus] == [b"d1", b"d2"]
    assert len(corpus) == 2


def test_topic_fields_by_short_and_long_name(home):
    name = register(ir_datasets.Dataset(TopicsInMemory()))
    assert opened(name, home).topics() == {b"7": "a title"}
    assert opened(name, home).topics(("title", "desc")) == {b"7": "a title a description"}
    with pytest.raises(BadData, match="no field narr"):
        opened(name, home).topics(("narr",))


def test_a_part_that_a_data_set_lacks(home):
    name = register(ir_datasets.Dataset(TopicsInMemory()))
    with pytest.raises(Missing, match="has no qrels") as error:
        opened(name, home).qrels()
    assert "queries" in error.value.hint


@pytest.mark.parametrize("part", ["topics", "qrels", "documents"])
def test_offline_what_is_not_here_is_missing(home, part):
    said: list[str] = []
    dataset = IrdsDataset("vaswani", home / "cache", said.append, offline=True)
    with pytest.raises(Missing, match="irds:vaswani are not on this machine") as error:
        getattr(dataset, part)()
    assert error.value.exit_code == ExitCode.MISSING == 4
    assert "--offline" in error.value.hint
    assert said == []


def test_downloads_are_allowed_again_afterwards(home):
    before = ir_datasets.util.download.RequestsDownload.stream
    with pytest.raises(Missing):
        opened("vaswani", home, offline=True).topics()
    assert ir_datasets.util.download.RequestsDownload.stream is before


def test_a_download_is_made_once_and_never_offline(home):
    asked: list[str] = []

    class Server(BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"1\tone\n")

        def log_message(self, *words):
            """Say nothing."""

    server = HTTPServer(("127.0.0.1", 0), Server)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    download = ir_datasets.util.Download(
        [ir_datasets.util.RequestsDownload(f"http://127.0.0.1:{server.server_port}/topics.tsv")], home / "topics.tsv"
    )
    name = register(ir_datasets.Dataset(ir_datasets.formats.TsvQueries(download)))
    try:
        with pytest.raises(Missing, match="not on this machine"):
            opened(name, home, offline=True).topics()
        assert asked == []
        for offline in (False, False, True):
            assert opened(name, home, offline).topics() == {b"1": "one"}
        assert asked == ["/topics.tsv"]
    finally:
        server.shutdown()


def test_an_unknown_data_set(home):
    with pytest.raises(Missing, match="knows no data set no-such-thing"):
        opened("no-such-thing", home).topics()


def test_without_the_extra_the_pip_line_is_named(home):
    program = """
import sys
from pathlib import Path
sys.modules["ir_datasets"] = None
from rerank_cli.errors import Missing
from rerank_cli.formats.irds import IrdsDataset
try:
    IrdsDataset("vaswani", Path("cache"), print).topics()
except Missing as error:
    print(error.hint)
"""
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=home, check=True)
    assert "rerank-cli[irds]" in ran.stdout


def test_as_a_collection_and_as_one_part_of_another(local, home):
    def collection(name, **overrides):
        return open_collection(
            name, Overrides(**overrides), registered={}, cache_dir=home / "cache", note=lambda text: None
        )

    whole = collection(f"irds:{local}")
    assert list(whole.topics()) == [b"2", b"1"]
    assert len(whole.qrels()) == 2
    assert whole.fingerprint() == collection(f"irds:{local}").fingerprint()
    (home / "mine.tsv").write_text("1\tmine\n")
    assert collection(f"irds:{local}", topics=str(home / "mine.tsv")).topics() == {b"1": "mine"}
    assert len(collection(None, qrels=f"irds:{local}").qrels()) == 2
