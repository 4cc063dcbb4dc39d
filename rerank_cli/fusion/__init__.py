"""Fusing runs: one file a rule in `rules/`, found by looking at the folder.

A rule is pure: votes in, one score a document out (`rule.py`). `fuse.py` does what is the same for all:
reading the runs into one pool, normalising, checking what the rule assumes, ordering, cutting.
"""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules

from rerank_cli.fusion.rule import Rule


def all_rules() -> dict[str, Rule]:
    """Every rule by its name, sorted."""
    from rerank_cli.fusion import rules

    names = [module.name for module in iter_modules(rules.__path__)]
    found = [import_module(f"{rules.__name__}.{name}").RULE for name in names]
    return {rule.name: rule for rule in sorted(found, key=lambda rule: rule.name)}
