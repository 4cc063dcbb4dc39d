"""Fusion-in-T5: passages are read apart, but for the first token of each, which looks at that of all the others.

A passage comes with its first stage's score, written as a whole number from 0 to 100. After each of the encoder's last
three layers the states of the first tokens of the whole list pass through one more layer of attention, which has no
positions; the layers between carry what came of it into the passage. Then one step of the decoder, as in monoT5, with an
output matrix of its own.

The authors' numbers are made of coCondenser's scores between 165 and 190. A list whose scores do not lie thereabouts is
scaled between its own lowest and highest, the other way in their code. They fill a list up to a hundred passages;
here it stays as it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

import numpy as np

from rerank_cli.core.method import Method
from rerank_cli.core.protocols import Lengths, Pair, Ratings, Slate
from rerank_cli.errors import BadData, OutOfMemory
from rerank_cli.inference.batching import Row, batches, of_fixed_width, shapes
from rerank_cli.inference.memory import telling
from rerank_cli.methods.fid import Opened, opened
from rerank_cli.methods.graphs.t5_decoder import one_step, require_t5
from rerank_cli.methods.lists import ListMethod, ratings
from rerank_cli.methods.weights import weight_files

if TYPE_CHECKING:
    from rerank_cli.methods import Placed
    from rerank_cli.methods.exported import Record
    from rerank_cli.methods.source import Source

METHOD = Method(
    name="fit5",
    asks="rate",
    summary="scores passages with a T5 whose encoder lets them look at one another, first stage's score included",
    paper="Yu et al., Fusion-in-T5: Unifying Document Ranking Signals for Improved Information Retrieval, arXiv:2305.14685",
    calls="1",
    score="logit",
    when="A pointwise model's cost for a listwise answer that knows the first stage's scores as well. Best after a dense "
    "retriever, coCondenser above all, on which it was trained; after another it sees scores scaled within the list. The "
    "score of a passage depends on its list.",
)
MAY_LACK: tuple[str, ...] = ()
FUSION: str | None = None
PRECISIONS = ("fp32", "bf16")
ENGINES = ("torch",)

TEMPLATE = "Query: {query} Title:  score: {document} Relevant: "
#: The token whose states fuse; it stands before the template.
FIRST = "[CLS]"
WORD = "▁true"
MAX_LENGTH = 200
#: Characters of a query and of a document that are read.
QUERY, DOCUMENT = 64, 512
GLOBAL_LAYERS = 3
#: What training on several GPUs puts before the names of weights.
_PARALLEL = {r"^module\.": ""}
#: coCondenser's scores, by which the authors scale, and how far from them they still count as such.
LOW, HIGH, NEAR = 165.0, 190.0, 25.0


def _model_class(config: dict[str, Any]) -> Any:
    """A transformers class with the checkpoint's names for its parts."""
    import torch
    from transformers import T5Model, T5PreTrainedModel
    from transformers.models.t5.modeling_t5 import T5LayerSelfAttention

    class FusionInT5(T5PreTrainedModel):
        def __init__(self, config: Any) -> None:
            super().__init__(config)
            self.t5 = T5Model(config)
            encoder = self.t5.encoder
            layers = [T5LayerSelfAttention(encoder.config) for _ in range(GLOBAL_LAYERS)]
            encoder.project_global = torch.nn.ModuleList(layers)
            self.dense = torch.nn.Linear(config.d_model, config.vocab_size)
            self.post_init()

        @classmethod
        def from_pretrained(cls, folder: Any, *args: Any, **options: Any) -> Any:  # type: ignore[override]
            files = weight_files(Path(folder))
            if [file.suffix for file in files] == [".bin"]:  # saved by PyTorch alone, under a name of the authors' own
                options["state_dict"] = torch.load(files[0], map_location="cpu", weights_only=True)
                options.setdefault("config", Path(folder) / "config.json")
                folder = None
            loaded: Any = super().from_pretrained(folder, *args, key_mapping=_PARALLEL, **options)
            if strange := sorted(loaded[1]["unexpected_keys"]):
                raise BadData(
                    f"the checkpoint has weights that no Fusion-in-T5 has: {', '.join(strange[:3])}",
                    f"the released model has {GLOBAL_LAYERS} layers of attention between passages",
                )
            return loaded

    return FusionInT5


MODEL_CLASS = _model_class


def record(source: Source) -> Record:
    """How this checkpoint is asked; raises `BadData` when it is no T5 or its vocabulary has no place for the tokens."""
    checkpoint = source.checkpoint
    start_id = require_t5(source.config, checkpoint.name, "Fusion-in-T5")
    tokenizer = source.tokenizer
    words = source.word_ids((WORD,), "Fusion-in-T5 reads the logit of this word")
    # The authors add the token to T5's own; it gets the next id.
    first = tokenizer.token_to_id(FIRST)
    first = tokenizer.get_vocab_size() if first is None else first
    if first >= source.config["vocab_size"]:
        raise BadData(f"{checkpoint.name} has no state for the token {FIRST}: it has {first} tokens")
    return source.new_record(
        score=METHOD.score,
        inputs=("input_ids", "attention_mask"),
        max_length=checkpoint.max_length or MAX_LENGTH,
        template=TEMPLATE,
        words=words,
        params={"first": first, "start_id": start_id},
    )


def by_torch(model: Any, record: Record, tokenizer: Any, **placed: Unpack[Placed]) -> FiT5:
    """A `ListScorer`."""
    own = opened(model, record, tokenizer, first=(record.params["first"],), numbered=_scored(100, ""), **placed)
    return FiT5(own, record)


class FiT5(ListMethod):
    """A `core.protocols.ListScorer`; see this module's docstring."""

    uses_first_stage = True

    def __init__(self, own: Opened, record: Record) -> None:
        super().__init__(own.description, record.name)
        self._t5, self._tokens, _, self.tokenizer = own
        self._word = next(iter(record.words.values()))

    def measure(self, pairs: Sequence[Pair]) -> Lengths:
        """See `ListScorer.measure`; the number that stands for the first stage's score is taken to be 100."""
        from rerank_cli.methods.pointwise import lengths

        return lengths([self._rows(query, [document], [100])[0] for query, document in pairs])

    def rate(self, slates: Sequence[Slate]) -> Ratings:
        """See `ListScorer.rate`; one call a list, its passages in batches of similar length that meet in the last layers."""
        rows, values, told = [], [], []
        for one in slates:
            numbers, scale = written_scores(one.first_stage)
            rows.append(self._rows(one.query, one.documents, numbers))
            with telling([one]):
                values.append(self._rated(rows[-1]) if rows[-1] else np.zeros(0))
            told.append({"first_stage": scale})
        return ratings(values, rows, told)

    def _rows(self, query: str, documents: Sequence[str], numbers: Sequence[int]) -> list[Row]:
        shown = [text.replace("[SEP]", "").replace("  ", " ") for text in documents]
        pairs = [Pair(query[:QUERY], _scored(score, text[:DOCUMENT])) for score, text in zip(numbers, shown)]
        cut = [len(query) > QUERY or len(text) > DOCUMENT for text in shown]
        return [row._replace(truncated=row.truncated or own) for row, own in zip(self._tokens.rows(pairs), cut)]

    def _rated(self, rows: Sequence[Row]) -> np.ndarray:
        """The scores (n,) float64 of one list; in smaller batches, all of them anew, when memory ends."""
        rows = of_fixed_width(rows, self._t5)
        lengths, halves = np.array([len(row.ids) for row in rows]), self._t5.halves
        while True:
            at = list(batches(lengths, int(min(halves.most, self.description.batch_tokens)), shapes(rows)))
            try:
                return self._together(rows, at)
            except OutOfMemory:
                several = [own for own in at if len(own) > 1]
                if not several:
                    raise
            size, rows_of_it = max((len(own) * int(lengths[own].max()), len(own)) for own in several)
            halves.no_room(rows_of_it, size)

    def _together(self, rows: Sequence[Row], at: Sequence[np.ndarray]) -> np.ndarray:
        """The scores (n,) float64 of one list that is read in the batches `at`, places among its rows."""
        from rerank_cli.inference.torch import computing

        model = self._t5.model
        scores = np.empty(len(rows))
        arrays = [self._t5.padded([rows[place] for place in own]) for own in at]
        with computing({"input_ids": arrays[0][0]}):
            for own, (_, mask), states in zip(at, arrays, fused(model.t5.encoder, arrays)):
                hidden = one_step(model.t5.decoder, states, mask, self._t5.start_id).float()
                logits = hidden @ model.dense.weight[self._word].float() + model.dense.bias[self._word].float()
                scores[own] = logits.double().cpu().numpy()
        return scores


def fused(encoder: Any, arrays: Sequence[tuple[Any, Any]]) -> list[Any]:
    """The encoder's states of one list that comes in batches (ids, mask), each (b, L); one tensor (b, L, d) a batch.

    As in the authors' code the first tokens' states are added twice to what the attention between them makes.
    """
    import torch

    hidden = [encoder.embed_tokens(ids) for ids, _ in arrays]
    least = torch.finfo(hidden[0].dtype).min
    hidden_from = [((1 - mask) * least).to(hidden[0].dtype)[:, None, None] for _, mask in arrays]
    bias = [None] * len(arrays)
    apart = len(encoder.block) - len(encoder.project_global)
    for number, block in enumerate(encoder.block):
        for own in range(len(arrays)):
            hidden[own], bias[own], _ = block(hidden[own], hidden_from[own], bias[own])
        if number >= apart:
            first = torch.cat([states[:, 0] for states in hidden])[None]
            together = first + encoder.project_global[number - apart](first)[0]
            for states, new in zip(hidden, together[0].split([len(states) for states in hidden])):
                states[:, 0] = new
    return [encoder.final_layer_norm(states) for states in hidden]


def written_scores(first_stage: np.ndarray) -> tuple[list[int], str]:
    """The numbers that stand in the text for a list's scores (n,), and which scale they are on."""
    if not len(first_stage):
        return [], ""
    lowest, highest = float(first_stage.min()), float(first_stage.max())
    if lowest >= LOW - NEAR and highest <= HIGH + NEAR:
        shares = (np.minimum(first_stage, HIGH) - LOW) / (HIGH - LOW)
        scale = "coCondenser"
    else:
        shares = (first_stage - lowest) / (highest - lowest) if highest > lowest else np.ones(len(first_stage))
        scale = "list"
    return [int(share * 100) for share in shares.tolist()], scale


def _scored(number: int, document: str) -> str:
    return f"{number} Passage: {document}"
