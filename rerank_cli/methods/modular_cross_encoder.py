"""Cross-encoders built of sentence-transformers' modules (ettin): an encoder, its pooling, and a head of dense layers.

The same idea as `cross_encoder`, kept on disk in another way: the folder holds an encoder without a head, and
modules.json lists what follows it. Scores are the last layer's numbers, without the sigmoid of the library.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from rerank_cli.core.method import Method
from rerank_cli.errors import BadData
from rerank_cli.methods import cross_encoder
from rerank_cli.methods.cross_encoder import scorer  # the same rows, the same scales

if TYPE_CHECKING:
    from rerank_cli.methods.exported import Record
    from rerank_cli.methods.source import Source

__all__ = ["FUSION", "MAY_LACK", "METHOD", "MODEL_CLASS", "graph", "record", "reference", "scorer"]

METHOD = Method(
    name="modular-cross-encoder",
    asks="score",
    summary="a cross-encoder whose pooling and head are sentence-transformers modules",
    paper="Nogueira and Cho, Passage Re-ranking with BERT, arXiv:1901.04085",
    calls="n",
    score="logit",
    when=(
        "A cross-encoder in another package: pooling and head come as modules of sentence-transformers. Costs and "
        "uses are a cross-encoder's."
    ),
)
MODEL_CLASS = "AutoModel"
FUSION: str | None = "bert"
#: The modules pool; the encoder's own pooler may be absent.
MAY_LACK = ("pooler",)


def record(source: Source) -> Record:
    """How this checkpoint is asked; raises `BadData` when its modules end in no score of one or two labels."""
    from rerank_cli.methods.detect import read_json
    from rerank_cli.methods.graphs.modular import module_steps
    from rerank_cli.methods.own_template import own_template

    steps = module_steps(source)
    if not any("pool" in step for step in steps) or "dense" not in steps[-1]:
        raise BadData(
            f"{source.checkpoint.name} has no modules that pool and then score",
            "a modular cross-encoder has a modules.json with Pooling and, last, Dense",
        )
    labels = int(read_json(source.folder / steps[-1]["dense"] / "config.json")["out_features"])
    return source.new_record(
        score=cross_encoder.scale(source, labels),
        inputs=source.inputs(),
        template=source.checkpoint.template or own_template(source),
        params={"labels": labels, "steps": steps},
    )


def graph(model: Any, record: Record, folder: Path) -> Any:
    """The module to export: ids, mask (and types) -> scores (n,)."""
    from rerank_cli.methods.graphs.first_row import keep_first_row
    from rerank_cli.methods.graphs.last_token import PRUNED, last_token

    if _pools(record, "lasttoken") and model.config.model_type in PRUNED:
        return _graph(model, record, folder, last_token(model))
    if _pools(record, "cls"):
        keep_first_row(model)
    return _graph(model, record, folder, None)


def reference(model: Any, record: Record, folder: Path, batch: dict[str, Any]) -> Any:
    """The scores by the modules as they stand, one pair at a time without padding."""
    import torch

    whole = _graph(model, record, folder, None)
    lengths = batch["attention_mask"].sum(1).tolist()
    return torch.cat([whole(*(batch[name][i : i + 1, :n] for name in record.inputs)) for i, n in enumerate(lengths)])


def _pools(record: Record, mode: str) -> bool:
    """Whether the first module behind the encoder pools by `mode` alone."""
    return bool(record.params["steps"][0].get("pool") == [mode])


def _graph(model: Any, record: Record, folder: Path, last: Any) -> Any:
    """Encoder, then modules; `last` gives the pooled vectors (n, d) itself when the last token alone is read."""
    import torch

    from rerank_cli.methods.graphs.modular import after_encoder

    steps = record.params["steps"]

    class Graph(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = model if last is None else last
            self.after = after_encoder(steps if last is None else steps[1:], folder)

        def forward(self, *arrays: Any) -> Any:
            batch = dict(zip(record.inputs, arrays))
            states = self.model(**batch)
            vectors = states.last_hidden_state if last is None else states
            return cross_encoder.scores_of(self.after(vectors.float(), batch["attention_mask"]), record)

    return Graph().eval()
