"""`--feedback RUN`: the documents that a run puts first, as what a second retrieval takes to be relevant."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from rerank_cli.retrieval.rm3 import Feedback


class FeedbackRun(NamedTuple):
    """What a run says of each topic, and its header."""

    feedback: Feedback
    header: dict[str, Any] | None


def feedback_run(path: str, documents: int) -> FeedbackRun:
    """Read a run (`-`: stdin) to its end; of each query the ids of the first `documents` are held."""
    from rerank_cli.cli.streams import input_stream
    from rerank_cli.formats.runs import RunStream

    with input_stream(path, "feedback run") as (stream, name):
        run = RunStream(stream, name)
        header = run.header
        first = {block.ranking.qid: block.ranking.docids[:documents].tolist() for block in run}
    return FeedbackRun(first.get, header)
