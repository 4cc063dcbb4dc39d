"""Words that were paid for once: found again whole, asked once however often, and kept before anybody uses them."""

import math
import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from waiting import PATIENCE, until

from rerank_cli.inference.cache import AnswerCache
from rerank_cli.inference.kept_words import KeptWriter
from rerank_cli.inference.writing import Completion, Decoding, Message, Prompt, Writer

ANY_TEXT = st.text(st.characters(), max_size=20)
COMPLETIONS = st.builds(
    Completion,
    ANY_TEXT,
    st.integers(0, 10**9),
    st.integers(0, 10**9),
    st.lists(st.tuples(ANY_TEXT, st.dictionaries(ANY_TEXT, st.floats(allow_nan=False), max_size=3)), max_size=3).map(
        tuple
    ),
    ANY_TEXT,
    st.just(False),
)


class Scripted:
    """A writer whose words are a function of the prompt; it remembers every prompt that it was asked."""

    identity, engine, device, precision, context = "scripted", "torch", "cpu", "fp32", None

    def __init__(self, answer, at_once=1, identity="scripted"):
        self.answer, self.at_once, self.identity, self.asked = answer, at_once, identity, []

    def complete(self, prompts, decoding):
        for at, prompt in reversed(list(enumerate(prompts))):
            self.asked.append(prompt)
            yield at, self.answer(prompt)

    def count(self, prompts):
        return [len(prompt.text) for prompt in prompts]


def echo(prompt):
    return Completion(prompt.text.upper(), 1, 1)


@pytest.fixture
def store(tmp_path):
    with AnswerCache(tmp_path / "answers", 1 << 27, pytest.fail) as cache:
        yield cache


@settings(max_examples=40, deadline=None)
@given(COMPLETIONS, ANY_TEXT)
def test_a_completion_comes_back_whole(tmp_path_factory, completion, text):
    with AnswerCache(tmp_path_factory.mktemp("answers"), 1 << 27, pytest.fail) as cache:
        for writer in (Scripted(lambda _: completion), Scripted(pytest.fail)):
            ((at, found),) = KeptWriter(writer, cache).complete([Prompt(text=text)], Decoding())
            assert at == 0 and found._replace(cached=False) == completion
        assert found.cached


@pytest.mark.parametrize("at_once", [1, 4])
def test_only_what_is_new_is_asked_and_equal_prompts_once(store, at_once):
    first = Scripted(echo, at_once)
    prompts = [Prompt(text=text) for text in ("a", "b", "a", "c", "b", "a")]
    assert isinstance(KeptWriter(first, store), Writer)
    answers = dict(KeptWriter(first, store).complete(prompts, Decoding()))
    assert {at: one.text for at, one in answers.items()} == dict(enumerate("ABACBA"))
    assert sorted(prompt.text for prompt in first.asked) == ["a", "b", "c"]
    assert sum(not one.cached for one in answers.values()) == 3

    second = Scripted(echo, at_once)
    answers = dict(KeptWriter(second, store).complete([*prompts, Prompt(text="d")], Decoding()))
    assert [prompt.text for prompt in second.asked] == ["d"]
    assert [answers[at].cached for at in range(7)] == [True] * 6 + [False]


@pytest.mark.parametrize(
    "other",
    [
        (Prompt(text="a"), Decoding(seed=1), "scripted"),
        (Prompt(text="a"), Decoding(max_tokens=9), "scripted"),
        (Prompt(text="a", prefill="["), Decoding(), "scripted"),
        (Prompt((Message("user", "a"),)), Decoding(), "scripted"),
        (Prompt(text="a"), Decoding(), "another model"),
    ],
)
def test_another_question_is_another_key(store, other):
    prompt, decoding, identity = other
    list(KeptWriter(Scripted(echo), store).complete([Prompt(text="a")], Decoding()))
    writer = Scripted(echo, identity=identity)
    list(KeptWriter(writer, store).complete([prompt], decoding))
    assert writer.asked == [prompt]


def test_it_is_kept_before_it_is_handed_over(store):
    """Whoever stops after the first completion, for any reason, finds it again."""
    writing = KeptWriter(Scripted(echo), store).complete([Prompt(text=t) for t in "abc"], Decoding())
    at, _ = next(writing)
    writing.close()
    again = Scripted(echo)
    ((_, found),) = KeptWriter(again, store).complete([Prompt(text="abc"[at])], Decoding())
    assert found.cached and not again.asked


def test_a_slow_taker_loses_nothing_that_arrived(store):
    """Of a writer for many threads: the others' completions are kept although nobody has taken them."""
    arrived = threading.Barrier(4, timeout=PATIENCE)

    def together(prompt):
        arrived.wait()
        return echo(prompt)

    writing = KeptWriter(Scripted(together, at_once=4), store).complete([Prompt(text=t) for t in "abcd"], Decoding())
    next(writing)
    until(lambda: store.kept().entries == 4)
    writing.close()


def test_infinite_log_probabilities_survive(store):
    completion = Completion("a", 1, 1, (("a", {"a": 0.0, "b": -math.inf}),))
    list(KeptWriter(Scripted(lambda _: completion), store).complete([Prompt(text="a")], Decoding()))
    ((_, found),) = KeptWriter(Scripted(pytest.fail), store).complete([Prompt(text="a")], Decoding())
    assert found.tokens == completion.tokens


def test_several_answers_to_one_prompt_are_kept_apart_and_as_those_of_later_seeds(store):
    """The nth answer to a prompt is the answer to it with a seed n higher, whichever way it was asked for."""
    numbered = Scripted(lambda prompt: Completion(f"{prompt.text}{prompt.draw}", 1, 1))
    prompts = [Prompt(text="x", draw=draw) for draw in range(3)]
    first = sorted(KeptWriter(numbered, store).complete(prompts, Decoding(seed=5)))
    assert [one.text for _, one in first] == ["x0", "x1", "x2"] and len(numbered.asked) == 3
    ((_, again),) = KeptWriter(Scripted(pytest.fail), store).complete([Prompt(text="x")], Decoding(seed=7))
    assert again.text == "x2" and again.cached
