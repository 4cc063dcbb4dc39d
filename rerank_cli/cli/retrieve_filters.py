"""`--filter` and `--topic-filters`: from conditions as typed to a first stage that hands on only what meets them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from rerank_cli.cli.settings import Settings
from rerank_cli.cli.terminal import Terminal
from rerank_cli.errors import BadData, WrongUsage

if TYPE_CHECKING:
    from rerank_cli.collection import Collection
    from rerank_cli.formats.field_columns import FieldColumn
    from rerank_cli.formats.topics import TopicField
    from rerank_cli.retrieval.conditions import Condition
    from rerank_cli.retrieval.filters import Passing
    from rerank_cli.retrieval.retriever import Retriever

#: The field of a topic that holds its conditions.
FIELD = "filter"


def conditions_of(filter: str | None) -> tuple[Condition, ...]:
    """The conditions of `--filter`, none where it was not given; raises `WrongUsage` with the place of an error."""
    from rerank_cli.retrieval.conditions import parsed

    return () if filter is None else parsed(filter)


def filtered_by(
    filter: str | None,
    conditions: Sequence[Condition],
    topic_filters: Mapping[bytes, TopicField] | None,
    found: Collection,
    settings: Settings,
    terminal: Terminal,
) -> Callable[[Retriever], Retriever] | None:
    """What is put around a first stage; None where nothing is filtered.

    Raises `BadData` with FILE:LINE for a topic's filter that cannot be read, `WrongUsage` for a corpus without fields.
    """
    from rerank_cli.retrieval.filters import Filtered, Passing

    if filter is None and topic_filters is None:
        return None
    of_topics = {qid: (*conditions, *_of_topic(told)) for qid, told in (topic_filters or {}).items()}
    columns = _columns([conditions, *of_topics.values()], found, settings, terminal)
    of_all = Passing(conditions, columns) if conditions else None
    if of_all is not None:
        terminal.note(f"--filter lets {of_all.count} of {len(found.documents())} documents through")
    told: dict[str, Any] = {} if filter is None else {"filter": filter}
    if topic_filters is not None:
        terminal.note(f"{len(of_topics)} topics have a filter of their own")
        told["topic_filters"] = len(of_topics)
    own = {qid: Passing(several, columns) for qid, several in of_topics.items()}

    return lambda inner: Filtered(inner, partial(_passing, own, of_all), told)


def _passing(own: Mapping[bytes, Passing], of_all: Passing | None, qid: bytes) -> Passing | None:
    return own.get(qid, of_all)


def _of_topic(told: TopicField) -> tuple[Condition, ...]:
    from rerank_cli.retrieval.conditions import parsed

    try:
        return parsed(told.text)
    except WrongUsage as error:
        raise BadData(error.message, error.hint, where=told.where) from None


def _columns(
    filters: Sequence[Sequence[Condition]], found: Collection, settings: Settings, terminal: Terminal
) -> dict[str, FieldColumn]:
    """The columns of all fields that are asked about."""
    from rerank_cli.formats.field_columns import field_column
    from rerank_cli.formats.indexed_corpus import IndexedCorpus

    corpus = found.documents()
    if not isinstance(corpus, IndexedCorpus):
        raise WrongUsage("documents of irds:ID have no fields to filter by", "--docs FILE names a JSONL corpus")
    fields = dict.fromkeys(condition.field for several in filters for condition in several)
    columns = {field: field_column(corpus, field, settings.cache_dir, terminal.note) for field in fields}
    for field, column in columns.items():
        if not column.values:
            terminal.warn(f"no document has a string or a number in the field {field}, so no condition on it is met")
    return columns
