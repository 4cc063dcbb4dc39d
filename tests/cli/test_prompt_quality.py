"""`rerank bench MODEL --prompt FILE`: the quality of prompts by transformers' own losses, and the best one used by rerank."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny_models
import tiny_t5

from rerank_cli.cli.main import main

QUERIES = {"q1": "price of copper", "q2": "how do bees find their way home", "q3": "lighthouse"}
TEXTS = {
    "d1": "copper in a mine",
    "d2": " ".join(["bees find their way home"] * 14),
    "d3": "a recipe flour water salt oven",
    "d4": "glass rings turn a small flame into a beam",
}
#: Grades; q3's are all of a text that is not there or of no relevance.
GRADES = [("q1", "d1", 1), ("q1", "d3", 0), ("q2", "d2", 2), ("q2", "d4", 1), ("q3", "d3", 0)]
#: What is given to the model before the query, by the prompt's file.
PROMPTS = {
    "ask.txt": "{document} what question is this the answer to?{scored}{query}",
    "plain.txt": "a {document} {query}",
    "long.txt": "it is a small lake\n{document}\nQuery: {query}",
}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("prompts")
    (place / "c" / "qrels").mkdir(parents=True)
    rows = {"corpus": TEXTS, "queries": QUERIES}
    for name, texts in rows.items():
        lines = [json.dumps({"_id": number, "text": text}) for number, text in texts.items()]
        (place / "c" / f"{name}.jsonl").write_text("\n".join(lines) + "\n")
    for split, grades in {"test": GRADES, "dev": [*GRADES, ("q3", "d9", 1)], "none": GRADES[1:2]}.items():
        told = "".join(f"{qid}\t{docid}\t{grade}\n" for qid, docid, grade in grades)
        (place / "c" / "qrels" / f"{split}.tsv").write_text(f"query-id\tcorpus-id\tscore\n{told}")
    for name, text in PROMPTS.items():
        (place / name).write_text(text + "\n")
    tiny_t5.ranking_t5(place / "t5", "t5")
    tiny_t5.causal(place / "gpt2", "gpt2")
    tiny_models.bert_like(place / "bert", "bert", 1)
    return place


@pytest.fixture
def command(place: Path, capfd: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[int, list[str], str]]:
    monkeypatch.chdir(place)
    monkeypatch.setenv("RERANK_CACHE_DIR", str(place / "cache"))

    def run(*arguments: str) -> tuple[int, list[str], str]:
        code = main(list(arguments))
        said = capfd.readouterr()
        return code, said.out.splitlines(), said.err

    return run


def logprob(folder: Path, method: str, given: str, target: str) -> float:
    """A target's log-probability after a text, by transformers' loss: the mean over its tokens for co-prompt, else the sum."""
    import torch
    import transformers

    seq2seq = folder.name == "t5"
    kind = transformers.AutoModelForSeq2SeqLM if seq2seq else transformers.AutoModelForCausalLM
    model, tokenizer = kind.from_pretrained(folder).eval(), transformers.AutoTokenizer.from_pretrained(folder)
    # As the authors have it: upr scores an end token too, qlm a beginning.
    target = f"<pad> {target}" if method == "qlm" else target
    ids = tokenizer.encode(target, add_special_tokens=False) + [model.config.eos_token_id] * (method == "upr")
    before = tokenizer(given).input_ids
    labels = ids if seq2seq else [-100] * len(before) + ids
    with torch.inference_mode():
        loss = model(torch.tensor([before if seq2seq else before + ids]), labels=torch.tensor([labels])).loss
    return -float(loss) * (1 if method == "co-prompt" else len(ids))


def by_hand(folder: Path, method: str, prompt: str, pairs: list[tuple[str, str]]) -> list[float]:
    given, _, target = PROMPTS[prompt].partition("{scored}" if "{scored}" in PROMPTS[prompt] else "{query}")
    target = target or "{query}"
    return [
        logprob(folder, method, given.replace("{document}", TEXTS[docid]), target.replace("{query}", QUERIES[qid]))
        for qid, docid in pairs
    ]


RELEVANT = [(qid, docid) for qid, docid, grade in GRADES if grade > 0]


@pytest.mark.parametrize(
    ("model", "method", "engine"),
    [("t5", "upr", "torch"), ("t5", "co-prompt", "onnx"), ("gpt2", "co-prompt", "torch"), ("t5", "qlm", "torch")],
)
def test_prompts_are_ranked_by_the_mean_likelihood_of_relevant_queries(
    command: Any, place: Path, model: str, method: str, engine: str
) -> None:
    asked = [word for name in PROMPTS for word in ("--prompt", name)]
    code, lines, err = command("bench", model, "--method", method, "--engine", engine, "-c", "./c", *asked)
    assert code == 0, err
    told = {name: float(value) for name, value in (line.split("\t") for line in lines)}
    wanted = {name: float(np.mean(by_hand(place / model, method, name, RELEVANT))) for name in PROMPTS}
    assert told == pytest.approx(wanted, abs=1e-4) and np.ptp(list(wanted.values())) > 0.01
    assert list(told) == sorted(PROMPTS, key=lambda name: -wanted[name]), "the best first"
    assert "3 relevant pairs under 3 prompts: 9 model calls" in err


def test_the_best_prompt_is_what_rerank_takes(command: Any, place: Path) -> None:
    run = [f"{qid} Q0 {docid} {rank} {9 - rank} x" for qid in ("q1", "q2") for rank, docid in enumerate(TEXTS, 1)]
    (place / "one.run").write_text("\n".join(run) + "\n")
    asked = ("--method", "co-prompt", "--engine", "torch", "-c", "./c", "--no-cache", "--prompt", "long.txt")
    code, lines, err = command("rerank", "one.run", "-m", "./t5", *asked)
    assert code == 0, err
    told = {(line.split()[0], line.split()[2]): float(line.split()[4]) for line in lines}
    pairs = [(qid, docid) for qid in ("q1", "q2") for docid in TEXTS]
    wanted = by_hand(place / "t5", "co-prompt", "long.txt", pairs)
    assert [told[pair] for pair in pairs] == pytest.approx(wanted, abs=1e-4)


def test_fewer_pairs_are_drawn_and_what_is_left_out_is_said(command: Any) -> None:
    bench = ("bench", "t5", "--method", "qlm", "--engine", "torch", "-c", "./c", "--prompt", "plain.txt")
    code, lines, err = command(*bench, "--pairs", "2")
    assert code == 0 and len(lines) == 1 and "2 of 3 relevant pairs are read, drawn by --seed 0" in err
    assert command(*bench, "--pairs", "2")[1] == lines
    code, _, err = command(*bench, "--split", "dev")
    assert code == 0 and "1 relevant documents have no text" in err and "3 relevant pairs under 1 prompts" in err
    code, lines, err = command(*bench, "--max-length", "58")
    assert code == 0, err
    assert "of 3 documents were cut under plain.txt" in err


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        ("bert --prompt plain.txt", 2, "does not score by the likelihood"),
        ("minilm --prompt plain.txt", 2, "does not score by the likelihood"),
        ("t5 --method qlm --prompt nowhere.txt", 4, "--prompt nowhere.txt: no such file"),
        ("t5 --method qlm --prompt t5", 2, "--prompt t5 is a folder, not a file"),
        ("t5 --method qlm --prompt half.txt", 3, "half.txt: a prompt has {document} once"),
        ("t5 --method qlm --prompt mixed.txt", 2, "--prompt mixed.txt: the template"),
        ("t5 --method qlm --prompt plain.txt --split none", 4, "no relevant document of grade 1 or more"),
        ("t5 --method qlm --prompt plain.txt --words 9", 2, "--words cuts the documents"),
        ("minilm --split dev", 2, "--split names judgements"),
    ],
)
def test_what_cannot_be_measured(command: Any, place: Path, arguments: str, code: int, said: str) -> None:
    (place / "half.txt").write_text("about {query}")
    (place / "mixed.txt").write_text("{query} {document}{scored} and nothing")
    engine = () if arguments.startswith("minilm") else ("--engine", "torch")
    ended, lines, err = command("bench", *arguments.split(), *engine, "-c", "./c")
    assert (ended, lines) == (code, []) and said in err
