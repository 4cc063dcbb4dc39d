"""A checkpoint with its files at hand: what they say without loading a weight, and the model when it is needed."""

from __future__ import annotations

import hashlib
import json
import logging
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rerank_cli.errors import BadData, Missing, WrongUsage, first_line, missing_extra
from rerank_cli.methods.detect import model_config, read_json
from rerank_cli.methods.exported import RECORD, TOKENIZER, Record

if TYPE_CHECKING:
    from rerank_cli.methods.adapter import Adapter
    from rerank_cli.methods.checkpoint import Checkpoint

#: Model types whose first positions are taken by the padding id.
_PADDED_POSITIONS = frozenset({"roberta", "xlm-roberta", "camembert", "mpnet", "xlm-roberta-xl"})
#: Model types that write their number of positions as `n_positions`; in a T5's configuration that is no limit.
_N_POSITIONS = frozenset({"gpt2", "gptj", "codegen", "gpt_bigcode"})
#: Files from which transformers can build a tokenizer when there is no tokenizer.json.
_OLDER_TOKENIZERS = ("spiece.model", "sentencepiece.bpe.model", "tokenizer.model", "vocab.txt", "vocab.json")
#: A tokenizer that knows no limit says a number with thirty zeros.
_NO_LIMIT = 10**9


@dataclass(frozen=True)
class Source:
    """A checkpoint whose method is known and whose files lie in `folder`.

    Of a repository with weights alone, config.json lies where the tokenizer's files are.
    """

    checkpoint: Checkpoint
    folder: Path
    #: Where the tokenizer's files lie; `folder` unless the checkpoint names another place.
    tokenizer_folder: Path
    #: Hash of the files.
    files_hash: str
    #: Hash of the files and of how they are asked.
    source_hash: str
    trust_remote_code: bool
    note: Callable[[str], None]
    #: What is added to the weights in `folder` when they are loaded, where the checkpoint is an adapter.
    adapter: Adapter | None

    @cached_property
    def config(self) -> dict[str, Any]:
        """The model's config.json."""
        config = model_config(self.config_folder, self.checkpoint.name)
        if self.adapter is None:
            return config
        with needs_torch(f"reading the adapter {self.checkpoint.name}"):
            return self.adapter.configured(config)

    @property
    def config_folder(self) -> Path:
        """Where config.json lies."""
        return self.folder if (self.folder / "config.json").is_file() else self.tokenizer_folder

    @cached_property
    def tokenizer(self) -> Any:
        """The `tokenizers.Tokenizer`: the checkpoint's tokenizer.json, else made from its older files by transformers."""
        from rerank_cli.inference.tokens import as_plain, load_tokenizer

        path = self.tokenizer_folder / TOKENIZER
        if path.is_file():
            return load_tokenizer(path)
        if not _has_tokenizer(self.tokenizer_folder):
            raise Missing(
                f"{self.checkpoint.name}: there is no tokenizer in {self.tokenizer_folder}",
                "a model folder needs tokenizer.json (or vocab.txt, spiece.model) beside its weights",
            )
        with quiet_libraries(), needs_torch(f"converting the tokenizer of {self.checkpoint.name}"):
            from transformers import AutoTokenizer

            made = AutoTokenizer.from_pretrained(self.tokenizer_folder, trust_remote_code=self.trust_remote_code)
        inner = getattr(made, "backend_tokenizer", None)
        if inner is None:
            raise BadData(f"{self.checkpoint.name}: its tokenizer has no form that the tokenizers library can read")
        return as_plain(inner)

    def new_record(self, *, score: str, inputs: tuple[str, ...], max_length: int | None = None, **own: Any) -> Record:
        """A record with what every method takes from the files: lengths, padding, origin."""
        longest = self.longest()
        length = max_length or self.checkpoint.max_length or self._tokenizer_length() or longest
        if length is None:
            raise WrongUsage(f"{self.checkpoint.name} does not tell its longest input", "give --max-length")
        return Record(
            method=self.checkpoint.method,
            score=score,
            max_length=min(length, longest) if longest else length,
            longest=longest,
            inputs=inputs,
            pad_id=int(self.config.get("pad_token_id") or 0),
            name=self.checkpoint.name,
            source=self.checkpoint.source,
            revision=self.checkpoint.revision,
            source_hash=self.source_hash,
            licence=self.checkpoint.licence,
            strategy=self.checkpoint.strategy,
            settings=dict(self.checkpoint.settings),
            **own,
        )

    def in_chat(self, text: str, system: str = "") -> str | None:
        """`text` as a user's turn in the checkpoint's own chat frame, up to where its answer begins; None when it has none.

        `system` is a turn before it, or stands at its head where the frame has no such turn.
        """
        with quiet_libraries(), needs_torch(f"reading the chat template of {self.checkpoint.name}"):
            from jinja2 import TemplateError
            from transformers import AutoTokenizer

            made = AutoTokenizer.from_pretrained(self.tokenizer_folder, trust_remote_code=self.trust_remote_code)
            if not made.chat_template:
                return None
            user = {"role": "user", "content": text}
            frames = [[user]]
            if system:
                frames = [[user | {"content": f"{system}\n {text}"}]]
                if "system" in made.chat_template:
                    frames.insert(0, [{"role": "system", "content": system}, user])
            for turns in frames:
                try:
                    return str(
                        made.apply_chat_template(
                            turns, tokenize=False, add_generation_prompt=True, enable_thinking=False
                        )
                    )
                except TemplateError as error:
                    if turns is frames[-1]:
                        name = self.checkpoint.name
                        raise BadData(f"the chat template of {name} is broken: {first_line(error)}") from error
        return None

    def word_ids(self, words: tuple[str, ...], hint: str) -> dict[str, int]:
        """Piece -> id of `words`; raises `BadData` with `hint`, naming those that the vocabulary or the model lacks."""
        ids = {word: self.tokenizer.token_to_id(word) for word in words}
        rows = int(self.config.get("vocab_size") or 2**31)
        absent = [word for word, number in ids.items() if number is None or number >= rows]
        if absent:
            raise BadData(
                f"the vocabulary of {self.checkpoint.name} has no piece {' and no piece '.join(absent)}", hint
            )
        return ids

    def inputs(self) -> tuple[str, ...]:
        """The arrays an encoder reads; token types only where both the model and its tokenizer have them."""
        names: tuple[str, ...] = ("input_ids", "attention_mask")
        told = self._tokenizer_config().get("model_input_names", ["token_type_ids"])
        if int(self.config.get("type_vocab_size") or 0) > 1 and "token_type_ids" in told:
            names += ("token_type_ids",)
        return names

    def longest(self) -> int | None:
        """The number of positions the model has for tokens; None when it has no such limit."""
        positions = self.config.get("max_position_embeddings")
        if not positions and self.config["model_type"] in _N_POSITIONS:
            positions = self.config.get("n_positions")
        if not positions:
            return None
        taken = (
            int(self.config.get("pad_token_id") or 0) + 1 if self.config.get("model_type") in _PADDED_POSITIONS else 0
        )
        return int(positions) - taken

    def _tokenizer_length(self) -> int | None:
        lengths = [self._tokenizer_config().get("model_max_length")]
        if (self.folder / "sentence_bert_config.json").is_file():
            lengths.append(read_json(self.folder / "sentence_bert_config.json").get("max_seq_length"))
        return min((int(length) for length in lengths if length and length < _NO_LIMIT), default=None)

    def _tokenizer_config(self) -> dict[str, Any]:
        path = self.tokenizer_folder / "tokenizer_config.json"
        config: dict[str, Any] = read_json(path) if path.is_file() else {}
        return config


def open_source(
    checkpoint: Checkpoint,
    *,
    cache_dir: Path | None,
    offline: bool,
    trust_remote_code: bool,
    note: Callable[[str], None],
) -> Source:
    """Find the checkpoint's files (downloading once), its method and its hash; loads no model.

    Raises `Missing` for files that cannot be had, `WrongUsage` for a folder with an exported graph only.
    """
    from rerank_cli.methods.adapter import adapter_in, base_folder
    from rerank_cli.methods.catalog import resolved
    from rerank_cli.methods.weights import fingerprint, hub_folder, local_folder, weight_files

    folder = local_folder(checkpoint, offline=offline, note=note)
    if (folder / RECORD).is_file():
        raise WrongUsage(
            f"{folder} holds an exported graph and no PyTorch weights", "name the checkpoint that it was exported from"
        )
    checkpoint = resolved(checkpoint, folder)
    if not weight_files(folder):
        raise Missing(f"{checkpoint.name}: there are no weights (*.safetensors or *.bin) in {folder}")
    adapter, places = adapter_in(folder, checkpoint.name), [folder]
    if adapter is not None:
        folder = base_folder(adapter, offline=offline, note=note)
        places.append(folder)
    tokenizer_folder = next((place for place in places if _has_tokenizer(place)), folder)
    if checkpoint.tokenizer and not _has_tokenizer(tokenizer_folder):
        tokenizer_folder = hub_folder(checkpoint.tokenizer, None, offline=offline, note=note, needs_weights=False)
    asked = json.dumps([checkpoint.method, checkpoint.score, checkpoint.template, checkpoint.words])
    if checkpoint.instruction:
        asked += json.dumps([checkpoint.instruction, checkpoint.instruction_as])
    if checkpoint.params:
        asked += json.dumps(dict(checkpoint.params), sort_keys=True)
    memory = cache_dir / "hashes" if cache_dir else None
    files = fingerprint(folder, memory)
    if adapter is not None:
        files += fingerprint(adapter.folder, memory)
    if tokenizer_folder != folder:
        files += fingerprint(tokenizer_folder, memory)
    files_hash, source_hash = (hashlib.sha256(told.encode()).hexdigest()[:32] for told in (files, f"{files}\n{asked}"))
    return Source(checkpoint, folder, tokenizer_folder, files_hash, source_hash, trust_remote_code, note, adapter)


def _has_tokenizer(folder: Path) -> bool:
    return any((folder / name).is_file() for name in (TOKENIZER, *_OLDER_TOKENIZERS))


@contextmanager
def needs_torch(what_for: str) -> Iterator[None]:
    """Turn an absent torch or transformers into the error that names the extra."""
    try:
        yield
    except ModuleNotFoundError as error:
        if error.name and error.name.partition(".")[0] in ("torch", "transformers", "onnx", "sentencepiece"):
            raise missing_extra(error.name.partition(".")[0], "torch", what_for) from error
        raise


@contextmanager
def quiet_libraries() -> Iterator[None]:
    """Keep transformers' and torch's warnings and bars off stderr; what matters in them is checked and said."""
    from huggingface_hub.utils import disable_progress_bars

    disable_progress_bars()
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                from transformers.utils import logging as transformers_logging
            except ModuleNotFoundError:
                pass
            else:
                transformers_logging.disable_progress_bar()
            yield
    finally:
        logging.disable(before)
