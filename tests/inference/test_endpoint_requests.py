"""What servers are asked, byte for byte, and how their replies are read."""

import gzip
import json

import pytest
from inference.loopback import Loopback, Reply, chat_reply, models

from rerank_cli.errors import WorkFailed, WrongUsage
from rerank_cli.http.servers import Servers
from rerank_cli.inference.endpoint import EndpointWriter
from rerank_cli.inference.served import served
from rerank_cli.inference.writing import Decoding, Message, Prompt, Writer

GREEDY = Decoding()
TURNS = Prompt((Message("system", "You rank."), Message("user", 'Größe "1" \u2028')))


@pytest.fixture
def asked():
    """`asked(prompt, decoding, reply, api, owner)`: the completion, the request that was sent, what was noted."""

    def ask(prompt, decoding=GREEDY, reply=None, api="auto", owner="vllm"):
        reply = chat_reply("[2] > [1]") if reply is None else reply
        notes = []
        with Loopback(lambda seen: models("m", owner=owner) if seen.path == "/v1/models" else reply) as server:
            servers = Servers([server.url], note=notes.append)
            writer = EndpointWriter(servers, served(servers, None, notes.append), api=api, note=notes.append)
            assert isinstance(writer, Writer)
            ((at, completion),) = writer.complete([prompt], decoding)
            assert at == 0
            return completion, server.posts[-1], notes

    return ask


GOLDEN = {
    "chat": (
        (TURNS, Decoding(max_tokens=100, seed=7)),
        "/v1/chat/completions",
        rb'{"model":"m","messages":[{"role":"system","content":"You rank."},'
        rb'{"role":"user","content":"Gr\u00f6\u00dfe \"1\" \u2028"}],"max_tokens":100,"temperature":0.0,"seed":7}',
    ),
    "chat with log-probabilities": (
        (TURNS._replace(messages=TURNS.messages[:1]), Decoding(max_tokens=1, logprobs=120)),
        "/v1/chat/completions",
        rb'{"model":"m","messages":[{"role":"system","content":"You rank."}],"max_tokens":1,"temperature":0.0,"seed":0,'
        rb'"logprobs":true,"top_logprobs":20}',
    ),
    "chat that begins its answer, thinks, samples": (
        (
            Prompt((Message("user", "q"),), prefill="["),
            Decoding(8, 4, 0.6, 0.95, 20, ("\n", "</s>"), thinking=False, seed=3),
        ),
        "/v1/chat/completions",
        rb'{"model":"m","messages":[{"role":"user","content":"q"},{"role":"assistant","content":"["}],'
        rb'"continue_final_message":true,"add_generation_prompt":false,"max_tokens":8,"temperature":0.6,"seed":3,'
        rb'"top_p":0.95,"stop":["\n","</s>"],"top_k":20,"min_tokens":4,"chat_template_kwargs":{"enable_thinking":false}}',
    ),
    "completions": (
        (Prompt(text="Query: q\nPassage:", prefill=" ["), Decoding(max_tokens=2, logprobs=5, stop=("]",))),
        "/v1/completions",
        rb'{"model":"m","prompt":"Query: q\nPassage: [","max_tokens":2,"temperature":0.0,"seed":0,"stop":["]"],"logprobs":5}',
    ),
}


@pytest.mark.parametrize("name", GOLDEN)
def test_requests_byte_for_byte(asked, name):
    (prompt, decoding), path, body = GOLDEN[name]
    place = {"token": "A", "logprob": -0.1, "top_logprobs": []}
    reply = chat_reply("A")
    reply["choices"][0] |= {"text": "A", "logprobs": {"content": [place]}}
    if path == "/v1/completions":
        del reply["choices"][0]["message"]
    _, seen, _ = asked(prompt, decoding, reply)
    assert (seen.path, seen.body) == (path, body)
    assert seen.headers["Content-Type"] == "application/json" and "Authorization" not in seen.headers


def test_others_are_not_sent_what_only_vllm_knows_and_it_is_said_once(asked):
    _, seen, notes = asked(TURNS, Decoding(min_tokens=5, top_k=3), owner="openai")
    assert not {"min_tokens", "top_k"} & seen.json.keys()
    assert len(notes) == 1 and "min_tokens" in notes[0]


def test_a_bare_text_is_a_turn_where_a_chat_is_asked_for(asked):
    _, seen, _ = asked(Prompt(text="say it"), api="chat")
    assert seen.path == "/v1/chat/completions" and seen.json["messages"] == [{"role": "user", "content": "say it"}]


def test_turns_are_refused_where_bare_text_is_asked_for(asked):
    with pytest.raises(WrongUsage, match="--api completions"):
        asked(TURNS, api="completions")


def test_a_reply_is_read_whole(asked):
    completion, _, _ = asked(TURNS)
    assert completion[:3] == ("[2] > [1]", 11, 3) and completion.finish == "stop" and not completion.cached
    completion, _, _ = asked(TURNS, reply=chat_reply("[1]", reasoning_content="Hm.\nSo."))
    assert completion.text == "<think>Hm.\nSo.</think>[1]"
    cut = chat_reply(None, reasoning="Hm")
    cut["choices"][0]["finish_reason"] = "length"
    completion, _, _ = asked(TURNS, reply=cut)
    assert (completion.text, completion.finish) == ("<think>Hm</think>", "length")


def test_tokens_are_estimated_where_the_server_does_not_count_and_it_is_said(asked):
    reply = chat_reply("seven words of answer are in here")
    del reply["usage"]
    completion, _, notes = asked(TURNS, reply=reply)
    assert 5 < completion.read < 30 and 5 < completion.written < 15
    assert len(notes) == 1 and "estimates" in notes[0]


def test_log_probabilities_of_both_interfaces(asked):
    told = [{"token": "A", "logprob": -0.2}, {"token": "B", "logprob": -2.0}, {"token": "B", "logprob": -1.5}]
    reply = chat_reply("C")
    reply["choices"][0]["logprobs"] = {"content": [{"token": "C", "logprob": -3.0, "top_logprobs": told}]}
    completion, _, _ = asked(TURNS, Decoding(logprobs=3), reply)
    assert completion.tokens == (("C", {"A": -0.2, "B": -1.5, "C": -3.0}),)
    assert list(completion.tokens[0][1]) == ["A", "B", "C"]

    tokens = {"tokens": ["C", "D"], "token_logprobs": [-3.0, -0.5], "top_logprobs": [{"A": -0.2, "B": -1.5}, None]}
    reply = {"choices": [{"text": "CD", "logprobs": tokens, "finish_reason": "length"}], "usage": {"prompt_tokens": 4}}
    completion, _, _ = asked(Prompt(text="x"), Decoding(logprobs=2), reply)
    assert completion.tokens == (("C", {"A": -0.2, "B": -1.5, "C": -3.0}), ("D", {"D": -0.5}))


def test_a_server_that_tells_no_log_probabilities_is_no_help_to_a_method_that_reads_them(asked):
    with pytest.raises(WorkFailed, match="no log-probabilities"):
        asked(TURNS, Decoding(logprobs=5))


@pytest.mark.parametrize("ending", ["", "/", "/v1", "/v1/"])
def test_an_address_is_given_with_or_without_v1(ending):
    with Loopback(lambda seen: models("m", max_model_len=4096)) as server:
        servers = Servers([server.url + ending], note=pytest.fail)
        found = served(servers, None, pytest.fail)
        assert (found.model, found.owner, found.context) == ("m", "vllm", 4096)
        assert [seen.path for seen in server.seen] == ["/v1/models"]


def test_several_models_must_be_told_apart():
    with Loopback(lambda seen: models("a", "b")) as server:
        servers = Servers([server.url], note=pytest.fail)
        with pytest.raises(WrongUsage, match="2 models") as caught:
            served(servers, None, pytest.fail)
        assert "a, b" in caught.value.hint
        assert served(servers, "b", pytest.fail).model == "b"
        # Ollama answers to a name without the tag that it lists.
        assert served(servers, "a-short-name", pytest.fail).model == "a-short-name"


def test_a_server_without_a_list_needs_the_name():
    with Loopback(lambda seen: Reply(b"not found", 404)) as server:
        servers = Servers([server.url], note=pytest.fail)
        with pytest.raises(WorkFailed, match="no list of models") as caught:
            served(servers, None, pytest.fail)
        assert "--served-model" in caught.value.hint
        assert served(servers, "named", pytest.fail).model == "named"


def test_a_key_that_is_refused_is_told_before_the_first_question():
    with Loopback(lambda seen: Reply({"error": "invalid key"}, 401)) as server:
        servers = Servers([server.url], key="wrong", note=pytest.fail)
        with pytest.raises(WorkFailed, match="/v1/models answered 401") as caught:
            served(servers, None, pytest.fail)
        assert "--api-key-env" in caught.value.hint


def test_a_compressed_reply_is_unpacked(asked):
    packed = Reply(gzip.compress(json.dumps(chat_reply("[1]")).encode()), headers={"Content-Encoding": "gzip"})
    assert asked(TURNS, reply=packed)[0].text == "[1]"


def test_any_text_reaches_the_server_and_comes_back(asked):
    """Half a surrogate pair comes out of broken documents; it must not stop a run."""
    odd = "a\ud800\x00\u2028 é 漢"
    completion, seen, _ = asked(Prompt((Message("user", odd),)), reply=chat_reply(odd))
    assert json.loads(seen.body)["messages"][0]["content"] == odd == completion.text
