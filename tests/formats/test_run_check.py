"""What `check` counts, held against a slow count of the same things, and that both readers count alike."""

from __future__ import annotations

import io
import random
from collections import Counter, defaultdict
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rerank_cli.core.texts import Document, MemoryTexts
from rerank_cli.formats import columns
from rerank_cli.formats.run_check import CHECKS, FIRST, Finding, Known, Severity, check_run

Row = tuple[str, str, str, float]


def findings(text: bytes, **options: object) -> dict[str, Finding]:
    found = check_run(io.BytesIO(text), "r.run", **options)  # type: ignore[arg-type]
    assert [f.check for f in found] == [name for name in CHECKS if name in {f.check for f in found}]
    assert all(bool(f.count) == bool(f.places) for f in found if f.severity != Severity.note)
    return {f.check: f for f in found}


def wrong(text: bytes, **options: object) -> dict[str, tuple[int, list[str]]]:
    """Everything that was found, but for the notes: count and places."""
    found = findings(text, **options).values()
    return {f.check: (f.count, [p.where for p in f.places]) for f in found if f.count and f.severity != Severity.note}


def lines_of(rows: list[Row]) -> bytes:
    return "".join(f"{q} Q0 {d} {r} {s!r} t\n" for q, d, r, s in rows).encode()


CLEAN = b"1 Q0 a 1 3.0 t\n1 Q0 b 2 2.0 t\n2 Q0 a 1 9 t\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (CLEAN, {}),
        (CLEAN.replace(b" 1 ", b" 0 ").replace(b" 2 2.0", b" 1 2.0"), {}),  # ranks from 0
        (b"# c\n" + CLEAN, {}),
        (b"", {"empty": (1, ["r.run"])}),
        (CLEAN.replace(b"2.0", b"3.0"), {"tie": (1, ["r.run:2"])}),
        (CLEAN.replace(b"2.0", b"2.9999999999"), {"float32": (1, ["r.run:2"])}),
        (CLEAN.replace(b"3.0", b"2e39").replace(b"2.0", b"1e39"), {"float32": (1, ["r.run:2"])}),
        (CLEAN.replace(b"b 2", b"b 1"), {"rank": (1, ["r.run:2"])}),
        (CLEAN.replace(b"a 1 3", b"a x 3"), {"rank": (1, ["r.run:1"])}),
        (CLEAN.replace(b"a 1 3.0", b"a 1 1.0"), {"rank": (1, ["r.run:1"]), "unsorted": (1, ["r.run:2"])}),
        (CLEAN + b"1 Q0 c 3 1 t\n1 Q0 d 4 0.5 t\n", {"split-query": (1, ["r.run:4"])}),
        (CLEAN + b"1 Q0 a 3 1 t\n", {"split-query": (1, ["r.run:4"]), "duplicate": (1, ["r.run:4"])}),
        (CLEAN.replace(b"Q0 b", b"Q0 b\xff"), {"not-utf8": (1, ["r.run:2"])}),
        (CLEAN.replace(b"2 Q0", b"\xff Q0"), {"not-utf8": (1, ["r.run:3"])}),
        (CLEAN.replace(b"2 Q0", b" #2 Q0"), {"unwritable": (1, ["r.run:3"])}),
        (b"x\n" * 7 + CLEAN, {"malformed": (7, [f"r.run:{n}" for n in range(1, 6)])}),
        (CLEAN + b"2 Q0 z 2 nan t extra\n", {"malformed": (1, ["r.run:4"])}),
        (b"\x00\xfe junk", {"malformed": (1, ["r.run:1"]), "empty": (1, ["r.run"])}),
    ],
)
def test_each_thing_that_can_be_wrong(text: bytes, expected: dict[str, tuple[int, list[str]]]) -> None:
    assert wrong(text) == expected


def test_the_messages_are_those_of_the_readers() -> None:
    found = findings(CLEAN + b"1 Q0 c 3\n1 Q0 c 3 nan t\n")["malformed"]
    assert [p.what for p in found.places] == [
        "4 fields, where a TREC run has 6",
        "the score 'nan' is not a finite number",
    ]


def test_a_line_with_several_faults_is_one_malformed_line() -> None:
    text = b'{"query": {"qid": "1"}, "candidates": [1, null, {"docid": "a", "score": 1}]}\n'
    assert wrong(text) == {"malformed": (1, ["r.run:1"])}
    assert findings(text)["rows"].count == 1


def test_depths_are_those_of_the_lists() -> None:
    text = b"".join(b"%d Q0 d%d %d %d t\n" % (q, d, d + 1, -d) for q, n in ((1, 4), (2, 2), (3, 9)) for d in range(n))
    found = findings(b"# comment\n" + text)
    shape = {
        name: found[name].count for name in ("rows", "queries", "depth-min", "depth-median", "depth-max", "comment")
    }
    assert shape == {"rows": 15, "queries": 3, "depth-min": 2, "depth-median": 4, "depth-max": 9, "comment": 1}
    assert [p.where for p in found["depth-min"].places] == ["r.run:6"]
    assert [p.where for p in found["depth-max"].places] == ["r.run:8"]


def test_against_topics_and_documents() -> None:
    texts = MemoryTexts({b"a": Document(b"a", "", "x")})
    known = Known(topics={b"1", b"7", b"8"}, expected=[b"7", b"1"], texts=texts)
    found = findings(CLEAN + b"3 Q0 b 1 1 t\n3 Q0 c 2 0 t\n", known=known)
    assert [found[name].count for name in ("unknown-topic", "missing-topic", "missing-document")] == [2, 1, 2]
    assert [p.where for p in found["unknown-topic"].places] == ["r.run:3", "r.run:4"]
    assert [p.where for p in found["missing-topic"].places] == ["topic 7"]
    assert [p.where for p in found["missing-document"].places] == ["r.run:2", "r.run:5"]
    assert not {"unknown-topic", "missing-topic", "missing-document"} & findings(CLEAN).keys()


def test_formats_without_scores_or_ranks() -> None:
    top1000 = findings(b"1\tb\twhat\tthis\n2\tc\tis\tthat\n1\ta\twhat\tit\n")
    assert "tie" not in top1000 and "rank" not in top1000 and top1000["split-query"].count == 1
    assert wrong(b"1\ta\t1\n1\tb\t1\n1\tc\t2\n") == {"tie": (1, ["r.run:2"])}
    assert wrong(b'{"qid": "1", "docid": "a b", "score": 1}\n') == {"unwritable": (1, ["r.run:1"])}


def by_hand(rows: list[Row]) -> dict[str, int]:
    """The counts, one query and one pair of rows at a time."""
    count: Counter[str] = Counter()
    blocks = [q for n, (q, *_) in enumerate(rows) if n == 0 or rows[n - 1][0] != q]
    count["split-query"] = sum(times > 1 for times in Counter(blocks).values())
    lists: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        lists[row[0]].append(row)
    for own in lists.values():
        count["duplicate"] += len(own) - len({row[1] for row in own})
        count["unsorted"] += sum(b[3] > a[3] for a, b in pairwise(own))
        ranked = sorted(own, key=lambda row: (-row[3], int(row[2]) if row[2].isdigit() else -1))
        unranked = [row for row in own if not row[2].isdigit()]
        pairs = list(pairwise(ranked))
        count["tie"] += sum(a[3] == b[3] for a, b in pairs)
        count["float32"] += sum(a[3] != b[3] and np.float32(a[3]) == np.float32(b[3]) for a, b in pairs)
        count["rank"] += sum(b[2].isdigit() and a[2].isdigit() and int(b[2]) <= int(a[2]) for a, b in pairs)
        count["rank"] += len(unranked)
    return {name: n for name, n in count.items() if n}


SCORES = st.sampled_from([3.0, 2.0, 1.0, 1.00000000001, 0.5, -1.0, 1e-50])
ROWS = st.lists(
    st.tuples(st.sampled_from("123"), st.sampled_from("abcdef"), st.sampled_from("1234"), SCORES),
    min_size=1,
    max_size=12,
)


@settings(max_examples=300, deadline=None)
@given(ROWS)
def test_counts_are_those_of_a_slow_count(rows: list[Row]) -> None:
    assert {name: count for name, (count, _) in wrong(lines_of(rows)).items()} == by_hand(rows)


@pytest.mark.parametrize("mess", ["none", "shuffled", "ranks that lie", "a rank that is a word", "sorted by score"])
def test_columns_and_lines_count_alike(mess: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run of some megabytes, whose chunks polars and numpy read, against the plain reader, and against the slow count."""
    pick = random.Random(3)
    rows = [
        (str(q), f"d{pick.randrange(2000)}", str(n + 1), 50 - n + pick.choice([0.0, 0.0, 0.0, 1.0, 1e-7]))
        for q in range(200)
        for n in range(300)
    ]
    if mess == "shuffled":
        pick.shuffle(rows)
    elif mess == "ranks that lie":
        rows = [(q, d, str(pick.choice([-4, 0, 1, 10**17])), s) for q, d, _, s in rows]
    elif mess == "a rank that is a word":
        rows[12300] = (*rows[12300][:2], "1.0", rows[12300][3])  # the first of its query
        rows[23456] = (*rows[23456][:2], "first", rows[23456][3])
    elif mess == "sorted by score":
        rows.sort(key=lambda row: (int(row[0]), -row[3]))
    text = lines_of(rows)
    assert len(text) > columns.FAST_FROM
    monkeypatch.setattr(columns, "CHUNK", 1_100_000)
    monkeypatch.setattr(columns, "POLARS_FROM", 1_000_000)
    fast = findings(text)
    monkeypatch.setattr(columns, "FAST_FROM", 1 << 40)
    assert findings(text) == fast
    if mess in ("none", "shuffled", "sorted by score"):
        assert {f.check: f.count for f in fast.values() if f.count and f.severity != Severity.note} == by_hand(rows)
    assert all(len(f.places) <= FIRST for f in fast.values())
    assert fast["rows"].count == 60_000
