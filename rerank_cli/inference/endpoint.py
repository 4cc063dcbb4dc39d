"""Words from servers: a `Writer` whose model is at the other end of a connection.

Many requests are under way at once, since each waits for somebody else's machine. What only the server knows (its
tokenizer, the precision it computes in) is estimated or left empty, and what it cannot be told is said once.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Literal

from rerank_cli.core.side_by_side import side_by_side
from rerank_cli.errors import WorkFailed, WrongUsage
from rerank_cli.http.ledger import Ledger
from rerank_cli.http.servers import Servers
from rerank_cli.inference import openai_words
from rerank_cli.inference.served import Served
from rerank_cli.inference.writing import Completion, Decoding, Prompt

#: UTF-8 bytes of a token: English has four and more, so that an estimate is rather too high.
_BYTES_A_TOKEN = 3.5
#: Tokens of the frame that a chat template puts around one turn.
_FRAME = 5


class EndpointWriter:
    """A `Writer` over OpenAI's interfaces; `api` auto: turns are asked as a chat, a bare text as a completion.

    A completion holds what follows the prompt's `prefill`, without it.
    """

    engine = "endpoint"
    precision = ""

    def __init__(
        self,
        servers: Servers,
        served: Served,
        *,
        api: Literal["auto", "chat", "completions"] = "auto",
        note: Callable[[str], None],
    ) -> None:
        self.identity = f"{served.model} by {served.owner or 'some'} server, {api}"
        self.device = ",".join(servers.addresses)
        self.at_once = servers.at_once
        self.context = served.context
        self.model = served.model
        self._servers, self._api, self._note = servers, api, note
        self._extended = served.owner in openai_words.EXTENDED
        self._told: set[str] = set()
        self._telling = threading.Lock()

    @property
    def ledger(self) -> Ledger:
        """What was asked so far, and what it cost."""
        return self._servers.ledger

    def complete(self, prompts: Sequence[Prompt], decoding: Decoding) -> Iterator[tuple[int, Completion]]:
        """See `Writer.complete`; one request a prompt, `at_once` under way. Raises `WorkFailed` and `BudgetSpent`."""
        return side_by_side(lambda at: (at, self._one(prompts[at], decoding)), range(len(prompts)), self.at_once)

    def count(self, prompts: Sequence[Prompt]) -> list[int]:
        """See `Writer.count`; estimated from the number of bytes, since the tokenizer is the server's."""
        return estimated_prompts(prompts)

    def _one(self, prompt: Prompt, decoding: Decoding) -> Completion:
        chat = self._api == "chat" or (self._api == "auto" and bool(prompt.messages))
        if prompt.messages and not chat:
            raise WrongUsage("--api completions takes bare text, and this method asks in turns", "--api chat")
        self._say_what_is_not_told(decoding)
        path = openai_words.CHAT if chat else openai_words.COMPLETIONS
        decoding = decoding._replace(seed=decoding.seed + prompt.draw)
        body = openai_words.request(self.model, prompt, decoding, extended=self._extended, chat=chat)

        def read(reply: Any) -> tuple[Completion, int, int]:
            found, counted = openai_words.completion(reply)
            if not counted:
                self._once("the server does not count tokens: those of its answers are estimates")
                found = found._replace(read=self.count([prompt])[0], written=estimated_tokens(found.text))
            return found, found.read, found.written

        found = self._servers.ask(path, body, read)
        if decoding.logprobs and found.text and not found.tokens:
            raise WorkFailed(
                f"{self.device}{path} tells no log-probabilities, and this method reads them",
                "ask a server that does (vLLM, SGLang, llama.cpp), or a method that reads words",
            )
        return found

    def _say_what_is_not_told(self, decoding: Decoding) -> None:
        if decoding.logprobs > openai_words.MOST_TOLD:
            self._once(f"the server tells the {openai_words.MOST_TOLD} likeliest tokens, not {decoding.logprobs}")
        if decoding.allowed:
            self._once("the server is not told which tokens are allowed: the answer is whatever it writes")
        if not self._extended and (decoding.min_tokens or decoding.top_k):
            unknown = "shortest answer (min_tokens)" if decoding.min_tokens else "top_k"
            self._once(f"the server is not told the {unknown}, which OpenAI's interface does not have")

    def _once(self, said: str) -> None:
        with self._telling:
            new = said not in self._told
            self._told.add(said)
        if new:
            self._note(f"{self.model}: {said}")


def estimated_prompts(prompts: Sequence[Prompt]) -> list[int]:
    """Tokens of each prompt with its frame, by a tokenizer and a template that are not known here."""
    texts = [[*(turn.content for turn in prompt.messages), prompt.text + prompt.prefill] for prompt in prompts]
    return [sum(_FRAME + estimated_tokens(text) for text in some if text) for some in texts]


def estimated_tokens(text: str) -> int:
    """Tokens of a text by a tokenizer that is not known here; rather too many than too few."""
    return math.ceil(len(text.encode("utf-8", "surrogatepass")) / _BYTES_A_TOKEN)
