"""Fusing runs: one file a rule in `rules/`, found by looking at the folder.

A rule is pure: votes in, one score a document out (`rule.py`). `fuse.py` does what is the same for all:
reading the runs into one pool, normalising, checking what the rule assumes, ordering, cutting.
"""

from __future__ import annotations

from difflib import get_close_matches
from importlib import import_module
from pkgutil import iter_modules

from rerank_cli.errors import WrongUsage
from rerank_cli.fusion.rule import Rule


def all_rules() -> dict[str, Rule]:
    """Every rule by its name, sorted."""
    from rerank_cli.fusion import rules

    names = [module.name for module in iter_modules(rules.__path__)]
    found = [import_module(f"{rules.__name__}.{name}").RULE for name in names]
    return {rule.name: rule for rule in sorted(found, key=lambda rule: rule.name)}


def rule_named(name: str) -> Rule:
    """The rule of a name or an alias; raises `WrongUsage` with names that are close."""
    spellings = {spelling: rule for rule in all_rules().values() for spelling in (rule.name, *rule.aliases)}
    asked = name.lower().replace("-", "_")
    if asked in spellings:
        return spellings[asked]
    near = get_close_matches(asked, spellings, n=3)
    raise WrongUsage(
        f"there is no rule {name!r}",
        f"did you mean {', '.join(near)}?" if near else "rerank fuse --list names them all",
    )
