"""Pairs a second on a GPU, beside sentence-transformers and transformers in the precision they are quickest in.

Run it where there is a GPU, torch, transformers, sentence-transformers and this package: `python benchmarks/gpu.py
[--pairs 4096] [--rounds 3] [--only minilm-l6]`. What onnxruntime-gpu or TensorRT would add is left out where they do not load, and
named. The models have the true shapes and random weights, the texts are made-up words; tokenising is included, no cache of scores
has any part in it, and a peer's figure is that of its best batch size. Printed are the best of the rounds, ratios to the quickest
peer, and the share of the peak: the operations of the whole model on the tokens that there are, against a product of large
matrices in the same precision, measured here. Kendall's tau is that with our fp32; of random weights, whose scores lie close
together, it says little about reduced precisions. `--buckets` compares batches captured as CUDA graphs with the same as they are;
`--cpu --tiny` only shows that the script runs. The aim: at least twice the quickest peer.
"""

from __future__ import annotations

import argparse
import gc
import itertools
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from shared.true_shapes import SHAPES, WORDS, checkpoint, operations, texts
from shared.usual_ways import Way, peers

from rerank_cli.core.protocols import Pair
from rerank_cli.errors import RerankError
from rerank_cli.export import ensure_exported
from rerank_cli.export.check import kendall
from rerank_cli.export.reduced import ensure_reduced
from rerank_cli.inference.devices import Device, provider_obstacle
from rerank_cli.methods import LoadedScorer, load, load_torch
from rerank_cli.methods.catalog import find

#: Words of a document; with the query's, pairs of about 80 and 350 tokens.
LENGTHS = {"short": 60, "long": 330}
#: A long pair is worth this many short ones.
WORTH = 5
BATCHES = (32, 128, 512)
#: An exported folder scored by a process of its own: what a second start costs.
_START = """
import sys, time
began = time.perf_counter()
from rerank_cli.core.protocols import Pair
from rerank_cli.methods import load
from pathlib import Path
folder, cache, provider, device = sys.argv[1:]
scorer = load(Path(folder), provider=provider, device=device, threads=1, note=lambda said: print(said, file=sys.stderr), cache_dir=Path(cache))
scorer.score([Pair("bab alu", "dol emi " * 20)])
print(time.perf_counter() - began)
"""


def ours(folder: Path, shape: str, device: str, notes: list[str]) -> Iterator[tuple[str, Way]]:
    """Each engine and provider that loads, in each precision the method has; what does not is told to `notes`."""
    cache = folder / "cache"
    source = find(str(folder), method="monot5" if shape == "monot5-base" else None)
    reduced = () if device == "cpu" else ("bf16",) if shape == "monot5-base" else ("bf16", "fp16")
    said = {"note": lambda _: None, "offline": True}
    for precision in ("fp32", *reduced):
        scorer = load_torch(source, precision=precision, device=device, threads=1, **said)
        yield f"rerank torch {precision}", _scores(scorer)
    for provider in ("cpu",) if device == "cpu" else ("cuda", "tensorrt"):
        if obstacle := provider_obstacle(provider):
            notes.append(f"left out: ONNX Runtime by {provider}: {obstacle}")
            continue
        exact = ensure_exported(source, cache, fuses=provider != "tensorrt", **said)
        for precision in ("fp32", *(one for one in reduced if one == "fp16")):
            try:
                made = exact
                if precision != "fp32":
                    made = ensure_reduced(exact, precision, cache, lists=_lists, threads=1, note=lambda _: None)
                placed = {"provider": provider, "device": device, "threads": 1, "cache_dir": cache}
                yield f"rerank onnx {provider} {precision}", _scores(load(made, **placed, note=notes.append))
            except RerankError as error:
                notes.append(f"left out: {provider} {precision}: {error.message}")


def _lists() -> list[list[Pair]]:
    return [texts(10, 30)]


def _scores(scorer: LoadedScorer) -> Way:
    return lambda pairs: scorer.score(pairs).values


def peak(device: str, precision: str, n: int) -> float:
    """Operations a second of a product of matrices of n x n, random numbers; the best of ten."""
    import torch

    dtype = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}[precision]
    a = torch.randn((n, n), device=device).to(dtype)
    best = float("inf")
    for _ in range(10):
        began = time.perf_counter()
        a @ a
        _finish(device)
        best = min(best, time.perf_counter() - began)
    return 2 * n**3 / best


def _finish(device: str) -> None:
    import torch

    if device != "cpu":
        torch.cuda.synchronize()


def seconds_of(way: Way, pairs: list[Pair], rounds: int) -> tuple[float, np.ndarray]:
    """The best round's seconds and the last scores; a round on other pairs warms it up (kernels, graphs, engines)."""
    way(pairs)
    way(pairs[: len(pairs) // 2])
    best, values = float("inf"), np.empty(0)
    for number in range(rounds):
        asked = [Pair(query, f"{WORDS[number]} {document}") for query, document in pairs]
        gc.collect()
        began = time.perf_counter()
        values = way(asked)
        best = min(best, time.perf_counter() - began)
    return best, values


def compare(shape: str, folder: Path, asked: argparse.Namespace, device: str, peaks: dict[str, float]) -> None:
    """Print a line a way, ours first, for short and for long pairs; one way at a time is in memory."""
    notes: list[str] = []
    for kind, words in LENGTHS.items():
        pairs = texts(asked.pairs if kind == "short" else max(8, asked.pairs // WORTH), words)
        tokens = 8 + 3 + round(float(np.mean([len(pair.document.split()) for pair in pairs])))
        each = operations(folder, shape, min(512, tokens))
        done: dict[str, tuple[float, np.ndarray]] = {}
        for name, way in itertools.chain(
            ours(folder, shape, device, notes), peers(folder, shape, device, asked.batches)
        ):
            done[name] = seconds_of(way, pairs, asked.rounds)
        best: dict[str, float] = {}
        for name, (seconds, _) in done.items():
            if not name.startswith("rerank"):
                precision = name.split()[1]
                best[precision] = min(best.get(precision, np.inf), seconds)
        quickest = min(best.values())
        wanted = done["rerank torch fp32"][1]
        print(f"{shape}, {kind}: {len(pairs)} pairs of about {tokens} tokens, {each / 1e9:.2f} GFLOP each")
        for name, (seconds, values) in done.items():
            precision = next(one for one in peaks if one in name.split())
            print(
                f"  {name:34} {len(pairs) / seconds:10.1f} pairs/s   {quickest / seconds:5.2f} x the quickest peer"
                f"   {best.get(precision, np.nan) / seconds:5.2f} x its best {precision}"
                f"   {each * len(pairs) / seconds / peaks[precision]:6.1%} of the peak   tau {kendall(wanted, values):.4f}",
                flush=True,
            )
    for said in dict.fromkeys(notes):
        print(f"  {said}")


def second_start(shape: str, folder: Path, device: str) -> None:
    """Print the seconds of two starts of each provider from an empty cache, and whether the second built an engine."""
    source = find(str(folder), method="monot5" if shape == "monot5-base" else None)
    for provider in ("cpu",) if device == "cpu" else ("cuda", "tensorrt"):
        if provider_obstacle(provider):
            continue
        with tempfile.TemporaryDirectory() as cache:
            made = ensure_exported(
                source, folder / "cache", fuses=provider != "tensorrt", note=lambda _: None, offline=True
            )
            engines: list[dict[str, int]] = []
            for start in ("first", "second"):
                command = [sys.executable, "-c", _START, str(made), cache, provider, device]
                done = subprocess.run(command, capture_output=True, text=True, check=False)
                if done.returncode:
                    print(f"  {start} start with {provider}: failed: {done.stderr.strip().splitlines()[-1]}")
                    break
                engines.append({str(path): path.stat().st_mtime_ns for path in Path(cache).rglob("*.engine")})
                print(f"  {start} start with {provider}: {float(done.stdout):.2f} s, {len(engines[-1])} engines kept")
            if len(engines) == 2 and provider == "tensorrt":
                print(f"  the second start {'built no engine' if engines[0] == engines[1] else 'BUILT ENGINES AGAIN'}")


def captured_or_not(folder: Path, device: str, rounds: int) -> None:
    """Print the milliseconds of batches of 64 tokens, padded and captured, and as they are."""
    from rerank_cli.inference import buckets
    from rerank_cli.inference.onnx import _providers, _session

    place = Device(*device.split(":")[:1])
    provider = "cpu" if device == "cpu" else "cuda"
    if obstacle := provider_obstacle(provider):
        print(f"  left out: CUDA graphs: {obstacle}")
        return
    graph = ensure_exported(find(str(folder)), folder / "cache", note=lambda _: None, offline=True) / "model.onnx"

    def opened(captures: bool) -> Any:
        return _session(graph, provider, _providers(provider, place, captures=captures), 1, fused=True)

    most, buckets.MOST_TOKENS = buckets.MOST_TOKENS, 1 << 30
    captured, plain = buckets.Buckets(opened, place, print), opened(False)
    for rows in (1, 4, 17, 65, 129, 513):
        ids = np.random.default_rng(rows).integers(4, 1000, (rows, 61))
        batch = {"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": np.zeros_like(ids)}
        times = {}
        for name, session in (("captured", captured), ("as it is", plain)):
            for _ in range(3):
                session.run(None, batch)
            times[name] = min(_milliseconds(session, batch) for _ in range(10 * rounds))
        told = ", ".join(f"{name} {taken:.3f} ms" for name, taken in times.items())
        print(f"  {rows} x 61 tokens: {told}: {times['as it is'] / times['captured']:.2f} x")
    buckets.MOST_TOKENS = most


def _milliseconds(session: Any, batch: dict[str, np.ndarray]) -> float:
    began = time.perf_counter()
    session.run(None, batch)
    return 1000 * (time.perf_counter() - began)


def main(arguments: Sequence[str] | None = None) -> None:
    """Print each shape's comparison, its second start, and what CUDA graphs bring to small batches."""
    import torch

    parser = argparse.ArgumentParser()
    parser.add_argument("--pairs", type=int, default=4096)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--batches", type=int, nargs="*", default=BATCHES, help="batch sizes that peers are tried with")
    parser.add_argument("--only", choices=SHAPES, action="append", help="these shapes only")
    parser.add_argument("--buckets", action="store_true", help="only CUDA graphs against batches as they are")
    parser.add_argument("--cpu", action="store_true", help="on the processor, where no figure means anything")
    parser.add_argument("--tiny", action="store_true", help="models of two small layers")
    asked = parser.parse_args(arguments)
    device = "cpu" if asked.cpu else "cuda"
    if device == "cuda" and not torch.cuda.is_available():
        print("PyTorch sees no GPU: nothing was measured")
        return
    os.environ["NVIDIA_TF32_OVERRIDE"] = "0"  # as rerank does before TensorRT starts
    peaks = {name: peak(device, name, 256 if asked.cpu else 8192) for name in ("fp32", "bf16", "fp16")}
    print("peak: " + ", ".join(f"{name} {rate / 1e12:.3g} TFLOP/s" for name, rate in peaks.items()), flush=True)
    for shape in asked.only or SHAPES:
        with tempfile.TemporaryDirectory() as place:
            folder = checkpoint(shape, Path(place) / shape, asked.tiny)
            if not asked.buckets:
                compare(shape, folder, asked, device, peaks)
                second_start(shape, folder, device)
            if shape == "minilm-l6":
                captured_or_not(folder, device, asked.rounds)


if __name__ == "__main__":
    main()
