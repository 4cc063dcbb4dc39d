"""What reduced precisions are measured on, and what `--precision fast` means on this machine."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from rerank_cli.cli.settings import Settings
from rerank_cli.cli.terminal import Terminal
from rerank_cli.errors import WrongUsage

if TYPE_CHECKING:
    from rerank_cli.core.protocols import Pair
    from rerank_cli.methods import LoadedScorer

#: Documents of a topic on which precisions are compared.
_LIST = 10


def quickest_here(opened: Callable[[str], LoadedScorer], settings: Settings, terminal: Terminal) -> str:
    """What `--precision fast` means for this model here; said on stderr."""
    from rerank_cli.export.fastest import quickest
    from rerank_cli.inference.devices import gpu_count

    if gpu_count():
        raise WrongUsage("--precision fast is measured on processors only", "on a GPU, name fp16 or bf16")
    exact = opened("fp32").description
    told = f"{exact.model_hash} {exact.template} {exact.max_length} {exact.engine} {terminal.threads}"
    choice = quickest(told, opened, lambda: real_lists(settings), settings.cache_dir, note=terminal.note)
    terminal.note(str(choice))
    return choice.precision


def real_lists(settings: Settings) -> list[list[Pair]]:
    """Real pairs to compare precisions on: every topic of the demo collection with its judged documents and others, ten each."""
    from rerank_cli.collection import SHIPPED, Overrides, open_collection
    from rerank_cli.core.protocols import Pair
    from rerank_cli.core.texts import rendered

    demo = open_collection(
        str(SHIPPED), Overrides(), registered={}, cache_dir=settings.cache_dir, note=lambda _: None, offline=True
    )
    judged = demo.qrels().by_query
    texts = {document.docid: rendered(document, demo.doc_template) for document in demo.documents()}
    lists = []
    for number, (qid, query) in enumerate(demo.topics().items()):
        others = list(texts)[number * 4 :] + list(texts)
        docids = list(dict.fromkeys([*judged.get(qid, {}), *others]))[:_LIST]
        lists.append([Pair(query, texts[docid]) for docid in docids])
    return lists
