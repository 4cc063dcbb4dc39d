"""The analyzers by name."""

from __future__ import annotations

from rerank_cli.errors import WrongUsage
from rerank_cli.retrieval.analysis import Analyzer, EnglishAnalyzer, WhitespaceAnalyzer
from rerank_cli.retrieval.languages import LANGUAGES, CjkAnalyzer, SnowballAnalyzer

_OWN: dict[str, type[Analyzer]] = {kind.name: kind for kind in (EnglishAnalyzer, WhitespaceAnalyzer, CjkAnalyzer)}


def analyzer_named(name: str) -> Analyzer:
    """A new analyzer; raises `WrongUsage` for a name that there is not, `Missing` where it needs a package."""
    if name in _OWN:
        return _OWN[name]()
    if name in LANGUAGES:
        return SnowballAnalyzer(name)
    raise WrongUsage(f"there is no analyzer {name!r}", f"the analyzers are {', '.join([*_OWN, *LANGUAGES])}")
