"""Where a checkpoint's files are: a folder, an installed package, the Hugging Face cache, and only then the network."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable
from pathlib import Path

from rerank_cli.core.build_once import write_whole
from rerank_cli.errors import Missing, first_line, missing_extra
from rerank_cli.methods.checkpoint import Checkpoint
from rerank_cli.methods.detect import ADAPTER

PACKAGE = "package:"
#: Files a model is made of, by ending; the rest of a repository (other engines' weights, pictures) is left alone.
_SMALL = (".json", ".txt", ".model", ".py", ".jinja")
_WEIGHTS = (".safetensors", ".bin")
_ELSEWHERE = ("onnx/*", "openvino/*", "coreml/*", "*training_args.bin", "*optimizer*", "*scheduler*", "runs/*")
#: Seconds to wait for the first answer of the hub.
_PATIENCE = 5


def local_folder(checkpoint: Checkpoint, *, offline: bool, note: Callable[[str], None]) -> Path:
    """The folder with the checkpoint's files, downloaded once when it is a Hugging Face id.

    A copy already on this machine is used without asking the network. Raises `Missing` within seconds
    when there is neither copy nor network, and for an entry that is only a prompt.
    """
    if not checkpoint.source:
        raise Missing(
            f"{checkpoint.name} is a prompt and no model: it needs --endpoint or a checkpoint",
            f"-m FOLDER --method {checkpoint.method}" + f" --prompt {checkpoint.prompt}" * bool(checkpoint.prompt),
        )
    if checkpoint.source.startswith(PACKAGE):
        return _package_folder(checkpoint)
    if checkpoint.folder is not None:
        return checkpoint.folder
    needs = ("config.json",) if checkpoint.tokenizer is None else ()
    return hub_folder(
        checkpoint.source, checkpoint.revision, offline=offline, note=note, needs_weights=True, needs=needs
    )


def hub_folder(
    source: str,
    revision: str | None,
    *,
    offline: bool,
    note: Callable[[str], None],
    needs_weights: bool,
    needs: tuple[str, ...] = (),
) -> Path:
    """The snapshot of a Hugging Face repository on this machine, with weights and the files it `needs`; raises `Missing`."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import (
        GatedRepoError,
        HfHubHTTPError,
        HFValidationError,
        LocalEntryNotFoundError,
        OfflineModeIsEnabled,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )
    from huggingface_hub.utils import disable_progress_bars

    what = f"{source}@{revision}" if revision else source
    try:
        folder = Path(snapshot_download(source, revision=revision, local_files_only=True))
        # An adapter has its base's configuration.
        needs = () if (folder / ADAPTER).is_file() else needs
        if not needs_weights or (weight_files(folder) and all((folder / name).is_file() for name in needs)):
            return folder
    except (OSError, ValueError):
        pass
    elsewhere = f"name a local folder that holds the model, or fetch it where there is a network: hf download {source}"
    if offline:
        raise Missing(f"{what} is not on this machine, and --offline forbids to download it", elsewhere)
    note(f"downloading {what} from the Hugging Face Hub")
    disable_progress_bars()
    try:
        patterns = [f"*{ending}" for ending in (*_SMALL, ".safetensors")]
        for allowed in (patterns, ["*.bin"]):
            folder = Path(
                snapshot_download(
                    source,
                    revision=revision,
                    allow_patterns=allowed,
                    ignore_patterns=list(_ELSEWHERE),
                    etag_timeout=_PATIENCE,
                )
            )
            if weight_files(folder) or not needs_weights:
                return folder
    except GatedRepoError as error:
        raise Missing(f"{what} is gated: its owner must let you in", "ask on its page, then: hf auth login") from error
    except RevisionNotFoundError as error:
        raise Missing(f"{source} has no revision {revision!r}") from error
    except (RepositoryNotFoundError, HFValidationError) as error:
        raise Missing(f"the Hugging Face Hub has no model {source}", "rerank models lists known names") from error
    except (LocalEntryNotFoundError, OfflineModeIsEnabled, HfHubHTTPError, OSError) as error:
        raise Missing(f"{what} is not on this machine and cannot be downloaded: {_reason(error)}", elsewhere) from error
    raise Missing(f"{what} holds no weights (*.safetensors or *.bin)")


def weight_files(folder: Path) -> list[Path]:
    """The weights that would be loaded: safetensors, else .bin."""
    for ending in _WEIGHTS:
        found = sorted(p for p in folder.glob(f"*{ending}") if p.name != "training_args.bin")
        if found:
            return found
    return []


def fingerprint(folder: Path, memory: Path | None) -> str:
    """A hash (64 hex digits) of every file that decides the scores: weights, configurations, tokenizer.

    Hashes of large files are remembered in the folder `memory` by path, size and time of change, so that only the
    first call reads them.
    """
    total = hashlib.sha256()
    for path in sorted(_decisive(folder)):
        total.update(f"{path.relative_to(folder)}\0{_file_hash(path, memory)}\n".encode())
    return total.hexdigest()


def _decisive(folder: Path) -> Iterable[Path]:
    yield from weight_files(folder)
    for path in folder.rglob("*"):
        inner = path.relative_to(folder).parts
        if len(inner) > 2 or (len(inner) == 2 and not inner[0][:1].isdigit()):
            continue  # only sentence-transformers' module folders (1_Pooling, 2_Dense) belong to the model
        weights_of_module = len(inner) == 2 and path.suffix in _WEIGHTS
        if (path.suffix in _SMALL or weights_of_module) and path.is_file():
            yield path


def _file_hash(path: Path, memory: Path | None) -> str:
    real = path.resolve()
    if "blobs" in real.parts and len(real.name) == 64:
        return real.name  # the hub's cache names a large file by its SHA-256
    state = real.stat()
    if memory is None or state.st_size < 1 << 20:
        return _hashed(real)
    known = memory / f"{hashlib.sha256(str(real).encode()).hexdigest()[:32]}.json"
    stamp = [state.st_size, state.st_mtime_ns, state.st_ino]
    try:
        remembered = json.loads(known.read_text())
        if remembered["stamp"] == stamp:
            return str(remembered["sha256"])
    except (OSError, ValueError, KeyError, TypeError):
        pass
    digest = _hashed(real)
    write_whole(known, json.dumps({"file": str(real), "stamp": stamp, "sha256": digest}))
    return digest


def _hashed(path: Path) -> str:
    with open(path, "rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def _package_folder(checkpoint: Checkpoint) -> Path:
    from importlib.util import find_spec

    module, _, inside = checkpoint.source.removeprefix(PACKAGE).partition("/")
    spec = find_spec(module)
    if spec is None or not spec.submodule_search_locations:
        raise missing_extra(module.replace("_", "-"), checkpoint.extra, f"the model {checkpoint.name}")
    return Path(spec.submodule_search_locations[0]) / inside


def _reason(error: Exception) -> str:
    return first_line(error).removeprefix("Got: ")
