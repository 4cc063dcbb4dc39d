"""LiT5-Score: what a T5's decoder looks at while it answers a question is how relevant each passage is.

The model was trained to answer questions from many passages, never to rank. It reads all of them apart and writes a
short answer; a passage's score is the attention that its tokens got, over all layers, heads and words of the answer, each
weight times the length of the value that it moved. The query's own tokens at the head of every passage do not count.

The answer is written first, with a cache; then one pass over the finished answer gives the attention, every word's at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Unpack

import numpy as np

from rerank_cli.core.method import Method
from rerank_cli.core.protocols import Lengths, Pair, Ratings, Slate
from rerank_cli.inference.memory import telling
from rerank_cli.methods.fid import Opened, opened, record_of
from rerank_cli.methods.graphs.t5_decoder import by_head
from rerank_cli.methods.lists import ListMethod, ratings

if TYPE_CHECKING:
    from rerank_cli.inference.batching import Row
    from rerank_cli.methods import Placed
    from rerank_cli.methods.exported import Record
    from rerank_cli.methods.source import Source

METHOD = Method(
    name="lit5-score",
    asks="rate",
    summary="scores passages by the cross-attention they get while a T5 writes an answer",
    paper="Tamber, Pradeep and Lin, Scaling Down, LiTting Up: Efficient Zero-Shot Listwise Reranking with Seq2seq "
    "Encoder-Decoder Models, arXiv:2312.16098",
    calls="1",
    score="attention",
    when="One call for the whole list, whatever its length, and no labels of relevance went into its training. It answers "
    "questions; where queries are no questions the distilled checkpoints (lit5-distill) do better. A score means something "
    "beside the others of its list only.",
)
MODEL_CLASS = "AutoModelForSeq2SeqLM"
MAY_LACK: tuple[str, ...] = ()
FUSION: str | None = None
PRECISIONS = ("fp32", "bf16")
ENGINES = ("torch",)

TEMPLATE = "question: {query} context: {document}"
#: What of the template the query's tokens are counted in.
_QUESTION = "question: {query}"
MAX_LENGTH = 150
#: Tokens of an answer, with its start token.
_LONGEST = 20
#: What the authors divide by for each layer.
_SCALE = 256


def record(source: Source) -> Record:
    """How this checkpoint is asked; raises `BadData` when it is no T5."""
    return record_of(source, score=METHOD.score, template=TEMPLATE, max_length=MAX_LENGTH, called="LiT5")


def by_torch(model: Any, record: Record, tokenizer: Any, **placed: Unpack[Placed]) -> LiT5Score:
    """A `ListScorer`."""
    return LiT5Score(opened(model, record, tokenizer, **placed), record)


class LiT5Score(ListMethod):
    """A `core.protocols.ListScorer`; see this module's docstring."""

    def __init__(self, own: Opened, record: Record) -> None:
        from rerank_cli.inference.tokens import PlainText

        super().__init__(own.description, record.name)
        self._t5, self._tokens, _, self.tokenizer = own
        self._plain = PlainText(own.tokenizer)

    def measure(self, pairs: Sequence[Pair]) -> Lengths:
        """See `ListScorer.measure`."""
        from rerank_cli.methods.pointwise import lengths

        return lengths(self._tokens.rows(pairs))

    def rate(self, slates: Sequence[Slate]) -> Ratings:
        """See `ListScorer.rate`; one call a list: its passages through the encoder, an answer, and one pass over it."""
        rows = [self._tokens.rows([Pair(one.query, document) for document in one.documents]) for one in slates]
        values = [np.zeros(0) for _ in slates]
        asked = [place for place, own in enumerate(rows) if own]
        lists, budget = [rows[place] for place in asked], self.description.batch_tokens
        with telling([slates[place] for place in asked]):
            for own, looked in self._t5.looked_at(lists, budget, self._looked_at):
                place = asked[own]
                values[place] = _by_passage(looked, rows[place], self._query_tokens(slates[place].query))
        return ratings(values, rows)

    def _query_tokens(self, query: str) -> int:
        question = self._plain(_QUESTION.replace("{query}", query))
        return len(self.tokenizer.encode(question, add_special_tokens=False).ids)

    def _looked_at(self, encoded: Any, mask: Any) -> list[np.ndarray]:
        """The attention (b, L) that each state got from the answer, up to the place where it ends."""
        import torch

        from rerank_cli.inference.torch import computing

        # The last token that was written has been looked from by nobody, unless an end token followed.
        answers = [[self._t5.start_id, *ids][: _LONGEST - 1] for ids in self._t5.written(encoded, mask, _LONGEST)]
        ids = torch.nn.utils.rnn.pad_sequence(list(map(torch.tensor, answers)), batch_first=True).to(mask.device)
        lengths = torch.tensor(list(map(len, answers)), device=mask.device)
        counted = torch.arange(ids.shape[1], device=mask.device) < lengths[:, None]
        with computing({"input_ids": mask}):
            looked = cross_attention(self._t5.model.decoder, encoded, mask, ids, counted)
            return list(looked.cpu().numpy())


def cross_attention(decoder: Any, encoded: Any, mask: Any, ids: Any, counted: Any) -> Any:
    """What the decoder looks at: (b, L) float32, over given tokens `ids (b, t)`, of which those `counted (b, t)` count.

    For each state the sum over layers and tokens of weight times the value's length, their mean over heads, by the
    number of layers times 256. Later tokens do not change what earlier ones look at.
    """
    import torch

    total = torch.zeros(mask.shape, device=mask.device)
    hidden_from = torch.where(mask == 1, 0.0, torch.finfo(torch.float32).min)[:, None, None]

    def look(layer: Any, inputs: Any, output: Any) -> None:
        own = layer.EncDecAttention
        query = by_head(own.q(layer.layer_norm(inputs[0])), own)
        key, value = (by_head(part(encoded), own) for part in (own.k, own.v))
        weights = torch.softmax((query @ key.transpose(2, 3)).float() + hidden_from, dim=-1)
        total.add_(torch.einsum("bhtl,bhl,bt->bl", weights, value.float().norm(dim=-1), counted.float()) / own.n_heads)

    hooks = [block.layer[1].register_forward_hook(look) for block in decoder.block]
    try:
        decoder(input_ids=ids, encoder_hidden_states=encoded, encoder_attention_mask=mask, use_cache=False)
    finally:
        for hook in hooks:
            hook.remove()
    return total / (_SCALE * len(decoder.block))


def _by_passage(looked: np.ndarray, rows: Sequence[Row], query: int) -> np.ndarray:
    """The sums (n,) float64 over each passage's tokens but the first `query`, of a list whose passages stand end to end."""
    ends = np.cumsum([len(row.ids) for row in rows])
    parts = np.split(looked[: ends[-1]].astype(np.float64), ends[:-1])
    return np.array([part[query:].sum() for part in parts])
