"""`nDCG@10>=0.30`, `AP>=baseline-0.005`: what a run must reach, for scripts and continuous integration."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from dataclasses import dataclass

from rerank_cli.errors import WrongUsage

_OPERATORS: dict[str, Callable[[float, float], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    "==": operator.eq,
    ">": operator.gt,
    "<": operator.lt,
}
_HINT = "write it as 'nDCG@10>=0.30' or 'AP>=baseline-0.005', with one of >= > <= < =="


@dataclass(frozen=True)
class Assertion:
    """`measure` (as the user spells it), the comparison, and `number` or `baseline` changed by `number`."""

    text: str
    measure: str
    sign: str
    number: float
    #: "" for a plain number, else how `number` changes the baseline's value: "+", "-" or "*".
    change: str
    #: Decimals at which == compares: as many as were written.
    decimals: int

    @property
    def needs_baseline(self) -> bool:
        """Whether it compares with the baseline run."""
        return bool(self.change)

    def bound(self, baseline: float | None) -> float:
        """The number that the value is compared with."""
        if not self.change or baseline is None:
            return self.number
        return {"+": operator.add, "-": operator.sub, "*": operator.mul}[self.change](baseline, self.number)

    def holds(self, value: float, baseline: float | None = None) -> bool:
        """Whether `value` satisfies it; == looks at as many decimals as were written, the others at all of them."""
        bound = self.bound(baseline)
        if self.sign == "==":
            return round(value, self.decimals) == round(bound, self.decimals)
        return _OPERATORS[self.sign](value, bound)


def parse_assertion(text: str) -> Assertion:
    """Read one assertion; raises `WrongUsage` when it is none."""
    parts = re.fullmatch(r"(.+?)\s*(>=|<=|==|>|<)\s*(?:(baseline)\s*(?:([-+*])\s*(\S+))?|(\S+))", text.strip())
    if parts is None:
        raise WrongUsage(f"--assert {text!r} is not a comparison", _HINT)
    measure, sign, baseline, change, by, plain = parts.groups()
    written = plain if baseline is None else by or "0"
    try:
        number = float(written)
    except ValueError:
        raise WrongUsage(f"--assert {text!r}: {written!r} is not a number", _HINT) from None
    if number != number:
        raise WrongUsage(f"--assert {text!r}: no number", _HINT)
    decimals = 4 if baseline else len(written.partition(".")[2])
    return Assertion(text, measure, sign, number, change or ("+" if baseline else ""), decimals)
