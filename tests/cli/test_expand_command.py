"""`rerank expand`: a tiny T5 against a slow computation of its own, a server, and runs that stop in the middle."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
import tiny_causal
import tiny_models
from inference.loopback import Loopback, Reply, chat_reply, models

from rerank_cli.cli.main import main
from rerank_cli.inference.writing import Decoding, Prompt
from rerank_cli.methods.checkpoint import Checkpoint
from rerank_cli.methods.words.writers import load_writer

TEXTS = ["what is the price of copper in a mine", "bees", "flour, water and salt " * 3, "bees"]
LONG = "caffeine leaves the blood in half of five hours " * 200


@pytest.fixture(scope="module")
def t5(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny T5 whose tokenizer joins its pieces to words, as real ones do."""
    from tokenizers import Tokenizer, decoders

    folder = tmp_path_factory.mktemp("t5") / "t5"
    tiny_models.t5(folder, gated=True)
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.decoder = decoders.Metaspace()
    tokenizer.save(str(folder / "tokenizer.json"))
    return folder


def opened(folder: Path):
    return load_writer(Checkpoint("t5", str(folder), "writes"), threads=1, note=lambda _: None, device="cpu")


def slow(folder: Path, text: str, seed: int, length: int = 63) -> str:
    """One query as doc2query draws it: no batch, no cache, the whole decoder again for each token; ten likeliest tokens."""
    import torch
    from transformers import AutoModelForSeq2SeqLM, AutoTokenizer

    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModelForSeq2SeqLM.from_pretrained(folder).eval()
    read = tokenizer(text, truncation=True, max_length=512)["input_ids"]
    read = read if read[-1] == 1 else [*read[:511], 1]
    own = hashlib.blake2b(np.array([seed, *read, -1], dtype=np.int64).tobytes(), digest_size=8).digest()
    torch.set_num_threads(1)
    chance = np.random.default_rng(int.from_bytes(own, "little"))
    written = [0]
    with torch.inference_mode():
        while len(written) <= length and written[-1] != 1:
            logits = model(input_ids=torch.tensor([read]), decoder_input_ids=torch.tensor([written])).logits[0, -1]
            best = logits.double().topk(10)
            by_number = best.indices.argsort()
            odds = best.values.softmax(0)[by_number].cumsum(0)
            written.append(int(best.indices[by_number][int((odds < chance.random() * odds[-1]).sum())]))
    return tokenizer.decode(written, skip_special_tokens=True)


def run(capfdbinary, *arguments):
    code = int(main(["expand", "--threads", "1", *map(str, arguments)]))
    out, err = capfdbinary.readouterr()
    return code, out.decode(), err.decode()


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RERANK_CACHE_DIR", str(tmp_path / "cache"))
    for name in ("RERANK_ENDPOINT", "RERANK_COLLECTION"):
        monkeypatch.delenv(name, raising=False)
    records = [{"_id": f"d{at}", "text": text, "year": at} for at, text in enumerate(TEXTS)]
    (tmp_path / "docs.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))
    return tmp_path


def test_a_t5_draws_what_it_draws_alone(t5, capfdbinary):
    """Documents in order, the other fields kept, each query the one of its own seed; the same text gets the same queries."""
    code, out, err = run(
        capfdbinary, "docs.jsonl", "-m", t5, "-n", "3", "--field", "asked", "--seed", "4", "--max-repaired", "100"
    )
    assert code == 0, err
    records = [json.loads(line) for line in out.splitlines()]
    assert [(one["_id"], one["text"], one["year"]) for one in records] == [
        (f"d{at}", text, at) for at, text in enumerate(TEXTS)
    ]
    for record in records[:2]:
        drawn = [" ".join(slow(t5, record["text"], 4 + at).split()) for at in range(3)]
        assert record["asked"] == " ".join(dict.fromkeys(query for query in drawn if any(map(str.isalnum, query))))
    assert records[1]["asked"] == records[3]["asked"] != ""


def test_several_answers_to_a_prompt_equal_single_ones_and_read_it_once(t5, monkeypatch):
    prompts = [Prompt(text=text, draw=draw) for text in TEXTS[:3] for draw in range(4)]
    decoding = Decoding(max_tokens=8, temperature=1.0, top_k=10, logprobs=1)
    writer = opened(t5)
    rows = []
    encoder = writer._model.get_encoder()
    encoder.register_forward_pre_hook(lambda _, __, told: rows.append(len(told["input_ids"])), with_kwargs=True)
    together = dict(writer.complete(prompts, decoding))
    assert sum(rows) == 3
    for at, prompt in enumerate(prompts):
        ((_, alone),) = opened(t5).complete([prompt], decoding) if at == 0 else writer.complete([prompt], decoding)
        assert together[at].text == alone.text
        for (_, ours), (_, single) in zip(together[at].tokens, alone.tokens, strict=True):
            assert ours == pytest.approx(single, abs=1e-5)
    assert len({together[at].text for at in range(4)}) > 1


def test_a_long_document_is_cut_to_the_model_and_counted(t5, capfdbinary, place):
    (place / "long.tsv").write_text(f"d1\t{LONG}\n")
    code, out, err = run(capfdbinary, "long.tsv", "-m", t5, "-n", "1", "--max-repaired", "100")
    assert code == 0 and "1 documents were cut to what the prompt has room for" in err
    assert "1 calls, 512 tokens read" in err
    assert json.loads(out)["text"].startswith(LONG.strip())


def test_it_goes_on_where_it_was(t5, capfdbinary):
    """What a run of two calls has drawn is not drawn again, and the whole is what one run writes."""
    arguments = ("docs.jsonl", "-m", t5, "-n", "2", "--max-repaired", "100")
    _, _, err = run(capfdbinary, *arguments, "--max-calls", "3")
    assert "3 calls" in err and "questions were not asked: the budget is spent" in err
    _, resumed, err = run(capfdbinary, *arguments)
    assert "3 calls" in err and "replies were known from earlier" in err  # d1 and d3 are one text: six questions in all
    _, whole, err = run(capfdbinary, *arguments, "--no-cache")
    assert "8 calls" in err and resumed == whole


def test_a_causal_model_is_asked_in_words(tmp_path, capfdbinary):
    """Its context is short: a reply gets half of it."""
    folder = tiny_causal.causal(tmp_path / "qwen", "qwen2", longest=300)
    code, out, err = run(capfdbinary, "docs.jsonl", "-m", folder, "-n", "2", "--max-repaired", "100")
    assert code == 0 and len(out.splitlines()) == 4 and "3 calls" in err and "a reply may be 150 tokens long" in err


def test_a_server_writes_queries_line_by_line(capfdbinary):
    def answer(seen):
        return models("m") if seen.path == "/v1/models" else chat_reply("1. price of copper\n2. copper mine\n3. more")

    with Loopback(answer) as server:
        code, out, err = run(capfdbinary, "docs.jsonl", "--endpoint", server.url, "-n", "2", "--concurrency", "1")
        assert code == 0 and json.loads(out.splitlines()[1])["text"] == "bees price of copper copper mine"
        body = json.loads(server.posts[1].body)
        assert body["messages"][1]["content"].startswith("Document:\n\nbees\n\nWrite 2 different queries")
        assert (body["max_tokens"], body["temperature"], body["seed"]) == (512, 0.7, 0)
        code, _, err = run(capfdbinary, "docs.jsonl", "--endpoint", server.url, "--max-calls", "0", "--no-cache")
        assert code == 0 and "4 documents have no query" in err


def test_a_broken_line_is_named_and_what_was_done_before_it_is_kept(capfdbinary, place):
    """The documents before it are on stdout, a file is not made, and their answers are paid for once."""
    lines = (place / "docs.jsonl").read_text().splitlines(keepends=True)
    (place / "bad.jsonl").write_text("".join(lines[:3]) + '{"_id": "d9", "text": "cut\n')

    def answer(seen):
        return models("m") if seen.path == "/v1/models" else chat_reply("copper")

    with Loopback(answer) as server:
        code, out, err = run(capfdbinary, "bad.jsonl", "--endpoint", server.url)
        assert code == 3 and "bad.jsonl:4: not valid JSON" in err and len(out.splitlines()) == 3
        code, _, err = run(capfdbinary, "bad.jsonl", "--endpoint", server.url, "-o", "out.jsonl")
        assert code == 3 and not (place / "out.jsonl").exists() and len(server.posts) == 3


def test_a_server_that_fails_ends_it_and_leaves_no_file(capfdbinary, place):
    def answer(seen):
        return models("m") if seen.path == "/v1/models" else Reply({"error": {"message": "no such model"}}, 404)

    with Loopback(answer) as server:
        code, out, err = run(capfdbinary, "docs.jsonl", "--endpoint", server.url, "-o", "out.jsonl")
        assert (code, out) == (1, "") and "no such model" in err and not (place / "out.jsonl").exists()


def test_a_collection_is_expanded_and_read_again(capfdbinary, place):
    """What is written is a corpus that a first stage finds by the new words."""

    def answer(seen):
        return models("m") if seen.path == "/v1/models" else chat_reply("zeppelin airship")

    with Loopback(answer) as server:
        code, _, err = run(capfdbinary, "-c", "demo", "--endpoint", server.url, "-o", "more.jsonl")
    assert code == 0, err
    (place / "t.tsv").write_text("q\tzeppelin\n")
    assert main(["retrieve", "--docs", "more.jsonl", "--topics", "t.tsv", "-k", "5"]) == 0
    assert len(capfdbinary.readouterr()[0].splitlines()) == 5
