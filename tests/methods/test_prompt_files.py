"""Prompt files of one's own: what they can say, what is said about a wrong one, and texts that try to break out."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from written import rendered

from rerank_cli.errors import BadData, Missing, WrongUsage
from rerank_cli.inference.writing import Decoding
from rerank_cli.methods.words.prompt import plain
from rerank_cli.methods.words.prompt_files import load_prompt, prompt_names

OWN = """
parser = "order"
labels = "letters"
passage = "<{i}> {text} ({score})"
between = "; "
label = "{i}!"
prefill = "Best of {num}: "
instruction = "for cats"
cut = { words = 3 }
clean = ["newlines"]

[[turns]]
role = "user"
content = '{query} {instruction}: {passages}. {labels}? {"a": 1}'
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "own.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_file_of_ones_own(tmp_path: Path) -> None:
    file = load_prompt(written(tmp_path, OWN))
    prompt = rendered(file, "q", ["one\n\ntwo three four", "five"], scores=[1, 0.25])
    assert prompt.messages == (("user", 'q for cats: <A> one two three (1.000); <B> five (0.250). A!, B!? {"a": 1}'),)
    assert prompt.prefill == "Best of 2: "
    assert "q for dogs:" in rendered(file, "q", ["x"], instruction="for dogs").messages[0].content
    assert file.limit == 26
    with pytest.raises(WrongUsage, match="can hold 26 documents, not 27"):
        rendered(file, "q", ["x"] * 27)


def test_what_a_reply_depends_on_is_in_the_digest(tmp_path: Path) -> None:
    one = load_prompt(written(tmp_path, OWN))
    (tmp_path / "b").mkdir()
    assert load_prompt(written(tmp_path / "b", OWN)).digest == one.digest
    (tmp_path / "c").mkdir()
    assert load_prompt(written(tmp_path / "c", OWN.replace("for cats", "for dogs"))).digest != one.digest
    digests = [load_prompt(name).digest for name in prompt_names()]
    assert len(set(digests)) == len(digests)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (("parser =", "praser ="), "unknown field 'praser'"),
        (('parser = "order"', ""), "says no parser"),
        (("{passages}", "no"), "has no passage turn"),
        (("{query}", "no"), "says {query} nowhere"),
        (("{labels}", "{label}"), r"unknown field \{label\}"),
        (("{text}", "{text} {passages}"), r"unknown field \{passages\}"),
        (('role = "user"', 'role = "human"'), "role = 'human'"),
        (('role = "user"', 'rolle = "user"'), "a turn has role, content"),
        (("words = 3", "lines = 3"), "lines is no way to"),
        (("words = 3", 'words = "3"'), "words = '3' is no number above 0"),
        (('["newlines"]', '["commas"]'), "commas is no way to"),
        (('labels = "letters"', 'labels = "roman"'), "roman"),
        (('labels = "letters"', "labels = 3"), "labels = 3 is not of the kind str"),
        (("[[turns]]", "[[turns"), "not TOML"),
        (('parser = "order"', 'parser = "order"\ntext = "{query}"'), "turns or a text, and not both"),
        (('parser = "order"', 'parser = "order"\ndecoding = { warmth = 1 }'), "warmth"),
        (('parser = "order"', 'parser = "order"\ndecoding = { max_tokens = "long" }'), "max_tokens = 'long'"),
        (('parser = "order"', 'default = "x"\nversions = { y = {} }\nparser = "order"'), "no table"),
    ],
)
def test_a_wrong_file_is_named_with_what_is_wrong(tmp_path: Path, change: tuple[str, str], complaint: str) -> None:
    assert change[0] in OWN
    with pytest.raises(BadData, match=complaint) as caught:
        load_prompt(written(tmp_path, OWN.replace(*change)))
    assert str(tmp_path / "own.toml") in caught.value.message


def test_versions_of_a_file(tmp_path: Path) -> None:
    (tmp_path / "me@home").mkdir()
    path = written(
        tmp_path / "me@home", f'default = "b"\n{OWN}\n[versions.a]\nprefill = "a"\n[versions.b]\nprefill = "b"\n'
    )
    assert (
        load_prompt(path).prefill == load_prompt(f"{path}@b").prefill == "b" and load_prompt(f"{path}@a").prefill == "a"
    )
    with pytest.raises(WrongUsage, match="no version 'c'"):
        load_prompt(f"{path}@c")


def test_names_that_mean_nothing(tmp_path: Path) -> None:
    with pytest.raises(Missing, match="no prompt is called 'rankzefyr'") as caught:
        load_prompt("rankzefyr")
    assert "rankzephyr" in caught.value.hint
    with pytest.raises(WrongUsage, match="no version 'first'") as wrong:
        load_prompt("rankzephyr@first")
    assert "paper" in wrong.value.hint
    with pytest.raises(Missing, match=r"none\.toml', and no file"):
        load_prompt(tmp_path / "none.toml")
    (tmp_path / "folder").mkdir()
    with pytest.raises(Missing):
        load_prompt(tmp_path / "folder")


def test_a_number_a_method_cannot_hold() -> None:
    with pytest.raises(WrongUsage, match="prp@chat can hold 2 documents, not 3"):
        rendered(load_prompt("prp"), "q", ["a", "b", "c"])


def test_how_long_an_answer_may_be() -> None:
    assert load_prompt("rankzephyr").decode(99) == Decoding(max_tokens=99, min_tokens=99)
    assert load_prompt("rankzephyr").decode(99, exact=False) == Decoding(max_tokens=214)
    assert load_prompt("rankgpt").decode(99) == Decoding(max_tokens=214)
    assert load_prompt("rank-k").decode(99) == Decoding(max_tokens=8000, temperature=0.5)


@pytest.mark.parametrize(("n", "words"), [(20, 300), (10, 600), (7, 857)])
def test_words_shared_by_the_documents_of_a_window(n: int, words: int) -> None:
    content = rendered(load_prompt("rankzephyr@paper"), "q", ["word " * 2000] * n).messages[1].content
    assert content.count("word") == n * words + 1, "the prompt itself says it once"


HOSTILE = st.lists(
    st.sampled_from(["{query}", "{passages}", "{", "}", "<|im_end|>", "</think>", "<think>", "[3]", "</s>", "[/INST]", "\0", "\ud800",
                     "\\", "%s", "'''", "<answer>", "<|eot_id|>", "<|im", "_end|>", " ", "\n", "x"]), max_size=12
).map("".join)  # fmt: skip


@given(
    query=HOSTILE,
    document=HOSTILE,
    name=st.sampled_from(["rankzephyr", "rankgpt", "rankvicuna", "grouprank", "rank-r1@v0.2"]),
)
def test_no_text_breaks_a_template(query: str, document: str, name: str) -> None:
    file = load_prompt(name)
    empty = rendered(file, "", ["", ""])
    prompt = rendered(file, query, [document, "the second"])
    assert [m.role for m in prompt.messages] == [m.role for m in empty.messages]
    whole = prompt.text + "".join(m.content for m in prompt.messages)
    frame = empty.text + "".join(m.content for m in empty.messages)
    for marker in ("<|im_end|>", "<|eot_id|>", "</think>", "<think>", "<answer>", "</s>", "[/INST]"):
        assert whole.count(marker) == frame.count(marker)
    assert plain(file.shortened(document, 2)) in whole
    whole.encode()
