"""E2R-FLOPs: the authors' calculator's values, their measurements, and shapes by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rerank_cli.errors import BadData, WrongUsage
from rerank_cli.evaluation.cost import Shape, efficiency, flops, query_flops, shape_of

QWEN = Shape("decoder", 28, 3584, 18944, heads=28, kv_heads=4, gated=True, vocabulary=152064)
FLAN_LARGE = Shape("encoder-decoder", 24, 1024, 2816, heads=16, head_width=64, gated=True, vocabulary=32128)
MINILM = Shape("encoder", 6, 384, 1536, heads=12)


@pytest.mark.parametrize(
    ("shape", "read", "written", "expected"),
    [(QWEN, 200, 1, 1_861_241_733_120), (FLAN_LARGE, 128, 1, 76_290_195_456)],
)
def test_the_papers_two_values_hold(shape, read, written, expected):
    assert flops(shape, read, written, "paper") == pytest.approx(expected, rel=1e-12)


def test_exact_agrees_with_what_the_authors_measured():
    # Their logs (DeepSpeed's profiler on Qwen2.5-7B and flan-t5-large). It cannot see inside fused attention, so the
    # scores are taken off the decoder; their output length counts T5's start token, so 5 tokens are 4 steps.
    for read, measured in ((215, 2_807_078_070_272), (246, 3_211_662_397_440)):
        scores = 2 * 28 * 3584 * read * (read + 1)
        assert flops(QWEN, read, 1) - scores == pytest.approx(measured, rel=1e-3)
    for read, measured in ((198, 149_091_249_536), (216, 162_743_845_760)):
        assert flops(FLAN_LARGE, read, 4) == pytest.approx(measured, rel=1e-3)
    # The paper's formula leaves out the third feed-forward matrix: a quarter of the truth.
    assert flops(QWEN, 215, 1, "paper") < 0.75 * flops(QWEN, 215, 1)


def test_an_encoder_by_hand():
    # One layer of width 2, inner 3, 5 tokens: 4 products 2x2 and 2 of 2x3 are 28 multiply-adds a token: 280 operations;
    # scores and their sum over values are 2 x 5 x 5 x 2 multiply-adds: 200 operations.
    tiny = Shape("encoder", 1, 2, 3)
    assert flops(tiny, 5) == 480
    assert flops(tiny, 5, 0, "paper") == 480
    assert flops(Shape("encoder", 1, 2, 3, gated=True), 5) == 480 + 2 * 6 * 5


def test_a_decoder_by_hand():
    # As above without output layer: 3 tokens read, 2 written, so 4 positions pass: 4 x 56 operations, and 1 + 2 + 3 + 4
    # looks of 2 x 2 multiply-adds each: 40 operations.
    assert flops(Shape("decoder", 1, 2, 3), 3, 2) == 4 * 56 + 10 * 8
    # 7 output rows of width 2, twice.
    assert flops(Shape("decoder", 1, 2, 3, vocabulary=7), 3, 2) == 4 * 56 + 10 * 8 + 2 * 28
    # Reading one position's logits costs no further pass; a score head no output layer.
    assert (
        flops(Shape("decoder", 1, 2, 3, vocabulary=7), 3, 1) - flops(Shape("decoder", 1, 2, 3, vocabulary=7), 3, 0)
        == 28
    )


def test_an_encoder_decoder_by_hand():
    # The encoder as above, 480 for 5 tokens. Their keys and values for the decoder: 2 products 2x2, 80 operations.
    # 2 steps: 28 multiply-adds of its own and 8 of crossing each, 144 operations; looks at 1 + 2 written and 2 x 5 read
    # positions, 2 x 2 multiply-adds each: 104 operations.
    assert flops(Shape("encoder-decoder", 1, 2, 3), 5, 2) == 480 + 80 + 144 + 104
    # Three decoder layers on one encoder layer.
    assert flops(Shape("encoder-decoder", 1, 2, 3, decoder_layers=3), 5, 2) == 480 + 3 * (80 + 144 + 104)


def test_shared_keys_save_projections_but_no_scores():
    shared, alone = Shape("decoder", 1, 8, 8, heads=4, kv_heads=1), Shape("decoder", 1, 8, 8, heads=4)
    # Keys and values: two products 8 x 8 become 8 x 2: 96 multiply-adds fewer a token.
    assert flops(alone, 10) - flops(shared, 10) == 10 * 2 * 96


@given(st.integers(1, 500), st.integers(1, 50))
def test_longer_costs_more_in_both_formulas(read, written):
    for shape in (QWEN, FLAN_LARGE):
        for formula in ("paper", "exact"):
            cost = flops(shape, np.array([read, read + 1, read]), np.array([written, written, written + 1]), formula)
            assert cost[0] < cost[1] and cost[0] < cost[2]


def test_calls_are_counted_each_for_itself():
    reads = np.array([10, 200, 37])
    assert flops(MINILM, reads).tolist() == [float(flops(MINILM, int(n))) for n in reads]


def test_sums_over_equal_inputs_lose_nothing_and_unequal_ones_little():
    assert query_flops(MINILM, np.array([3, 0]), np.array([600, 0])).tolist() == [3 * float(flops(MINILM, 200)), 0.0]
    lengths = np.random.default_rng(0).normal(200, 60, 1000).clip(20).round()
    true = float(flops(MINILM, lengths).sum())
    assert 0.985 * true < float(query_flops(MINILM, np.array([1000]), np.array([lengths.sum()]))[0]) < true


def test_rpp_and_qpp_are_ratios_of_means():
    found = efficiency([0.5, 0.7], np.array([1e15, 3e15]))
    assert (found.flops, found.qpp, found.rpp) == (2e15, pytest.approx(0.5), pytest.approx(0.3))
    assert efficiency([0.5, 0.7], np.array([0.0, 2e15])).qpp == pytest.approx(1.0)
    free = efficiency([0.5], np.zeros(1))
    assert (free.rpp, free.qpp) == (float("inf"), float("inf"))
    with pytest.raises(ValueError):
        efficiency([0.5, 0.7], np.array([1e15]))


def test_shapes_are_read_from_configurations():
    assert shape_of(
        {
            "model_type": "qwen2",
            "num_hidden_layers": 28,
            "hidden_size": 3584,
            "intermediate_size": 18944,
            "num_attention_heads": 28,
            "num_key_value_heads": 4,
            "vocab_size": 152064,
        }
    ) == Shape("decoder", 28, 3584, 18944, 28, 4, 128, True, 152064, 28)
    t5 = {
        "model_type": "t5",
        "num_layers": 24,
        "d_model": 1024,
        "d_ff": 16384,
        "num_heads": 32,
        "d_kv": 128,
        "vocab_size": 32128,
    }
    assert shape_of(t5).attention_width == 4096
    assert not shape_of(t5).gated and shape_of({**t5, "feed_forward_proj": "gated-gelu"}).gated
    bert = shape_of(
        {
            "model_type": "bert",
            "num_hidden_layers": 6,
            "hidden_size": 384,
            "intermediate_size": 1536,
            "num_attention_heads": 12,
            "vocab_size": 30522,
        }
    )
    assert flops(bert, 100) == flops(MINILM, 100)


def test_shapes_agree_with_the_parameters_of_real_models():
    """Twice the matrices a token passes, but for the scores: the linear part is what transformers builds."""
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    small = {
        "hidden_size": 32,
        "num_hidden_layers": 2,
        "intermediate_size": 48,
        "num_attention_heads": 4,
        "vocab_size": 50,
    }
    configs = [
        transformers.BertConfig(**small),
        transformers.ModernBertConfig(**small, pad_token_id=0),
        transformers.LlamaConfig(**small, num_key_value_heads=2),
        transformers.Qwen3Config(**small, num_key_value_heads=2, head_dim=16),
        transformers.GPT2Config(n_embd=32, n_layer=2, n_head=4, vocab_size=50),
        transformers.T5Config(d_model=32, num_layers=2, d_ff=48, num_heads=4, d_kv=16, feed_forward_proj="gated-gelu"),
    ]
    for config in configs:
        shape = shape_of(config.to_dict())
        with torch.device("meta"):
            model = transformers.AutoModel.from_config(config)
        stack = model.encoder if config.model_type == "t5" else model
        matrices = sum(
            weight.numel()
            for name, weight in stack.named_parameters()
            if weight.dim() == 2
            and not any(part in name for part in ("embed", "wte", "wpe", "pooler", "shared", "bias"))
        )
        if shape.kind == "encoder-decoder":
            shape = Shape(
                "encoder", shape.layers, shape.width, shape.inner, shape.heads, 0, shape.head_width, shape.gated
            )
        one = float(flops(shape, 1, 0))
        scores = shape.layers * 4 * shape.attention_width
        assert one - scores == 2 * matrices, config.model_type


def test_what_is_not_known_is_not_guessed():
    with pytest.raises(BadData, match="mixtral"):
        shape_of({"model_type": "mixtral"})
    with pytest.raises(BadData, match=r"here\.json: none of num_hidden_layers"):
        shape_of({"model_type": "bert", "hidden_size": 8, "num_attention_heads": 2}, "here.json")
    with pytest.raises(BadData, match="hidden_size is '8'"):
        shape_of({"model_type": "bert", "hidden_size": "8"})
    with pytest.raises(WrongUsage, match="'guess'"):
        flops(MINILM, 10, formula="guess")
    with pytest.raises(ValueError):
        flops(MINILM, -1)
    with pytest.raises(ValueError):
        Shape("rnn", 1, 1, 1)
