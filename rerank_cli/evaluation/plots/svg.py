"""SVG as text: a drawing of lines, bars, markers and words, and the scales that place them.

Written by hand because a chart of bars and dots needs a hundred lines, and a plotting library 60 MB. Lengths are
in points; 520 wide is a page's text width.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from xml.sax.saxutils import escape, quoteattr

#: Okabe and Ito's colours, told apart by people of any colour vision; black is first.
COLOURS = ("#000000", "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
GAIN, LOSS, FAINT, INK = "#0072B2", "#D55E00", "#c8c8c8", "#222222"
DASHES = ("", "6 3", "3 2", "8 3 2 3")
MARKERS = ("circle", "square", "triangle", "diamond")
WIDTH = 520.0
FONT = 10.0
#: XML 1.0 has no way to write these, escaped or not.
_UNWRITABLE = {code: "\ufffd" for code in (*range(32), 127, 0xFFFE, 0xFFFF, *range(0xD800, 0xE000))}


@dataclass
class Drawing:
    """Elements in the order in which they are painted; `svg` puts them into a document."""

    width: float
    height: float
    elements: list[str] = field(default_factory=list)

    def add(self, name: str, title: str = "", content: str = "", **attributes: object) -> None:
        """One element; `title` is what a reader sees on pointing at it. Underscores of names stand for hyphens."""
        inside = (f"<title>{clean(title)}</title>" if title else "") + clean(content)
        written = "".join(
            f" {key.rstrip('_').replace('_', '-')}={quoteattr(_value(value))}" for key, value in attributes.items()
        )
        self.elements.append(f"<{name}{written}>{inside}</{name}>" if inside else f"<{name}{written}/>")

    def line(
        self, x1: float, y1: float, x2: float, y2: float, colour: str = INK, width: float = 1.0, dash: str = ""
    ) -> None:
        """A straight line."""
        dashed: dict[str, Any] = {"stroke_dasharray": dash} if dash else {}
        self.add("line", x1=x1, y1=y1, x2=x2, y2=y2, stroke=colour, stroke_width=width, **dashed)

    def text(self, x: float, y: float, words: str, anchor: str = "start", size: float = FONT, **more: Any) -> None:
        """Words whose baseline is at y; anchor is start, middle or end."""
        self.add("text", content=words, x=x, y=y, text_anchor=anchor, font_size=size, **more)

    def marker(self, shape: str, x: float, y: float, colour: str, filled: bool, title: str, size: float = 3.6) -> None:
        """A circle, square, triangle or diamond; hollow ones are white inside."""
        style: dict[str, Any] = {"fill": colour if filled else "#ffffff", "stroke": colour, "stroke_width": 1.4}
        if shape == "circle":
            self.add("circle", title, class_="mark", cx=x, cy=y, r=size, **style)
            return
        corners = {
            "square": ((-1, -1), (1, -1), (1, 1), (-1, 1)),
            "triangle": ((0, -1.2), (1.1, 0.9), (-1.1, 0.9)),
            "diamond": ((0, -1.3), (1.3, 0), (0, 1.3), (-1.3, 0)),
        }[shape]
        points = " ".join(f"{_value(x + size * dx)},{_value(y + size * dy)}" for dx, dy in corners)
        self.add("polygon", title, class_="mark", points=points, **style)

    def svg(self) -> str:
        """The document, on white, ending in a line end."""
        size = f'width="{_value(self.width)}pt" height="{_value(self.height)}pt"'
        box = f'viewBox="0 0 {_value(self.width)} {_value(self.height)}"'
        fonts = "font-family=\"Helvetica, Arial, 'DejaVu Sans', sans-serif\""
        paper = '<rect width="100%" height="100%" fill="#ffffff"/>'
        head = f'<svg xmlns="http://www.w3.org/2000/svg" {size} {box} {fonts} fill="{INK}">'
        return "\n".join([head, paper, *self.elements, "</svg>"]) + "\n"


def clean(words: str) -> str:
    """Text for XML: escaped, and control characters and lone surrogates, which XML cannot hold, shown as U+FFFD."""
    return escape(words.translate(_UNWRITABLE))


def _value(value: object) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)


@dataclass(frozen=True)
class Scale:
    """From values between `low` and `high` to places between `start` and `end`."""

    low: float
    high: float
    start: float
    end: float
    logarithmic: bool = False

    def __call__(self, value: float) -> float:
        low, high = self.low, self.high
        if self.logarithmic:
            value, low, high = math.log(value), math.log(low), math.log(high)
        return self.start + (value - low) / ((high - low) or 1.0) * (self.end - self.start)


def ticks(low: float, high: float, about: int = 5) -> list[float]:
    """Round numbers from at or below `low` to at or above `high`, some `about` of them."""
    span = (high - low) or abs(high) or 1.0
    rough = span / about
    power = 10.0 ** math.floor(math.log10(rough))
    step = next((m * power for m in (1, 2, 2.5, 5) if m * power >= rough * 0.999), 10 * power)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(k * step, 12) for k in range(first, last + 1)]


def tick_text(value: float, all_ticks: Sequence[float]) -> str:
    """A tick as its label, all with as many decimals as the finest needs."""
    decimals = max(len(f"{tick:.10f}".rstrip("0").partition(".")[2]) for tick in all_ticks)
    return f"{value + 0.0:.{decimals}f}"


def shortened(words: str, letters: int) -> str:
    """A name of at most `letters`, the middle left out where it is longer."""
    half = (letters - 1) // 2
    return words if len(words) <= letters else f"{words[:half]}…{words[-half:]}"


def text_width(words: str, size: float = FONT) -> float:
    """About how wide words are; letters of text fonts average just over half their size."""
    return 0.56 * size * len(words)
