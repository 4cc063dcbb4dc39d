"""A checkpoint: which model, where its files are, how it is asked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Checkpoint:
    """A model and how it is asked: an entry of `models.toml`, or what a folder or an id tells by itself."""

    #: The alias, the id or the folder, as the user wrote it.
    name: str
    #: A Hugging Face id, `package:MODULE/FOLDER` (data of an installed Python package), or a folder's path; empty: a prompt
    #: for any model that writes, a server's (`--endpoint`) or a checkpoint's own (`-m FOLDER --method METHOD --prompt NAME`).
    source: str
    #: The method's name; empty until its files are at hand (an id that is not in `models.toml`).
    method: str = ""
    #: The scale of the raw scores (logit, margin, logprob, prob, grade, cosine, dot); empty: what the files tell.
    score: str = ""
    revision: str | None = None
    #: Tokens of query and document together; None: what the files tell.
    max_length: int | None = None
    #: What the model reads, with {query} and {document}; None: the method's own. A prompt may have {instruction}, and
    #: {|} between parts that are tokenised apart.
    template: str | None = None
    #: What {instruction} says unless the user says another, and how it is worded; empty: nothing stands there.
    instruction: str = ""
    instruction_as: str = "{instruction}"
    #: The vocabulary's pieces (of a prompt: texts, spellings parted by |) whose logits are compared: (not relevant,
    #: relevant), grades upwards, or one alone; empty: the method's own.
    words: tuple[str, ...] = ()
    #: The prompt that a model is asked with in words, `NAME` or `NAME@VERSION` of `methods/prompts`; empty: the method's own.
    prompt: str = ""
    #: The ranking algorithm its authors ran it with, and that algorithm's settings; empty: the method's own.
    strategy: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict, hash=False)
    #: What only this method is told; empty: the method's own.
    params: Mapping[str, Any] = field(default_factory=dict, hash=False)
    #: Where the tokenizer's files are, when not beside the weights.
    tokenizer: str | None = None
    licence: str = ""
    #: The package extra that installs a `package:` source.
    extra: str = ""
    #: False when the template or the words were not read in the authors' own files.
    verified: bool = True
    note: str = field(default="", compare=False)

    @property
    def folder(self) -> Path | None:
        """The folder, when the source is one on this machine."""
        return Path(self.source) if looks_like_path(self.source) else None


def looks_like_path(text: str) -> bool:
    """Whether a name is written as a path and so can only be a folder."""
    return text.startswith(("/", "./", "../", "~")) or text in (".", "..") or text.count("/") > 1
