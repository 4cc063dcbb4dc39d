"""LiT5-Score, MVP and Fusion-in-T5: the scores of a slow computation, one document at a time, with nothing padded or shared."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from tiny_fid import DOCUMENTS, QUERIES, VIEWS, Fused, slate

from rerank_cli.core.protocols import ListScorer, Pair, Slate
from rerank_cli.errors import BadData, OutOfMemory

pytest_plugins = ["tiny_fused"]

SLATES = [
    slate(0, [0, 1, 2, 3, 4]),
    slate(1, [4, 5, 1, 0, 2]),
    slate(0, []),
    slate(1, [2]),
    slate(0, [5, 3, 1], [7, 2, 9]),
]
METHODS = ("lit5-score", "mvp", "fit5")
CLOSE = {"atol": 2e-5, "rtol": 1e-5}


def lit5_score_by_hand(fused: Fused, one: Slate) -> np.ndarray:
    """Greedy with the whole decoder anew for every token; then the attention as transformers itself gives it out."""
    import torch
    from transformers.modeling_outputs import BaseModelOutput

    model = fused.model("lit5-score")
    question = len(fused.ids("lit5-score", f"question: {one.query}")) - 1  # without the end token
    texts = [fused.ids("lit5-score", f"question: {one.query} context: {text}") for text in one.documents]
    with torch.inference_mode():
        states = torch.cat([model.encoder(torch.tensor([ids])).last_hidden_state for ids in texts], dim=1)
        encoded = BaseModelOutput(last_hidden_state=states)
        ids = [model.config.decoder_start_token_id]
        while len(ids) < 20 and ids[-1] != model.config.eos_token_id:
            made = model(encoder_outputs=encoded, decoder_input_ids=torch.tensor([ids]), use_cache=False)
            ids.append(int(made.logits[0, -1].argmax()))
        last = model(
            encoder_outputs=encoded, decoder_input_ids=torch.tensor([ids[:-1]]), use_cache=False, output_attentions=True
        )
        scores = np.zeros(len(texts))
        for layer, block in enumerate(model.decoder.block):
            attention = block.layer[1].EncDecAttention
            for head in range(attention.n_heads):
                part = slice(head * attention.key_value_proj_dim, (head + 1) * attention.key_value_proj_dim)
                weights = last.cross_attentions[layer][0, head]
                norms = (states[0] @ attention.v.weight[part].T).norm(dim=-1)
                start = 0
                for document, own in enumerate(texts):
                    places = range(start + question, start + len(own))
                    for step in range(len(ids) - 1):
                        scores[document] += (
                            float(sum(weights[step, at] * norms[at] for at in places)) / attention.n_heads
                        )
                    start += len(own)
    return scores / (256 * len(model.decoder.block))


def mvp_by_hand(fused: Fused, one: Slate) -> np.ndarray:
    import torch

    model = fused.model("mvp")
    tokenizer = fused.source("mvp").tokenizer
    views = []
    with torch.inference_mode():
        for text in one.documents:
            ids = [tokenizer.token_to_id(view) for view in VIEWS]
            ids += fused.ids("mvp", f" | Query: {one.query} | Context: {text}")
            views.append(model.encoder(torch.tensor([ids])).last_hidden_state[0, :4])
        scores = np.zeros(len(views))
        for number in range(4):
            seen = torch.stack([own[number] for own in views])[None]
            anchor = model.decoder(torch.tensor([[0]]), encoder_hidden_states=seen).last_hidden_state[0, 0]
            scores += np.array([float(anchor @ own) for own in seen[0]]) / 4
    return scores


def fit5_by_hand(fused: Fused, one: Slate, numbers: list[int] | None = None) -> np.ndarray:
    """The library's own encoder, one passage at a time and layer by layer, with a plain attention between first tokens."""
    import torch

    model = fused.model("fit5")
    encoder, heads, size = model.t5.encoder, model.config.num_heads, model.config.d_kv
    first = fused.source("fit5").tokenizer.get_vocab_size()
    low, high = one.first_stage.min(), one.first_stage.max()
    scaled = (one.first_stage - low) / (high - low) if high > low else np.ones(len(one.documents))
    numbers = [int(100 * share) for share in scaled] if numbers is None else numbers
    texts = [f"Query: {one.query} Title: score: {s} Passage: {d} Relevant:" for s, d in zip(numbers, one.documents)]

    def looked(states: Any, layer: Any) -> Any:
        normed = states / torch.sqrt((states**2).mean(-1, keepdim=True) + 1e-6) * layer.layer_norm.weight
        own = layer.SelfAttention
        query, key, value = (part(normed).view(-1, heads, size) for part in (own.q, own.k, own.v))
        out = []
        for head in range(heads):
            weights = torch.softmax(query[:, head] @ key[:, head].T, dim=-1)
            out.append(weights @ value[:, head])
        return own.o(torch.cat(out, dim=-1))

    with torch.inference_mode():
        hidden = [encoder.embed_tokens(torch.tensor([[first, *fused.ids("fit5", text)]])) for text in texts]
        biases = [encoder.block[0].layer[0].SelfAttention.compute_bias(h.shape[1], h.shape[1]) for h in hidden]
        for number, block in enumerate(encoder.block):
            hidden = [block(own, None, bias)[0] for own, bias in zip(hidden, biases)]
            if number >= len(encoder.block) - 3:
                heads_of = torch.cat([own[:, 0] for own in hidden])
                moved = 2 * heads_of + looked(heads_of, encoder.project_global[number - len(encoder.block) + 3])
                hidden = [torch.cat([new[None, None], own[:, 1:]], dim=1) for new, own in zip(moved, hidden)]
        scores = []
        for own in hidden:
            states = encoder.final_layer_norm(own)
            made = model.t5.decoder(torch.tensor([[0]]), encoder_hidden_states=states).last_hidden_state[0, 0]
            scores.append(float(model.dense(made)[fused.source("fit5").tokenizer.token_to_id("▁true")]))
    return np.array(scores)


BY_HAND: dict[str, Any] = {"lit5-score": lit5_score_by_hand, "mvp": mvp_by_hand, "fit5": fit5_by_hand}


@pytest.mark.parametrize("method", METHODS)
def test_scores_are_those_of_a_slow_loop(fused: Fused, method: str) -> None:
    scorer = fused.opened(method)
    assert isinstance(scorer, ListScorer)
    made = scorer.rate(SLATES)
    for one, found in zip(SLATES, made.values, strict=True):
        wanted = BY_HAND[method](fused, one) if len(one.documents) else np.zeros(0)
        assert len(wanted) < 2 or np.ptp(wanted) > 2e-3
        np.testing.assert_allclose(found, wanted, **CLOSE)
    np.testing.assert_array_equal(made.costs.values, np.concatenate(made.values))
    assert made.costs.calls == 4, "one for each list that is not empty"
    assert len(made.told) == len(SLATES)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("batch_tokens", [1, 100_000])
def test_lists_together_are_lists_alone(fused: Fused, method: str, batch_tokens: int) -> None:
    together = fused.opened(method).rate(SLATES)
    scorer = fused.opened(method, batch_tokens=batch_tokens)
    for one, found in zip(SLATES, together.values):
        np.testing.assert_allclose(scorer.rate([one]).values[0], found, **CLOSE)


@pytest.mark.parametrize("method", METHODS)
def test_the_order_of_a_list_changes_no_score(fused: Fused, method: str) -> None:
    scorer = fused.opened(method)
    straight, mixed = slate(0, [0, 1, 2, 3, 4, 5]), slate(0, [3, 5, 0, 1, 4, 2])
    one, other = scorer.rate([straight, mixed]).values
    np.testing.assert_allclose(other, one[[3, 5, 0, 1, 4, 2]], **CLOSE)


@pytest.mark.parametrize("method", METHODS)
def test_a_score_depends_on_the_list(fused: Fused, method: str) -> None:
    scorer = fused.opened(method)
    alone, beside = scorer.rate([slate(0, [0]), replace_scores(slate(0, [0, 4]), [9.0, 9.0])]).values
    assert abs(alone[0] - beside[0]) > 1e-3


def replace_scores(one: Slate, scores: list[float]) -> Slate:
    return one._replace(first_stage=np.array(scores))


@pytest.mark.parametrize("method", METHODS)
def test_what_lists_cost_is_known_before(fused: Fused, method: str) -> None:
    scorer = fused.opened(method)
    pairs = [Pair(QUERIES[0], text) for text in DOCUMENTS]
    lengths = scorer.measure(pairs)
    costs = scorer.rate([replace_scores(slate(0, list(range(7))), [9.0] * 7)]).costs
    np.testing.assert_array_equal(costs.tokens, lengths.tokens)
    np.testing.assert_array_equal(costs.truncated, lengths.truncated)
    assert lengths.truncated.tolist() == [False] * 6 + [True]
    assert lengths.tokens[6] <= scorer.description.max_length


@pytest.mark.parametrize("method", METHODS)
def test_pairs_are_rated_as_lists(fused: Fused, method: str) -> None:
    scorer = fused.opened(method)
    pairs = [Pair(QUERIES[at % 2], DOCUMENTS[at]) for at in range(6)]
    scores = scorer.score(pairs)
    for query in (0, 1):
        own = [at for at in range(6) if at % 2 == query]
        wanted = scorer.rate([replace_scores(slate(query, own), [0.0] * 3)]).values[0]
        np.testing.assert_allclose(scores.values[own], wanted, **CLOSE)


@pytest.mark.parametrize("method", ["mvp", "fit5"])
def test_scores_in_sixteen_bits_are_near(fused: Fused, method: str) -> None:
    exact = np.concatenate(fused.opened(method).rate(SLATES).values)
    near = np.concatenate(fused.opened(method, model=fused.model(method, "bf16")).rate(SLATES).values)
    assert 0 < np.abs(near - exact).max() < 0.05 * np.ptp(exact)


def test_only_the_document_is_cut(fused: Fused) -> None:
    scorer = fused.opened("fit5")
    (row,) = scorer._rows(QUERIES[0], [DOCUMENTS[6]], [37])
    whole = fused.ids("fit5", f"Query: {QUERIES[0]} Title: score: 37 Passage: {DOCUMENTS[6][:512]} Relevant:")
    tail = len(fused.ids("fit5", "Relevant:"))
    first = fused.source("fit5").tokenizer.get_vocab_size()
    assert row.truncated
    assert row.ids.tolist() == [first, *whole[: len(row.ids) - 1 - tail], *whole[-tail:]]


def test_fusion_without_attention_is_each_passage_alone(fused: Fused) -> None:
    """With nothing coming from the others, a passage's score is that of a list of its own."""
    from copy import deepcopy

    import torch

    same = replace_scores(slate(0, [0, 1, 2, 4]), [9.0] * 4)
    alone = [replace_scores(slate(0, [at]), [9.0]) for at in (0, 1, 2, 4)]
    with_attention = fused.opened("fit5").rate([same]).values[0]
    model = deepcopy(fused.model("fit5"))
    with torch.no_grad():
        for layer in model.t5.encoder.project_global:
            layer.SelfAttention.o.weight.zero_()
    scorer = fused.opened("fit5", model=model)
    together = scorer.rate([same]).values[0]
    np.testing.assert_allclose(together, np.concatenate(scorer.rate(alone).values), **CLOSE)
    assert np.abs(together - with_attention).max() > 1e-2


@pytest.mark.parametrize(
    ("scores", "numbers", "scale"),
    [
        ([30.0, 20.0, 10.0], [100, 50, 0], "list"),
        ([7.0, 7.0], [100, 100], "list"),
        ([195.0, 177.5, 160.0], [100, 50, -20], "coCondenser"),
        ([0.9, 0.87, 0.0], [100, 96, 0], "list"),
    ],
)
def test_how_the_first_stage_is_written(fused: Fused, scores: list[float], numbers: list[int], scale: str) -> None:
    scorer = fused.opened("fit5")
    assert scorer.uses_first_stage
    one = replace_scores(slate(0, list(range(len(scores)))), scores)
    made = scorer.rate([one])
    np.testing.assert_allclose(made.values[0], fit5_by_hand(fused, one, numbers), **CLOSE)
    assert made.told == [{"first_stage": scale}]


def test_fusion_in_t5_with_weights_of_another_model(fused: Fused, tmp_path: Any) -> None:
    import shutil

    import torch

    from rerank_cli.methods import fit5
    from rerank_cli.methods.torch_model import load_model

    source = fused.source("fit5")
    folder = shutil.copytree(source.folder, tmp_path / "other")
    state = torch.load(folder / "global_3layer.bin", weights_only=True)
    torch.save(state | {"module.t5.encoder.project1.weight": torch.zeros(32, 32)}, folder / "global_3layer.bin")
    with pytest.raises(BadData, match=r"no Fusion-in-T5 has: t5\.encoder\.project1\.weight"):
        load_model(replace(source, folder=folder), fit5.MODEL_CLASS, may_lack=fit5.MAY_LACK)
    del state["module.dense.bias"]
    torch.save(state, folder / "global_3layer.bin")
    with pytest.raises(BadData, match=r"lacks the weights dense\.bias"):
        load_model(replace(source, folder=folder), fit5.MODEL_CLASS, may_lack=fit5.MAY_LACK)


def test_no_memory_is_told_with_what_helps(fused: Fused) -> None:
    import torch

    def full(*_: Any) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    hook = fused.model("mvp").encoder.register_forward_pre_hook(full)
    try:
        with pytest.raises(OutOfMemory, match=r"a batch of 1 x \d+ tokens: CUDA out of memory") as caught:
            fused.opened("mvp").rate(SLATES[:1])
    finally:
        hook.remove()
    assert "--max-length" in caught.value.hint and caught.value.texts[0] == SLATES[0].query


def test_mvp_needs_its_four_tokens(tmp_path: Any) -> None:
    import tiny_models

    from rerank_cli.methods import mvp
    from rerank_cli.methods.catalog import find
    from rerank_cli.methods.source import open_source

    checkpoint = find(str(tiny_models.t5(tmp_path / "plain")), method="mvp")
    source = open_source(checkpoint, cache_dir=None, offline=True, trust_remote_code=False, note=lambda _: None)
    with pytest.raises(BadData, match="no piece <extra_id_0>"):
        mvp.record(source)
