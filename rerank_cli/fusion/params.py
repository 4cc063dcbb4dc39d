"""A recipe as JSON, so that what was tuned on judged queries is applied to new ones.

One object: `method`, and where they were set `norm`, `floors`, `weights`, `params`, `tables` (what a trained rule
has learned, one list a run), `seed`; `runs` are the names of the runs in the order that weights and tables have, and
`tuned`, for people, how well it did. Numbers are written so that they read back the same.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from rerank_cli.errors import BadData
from rerank_cli.fusion.fuse import Recipe
from rerank_cli.fusion.rule import Rule

FORMAT = "rerank-fuse-1"


def to_json(recipe: Recipe, names: Sequence[str], tuned: Mapping[str, Any] | None = None) -> str:
    """The recipe (without depth and k, which are the command's) as JSON text with a final newline."""
    facts: dict[str, Any] = {"format": FORMAT, "method": recipe.rule.name, "runs": list(names)}
    if recipe.norm or recipe.rule.takes == "scores":
        facts["norm"] = recipe.norm or recipe.rule.norm
    if recipe.rule.takes == "scores":
        facts["floors"] = [float(floor) for floor in recipe.floors]
    if recipe.weights is not None:
        facts["weights"] = [float(weight) for weight in recipe.weights]
    if recipe.params:
        facts["params"] = {name: [float(v) for v in values] for name, values in sorted(recipe.params.items())}
    if len(recipe.tables):
        facts["tables"] = [np.asarray(table, dtype=np.float64).tolist() for table in recipe.tables]
    if recipe.seed:
        facts["seed"] = recipe.seed
    if tuned:
        facts["tuned"] = dict(tuned)
    lines = (f"  {json.dumps(key)}: {json.dumps(value, ensure_ascii=False)}" for key, value in facts.items())
    return "{\n" + ",\n".join(lines) + "\n}\n"


def from_json(text: str, rules: Mapping[str, Rule], where: str) -> tuple[Recipe, list[str]]:
    """The recipe and the names of its runs; raises `BadData` naming `where` for anything that is not such a file."""
    try:
        facts = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadData(f"it is not JSON ({error})", "--params takes what --params-out wrote", where=where) from None
    if not isinstance(facts, dict) or facts.get("format") != FORMAT:
        raise BadData(f"it is no {FORMAT} file", "--params takes what --params-out wrote", where=where)
    rule = rules.get(str(facts.get("method")))
    if rule is None:
        raise BadData(f"there is no rule {facts.get('method')!r}", "rerank fuse --list names them all", where=where)
    names = facts.get("runs")
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise BadData("runs is not a list of names", "--params takes what --params-out wrote", where=where)
    params = facts.get("params", {})
    if not isinstance(params, dict):
        raise BadData("params is not an object", "--params takes what --params-out wrote", where=where)
    tables = facts.get("tables", [])
    if not isinstance(tables, list):
        raise BadData("tables is not a list", "--params takes what --params-out wrote", where=where)
    norm = facts.get("norm")
    from rerank_cli.fusion.norms import NORMS

    if norm is not None and norm not in NORMS:
        raise BadData(f"there is no norm {norm!r}", f"norms are {', '.join(NORMS)}", where=where)
    seed = facts.get("seed", 0)
    recipe = Recipe(
        rule,
        norm,
        _numbers(facts["weights"], "weights", where) if "weights" in facts else None,
        _numbers(facts.get("floors", [0.0]), "floors", where),
        {str(name): _numbers(values, f"params.{name}", where) for name, values in params.items()},
        seed=seed if isinstance(seed, int) else 0,
        tables=tuple(np.array(_numbers(table, "tables", where)) for table in tables),
    )
    return recipe, names


def _numbers(values: object, what: str, where: str) -> list[float]:
    if isinstance(values, list) and all(type(v) in (int, float) and abs(v) < float("inf") for v in values):
        return [float(v) for v in values]
    raise BadData(f"{what} is not a list of numbers", "--params takes what --params-out wrote", where=where)
