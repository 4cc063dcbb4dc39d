"""The scale of a score: one number, the log-odds of relevance, shown as logit, margin, logprob or prob.

A cross-encoder's single logit, the margin between two words, log p and p are the same answer on four scales, so
that each can be had from any other without asking the model again. A cosine is none of them.
"""

from __future__ import annotations

import numpy as np

from rerank_cli.errors import WrongUsage

SCALES = ("logit", "margin", "logprob", "prob")


def check(have: str, wanted: str) -> None:
    """Raise `WrongUsage` when a score on the scale `have` cannot be shown on `wanted`."""
    if have != wanted and not {have, wanted} <= set(SCALES):
        raise WrongUsage(
            f"--score-as {wanted}: this model's score is a {have}, which is no log-odds",
            "leave --score-as out, or use a model whose score is a logit, margin, logprob or prob",
        )


def converted(values: np.ndarray, have: str, wanted: str) -> np.ndarray:
    """The scores (n,) float64 on the scale `wanted`; raises `WrongUsage` as `check` does.

    From p itself only what float32 kept can be had: a p that was rounded to 1 counts as the float32 below 1.
    """
    check(have, wanted)
    values = values.astype(np.float64)
    if have == wanted or (have in SCALES[:2] and wanted in SCALES[:2]):
        return values
    if have == "prob":
        p = np.clip(values, np.finfo(np.float32).tiny, 1 - 2.0**-24)
        odds = np.log(p) - np.log1p(-p)
    elif have == "logprob":
        odds = values - np.log(-np.expm1(np.minimum(values, -np.finfo(np.float32).tiny)))
    else:
        odds = values
    logprob = -np.logaddexp(0.0, -odds)
    return {"logit": odds, "margin": odds, "logprob": logprob, "prob": np.exp(logprob)}[wanted]
