"""Many questions and their answers in order: slow ones, budgets, and what is read ahead."""

from __future__ import annotations

import threading

import pytest
from scripted_writer import ScriptedWriter
from waiting import PATIENCE, settled, until

from rerank_cli.core.texts import Document
from rerank_cli.errors import BadData, BudgetSpent, WorkFailed
from rerank_cli.inference.writing import Decoding, Prompt
from rerank_cli.rewriting.asking import LimitedWriter, Unasked, in_order
from rerank_cli.rewriting.expander import expanded
from rerank_cli.rewriting.rewriter import Topic, asking, rewritten


def echo(prompt):
    return prompt.text.upper()


def questions(n, each=2):
    return [(item, [Prompt(text=f"{item}.{at}") for at in range(each)]) for item in range(n)]


@pytest.mark.parametrize("at_once", [1, 3])
def test_answers_come_in_the_order_of_the_questions(at_once):
    writer = ScriptedWriter(echo, at_once=at_once)
    answered = [(item, [one.text for one in answers]) for item, answers in in_order(writer, questions(600), Decoding())]
    assert answered == [(item, [f"{item}.0", f"{item}.1"]) for item in range(600)]
    assert len(writer.told) == 1200


@pytest.mark.parametrize("at_once", [1, 2])
def test_items_without_questions_and_no_items(at_once):
    asked = [("a", []), ("b", [Prompt(text="b")]), ("c", [])]
    writer = ScriptedWriter(echo, at_once=at_once)
    assert [(item, len(answers)) for item, answers in in_order(writer, asked, Decoding())] == [
        ("a", 0),
        ("b", 1),
        ("c", 0),
    ]
    assert list(in_order(writer, [], Decoding())) == []


def test_an_item_is_handed_over_while_later_ones_are_under_way():
    go_on = threading.Event()

    def slow(prompt):
        if prompt.text == "2.0":
            assert go_on.wait(PATIENCE)
        return prompt.text

    answers = in_order(ScriptedWriter(slow, at_once=4), questions(8, 1), Decoding())
    assert [next(answers)[0], next(answers)[0]] == [0, 1]
    go_on.set()
    assert [item for item, _ in answers] == [2, 3, 4, 5, 6, 7]


def test_a_slow_answer_holds_up_neither_the_others_nor_the_memory():
    go_on, read = threading.Event(), []

    def slow(prompt):
        if prompt.text == "0.0":
            assert go_on.wait(PATIENCE)
        return prompt.text

    def asked():
        for one in questions(1000, 1):
            read.append(one)
            yield one

    def reading_stops():
        until(lambda: len(read) > 20)
        settled(lambda: len(read))
        go_on.set()

    writer = ScriptedWriter(slow, at_once=4)
    threading.Thread(target=reading_stops).start()
    answers = in_order(writer, asked(), Decoding())
    next(answers)
    assert len(read) < 60
    answers.close()


@pytest.mark.parametrize("at_once", [1, 2])
def test_a_budget_that_is_spent_leaves_questions_without_answer(at_once):
    limited = LimitedWriter(ScriptedWriter(echo, at_once=at_once), 5)
    answered = [answers for _, answers in in_order(limited, questions(4), Decoding())]
    assert sum(one is not None for answers in answered for one in answers) == 5
    with pytest.raises(BudgetSpent, match="5 calls"):
        list(limited.complete([Prompt(text="x")], Decoding()))


@pytest.mark.parametrize("at_once", [1, 2])
def test_what_is_wrong_in_the_input_is_raised_after_all_before_it(at_once):
    def broken():
        yield from questions(3)
        raise BadData("cut", where="f:4")

    handed = []
    with pytest.raises(BadData, match="f:4"):
        for item, _ in in_order(ScriptedWriter(echo, at_once=at_once), broken(), Decoding()):
            handed.append(item)
    assert handed == [0, 1, 2]


@pytest.mark.parametrize("at_once", [1, 2])
def test_what_fails_is_raised(at_once):
    def broken(prompt):
        raise WorkFailed("the server is gone")

    with pytest.raises(WorkFailed, match="gone"):
        list(in_order(ScriptedWriter(broken, at_once=at_once), questions(3), Decoding()))


def test_topics_that_are_not_asked_keep_their_query():
    how = asking("decompose", 3, shows=("query",))
    writer = LimitedWriter(ScriptedWriter(lambda _: "- one\n- two", at_once=1), 1)
    topics = [Topic(b"a", "what is a?"), Topic(b"b", "what is b?")]
    made = [(topic.qid, topic.text) for some in rewritten(topics, writer, how) for topic in some]
    assert made == [(b"a#1", "one"), (b"a#2", "two"), (b"b#1", "what is b?")]
    assert (how.tally.replies, how.tally.unasked, how.tally.kept, how.tally.mended) == (1, 1, 1, 0)


def test_several_answers_to_one_prompt_are_told_apart_by_their_draw():
    how = asking("hyde", 3, shows=("query",))
    writer = ScriptedWriter(lambda prompt: f"passage {prompt.draw}")
    (made,) = rewritten([Topic(b"q", "x")], writer, how, keep_query=True)
    assert [(topic.qid, topic.text) for topic in made] == [
        (b"q#0", "x"),
        (b"q#1", "passage 0"),
        (b"q#2", "passage 1"),
        (b"q#3", "passage 2"),
    ]
    assert {decoding.temperature for decoding in writer.decodings} == {0.7}


def test_documents_are_cut_to_what_the_prompt_has_room_for():
    how = asking("queries", 2, shows=("documents",))
    writer = ScriptedWriter(lambda _: "- a\n- b", context=300)
    long = Document(b"d", "", "word " * 300)
    (one,) = expanded([(long, {"year": 1})], writer, how, "{title} {text}")
    assert 100 < writer.count(writer.told)[0] <= 150 and how.tally.cut == 1
    assert one.record(None) == {"_id": "d", "title": "", "text": long.text + " a b", "year": 1}
    assert one.record("more") == {"_id": "d", "title": "", "text": long.text, "year": 1, "more": "a b"}


def test_an_estimate_asks_nobody():
    assert Unasked().count([Prompt(text="x" * 35)]) == [15]
    assert list(Unasked().complete([Prompt(text="x")], Decoding())) == []
