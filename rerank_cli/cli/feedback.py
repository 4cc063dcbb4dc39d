"""`--feedback RUN`: the documents that a run puts first, as what a second retrieval takes to be relevant."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from rerank_cli.retrieval.rm3 import Feedback


class FeedbackRun(NamedTuple):
    """What a run says of each topic, and its header."""

    feedback: Feedback
    header: dict[str, Any] | None

    def say_absent(self, qids: Collection[bytes], warn: Callable[[str], None]) -> None:
        """Count the topics that the run lacks."""
        absent = sum(self.feedback(qid) is None for qid in qids)
        if absent:
            warn(f"{absent} of {len(qids)} topics are not in the feedback run: they are asked as they are")


def feedback_run(path: str, documents: int) -> FeedbackRun:
    """Read a run (`-`: stdin) to its end; of each query the ids of the first `documents` are held."""
    from rerank_cli.cli.streams import input_stream
    from rerank_cli.formats.runs import RunStream

    with input_stream(path, "feedback run") as (stream, name):
        run = RunStream(stream, name)
        header = run.header
        first = {block.ranking.qid: block.ranking.docids[:documents].tolist() for block in run}
    return FeedbackRun(first.get, header)
