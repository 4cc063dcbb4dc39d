"""docs/scale.md: the recipe for topics and documents in other words, run as it stands, but for the address of the server."""

import re
import shutil

from conftest import ROOT
from inference.loopback import Loopback, chat_reply, models


def answer(seen):
    """A model that writes: what it says depends on what it is asked."""
    if seen.method == "GET":
        return models("m")
    asked = seen.json["messages"][-1]["content"]
    return chat_reply(f"lens {sum(asked.encode()) % 97} {len(asked)}")


def test_split_and_joined_topics_and_documents_are_those_of_one_process(shell, tmp_path):
    page = (ROOT / "docs/scale.md").read_text(encoding="utf-8")
    recipe = re.search(r"^### Topics and documents in other words\n.*?^```sh\n(.*?)^```", page, re.M | re.S)
    assert recipe is not None
    for name, as_name in (("queries.jsonl", "topics.jsonl"), ("corpus.jsonl", "corpus.jsonl")):
        shutil.copy(ROOT / "rerank_cli/demo" / name, tmp_path / as_name)
    with Loopback(answer) as server:
        done = shell("set -e\n" + recipe.group(1).replace("http://gpu1:8000", server.url))
        assert done.code == 0, done.err
        whole = shell(
            f"rerank rewrite topics.jsonl --endpoint {server.url} -o whole.tsv && rerank expand corpus.jsonl --endpoint {server.url}"
        )
    assert whole.code == 0, whole.err
    assert len(list(tmp_path.glob("new.topics.0?"))) == len(list(tmp_path.glob("new.docs.0?"))) == 4
    assert (tmp_path / "rewritten.tsv").read_bytes() == (tmp_path / "whole.tsv").read_bytes(), done.err
    parts = sorted(tmp_path.glob("new.docs.0?"))
    assert b"".join(part.read_bytes() for part in parts) == whole.out, done.err
    assert len({line.split()[0] for line in (tmp_path / "expanded.run").read_text().splitlines()}) == 40
