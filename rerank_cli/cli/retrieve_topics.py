"""What `rerank retrieve` asks, and what it is answered: topics from a collection or stdin, lists with where their texts are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rerank_cli.collection import Collection, Overrides
    from rerank_cli.core.run import Ranking
    from rerank_cli.core.texts import Document, Texts
    from rerank_cli.formats.topics import TopicField
    from rerank_cli.retrieval.retriever import Found, Topic


def lists(
    retriever: Any, found: Collection | None, topics: Sequence[Topic], k: int, *, elsewhere: bool
) -> Iterator[tuple[Found, Texts]]:
    """Each topic's list, and where the texts of its documents are: in the collection, or in another engine's answer."""
    from rerank_cli.core.texts import MemoryTexts

    if elsewhere:
        for answer in retriever.answers(topics, k):
            yield answer.found, MemoryTexts(answer.documents)
    elif found is not None:
        for best in retriever.search(topics, k):
            yield best, found.documents()


def topics_of(
    found: Collection, named: Overrides, on_stdin: bool, with_filters: bool, vectors: bool
) -> tuple[dict[bytes, str], Mapping[bytes, TopicField] | None]:
    """The topics, and the filter of those that have one (None: these are not asked for); with `vectors`, these may be all they have."""
    from rerank_cli.cli.retrieve_filters import FIELD

    if not on_stdin:
        return found.topics(vectors=vectors), found.topic_field(FIELD) if with_filters else None
    return topics_from_stdin(named, with_filters)


def topics_from_stdin(
    named: Overrides, with_filters: bool = False
) -> tuple[dict[bytes, str], Mapping[bytes, TopicField] | None]:
    from io import BytesIO

    from rerank_cli.cli.retrieve_filters import FIELD
    from rerank_cli.cli.streams import input_stream
    from rerank_cli.formats.topics import read_topic_field, read_topics

    with input_stream("-", "topics") as (stream, name):
        read = BytesIO(stream.read())
    topics = read_topics(read, name, fields=named.topic_fields)
    read.seek(0)
    return topics, read_topic_field(read, name, FIELD) if with_filters else None


def documents_of(texts: Texts, ranking: Ranking) -> dict[bytes, Document]:
    """The texts of a list's documents, by id."""
    docids = ranking.docids.tolist()
    found = texts.lookup(docids)
    return {docid: document for docid, document in zip(docids, found, strict=True) if document is not None}
