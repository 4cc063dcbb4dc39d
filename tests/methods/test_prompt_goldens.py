"""Every prompt that a checkpoint was trained on, byte for byte, as its authors' files have it."""

from __future__ import annotations

import pytest
from written import rendered

from rerank_cli.inference.writing import Prompt
from rerank_cli.methods.catalog import known
from rerank_cli.methods.words.prompt_files import load_prompt, prompt_names
from rerank_cli.methods.words.replies import PARSERS

QUERY = "why {num} cats [3] purr"
DOCUMENTS = ["Cats  purr\nwhen [12] glad.", "Dogs {query} bark."]
#: The texts as RankLLM cleans them.
ONE, TWO = "Cats purr when (12) glad.", "Dogs {query} bark."
ASKED = "why {num} cats (3) purr"

RANKLLM = "You are RankLLM, an intelligent assistant that can rank passages based on their relevancy to the query"
ALL_INCLUDED = (
    "Rank the 2 passages above based on their relevance to the search query. All the passages should be included and "
    "listed using identifiers, in descending order of relevance. "
)
ONLY = "Only respond with the ranking results, do not say any word or explain."
HEAD_ONLY = "Answer concisely and directly and only respond with the ranking results, do not say any word or explain."


def prefix(identifier: str) -> str:
    return (
        f"I will provide you with 2 passages, each indicated by {identifier} identifier []. Rank the passages based on their "
        f"relevance to the search query: {ASKED}.\n"
    )


HEAD_USER = (
    prefix("a numerical") + f"[1] {ONE}\n[2] {TWO}\nSearch Query: {ASKED}.\n" + ALL_INCLUDED
    + "The output format should be [] > [], e.g., [2] > [1], " + HEAD_ONLY
)  # fmt: skip


def paper_user(example: str) -> str:
    passages = f"\n[1] {ONE}\n[2] {TWO}\nSearch Query: {ASKED}.\n"
    ending = f"The output format should be [] > [], e.g., {example}, {ONLY}"
    return prefix(" a numerical") + passages + ALL_INCLUDED + ending


def said(name: str, scores: list[float] | None = None) -> list[tuple[str, str]]:
    prompt = rendered(load_prompt(name), QUERY, DOCUMENTS, scores=scores)
    assert prompt.text == ""
    return [tuple(message) for message in prompt.messages]


def test_rankzephyr() -> None:
    assert said("rankzephyr") == said("rankzephyr@head") == [("system", RANKLLM), ("user", HEAD_USER)]
    assert said("rankzephyr@paper") == [("system", RANKLLM + "."), ("user", paper_user("[2] > [1]"))]


def test_rankvicuna_is_framed_in_the_file() -> None:
    head = rendered(load_prompt("rankvicuna"), QUERY, DOCUMENTS)
    assert head == Prompt(text=f"{RANKLLM} USER: {HEAD_USER} ASSISTANT:")
    paper = rendered(load_prompt("rankvicuna@paper"), QUERY, DOCUMENTS).text
    assert paper == f"{RANKLLM}. USER: {paper_user('[4] > [2]')} ASSISTANT:"


@pytest.mark.parametrize(("version", "blank"), [("paper", " "), ("head", "")])
def test_rankgpt(version: str, blank: str) -> None:
    query, one = (QUERY, "Cats purr when [12] glad.") if version == "paper" else (ASKED, ONE)
    assert said(f"rankgpt@{version}") == [
        ("system", "You are RankGPT, an intelligent assistant that can rank passages based on their relevancy to the query."),
        ("user", f"I will provide you with 2 passages, each indicated by number identifier [].{blank}\nRank the passages based on their relevance to query: {query}."),
        ("assistant", "Okay, please provide the passages."),
        ("user", f"[1] {one}"),
        ("assistant", "Received passage [1]."),
        ("user", f"[2] {TWO}"),
        ("assistant", "Received passage [2]."),
        ("user", f"Search Query: {query}.{blank}\nRank the 2 passages above based on their relevance to the search query. The passages should be listed in descending order using identifiers. The most relevant passages should be listed first. The output format should be [] > [], e.g., [1] > [2]. Only response the ranking results, do not say any word or explain."),
    ]  # fmt: skip


def test_rankgpt_by_a_model() -> None:
    ((_, system), (_, user)) = said("rankgpt@apeer")
    assert system.startswith("As RankGPT, your task is to evaluate and rank unique passages")
    assert user.startswith(f"In response to the query: [querystart] {ASKED} [queryend], rank the passages.")
    assert f"determining their relevance.\n[1] {ONE}\n[2] {TWO}\nGiven the query: [querystart] " in user
    assert "[rankstart] [most relevant passage ID] > [next most relevant passage ID] > ... > [least" in user


def test_lrl() -> None:
    assert said("lrl") == [
        ("user", "Sort the list PASSAGES by how good each text answers the QUESTION (in descending order of relevancy).\n"
         f'PASSAGE1 = "{ONE}"\nPASSAGE2 = "{TWO}"\nQUESTION: "{ASKED}"\nPASSAGES: [PASSAGE1, PASSAGE2]\n'
         "Sort the PASSAGES by their relevance to the Query. The answer should be a sorted list of PASSAGE ids (e.g., "
         "[PASSAGE2, ..., PASSAGE1]). Do not include any additional words or explanations.\nSORTED_PASSAGES ="),
    ]  # fmt: skip


def test_first() -> None:
    prompt = rendered(load_prompt("first"), "why", ["Cats [AB] purr", "Dogs [1]"])
    assert prompt.prefill == "["
    assert [tuple(message) for message in prompt.messages] == [
        ("system", RANKLLM),
        ("user", "I will provide you with 2 passages, each indicated by a alphabetical identifier []. Rank the passages based on "
         "their relevance to the search query: why.\n\n[A] Cats (AB) purr\n[B] Dogs [1]\nSearch Query: why.\n" + ALL_INCLUDED
         + "The output format should be [] > [], e.g., [B] > [A], " + ONLY),
    ]  # fmt: skip
    head = rendered(load_prompt("first@head"), "why", ["Cats [AB] purr", "Dogs [1]"]).messages[1].content
    assert "each indicated by an alphabetical identifier []." in head
    assert ": why.\n[A] Cats [AB] purr\n[B] Dogs (1)\nSearch" in head and head.endswith(HEAD_ONLY)


def test_coderanker() -> None:
    ((_, system), (_, user)) = said("coderanker")
    assert system == (
        "You are CodeRanker, an intelligent code reviewer that can analyze doc strings and rank code snippets based on "
        "their relevance to the doc string."
    )
    assert user == (
        "I will provide you with 2 code snippets, each indicated by a numerical identifier []. Rank the code snippets based on "
        f"their relevance to the functionality described by the following doc string: {ASKED}.\n\n"
        f"[1] Cats  purr\nwhen (12) glad.\n[2] {TWO}\nDoc String: {ASKED}.\nRank the 2 code snippets above based on their "
        "relevance to the functionality described by the doc string. All the code snippets should be included and listed using "
        f"identifiers, in descending order of relevance. The output format should be [] > [], e.g., [2] > [1]. {ONLY}"
    )
    assert f"\nGitHub Issue: {ASKED}. \nRank the 2 code functions" in said("coderanker@issue")[1][1]


def test_insertrank_tells_scores_of_three_places() -> None:
    ((_, system), (_, user)) = said("insertrank", [12.34567, -1.0])
    assert system == RANKLLM
    assert user.startswith(
        "I will provide you with 2 passages, each indicated by a numerical identifier []. I will also provide the BM25 scores "
        f"from a lexical retrieval system.\n\nRank the passages based on their relevance to the search query: {ASKED}.\n"
        f"[1] {ONE}\nBM25 score for passge [1]: 12.346\n[2] {TWO}\nBM25 score for passge [2]: -1.000\nSearch Query: {ASKED}.\n"
        "Rerank the above 2 passages based on their relevance to the query. Consider both the document content and the BM25 "
    )
    assert user.endswith(f"Return the ranking as a list of numbers from 1 to 2, most relevant first. {HEAD_ONLY}")


def test_reasonrank() -> None:
    ((_, system), (_, user)) = said("reasonrank")
    assert system == (
        "You are RankLLM, an intelligent assistant that can rank passages based on their relevance to the query. Given a query "
        "and a passage list, you first thinks about the reasoning process in the mind and then provides the answer (i.e., the "
        "reranked passage list). The reasoning process and answer are enclosed within <think> </think> and <answer> </answer> "
        "tags, respectively, i.e., <think> reasoning process here </think> <answer> answer here </answer>."
    )
    passages = f"[1] Cats  purr\nwhen (12) glad.\n[2] {TWO}\n"
    assert user == (
        prefix("a numerical") + f"\n{passages}Search Query: {ASKED}.\n" + ALL_INCLUDED
        + "The format of the answer should be [] > [], e.g., [2] > [1]."
    )  # fmt: skip
    assert said("reasonrank@qwen3")[0][1] == system.split(" Given a query")[0]
    assert "<answer> ranked list here </answer>. The format of ranked list should be" in said("reasonrank@qwen3")[1][1]


def test_rearank_cuts_characters_and_keeps_its_blanks() -> None:
    messages = rendered(load_prompt("rearank"), "why", ["x " * 300, "b"]).messages
    assert messages[1].content == (
        "I will provide you with passages, each indicated by number identifier []. Rank the passages based on their relevance to "
        "the search query.Search Query: why. \nRank the 2 passages above based on their relevance to the search query.The "
        "passages should be listed in descending order using identifiers. The most relevant passages should be listed first. The "
        "output format should be <answer> [] > [] </answer>, e.g., <answer> [1] > [2] </answer>."
    )
    assert messages[3].content == "[1] " + "x " * 200, "400 characters, the last one a blank"
    assert messages[4] == ("assistant", "Received passage [1].")
    assert messages[-1].content == (
        'Please rank these passages according to their relevance to the search query: "why"\n'
        "            Follow these steps exactly:\n"
        "            1. First, within <think> tags, analyze EACH passage individually:\n"
        "            - Evaluate how well it addresses the query\n"
        "            - Note specific relevant information or keywords\n\n"
        "            2. Then, within <answer> tags, provide ONLY the final ranking in descending order of relevance using the "
        "format: [X] > [Y] > [Z]"
    )


def test_rank_k() -> None:
    ((role, user),) = said("rank-k")
    assert role == "user" and user.startswith(
        "\nDetermine a ranking of the passages based on how relevant they are to the query. \n"
    )
    assert (
        "using a format of `[3] > [2] > [4] = [1] > [5]`. \nTies are acceptable if they are equally relevant. \n"
        in user
    )
    assert user.endswith(
        "Output only the ordering without any other text.\n\n"
        f"Query: {QUERY}\n\n[1] {DOCUMENTS[0]}\n\n[2] {DOCUMENTS[1]}\n"
    )


def test_dear() -> None:
    messages = said("dear")
    assert messages[0][1] == "You are RankLLM, an assistant that ranks passages by relevance to the query."
    assert messages[3:5] == [("user", "[1] Cats purr when [12] glad."), ("assistant", "Received passage [1].")]
    assert messages[-1][1].startswith(f"Search Query: {QUERY}.\nRank the 2 passages above")
    assert messages[-1][1].endswith(
        "Output format strictly: [2] > [1] > [3] ... Only output the ranking using identifiers; no explanations."
    )


@pytest.mark.parametrize("name", prompt_names())
def test_every_prompt_renders_and_says_where_it_is_from(name: str) -> None:
    file = load_prompt(name)
    n = min(file.limit or 3, 3) if file.parser in PARSERS else 1
    texts = ["alpha beta", "gamma delta", "epsilon zeta"][:n]
    prompt = rendered(file, "what {query} is", texts, scores=[3.0, 2.0, 1.0][:n])
    whole = prompt.text + "".join(message.content for message in prompt.messages)
    assert all(whole.count(text) == 1 for text in texts) and "what {query} is" in whole
    assert file.source, "a prompt says where its words are from"


def test_every_entry_names_a_prompt_that_is_there() -> None:
    named = [entry for entry in known() if entry.prompt]
    assert len(named) > 25
    for entry in named:
        assert load_prompt(entry.prompt).verified or not entry.verified or not entry.source, entry.name
