"""The sentence that a checkpoint's own files put around a pair: a chat template with turns for `query` and `document`.

sentence-transformers saves it so with classifiers made of chat models; without it their scores mean nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rerank_cli.errors import BadData

if TYPE_CHECKING:
    from rerank_cli.methods.source import Source


def own_template(source: Source) -> str:
    """The template with {query} and {document} that the checkpoint's files tell; empty where they tell none.

    Raises `BadData` for a chat template that cannot be read and for a prompt that has no place.
    """
    from rerank_cli.methods.detect import read_json

    def config_of(name: str) -> dict[str, Any]:
        path = source.folder / name
        return dict(read_json(path)) if path.is_file() else {}

    own = config_of("config_sentence_transformers.json")
    prompt = (own.get("prompts") or {}).get(own.get("default_prompt_name") or "", "")
    path = source.folder / "chat_template.jinja"
    chat = (
        path.read_text(encoding="utf-8") if path.is_file() else config_of("tokenizer_config.json").get("chat_template")
    )
    if isinstance(chat, str) and all(f"'{role}'" in chat or f'"{role}"' in chat for role in ("query", "document")):
        return _rendered(source, prompt)
    if prompt:
        raise BadData(f"{source.checkpoint.name} reads the prompt {prompt!r} before a query, which is not supported")
    return ""


def _rendered(source: Source, prompt: str) -> str:
    from rerank_cli.methods.source import needs_torch, quiet_libraries

    turns = [{"role": "query", "content": "{query}"}, {"role": "document", "content": "{document}"}]
    if prompt:
        turns.insert(0, {"role": "system", "content": prompt})
    with quiet_libraries(), needs_torch(f"reading the chat template of {source.checkpoint.name}"):
        from jinja2 import TemplateError
        from transformers import AutoTokenizer

        made = AutoTokenizer.from_pretrained(source.folder, trust_remote_code=source.trust_remote_code)
        try:
            template = str(made.apply_chat_template(turns, tokenize=False))
        except TemplateError as error:
            raise BadData(f"the chat template of {source.checkpoint.name} is broken: {error}") from error
    if template.count("{query}") != 1 or template.count("{document}") != 1:
        raise BadData(f"the chat template of {source.checkpoint.name} does not place query and document once each")
    return template
