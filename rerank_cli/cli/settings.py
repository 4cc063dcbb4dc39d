"""Settings that need not be typed: flag, run header, environment, rerank.toml, the user's config, default.

`resolve` answers for one key with the value and where it came from, so that notices and
`rerank config` can say it. Nothing is read before the first question.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from rerank_cli.errors import BadData

#: Key -> (environment variable, default). The keys are also those of the toml files.
KEYS: dict[str, tuple[str, str | None]] = {
    "collection": ("RERANK_COLLECTION", None),
    "model": ("RERANK_MODEL", "minilm-blend"),
    "retriever": ("RERANK_RETRIEVER", "bm25"),
    "device": ("RERANK_DEVICE", "auto"),
    "cache_dir": ("RERANK_CACHE_DIR", None),
    "endpoint": ("RERANK_ENDPOINT", None),
}
_OWN = {variable for variable, _ in KEYS.values()}


@dataclass(frozen=True)
class Setting:
    """A value and where it came from: a flag's name, "header", a variable, a file, or "default"."""

    value: str | None
    origin: str


@dataclass(frozen=True)
class TomlFile:
    """A settings file: its tables and the folder that its relative paths start from."""

    path: Path
    tables: dict[str, Any]


@dataclass(frozen=True)
class Settings:
    """All places that settings come from, below the flags."""

    environment: dict[str, str] = field(default_factory=lambda: dict(os.environ))
    working_directory: Path = field(default_factory=Path.cwd)

    @cached_property
    def files(self) -> tuple[TomlFile, ...]:
        """The nearest rerank.toml upwards, then the user's config.toml; raises `BadData` on a broken or misspelled one."""
        home = self.environment.get("HOME", "~")
        user = Path(self.environment.get("XDG_CONFIG_HOME") or Path(home) / ".config") / "rerank" / "config.toml"
        nearest = next(
            (
                p
                for d in (self.working_directory, *self.working_directory.parents)
                if (p := d / "rerank.toml").is_file()
            ),
            None,
        )
        return tuple(
            TomlFile(path, _read_toml(path)) for path in (nearest, user) if path is not None and path.is_file()
        )

    def resolve(self, key: str, flag: str | None = None, *, flag_name: str = "", header: str | None = None) -> Setting:
        """The value of one of `KEYS`, first hit wins: flag, header, environment, files, default."""
        variable, default = KEYS[key]
        if flag is not None:
            return Setting(flag, flag_name or f"--{key.replace('_', '-')}")
        if header is not None:
            return Setting(header, "header")
        if self.environment.get(variable):
            return Setting(self.environment[variable], variable)
        for toml in self.files:
            if key in toml.tables:
                return Setting(self._in_toml(key, toml), str(toml.path))
        return Setting(default, "default")

    def _in_toml(self, key: str, toml: TomlFile) -> str:
        value = toml.tables[key]
        if not isinstance(value, str):
            raise BadData(f"{key} is {value!r}, not a string", where=str(toml.path))
        beside = toml.path.parent / value
        if key == "cache_dir" or (key == "collection" and value not in self.collections and beside.is_dir()):
            return str(beside)
        return value

    @cached_property
    def collections(self) -> dict[str, TomlFile]:
        """Name -> the file whose `[collections.NAME]` describes it."""
        return {name: toml for toml in reversed(self.files) for name in toml.tables.get("collections", {})}

    def for_elsewhere(self) -> Settings:
        """What another process is told of these settings: the files' contents and our own variables, nobody's keys."""
        told = Settings({k: v for k, v in self.environment.items() if k in _OWN}, self.working_directory)
        vars(told)["files"] = self.files
        return told

    def elsewhere(self, environment: dict[str, str]) -> Settings:
        """These settings in a process that has the other variables (HOME, ...) of its own `environment`."""
        here = Settings({**environment, **self.environment}, self.working_directory)
        vars(here)["files"] = self.files
        return here

    @cached_property
    def cache_dir(self) -> Path:
        """Where indexes and exported graphs are kept: `$XDG_CACHE_HOME/rerank` unless set."""
        value = self.resolve("cache_dir").value
        if value is not None:
            return Path(value).expanduser()
        return (
            Path(
                self.environment.get("XDG_CACHE_HOME")
                or Path(self.environment.get("HOME", "~")).expanduser() / ".cache"
            )
            / "rerank"
        )


def _read_toml(path: Path) -> dict[str, Any]:
    import tomllib

    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadData(str(error), "the file must be TOML", where=str(path)) from error
    unknown = [key for key in tables if key not in KEYS and key != "collections"]
    if unknown:
        raise BadData(
            f"there is no setting {unknown[0]!r}",
            f"the settings are {', '.join(KEYS)}, and the tables [collections.NAME]",
            where=str(path),
        )
    collections = tables.get("collections", {})
    if not (isinstance(collections, dict) and all(isinstance(table, dict) for table in collections.values())):
        raise BadData("collections holds something that is no table", "write it as [collections.NAME]", where=str(path))
    return tables
