"""What a ranking costs in arithmetic, and what that arithmetic buys (E2R-FLOPs; Peng et al., EMNLP 2025 industry track).

Seconds depend on the machine and calls hide the model's size; floating-point operations do neither. They
follow from a model's shape and from the number of tokens in and out, without running anything:
RPP is a measure's value per PetaFLOP, QPP the queries a PetaFLOP answers.

Two formulas. `paper` is the authors', for numbers that compare with theirs: it counts two matrices in each
feed-forward block although most models of today have three, runs the last written token through the model
again, counts what a causal mask hides, and divides the attention scores by the number of query heads per
key head although sharing keys saves memory, not products. `exact` counts every matrix product the answer
depends on, once. Both count 2 operations a multiply-add and leave out embeddings, norms, activations and
softmax (below 1%).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from rerank_cli.errors import BadData, WrongUsage

FORMULAS = ("paper", "exact")
PETA = 1e15

#: transformers' model_type -> (kind, three matrices in the feed-forward block). T5's configuration says the latter itself.
_FAMILIES: dict[str, tuple[str, bool]] = {
    **dict.fromkeys(
        ("bert", "roberta", "xlm-roberta", "camembert", "electra", "mpnet", "distilbert"), ("encoder", False)
    ),
    **dict.fromkeys(("modernbert", "nomic_bert", "new"), ("encoder", True)),
    **dict.fromkeys(("t5", "mt5", "umt5"), ("encoder-decoder", False)),
    **dict.fromkeys(
        ("llama", "mistral", "qwen2", "qwen3", "gemma", "gemma2", "gemma3_text", "phi3"), ("decoder", True)
    ),
    **dict.fromkeys(("gpt2", "gpt_neox", "opt"), ("decoder", False)),
}

#: What configurations call the same number.
_SPELLINGS: dict[str, tuple[str, ...]] = {
    "layers": ("num_hidden_layers", "num_layers", "n_layers", "n_layer"),
    "width": ("hidden_size", "d_model", "dim", "n_embd"),
    "inner": ("intermediate_size", "d_ff", "hidden_dim", "n_inner", "ffn_dim"),
    "heads": ("num_attention_heads", "num_heads", "n_heads", "n_head"),
}


@dataclass(frozen=True)
class Shape:
    """The sizes of a transformer that its arithmetic depends on."""

    #: "decoder", "encoder-decoder" or "encoder".
    kind: str
    layers: int
    #: Numbers in a token's vector (d_model, hidden_size).
    width: int
    #: Numbers inside the feed-forward block (d_ff, intermediate_size).
    inner: int
    heads: int = 1
    #: Key and value heads when queries share them (GQA); 0: as many as `heads`.
    kv_heads: int = 0
    #: Numbers in one head; 0: width / heads.
    head_width: int = 0
    #: The feed-forward block has a gate: three matrices, not two (SwiGLU, GeGLU).
    gated: bool = False
    #: Tokens the output layer chooses among; 0: none, or not to be counted. Only `exact` counts it.
    vocabulary: int = 0
    #: Layers of an encoder-decoder's decoder; 0: as many as `layers`.
    decoder_layers: int = 0

    def __post_init__(self) -> None:
        if self.kind not in ("decoder", "encoder-decoder", "encoder"):
            raise ValueError(f"no such kind of model: {self.kind!r}")
        if min(self.layers, self.width, self.inner, self.heads) < 1:
            raise ValueError("layers, width, inner and heads are at least 1")

    @property
    def sharing(self) -> float:
        """Query heads per key head, the paper's g."""
        return self.heads / (self.kv_heads or self.heads)

    @property
    def attention_width(self) -> int:
        """All query heads side by side; equals `width` in most models."""
        return self.heads * self.head_width if self.head_width else self.width


def shape_of(config: Mapping[str, Any], where: str = "config.json") -> Shape:
    """The shape in a Hugging Face `config.json`; `BadData` when the family is unknown or a size is missing.

    Families whose attention or feed-forward part is of another make (mixtures of experts, DeBERTa) are refused
    rather than counted wrongly. Sliding windows (Gemma, ModernBERT) are counted as full attention: an upper bound.
    """
    family = str(config.get("model_type", ""))
    if family not in _FAMILIES:
        raise BadData(
            f"the arithmetic of model_type {family!r} is not known",
            f"known: {', '.join(sorted(_FAMILIES))}",
            where=where,
        )
    kind, gated = _FAMILIES[family]

    def size(*names: str, default: int | None = None) -> int:
        for name in names:
            value = config.get(name)
            if value is not None:
                if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                    raise BadData(f"{name} is {value!r}, not a size", where=where)
                return value
        if default is None:
            raise BadData(f"none of {', '.join(names)} is given", where=where)
        return default

    width = size(*_SPELLINGS["width"])
    if kind == "encoder-decoder":
        gated = bool(config.get("is_gated_act", str(config.get("feed_forward_proj", "")).startswith("gated")))
    heads = size(*_SPELLINGS["heads"])
    return Shape(
        kind=kind,
        layers=size(*_SPELLINGS["layers"]),
        width=width,
        inner=size(*_SPELLINGS["inner"], default=4 * width if family == "gpt2" else None),
        heads=heads,
        kv_heads=size("num_key_value_heads", default=heads),
        head_width=size("head_dim", "d_kv", default=max(1, width // heads)),
        gated=gated,
        vocabulary=size("vocab_size", default=0) if kind != "encoder" else 0,
        decoder_layers=size("num_decoder_layers", default=size(*_SPELLINGS["layers"])),
    )


def flops(
    shape: Shape, input_tokens: np.ndarray | int, output_tokens: np.ndarray | int = 1, formula: str = "exact"
) -> np.ndarray:
    """Floating-point operations of each call: float64, one per call, from its tokens in and out (n,), padding excluded.

    `output_tokens`: written tokens; 1 when the logits of one position are read, 0 when a score head reads a vector.
    Summing over a query's calls is the caller's. `WrongUsage` for a formula that is neither `paper` nor `exact`.
    An encoder writes nothing: its output tokens are not looked at.
    """
    if formula not in FORMULAS:
        raise WrongUsage(f"there is no formula {formula!r} for FLOPs", f"formulas are {', '.join(FORMULAS)}")
    read, written = np.asarray(input_tokens, dtype=np.float64), np.asarray(output_tokens, dtype=np.float64)
    if (read < 0).any() or (written < 0).any():
        raise ValueError("tokens are not negative")
    return (_paper if formula == "paper" else _exact)(shape, read, written)


def _paper(shape: Shape, read: np.ndarray, written: np.ndarray) -> np.ndarray:
    """The authors' formulas. They have none for an encoder alone; its part of the encoder-decoder one stands in."""
    layers, width, inner, sharing = shape.layers, shape.width, shape.inner, shape.sharing
    growing = 2 * written * read + written * (written - 1)
    if shape.kind == "decoder":
        weights = 2 * width * layers * (width + width / sharing + inner)
        scores = 4 * layers * read**2 * width / sharing
        return 2 * weights * (read + written) + scores + 2 * layers * width / sharing * growing
    encoder = 2 * (2 * width * layers * (2 * width + inner)) * read + 4 * layers * read**2 * width
    if shape.kind == "encoder":
        return encoder
    cross_keys = 4 * layers * read * width**2
    decoder_weights = 2 * width * layers * (3 * width + inner)
    return encoder + cross_keys + 2 * decoder_weights * written + 2 * layers * width * growing


def _exact(shape: Shape, read: np.ndarray, written: np.ndarray) -> np.ndarray:
    """Every matrix product the answer depends on, once."""
    attention = shape.attention_width
    feed_forward = (3 if shape.gated else 2) * shape.width * shape.inner
    # Queries and outputs at full width, keys and values at the shared one.
    own = shape.width * attention * (2 + 2 / shape.sharing) + feed_forward
    head = 2 * shape.width * shape.vocabulary * written
    if shape.kind == "decoder":
        # The last written token is read by nobody; position t looks at t positions.
        positions = read + np.maximum(written, 1) - 1
        return shape.layers * (2 * own * positions + 2 * attention * positions * (positions + 1)) + head
    encoder = shape.layers * (2 * own * read + 4 * attention * read**2)
    if shape.kind == "encoder":
        return encoder
    cross_keys = 4 * shape.width * attention * read
    crossing = 4 * shape.width * attention * written + 4 * attention * read * written
    decoder = 2 * own * written + 2 * attention * written * (written + 1)
    return encoder + (shape.decoder_layers or shape.layers) * (cross_keys + crossing + decoder) + head


def query_flops(
    shape: Shape,
    inputs: np.ndarray,
    input_tokens: np.ndarray,
    output_tokens: np.ndarray | int = 1,
    formula: str = "exact",
) -> np.ndarray:
    """FLOPs of each query (Q,) from sums over its inputs, as `--stats` has them.

    `inputs (Q,)`: how many texts were put to the model (its `pairs`, or an LLM's calls; not batches);
    `input_tokens (Q,)`: their tokens in all; `output_tokens`: tokens written per input. They are taken to be equally
    long, which puts the attention scores slightly too low (by the variance of the lengths: 0.7% of the whole at 200 +- 60
    tokens of a 12-layer encoder of width 384, less for larger models). A query with no input costs 0.
    """
    count = np.asarray(inputs, dtype=np.float64)
    each = np.asarray(input_tokens, dtype=np.float64) / np.maximum(count, 1)
    return count * flops(shape, each, output_tokens, formula)


@dataclass(frozen=True)
class Efficiency:
    """What the arithmetic bought: means over queries, and the paper's two ratios."""

    #: Mean FLOPs of a query.
    flops: float
    #: Ranking measure per PetaFLOP: mean value / mean PetaFLOPs of a query.
    rpp: float
    #: Queries per PetaFLOP.
    qpp: float


def efficiency(values: Sequence[float] | np.ndarray, flops_per_query: np.ndarray) -> Efficiency:
    """RPP and QPP of `values (Q,)`, a measure per query, and `flops_per_query (Q,)`.

    A ratio of means, as the paper has it (so rpp = mean value x qpp): queries that cost nothing do no harm.
    `ValueError` for unpaired lists; nothing spent at all gives infinities (rpp 0 when nothing was gained either).
    """
    gained, spent = np.asarray(values, dtype=np.float64), np.asarray(flops_per_query, dtype=np.float64)
    if gained.shape != spent.shape or gained.ndim != 1 or not len(gained):
        raise ValueError("values and FLOPs are two lists over the same queries")
    mean = float(spent.mean())
    if mean == 0:
        return Efficiency(0.0, float("inf") if gained.any() else 0.0, float("inf"))
    return Efficiency(mean, float(gained.mean()) / (mean / PETA), PETA / mean)
