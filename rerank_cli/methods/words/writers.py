"""A checkpoint opened as a writer: the whole language model and its chat frame, for methods that are asked in words."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rerank_cli.errors import BadData, WrongUsage, first_line
from rerank_cli.methods.source import Source, needs_torch, open_source, quiet_libraries

if TYPE_CHECKING:
    from rerank_cli.inference.framing import Chat
    from rerank_cli.inference.generation import LocalWriter
    from rerank_cli.methods.checkpoint import Checkpoint

#: Of an encoder with a decoder fp16 overflows.
_PRECISIONS = {False: ("fp32", "fp16", "bf16"), True: ("fp32", "bf16")}


def load_writer(
    checkpoint: Checkpoint,
    *,
    precision: str = "fp32",
    device: str = "auto",
    threads: int,
    offline: bool = False,
    trust_remote_code: bool = False,
    cache_dir: Path | None = None,
    note: Callable[[str], None],
    batch_tokens: int | None = None,
) -> LocalWriter:
    """Open a causal language model or a T5 to write with; needs the extra `torch`.

    Raises `Missing` for a checkpoint that cannot be had, `DeviceUnavailable` for a device asked for by name,
    `WrongUsage` for a precision that it must not be computed in.
    """
    source = open_source(
        checkpoint, cache_dir=cache_dir, offline=offline, trust_remote_code=trust_remote_code, note=note
    )
    apart = bool(source.config.get("is_encoder_decoder"))
    if precision not in _PRECISIONS[apart]:
        raise WrongUsage(f"{checkpoint.name} does not write in {precision}: give {', '.join(_PRECISIONS[apart])}")
    with needs_torch(f"writing with {checkpoint.name}"):
        import torch

        from rerank_cli.inference.framing import Framing, Words
        from rerank_cli.inference.generation import LocalWriter
        from rerank_cli.inference.torch import torch_device
        from rerank_cli.methods.torch_model import load_model
    where = torch_device(device)
    torch.set_num_threads(threads)
    if precision != "fp32":
        note(f"in {precision} what {checkpoint.name} writes may change with the prompts beside it")
    kind = "AutoModelForSeq2SeqLM" if apart else "AutoModelForCausalLM"
    model = load_model(source, kind, may_lack=(), precision=precision)
    chat, end = _tokenizer_says(source, note)
    return LocalWriter(
        model,
        Framing(checkpoint.name, source.tokenizer, chat, apart=apart),
        Words(source.tokenizer, begins=apart),
        identity=f"{source.source_hash} torch {precision} {where.kind}",
        name=checkpoint.name,
        device=where,
        precision=precision,
        context=source.longest(),
        ends=[number for number in (*_ends(model), end) if number is not None],
        note=note,
        batch_tokens=batch_tokens,
    )


def _ends(model: Any) -> list[int]:
    """The tokens that end an answer, as the checkpoint's two configurations say."""
    told = [config.eos_token_id for config in (model.generation_config, model.config)]
    return [number for one in told if one is not None for number in (one if isinstance(one, list) else [one])]


def _tokenizer_says(source: Source, note: Callable[[str], None]) -> tuple[Chat | None, int | None]:
    """How transformers' tokenizer of the checkpoint frames turns (None: it does not), and the token that it ends a text with."""
    with quiet_libraries():
        from jinja2 import TemplateError
        from transformers import AutoTokenizer

        made = AutoTokenizer.from_pretrained(source.tokenizer_folder, trust_remote_code=source.trust_remote_code)
    end = made.eos_token_id
    if not made.chat_template:
        return None, end
    said = False

    def chat(turns: list[dict[str, str]], thinking: bool | None) -> str:
        nonlocal said
        # Templates call the switch by either name, and read no other one.
        switch: dict[str, Any] = {} if thinking is None else {"enable_thinking": thinking, "thinking": thinking}
        try:
            return str(made.apply_chat_template(turns, tokenize=False, add_generation_prompt=True, **switch))
        except TemplateError as error:
            if len(turns) < 2 or turns[0]["role"] != "system" or turns[1]["role"] != "user":
                raise BadData(
                    f"the chat template of {source.checkpoint.name} cannot frame these turns: {first_line(error)}"
                ) from error
        if not said:
            note(f"{source.checkpoint.name} knows no system turn: its words go before the user's")
            said = True
        first = {"role": "user", "content": f"{turns[0]['content']}\n\n{turns[1]['content']}"}
        return chat([first, *turns[2:]], thinking)

    return chat, end
