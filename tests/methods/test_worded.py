"""Rankers that ask in words, against a scripted writer: orders, calls, cuts, shuffles, second tries, and what is told of them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scripted_writer import ScriptedWriter, gains, oracle, whole

from rerank_cli.core.protocols import Ranker, Reply, Slate
from rerank_cli.errors import BadData, Missing, WrongUsage
from rerank_cli.inference.writing import Completion, Prompt
from rerank_cli.methods import method_named
from rerank_cli.methods.catalog import find
from rerank_cli.methods.source import open_source

GAINS = [3, 9, 1, 7, 5]
ASKED_IN_WORDS = ("listwise", "rank-r1", "grouprank", "tourrank", "rebel", "selection")


def slate(numbers: list[int] = GAINS, words: int = 2) -> Slate:
    documents = [f"gain{number}" + " filler" * (words - 1) for number in numbers]
    return Slate("which gain", documents, np.linspace(9, 1, len(numbers)), np.arange(len(numbers)))


def ranker(name: str, writer: ScriptedWriter, prompt: str | None = None, **more: Any) -> Any:
    checkpoint = find(name)
    settings = {"max_length": None, "instruction": None, "note": lambda said: None} | more
    module: Any = method_named(checkpoint.method)
    return module.asked(checkpoint, writer, prompt, **settings)


def only(loaded: Any, asked: Slate | None = None) -> Reply:
    ((at, reply),) = list(loaded.answer([asked or slate()]))
    assert at == 0
    return reply


@pytest.mark.parametrize(
    "name", ["rankgpt", "rankgpt-apeer", "lrl", "rankvicuna", "rankzephyr", "reasonrank-7b", "rearank-7b", "rank-k-32b", "ract",
             "dear-8b-listwise", "insertrank", "coderanker", "jointrank", "rank-without-gpt", "tourrank", "dps", "dynamicrag-8b"])  # fmt: skip
def test_an_oracle_puts_every_slate_in_order(name: str) -> None:
    writer = ScriptedWriter(oracle)
    reply = only(ranker(name, writer))
    assert np.argsort(-reply.values).tolist() == [1, 3, 4, 0, 2]
    assert (reply.calls, reply.cached, reply.truncated, reply.repaired) == (1, False, 0, "")
    assert reply.tokens == writer.count(writer.told)[0] and reply.written == 9
    assert len(writer.told) == 1


@pytest.mark.parametrize("method", ASKED_IN_WORDS)
def test_what_is_loaded_is_a_ranker_and_says_what_it_is(method: str) -> None:
    writer = ScriptedWriter(oracle, at_once=7)
    entries = {
        "listwise": "rankgpt",
        "rank-r1": "rank-r1-7b",
        "grouprank": "grouprank-7b",
        "selection": "dynamicrag-7b",
    }
    loaded = ranker(entries.get(method, method), writer)
    assert isinstance(loaded, Ranker) and loaded.at_once == 7 and loaded.strategy
    description = loaded.description
    assert (description.method, description.engine, description.model_hash) == (method, "endpoint", "script")
    assert loaded.prompt.name in description.template and loaded.prompt.digest in description.template
    assert loaded.asks == method_named(method).METHOD.asks and len(method_named(method).METHOD.when) > 200


def test_replies_come_in_any_order_and_belong_to_their_slates() -> None:
    slates = [slate([1, 2]), slate([5, 4, 3]), slate([8, 9]), slate([2, 7, 9])]
    replies = dict(ranker("rankgpt", ScriptedWriter(oracle)).answer(slates))
    orders = {at: np.argsort(-reply.values).tolist() for at, reply in replies.items()}
    assert orders == {0: [1, 0], 1: [0, 1, 2], 2: [1, 0], 3: [2, 1, 0]}


def best(prompt: Prompt) -> str:
    shown = gains(prompt)
    return f"<think> long </think> <answer>[{shown.index(max(shown)) + 1}]</answer>"


def test_rank_r1_shuffles_by_what_is_asked_and_maps_back() -> None:
    writer = ScriptedWriter(best)
    loaded = ranker("rank-r1-7b", writer)
    twenty = slate(list(range(20)))
    replies = [only(loaded, twenty), only(loaded, twenty), only(loaded, slate(list(range(1, 21))))]
    assert [int(np.argmax(reply.values)) for reply in replies] == [19, 19, 19]
    assert all(sorted(reply.values) == [0.0] * 19 + [1.0] for reply in replies)
    assert replies[0].reason == "long"
    shown = [gains(prompt) for prompt in writer.told]
    assert shown[0] == shown[1] != sorted(shown[0]), "the same question is always shown in the same order of chance"
    assert [number - 1 for number in shown[2]] != shown[0], "another question in another"
    assert (loaded.strategy, dict(loaded.settings), loaded.asks) == ("heapsort", {"fanout": 19}, "pick")
    with pytest.raises(WrongUsage, match="can hold 20 documents, not 21"):
        list(loaded.answer([slate(list(range(21)))]))


def scores(prompt: Prompt) -> str:
    told = ", ".join(f'"[{at + 1}]": {number}' for at, number in enumerate(gains(prompt)))
    return f"<reason> so </reason><answer>```json\n{{{told}}}\n```</answer>"


def test_grouprank_rates_out_of_ten() -> None:
    reply = only(ranker("grouprank-7b", ScriptedWriter(scores)))
    np.testing.assert_allclose(reply.values, [0.3, 0.9, 0.1, 0.7, 0.5])
    assert reply.reason == "so"


def test_a_sampled_reply_that_says_nothing_is_asked_once_more() -> None:
    said = iter(["what?", "[1] = 3"])
    writer = ScriptedWriter(lambda prompt: next(said))
    reply = only(ranker("grouprank-7b", writer), slate([3, 4]))
    assert [decoding.seed for decoding in writer.decodings] == [0, 1] and writer.told[0] == writer.told[1]
    assert (reply.calls, reply.repaired, reply.written) == (2, "missing_documents", 4)
    np.testing.assert_allclose(reply.values, [0.3, np.nan])
    greedy = ScriptedWriter(lambda prompt: "what?")
    reply = only(ranker("rankzephyr", greedy))
    assert len(greedy.told) == 1, "without chance the same words would come back"
    assert np.isnan(reply.values).all() and reply.repaired == "wrong_format"


def test_reasoning_that_was_cut_off_is_no_answer_though_the_template_opened_it() -> None:
    words = "Passage [3] tells of it, passage [1] does not, so"
    for name in ("rank-k-32b", "reasonrank-7b", "rearank-7b", "ract", "rank-r1-7b"):
        writer = ScriptedWriter(lambda prompt: Completion(words, 50, 9, finish="length"))
        reply = only(ranker(name, writer))
        assert np.isnan(reply.values).all() and reply.repaired == "wrong_format" and reply.reason == words
    whole_list = ScriptedWriter(lambda prompt: Completion(oracle(prompt), 50, 9, finish="length"))
    assert only(ranker("rankzephyr", whole_list)).repaired == "", "a list ends where its length is reached"
    late = ScriptedWriter(lambda prompt: Completion(f"so</think>{oracle(prompt)}", 50, 9, finish="length"))
    assert only(ranker("reasonrank-7b", late)).repaired == ""


def test_rebel_sends_what_is_not_relevant_below() -> None:
    def judge(prompt: Prompt) -> str:
        parts = (f'"{at + 1}": {{"relevance": {number}, "depth": 4}}' for at, number in enumerate(gains(prompt)))
        return "{" + ", ".join(parts) + "}"

    np.testing.assert_allclose(only(ranker("rebel", ScriptedWriter(judge))).values, [5, 11, -9, 9, 7])


def test_selection_leaves_out_but_not_by_accident() -> None:
    def select(words: str) -> list[float]:
        return list(only(ranker("dps", ScriptedWriter(lambda prompt: words)), slate([1, 2, 3])).values)

    np.testing.assert_allclose(select("[3], [1]"), [2, np.nan, 3])
    np.testing.assert_allclose(select("None"), [np.nan] * 3)
    np.testing.assert_allclose(select("I am not sure."), [3, 2, 1])
    loaded = ranker("dps", ScriptedWriter(lambda prompt: "?"))
    assert only(loaded).repaired == "wrong_format" and loaded.strategy == "single"


def test_scores_of_the_first_stage_stay_with_their_documents() -> None:
    asked = slate([1, 2, 3])._replace(first_stage=np.array([7.0, 20.5, 3.25]), positions=np.array([40, 2, 77]))
    writer = ScriptedWriter(oracle)
    only(ranker("insertrank", writer), asked)
    said = whole(writer.told[0])
    assert (
        "[2] gain2 filler\nBM25 score for passge [2]: 20.500\n[3] gain3 filler\nBM25 score for passge [3]: 3.250"
        in said
    )


def test_only_documents_shrink_when_the_context_is_short() -> None:
    writer = ScriptedWriter(oracle, context=400)
    loaded = ranker("rankzephyr", writer)
    reply = only(loaded, slate([1, 2, 3, 4], words=200))
    assert reply.truncated == 4 and reply.repaired == ""
    (tokens,) = writer.count(writer.told)
    said = whole(writer.told[0])
    (words,) = {1 + found.count("filler") for found in re.findall(r"gain\d((?: filler)*)", said)}
    room = 400 - writer.decodings[0].max_tokens
    assert tokens <= room < tokens + 4 and words < 200, "no document could have had one word more"
    assert said.rstrip().endswith("only respond with the ranking results, do not say any word or explain.")
    lengths = loaded.measure([slate([1, 2, 3, 4], words=200), slate([1, 2])])
    assert lengths.tokens[0] == tokens and lengths.truncated.tolist() == [True, False]


def test_shrinking_stops_at_one_word_each() -> None:
    writer = ScriptedWriter(oracle, context=20)
    assert only(ranker("rankzephyr", writer), slate([1, 2], words=50)).truncated == 2
    assert "[1] gain1\n[2] gain2\n" in whole(writer.told[0])


def test_without_a_known_context_nothing_but_the_prompts_own_cut_is_cut() -> None:
    writer = ScriptedWriter(oracle)
    reply = only(ranker("rankgpt", writer), slate([1, 2], words=301))
    assert reply.truncated == 2 and whole(writer.told[0]).count("filler") == 598


def test_tokens_are_cut_as_the_writer_counts_them() -> None:
    writer = ScriptedWriter(oracle)
    asked = slate([1, 2], words=150)._replace(documents=["gain1" + " filler" * 149, "gain2 short"])
    assert only(ranker("reasonrank-7b", writer), asked).truncated == 1
    assert whole(writer.told[0]).count("filler") == 99


def test_an_answer_may_take_half_of_the_context_and_it_is_said() -> None:
    notes: list[str] = []
    writer = ScriptedWriter(oracle, context=2000)
    loaded = ranker("rank-k-32b", writer, note=notes.append)
    only(loaded)
    only(loaded)
    assert writer.decodings[0].max_tokens == 1000
    assert notes == ["rank-k-32b may write 1000 tokens, not 8000: its context is 2000"]


@pytest.mark.parametrize(("engine", "lengths"), [("torch", (9, 9)), ("endpoint", (0, 34))])
def test_a_list_is_as_long_as_it_is(engine: str, lengths: tuple[int, int]) -> None:
    writer = ScriptedWriter(oracle, engine=engine)
    only(ranker("rankzephyr", writer))
    assert (writer.decodings[0].min_tokens, writer.decodings[0].max_tokens) == lengths


def test_what_was_paid_for_earlier_costs_no_call() -> None:
    kept = ScriptedWriter(lambda prompt: Completion(oracle(prompt), 50, 9, cached=True))
    reply = only(ranker("rankgpt", kept))
    assert (reply.calls, reply.cached, reply.tokens, reply.written) == (0, True, 50, 9)


def test_the_users_own_prompt_decides_what_is_asked() -> None:
    writer = ScriptedWriter(lambda prompt: "B")
    loaded = ranker("rankgpt", writer, "setwise")
    assert (loaded.asks, loaded.most) == ("pick", 23)
    assert only(loaded).values.tolist() == [0, 1, 0, 0, 0]
    assert loaded.description.template.startswith("setwise@chat ")
    with pytest.raises(Missing, match="no prompt is called 'setwize'"):
        ranker("rankgpt", writer, "setwize")
    with pytest.raises(BadData, match="rank1: there is no parser 'true_false'"):
        ranker("rankgpt", writer, "rank1")


def test_letters_that_a_server_does_not_tell_stand_after_those_it_does() -> None:
    told = {"B": -0.2, "D": -2.0, "A": -3.0, "The": -4.0}
    writer = ScriptedWriter(lambda prompt: Completion("B", 50, 1, (("B", told),)))
    loaded = ranker("first", writer)
    reply = only(loaded)
    np.testing.assert_allclose(reply.values, [-3.0, -0.2, np.nan, -2.0, np.nan])
    assert (reply.repaired, loaded.most, loaded.asks, loaded.strategy) == ("missing_documents", 26, "order", "sliding")
    assert writer.told[0].prefill == "[" and writer.decodings[0][:2] == (1, 0) and writer.decodings[0].logprobs == 20


@pytest.mark.parametrize("name", ["prp-chat", "instupr-pairs", "pairdistill"])
def test_two_passages_are_compared_as_they_stand(name: str) -> None:
    writer = ScriptedWriter(lambda prompt: "A" if gains(prompt)[0] > gains(prompt)[1] else "B")
    loaded = ranker(name, writer)
    replies = dict(loaded.answer([slate([1, 2]), slate([2, 1])]))
    assert [replies[at].values.tolist() for at in (0, 1)] == [[0, 1], [1, 0]]
    assert (loaded.asks, loaded.most) == ("prefer", 2)


def test_setwise_names_one() -> None:
    writer = ScriptedWriter(lambda prompt: "Passage " + "ABCD"[int(np.argmax(gains(prompt)))])
    loaded = ranker("setwise-chat", writer)
    assert only(loaded, slate([1, 2, 9, 4])).values.tolist() == [0, 0, 1, 0]
    assert (loaded.asks, loaded.strategy, dict(loaded.settings)) == ("pick", "heapsort", {"fanout": 3})


def test_what_the_reply_depends_on_parts_the_keys(tmp_path: Path) -> None:
    own = tmp_path / "own.toml"
    own.write_text('''parser = "order"\npassage = "[{i}] {text}"\ntext = "{query} for {instruction}: {passages}"''')
    writer = ScriptedWriter(oracle)
    loaded = [ranker("rankgpt", writer), ranker("rankgpt", writer, "rankgpt@head"), ranker("rankgpt", writer, str(own))]
    loaded += [ranker("rankgpt", writer, str(own), instruction="cats")]
    assert len({one.description.asked().hexdigest() for one in loaded}) == 4
    only(loaded[-1], slate([1]))
    assert writer.told[0].text == "which gain for cats: [1] gain1 filler"
    with pytest.raises(WrongUsage, match="rankgpt@paper reads no instruction"):
        ranker("rankgpt", writer, instruction="cats")


def test_an_entry_without_a_checkpoint_says_what_it_needs() -> None:
    with pytest.raises(Missing, match="rankgpt is a prompt and no model") as caught:
        open_source(find("rankgpt"), cache_dir=None, offline=True, trust_remote_code=False, note=print)
    assert "--method listwise --prompt rankgpt" in caught.value.hint


def test_what_is_kept_is_not_asked_again() -> None:
    class Store(dict[bytes, bytes]):
        def get(self, keys: Any) -> Any:  # type: ignore[override]
            return [dict.get(self, key) for key in keys]

        def put(self, items: Any) -> None:
            self.update(items)

    store = Store()
    writer = ScriptedWriter(oracle)
    for cached in (False, True):
        loaded = ranker("rankgpt", writer)
        loaded.keep_in(store)
        reply = only(loaded)
        assert (reply.cached, reply.calls) == (cached, 1 - cached) and np.argmax(reply.values) == 1
    assert len(writer.told) == 1
    other = ranker("rankgpt", writer, "rankgpt@head")
    other.keep_in(store)
    assert not only(other).cached
