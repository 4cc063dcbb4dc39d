"""OpenAI's two ways to ask for words, byte for byte: a chat of turns, and the completion of a bare text.

The same question is always the same bytes: fields stand in one order, and only what is asked for is sent, because servers
refuse fields that they do not know.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from rerank_cli.inference.writing import Completion, Decoding, Prompt

CHAT, COMPLETIONS = "/v1/chat/completions", "/v1/completions"
#: Most of the likeliest tokens that a server tells.
MOST_TOLD = 20
#: Servers that know `min_tokens` and `top_k`, which OpenAI's interface has not.
EXTENDED = frozenset({"vllm", "sglang"})


def request(model: str, prompt: Prompt, decoding: Decoding, *, extended: bool, chat: bool) -> bytes:
    """The body that asks for one completion; a bare text is one user's turn in a chat."""
    turns = [message._asdict() for message in prompt.messages] or [{"role": "user", "content": prompt.text}]
    body: dict[str, Any] = {"model": model}
    if chat and prompt.prefill:
        turns.append({"role": "assistant", "content": prompt.prefill})
        body |= {"messages": turns, "continue_final_message": True, "add_generation_prompt": False}
    elif chat:
        body |= {"messages": turns}
    else:
        body |= {"prompt": prompt.text + prompt.prefill}
    body |= {"max_tokens": decoding.max_tokens, "temperature": decoding.temperature, "seed": decoding.seed}
    if decoding.top_p < 1:
        body["top_p"] = decoding.top_p
    if decoding.stop:
        body["stop"] = list(decoding.stop)
    if extended and decoding.top_k:
        body["top_k"] = decoding.top_k
    if extended and decoding.min_tokens:
        body["min_tokens"] = decoding.min_tokens
    told = min(decoding.logprobs, MOST_TOLD)
    if told:
        body |= {"logprobs": True, "top_logprobs": told} if chat else {"logprobs": told}
    if chat and decoding.thinking is not None:
        body["chat_template_kwargs"] = {"enable_thinking": decoding.thinking}
    return json.dumps(body, separators=(",", ":")).encode()


def completion(reply: Mapping[str, Any]) -> tuple[Completion, bool]:
    """A reply read, and whether it said how many tokens it took (else they are 0).

    What the model thought apart stands before its words as `<think>…</think>`. Raises ValueError, KeyError, TypeError or
    IndexError for what is no reply.
    """
    choice = reply["choices"][0]
    if "message" in choice:
        message = choice["message"]
        text = message.get("content") or ""
        thought = message.get("reasoning_content") or message.get("reasoning")
        if thought:
            text = f"<think>{thought}</think>{text}"
    else:
        text = choice["text"]
    if not isinstance(text, str):
        raise ValueError("words that are no text")
    usage = reply.get("usage") or {}
    counted = "prompt_tokens" in usage
    return (
        Completion(
            text,
            int(usage.get("prompt_tokens") or 0),
            int(usage.get("completion_tokens") or 0),
            tuple(_tokens(choice.get("logprobs") or {})),
            str(choice.get("finish_reason") or "stop"),
        ),
        counted,
    )


def _tokens(told: Mapping[str, Any]) -> Iterable[tuple[str, Mapping[str, float]]]:
    """Each token and the likeliest at its place, itself among them, from either interface's way of telling."""
    if told.get("content") is not None:
        for place in told["content"]:
            likeliest = [(one["token"], one["logprob"]) for one in place.get("top_logprobs") or ()]
            yield place["token"], _best([(place["token"], place["logprob"]), *likeliest])
        return
    tokens = told.get("tokens") or []
    likeliest_at = told.get("top_logprobs") or [None] * len(tokens)
    for token, value, some in zip(tokens, told.get("token_logprobs") or (), likeliest_at, strict=True):
        yield token, _best([(token, value), *(some or {}).items()])


def _best(values: Iterable[tuple[str, float | None]]) -> Mapping[str, float]:
    """The largest of each text's values, the likeliest first: several tokens may read the same."""
    best: dict[str, float] = {}
    for text, value in values:
        if value is not None and value >= best.get(text, float("-inf")):
            best[text] = float(value)
    return dict(sorted(best.items(), key=lambda item: -item[1]))
