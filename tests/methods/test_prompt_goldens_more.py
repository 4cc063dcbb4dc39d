"""The prompts of setwise, pairwise, group and selection methods, byte for byte."""

from __future__ import annotations

import pytest
from written import rendered

from rerank_cli.methods.words.prompt_files import load_prompt

QUERY = "why cats purr"
DOCUMENTS = ["Cats purr.", "Dogs bark."]


def said(name: str) -> list[tuple[str, str]]:
    return [tuple(message) for message in rendered(load_prompt(name), QUERY, DOCUMENTS).messages]


RANK_R1 = (
    "A conversation between User and Assistant. The user asks a question, and the Assistant solves it. The assistant first "
    "thinks about the reasoning process in the mind and then provides the user with the answer. The reasoning process and answer "
    "are enclosed within <think> </think> and <answer> </answer> tags, respectively, i.e., <think> reasoning process here "
    "</think> <answer> answer here </answer>."
)
SFT = (
    "A conversation between User and Assistant. The user asks a question, and the Assistant solves it. The assistant provides "
    "the user with the answer enclosed within <answer> </answer> tags, i.e., <answer> answer here </answer>."
)
WHICH = 'Given the query: "why cats purr", which of the following documents is most relevant?\n[1] Cats purr.\n[2] Dogs bark.\n'


def test_rank_r1() -> None:
    assert said("rank-r1") == [
        ("system", RANK_R1),
        ("user", WHICH + "After completing the reasoning process, please provide only the label of the most relevant document to "
         "the query, enclosed in square brackets, within the answer tags. For example, if the third document is the most "
         "relevant, the answer should be: <think> reasoning process here </think> <answer>[3]</answer>."),
    ]  # fmt: skip
    assert said("rank-r1@sft") == [
        ("system", SFT),
        ("user", WHICH + "Please provide only the label of the most relevant document to the query, enclosed in square brackets, "
         "within the answer tags. For example, if the third document is the most relevant, the answer should be: "
         "<answer>[3]</answer>."),
    ]  # fmt: skip


def test_rank_r1_second_version() -> None:
    assert said("rank-r1@v0.2") == [
        ("system", "You are RankLLM, an intelligent assistant capable of evaluating the relevancy of passages to a given query."),
        ("user", """You will be presented with a query, and a set of documents.

Your task consists of the following step:

1. Analyze the query: Carefully read the query and identify the core problem or question being asked.

2. Analyze the documents: Thoroughly examine each document and briefly explain how each document is relevant or not relevant to the query.

3. Find the most relevant document: Based on your analysis, select the most relevant document to the query from the set and briefly explain why.

Important: Provide your analysis within the <think> </think> tags and answer only the label of the most relevant document, enclosed in square brackets, within the <answer> </answer> tags. For example, if the third document is the most relevant, your response should be:
<think> Your analysis here </think>
<answer>[3]</answer>

Here is the query: why cats purr

Here are the documents:
[1]: Cats purr.

[2]: Dogs bark."""),
    ]  # fmt: skip


def test_setwise() -> None:
    question = (
        'Given a query "why cats purr", which of the following passages is the most relevant one to the query?\n\n'
        'Passage A: "Cats purr."\n\nPassage B: "Dogs bark."\n\nOutput only the passage label of the most relevant passage'
    )
    assert said("setwise") == [("user", question + ".")]
    assert said("setwise@llama") == [("user", question + ":")]
    assert rendered(load_prompt("setwise@llama"), QUERY, DOCUMENTS).prefill == " Passage:"


@pytest.mark.parametrize(
    ("name", "question"),
    [
        ("prp", 'Given a query "why cats purr", which of the following two passages is more relevant to the query?\n\n'
         'Passage A: "Cats purr."\n\nPassage B: "Dogs bark."\n\nOutput Passage A or Passage B:'),
        ("instupr-pairs", "Query: why cats purr\n\nContext A: Cats purr.\n\nContext B: Dogs bark.\n\n"
         "Which context is more relevant to the query (A or B)?"),
        ("pairdistill", "Which document is more relevant to the query? Answer only 'A' or 'B'.\n\nQuery: why cats purr\n\n"
         "Document A: Cats purr.\n\nDocument B: Dogs bark."),
    ],
)  # fmt: skip
def test_pairs(name: str, question: str) -> None:
    assert said(name) == [("user", question)]


def test_grouprank() -> None:
    ((_, system), (_, user)) = [
        tuple(message)
        for message in rendered(load_prompt("grouprank"), QUERY, ["Cats\n\npurr. " * 400, "Dogs\nbark."]).messages
    ]
    assert system.startswith(
        "Your task is to evaluate and rank documents based on how well they help answer the given query. "
    )
    assert (
        "\nEvaluation Process:\n1. First, identify" in system
        and "\n   - How directly it addresses the user's intent\n" in system
    )
    assert system.endswith("\n- 0: Not helpful at all, cannot assist with answering the query\n")
    first = ("Cats purr. " * 400)[:3000]
    assert (
        user
        == f"""I will provide you 2 documents, each indicated by a numerical identifier []. Score these documents based on their Usefulness and Relevance to the query.
Query:
why cats purr

Documents:
[1]. {first}

[2]. Dogs bark.



## Final Output Format
You must structure your response in exactly two parts: provide your brief reasoning process first, then output final scores in JSON format like below, with document IDs as string keys and integer scores as values for all 2 documents.\x20
The reasoning process and answer are enclosed within <reason> </reason> and <answer> </answer> tags, respectively. Do NOT output anything outside the specified tags. Follow this exact format:
<reason>\x20
[Analyze each document's usefulness and relevance to the query, explaining your scoring rationale]
</reason>
<answer>\x20
```json
{{"[1]": 5, "[2]": 3, "[3]": 8}}
```\x20
</answer>
"""
    )


def test_tourrank_asks_for_half() -> None:
    assert said("tourrank") == [
        ("system", "You are an intelligent assistant that can compare multiple documents based on their relevancy to the given query."),
        ("user", "I will provide you with the given query and 2 documents. \nConsider the content of all the documents "
         "comprehensively and select the 1 documents that are most relevant to the given query: why cats purr."),
        ("assistant", "Okay, please provide the documents."),
        ("user", "Document 1: Cats purr."),
        ("assistant", "Received Document 1."),
        ("user", "Document 2: Dogs bark."),
        ("assistant", "Received Document 2."),
        ("user", "The Query is: why cats purr.\nNow, you must output the top 1 documents that are most relevant to the Query using "
         "the following format strictly, and nothing else. Don't output any explanation, just the following format:\n"
         "Document 3, ..., Document 1"),
    ]  # fmt: skip


def test_dynamicrag() -> None:
    ((_, system), (_, user)) = said("dynamicrag")
    assert system.startswith(
        "You are an expert at dynamically generating document identifiers to answer a given query.\nI will "
    )
    assert (
        '\nOutput the identifiers as a comma-separated list, e.g., [1], [2] or "None" if no documents are needed.\n'
        in system
    )
    assert user == (
        "Query: why cats purr\nRetrieved Content:\n1. Topic: \nContent: Cats purr.\n2. Topic: \nContent: Dogs bark."
    )


def test_jointrank() -> None:
    ((_, user),) = said("jointrank")
    assert user.startswith(
        "Given a query and a documents, you must rank documents by relevance to the query.\n\nHere is a "
    )
    assert (
        "QUERY: why cats purr\nDOCUMENTS:\n\nSnippet 1\n```Cats purr.```\n\nSnippet 2\n```Dogs bark.```\n\n[INSTRUCTIONS]\n"
        in user
    )
    assert user.endswith("[/INSTRUCTIONS]\nAll snippet ids: 1 2\nThe order of snippets is:")
