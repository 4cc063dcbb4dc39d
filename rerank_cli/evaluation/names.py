"""What a measure is called: ir-measures' syntax first, then trec_eval's spellings and common ones.

`nDCG@10`, `AP(rel=2)` are ir-measures'; `ndcg_cut_10`, `ndcg_cut.10,20`, `map`, `recip_rank`, `P` are
trec_eval's; `mrr@10`, `ndcg@10`, `hits@1` are what people write. All become ir-measures' objects.
"""

from __future__ import annotations

import ast
import difflib
import re
from collections.abc import Iterable
from typing import Any

from rerank_cli.errors import WrongUsage

DEFAULT_MEASURES = ("nDCG@10", "AP", "R@100", "RR@10", "P@10")

_CUTOFFS = (5, 10, 15, 20, 30, 100, 200, 500, 1000)
_RECALLS = tuple(tenth / 10 for tenth in range(11))

#: Spelling in lower case -> ir-measures' name, and trec_eval's values when it is asked for without any.
SPELLINGS: dict[str, tuple[str, tuple[float, ...]]] = {
    "map": ("AP", ()),
    "map_cut": ("AP", _CUTOFFS),
    "ndcg_cut": ("nDCG", _CUTOFFS),
    "p": ("P", _CUTOFFS),
    "recall": ("R", _CUTOFFS),
    "success": ("Success", (1, 5, 10)),
    "iprec_at_recall": ("IPrec", _RECALLS),
    "recip_rank": ("RR", ()),
    "set_p": ("SetP", ()),
    "set_recall": ("SetR", ()),
    "set_map": ("SetAP", ()),
    "set_f": ("SetF", ()),
    "set_relative_p": ("SetRelP", ()),
    "num_q": ("NumQ", ()),
    "num_ret": ("NumRet", ()),
    "num_rel": ("NumRel", ()),
    "num_rel_ret": ("NumRelRet", ()),
    "hit": ("Success", ()),
    "hits": ("Success", ()),
    "hit_rate": ("Success", ()),
}

#: trec_eval's default set, without `gm_map`, which ir-measures lacks.
FAMILIES = {
    "official": "num_q num_ret num_rel num_rel_ret map Rprec bpref recip_rank iprec_at_recall P",
    "set": "set_P set_relative_P set_recall set_map set_F",
}

#: In trec_eval but in no provider of ir-measures.
_TREC_EVAL_ONLY = frozenset(
    ("gm_map", "gm_bpref", "11pt_avg", "relative_p", "rprec_mult", "relstring", "utility", "bing", "g", "rndcg")
) | {"ndcg_rel", "num_nonrel_judged_ret", "rbp_resid", "unj", "all_trec", "all_prefs", "prefs", "qrels_jg"}


def parse_measures(names: Iterable[str], rel: int | None = None) -> list[Any]:
    """Return the ir-measures objects for `names`, in order, doubles dropped.

    `rel` is the least relevant grade for binary measures that name none. Raises `WrongUsage` for an
    unknown name (with close ones) or a parameter that does not fit.
    """
    return list(dict.fromkeys(measure for name in names for measure in _parse(name.strip(), rel)))


def _parse(name: str, rel: int | None) -> list[Any]:
    if name.lower() in _TREC_EVAL_ONLY:
        raise WrongUsage(f"trec_eval's {name} is not among ir-measures' measures", "trec_eval itself has it")
    if name.lower() in FAMILIES:
        return parse_measures(FAMILIES[name.lower()].split(), rel)
    trec = re.fullmatch(r"([A-Za-z_]+)(?:[._]([0-9.]+(?:,[0-9.]+)*))?", name)
    if trec and trec[2] is not None:
        # Values after a point or an underscore; set_F's is beta, every other one's is what @ would give.
        values = [_number(value, name) for value in trec[2].split(",")]
        if trec[1].lower() == "set_f":
            return [_measure(name, "SetF", {"beta": value}, None, rel) for value in values]
        return [_measure(name, trec[1], {}, value, rel) for value in values]
    if trec:
        every = SPELLINGS.get(name.lower(), ("", ()))[1]
        return [_measure(name, name, {}, value, rel) for value in every or (None,)]
    base, params, at = _expression(name)
    return [_measure(name, base, params, at, rel)]


def _number(text: str, name: str) -> float:
    try:
        return int(text) if text.isdigit() else float(text)
    except ValueError:
        raise WrongUsage(f"measure {name!r}: {text!r} is not a number", "for example ndcg_cut_10 or nDCG@10") from None


def _expression(name: str) -> tuple[str, dict[str, Any], Any]:
    """Take `Name(key=value, …)@value` apart; no part of it is run."""
    try:
        whole = ast.parse(name, mode="eval").body
        node, at = whole, None
        if isinstance(whole, ast.BinOp) and isinstance(whole.op, ast.MatMult):
            node, at = whole.left, ast.literal_eval(whole.right)
        params = {}
        if isinstance(node, ast.Call) and not node.args:
            params = {keyword.arg: ast.literal_eval(keyword.value) for keyword in node.keywords if keyword.arg}
            node = node.func
        if isinstance(node, ast.Name):
            return node.id, params, at
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        pass
    several = re.split(r"[\s,]+(?=[A-Za-z])", name)
    raise WrongUsage(
        f"measure {name!r} cannot be read",
        f"one -m for each: {' '.join(f'-m {one}' for one in several)}"
        if len(several) > 1 and "(" not in name
        else "write it as Name@10 or Name(key=value)@10, e.g. nDCG@10, AP(rel=2)",
    )


def _measure(said: str, base: str, params: dict[str, Any], at: Any, rel: int | None) -> Any:
    name, measure = _look_up(base, said)
    params = dict(params)
    if at is not None:
        params[measure.AT_PARAM] = at
    known = measure.SUPPORTED_PARAMS
    is_binary = "rel" in known and (isinstance(known["rel"].default, int) or name == "NumRelRet")
    if rel is not None and is_binary:
        params.setdefault("rel", rel)
    for key, value in params.items():
        if key in known and known[key].dtype is float and type(value) is int:
            params[key] = float(value)
    made = measure(**params)
    _refuse_misfit(said, name, made)
    return made


def _refuse_misfit(said: str, name: str, made: Any) -> None:
    """Raise `WrongUsage` for parameters that the measure lacks, needs, or cannot take."""
    known = made.SUPPORTED_PARAMS
    hint = f"the parameters of {name} are {', '.join(known)}" if known else f"{name} takes no parameters"
    foreign = [key for key in made.params if key not in known]
    needed = [key for key, info in known.items() if info.required and key not in made.params]
    if foreign:
        raise WrongUsage(f"measure {said!r}: {name} has no {' or '.join(foreign)}", hint)
    if needed:
        raise WrongUsage(
            f"measure {said!r} needs {' and '.join(needed)}", f"as {name}@10" if needed == ["cutoff"] else hint
        )
    for key, value in made.params.items():
        if not known[key].validate(value) or (key == "cutoff" and value < 1):
            raise WrongUsage(f"measure {said!r}: {key} cannot be {value!r}", hint)


def _look_up(base: str, said: str) -> tuple[str, Any]:
    from ir_measures.measures import registry

    folded = {name.lower(): name for name in reversed(list(registry))}
    spelled = SPELLINGS[base.lower()][0] if base.lower() in SPELLINGS else folded.get(base.lower())
    name = base if base in registry else spelled
    if name is not None:
        return name, registry[name]
    close = difflib.get_close_matches(base.lower(), [*folded, *SPELLINGS], n=3)
    near = list(dict.fromkeys(str(folded.get(spelling, spelling)) for spelling in close))
    raise WrongUsage(
        f"there is no measure {said!r}",
        f"did you mean {', '.join(near)}?"
        if near
        else "names are ir-measures', e.g. nDCG@10, AP, RR@10, R@100, P(rel=2)@5",
    )
