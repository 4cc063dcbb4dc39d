"""Parts of a run: joined they are the bytes of the whole run, and what is not whole is noticed wherever it was cut."""

from __future__ import annotations

import io
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rerank_cli.core.run import Ranking
from rerank_cli.core.shards import Shard, Share, by_cost, by_position
from rerank_cli.errors import BadData
from rerank_cli.formats.merged_parts import merged
from rerank_cli.formats.parts import Part, PartWriter
from rerank_cli.formats.run_writer import RunWriter
from rerank_cli.formats.runs import RunStream, read_run

#: Documents in each list; some have none, which a run has no line for.
depths = st.lists(st.integers(0, 3), max_size=9)
SOME = [2, 0, 1, 3, 0, 0, 2]


def rankings(counts: list[int]) -> list[Ranking]:
    return [
        Ranking.build(b"q%d" % number, [b"d%d" % d for d in range(count)], [1.5 * d for d in range(count)])
        for number, count in enumerate(counts)
    ]


def whole(counts: list[int], format: str) -> bytes:
    stream = io.BytesIO()
    writer = RunWriter(stream, "t", format)
    for one in rankings(counts):
        writer.write(one)
    return stream.getvalue()


def made(counts: list[int], n: int, format: str = "trec", *, cost: bool = False, **facts: object) -> list[bytes]:
    """The parts as n processes would write them."""
    parts = []
    for number in range(1, n + 1):
        shard = Shard(number, n)
        share = Share(
            shard,
            "tokens" if cost else "queries",
            by_cost(shard, 1 + np.array(counts, dtype=np.int64)) if cost else by_position(shard),
        )
        stream = io.BytesIO()
        writer = PartWriter(stream, "t", format)
        writer.header({"stage": "rerank", **facts, "shard": share.facts() | writer.about})
        for one in share.of(rankings(counts), lambda ranking: [ranking.qid, ranking.docids.tobytes()]):
            writer.write(one)
        writer.end(share.run())
        parts.append(stream.getvalue())
    return parts


def joined(parts: list[bytes]) -> bytes:
    return b"".join(merged([Part(io.BytesIO(text), f"part.{at}") for at, text in enumerate(parts, 1)]))


@settings(deadline=None)
@given(depths, st.integers(1, 12), st.sampled_from(["trec", "msmarco", "jsonl"]), st.booleans(), st.randoms())
def test_parts_in_any_order_are_the_whole_run(counts, n, format, cost, random) -> None:
    parts = made(counts, n, format, cost=cost)
    random.shuffle(parts)
    assert joined(parts) == whole(counts, format)


@pytest.mark.parametrize("format", ["trec", "jsonl"])
def test_a_part_is_a_run_that_every_reader_takes(format: str) -> None:
    part = made(SOME, 2, format)[0]
    header = RunStream(io.BytesIO(part), "part").header
    assert header is not None and header["shard"]["of"] == 2
    assert [one.ranking.qid for one in RunStream(io.BytesIO(part), "part")] == [b"q0", b"q2", b"q6"]
    assert read_run(io.BytesIO(part), "part").run.qids == (b"q0", b"q2", b"q6")


@pytest.mark.parametrize("n", [1, 3])
def test_a_part_that_was_cut_anywhere_is_refused(n: int) -> None:
    """A killed job, a full disk: whatever is left of the file. Only its last line end may lack."""
    parts = made(SOME, n)
    for at in range(len(parts[-1]) - 1):
        with pytest.raises(BadData, match=f"^part.{n}(:1)?: "):
            joined([*parts[:-1], parts[-1][:at]])
    assert joined([*parts[:-1], parts[-1][:-1]]) == whole(SOME, "trec")


def test_a_part_that_lost_or_gained_a_line_is_refused() -> None:
    parts = made(SOME, 2)
    lines = parts[0].splitlines(keepends=True)
    without = [lines[:at] + lines[at + 1 :] for at in range(len(lines))]
    doubled = [lines[: at + 1] + lines[at:] for at in range(1, len(lines) - 1)]
    for changed in [*without, *doubled]:
        with pytest.raises(BadData, match=r"^part\.1"):
            joined([b"".join(changed), parts[1]])


def edited(part: bytes, **changes: object) -> bytes:
    """The part with other values in its header."""
    line, rest = part.split(b"\n", 1)
    facts = json.loads(line.removeprefix(b"# rerank: "))
    facts["shard"] |= {name: value for name, value in changes.items() if name in facts["shard"]}
    facts |= {name: value for name, value in changes.items() if name not in facts["shard"]}
    return b"# rerank: " + json.dumps(facts).encode() + b"\n" + rest


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"number": 1}, r"part\.2: is part 1 of 3, as part\.1 is"),
        ({"of": 4}, r"part\.2: is part 2 of 4, and part\.1 is part 1 of 3"),
        ({"format": "jsonl"}, r"part\.2: format is 'jsonl', and 'trec' in part\.1"),
        ({"tag": "other"}, r"part\.2: tag is 'other', and 't' in part\.1"),
        ({"depth": 20}, r"part\.2: depth is 20, and 10 in part\.1"),
        ({"strategy_settings": {"window": 4}}, r"part\.2: strategy_settings\.window is 4, and 20 in part\.1"),
        ({"model_hash": "x"}, r"part\.2: model_hash is 'x', and None in part\.1"),
        ({"first": 5}, "query 1 .* of the run stands in no part, or in two"),
        ({"step": 0}, r"part\.2:1: its header does not say which part"),
        ({"number": "2"}, r"part\.2:1: its header does not say which part"),
        ({"tag": None}, r"part\.2:1: its header does not say which part"),
    ],
)
def test_what_does_not_belong_together_is_refused(changes: dict[str, object], says: str) -> None:
    parts = made(SOME, 3, depth=10, strategy_settings={"window": 20})
    with pytest.raises(BadData, match=says):
        joined([parts[0], edited(parts[1], **changes), parts[2]])


def test_where_a_thing_lies_and_what_it_ran_on_may_differ() -> None:
    parts = made(SOME, 2, depth=10, collection="here", device="cuda:0")
    other = edited(parts[1], collection="/there", device="cpu", topics=3, versions={"python": "3.12"})
    assert joined([parts[0], other]) == whole(SOME, "trec")


def test_another_run_of_the_same_shape_is_refused() -> None:
    parts, others = made(SOME, 2), made([2, 0, 1, 3, 0, 0, 3], 2)
    with pytest.raises(BadData, match=r"part\.2: is a part of another run than part\.1"):
        joined([parts[0], others[1]])
    with pytest.raises(BadData, match=r"part\.2: is a part of another run than part\.1"):
        joined([parts[0], made(SOME[:3], 2)[1]])


def test_parts_that_are_lacking_are_named() -> None:
    parts = made(SOME, 9)
    with pytest.raises(BadData, match="part 2 of 9 missing"):
        joined([parts[0], *parts[2:]])
    with pytest.raises(BadData, match=r"parts 2, 3, 4, 5, 6, \.\.\. of 9 missing"):
        joined([parts[0], parts[8]])


@pytest.mark.parametrize(
    "text", [b"", b"q1 Q0 d 1 1.0 t\n", b'# rerank: {"stage": "rerank"}\n', b"# rerank: {\n", b"# rerank: 3\n"]
)
def test_what_is_no_part_is_refused(text: bytes) -> None:
    with pytest.raises(BadData, match=r"^x: is no part of a run"):
        Part(io.BytesIO(text), "x")
