"""`rerank index` as a user meets it: an index that retrieve then finds, what it says of itself, damage that is found."""

import json

import pytest
from conftest import Runner

from rerank_cli.cli.main import main

DOCUMENTS = {"d1": "a ship sails the sea", "d2": "ships and more ships", "d3": "the sea is wide"}


@pytest.fixture
def sea(tmp_path):
    (tmp_path / "sea.jsonl").write_text(
        "".join(json.dumps({"_id": docid, "text": text}) + "\n" for docid, text in DOCUMENTS.items())
    )
    (tmp_path / "own.tsv").write_text("q\tship\n")
    return tmp_path


@pytest.fixture
def inside(sea, cache_dir, monkeypatch, capfd):
    """`inside(*arguments)` runs the program in this process: exit code, stdout, stderr."""
    monkeypatch.chdir(sea)
    monkeypatch.setenv("RERANK_CACHE_DIR", str(cache_dir))
    for name in ("RERANK_COLLECTION", "RERANK_RETRIEVER"):
        monkeypatch.delenv(name, raising=False)

    def run(*arguments):
        return int(main(list(arguments))), *capfd.readouterr()

    return run


def facts(done):
    assert done.code == 0, done.err
    return dict(line.split("\t", 1) for line in done.lines)


def test_built_now_and_found_by_retrieve(rerank, sea):
    built = facts(rerank("index", "--docs", "sea.jsonl", "-q"))
    assert (built["documents"], built["terms"], built["tokens"], built["analyzer"]) == ("3", "5", "8", "english")
    assert float(built["seconds"]) >= 0 and int(built["size"]) > 0 and built["kind"] == "bm25"
    again = rerank("index", "--docs", "sea.jsonl")
    assert "indexing" not in again.err and facts(again) == built
    found = rerank("retrieve", "--docs", "sea.jsonl", "--topics", "own.tsv")
    assert found.code == 0 and "indexing" not in found.err
    assert [line.split()[2] for line in found.lines] == ["d2", "d1"]


def test_looked_at_and_verified(rerank, sea):
    built = facts(rerank("index", "--docs", "sea.jsonl", "--index", "mine", "--analyzer", "whitespace"))
    assert built["index"] == "mine" and built["analyzer"] == "whitespace"
    assert facts(rerank("index", "mine", "--info")) == built
    files = json.loads((sea / "mine/manifest.json").read_text())["files"]
    assert int(built["size"]) == sum((sea / "mine" / name).stat().st_size for name in files)
    checked = rerank("index", "mine", "--check")
    assert checked.code == 0 and f"all {len(files)} files" in checked.err


@pytest.mark.parametrize("name", ["terms.bin", "documents.npy", "docids.bin"])
def test_damage_is_found_and_named(inside, sea, name):
    inside("index", "--docs", "sea.jsonl", "--index", "mine")
    whole = (sea / "mine" / name).read_bytes()
    for broken, what in (
        (whole[:-1] + bytes([whole[-1] ^ 1]), "is as long as it was written, but its bytes are others"),
        (whole[:-1], f"has {len(whole) - 1} bytes and was written with {len(whole)}"),
        (None, "is missing"),
    ):
        (sea / "mine" / name).unlink()
        if broken is not None:
            (sea / "mine" / name).write_bytes(broken)
        code, out, err = inside("index", "mine", "--check")
        assert (code, out) == (3, "")
        assert f"mine/{name}: the index is damaged: this file {what}" in err
        if broken is None:
            (sea / "mine" / name).write_bytes(b"")


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["sea", "--info"], 4, "sea is not an index"),
        (["own.tsv", "--check"], 4, "own.tsv is not an index"),
        (["broken", "--info"], 3, "broken/manifest.json: not a manifest"),
        (["broken"], 2, "--info, --check, or --index DIR"),
        (["--info"], 2, "name its folder"),
        (["--docs", "sea.jsonl", "-m", "nothing-such"], 4, "nothing-such"),
        (["--docs", "absent.jsonl"], 4, "absent.jsonl"),
        ([], 4, "-c demo"),
    ],
)
def test_mistakes(inside, sea, arguments, code, says):
    (sea / "broken").mkdir()
    (sea / "broken/manifest.json").write_text('{"format": 1}')
    (sea / "sea").mkdir()
    found, out, err = inside("index", *arguments)
    assert (found, out) == (code, "") and says in err


def test_a_models_index_is_built_and_shown_too(rerank: Runner) -> None:
    done = rerank("index", "-c", "demo", "-m", "minilm", "--check")
    assert done.code == 0, done.err
    facts = dict(line.split("\t", 1) for line in done.lines)
    assert (facts["kind"], facts["documents"]) == ("dense", "180")
    assert rerank("index", facts["index"], "--info").lines == done.lines
