"""`rerank bench` as a user runs it."""

from __future__ import annotations

import pytest
from conftest import Runner


def test_bench_tells_speed_stages_and_the_share_of_the_peak(rerank: Runner) -> None:
    done = rerank("bench", "minilm", "--pairs", "20", "--threads", "1")
    assert done.code == 0, done.err
    values = {what: float(value) for what, value in (line.split("\t") for line in done.lines)}
    assert values["pairs"] == 20
    assert values["tokens"] > 20 * 10 and values["batches"] >= 2
    # As near as the digits that are printed allow, however slow the machine.
    assert values["tokens_per_second"] * 20 / values["tokens"] == pytest.approx(values["pairs_per_second"], abs=0.06)
    assert sum(values[f"{stage}_share"] for stage in ("tokenise", "model", "other")) == pytest.approx(1, abs=0.002)
    assert 0 < values["peak_share"] < 1.2, "the share of a peak, on a machine that others may use"
    assert values["peak_share"] == pytest.approx(
        values["model_gflops"] / values["peak_gflops"], abs=0.001 + 0.1 / values["peak_gflops"]
    )


def test_bench_with_longer_documents_has_more_tokens(rerank: Runner) -> None:
    done = rerank("bench", "minilm", "--pairs", "4", "--words", "120", "--threads", "1", "--batch-tokens", "200")
    values = {what: float(value) for what, value in (line.split("\t") for line in done.lines)}
    assert values["tokens"] > 4 * 120


def test_bench_of_no_model_says_so(rerank: Runner) -> None:
    assert rerank("bench").code == 2
    done = rerank("bench", "nosuchmodel")
    assert done.code == 4 and "nosuchmodel" in done.err
