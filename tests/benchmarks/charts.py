"""Draws the pictures of docs/performance.md: lines over a logarithmic axis, and one bar of shares, as SVG.

Both are on a white ground, so that they can be read on light and dark pages.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape

import attrs

COLORS = ("#06a", "#c60", "#393", "#939", "#b00", "#666", "#099", "#a70")
LEFT, TOP, WIDTH, HEIGHT = 80, 46, 480, 260
Points = Sequence[tuple[float, float]]


@attrs.frozen(kw_only=True)
class LineChart:
    """Lines by their names, over a logarithmic axis.

    Attributes:
        title: What the picture shows.
        x: What the horizontal axis counts.
        y: What the vertical axis counts.
        lines: The measured points of each line.
        ideal: A line to compare with, drawn with dashes.
        log: Whether the vertical axis is logarithmic too; else it begins at 0.
        top: How high the axis reaches at least: small differences do not look large.
    """

    title: str
    x: str
    y: str
    lines: Mapping[str, Points]
    ideal: Mapping[str, Points] = attrs.field(factory=dict)
    log: bool = False
    top: float = 0.0

    def draw(self) -> str:
        everything = [point for points in (*self.lines.values(), *self.ideal.values()) for point in points]
        xs, ys = sorted({x for x, _ in everything}), [y for _, y in everything]
        low, high = (_powers(min(ys), max(ys))) if self.log else (0.0, _ceiling(max(*ys, self.top)))

        def place(x: float, y: float) -> tuple[float, float]:
            across = math.log(x / xs[0]) / math.log(xs[-1] / xs[0])
            up = math.log(y / low) / math.log(high / low) if self.log else y / high
            return LEFT + across * WIDTH, TOP + HEIGHT - up * HEIGHT

        parts = _begin(self.title, LEFT + WIDTH + 40, TOP + HEIGHT + 62)
        for x in xs:
            at, _ = place(x, high)
            parts.append(f'<path d="M{at:.0f} {TOP}V{TOP + HEIGHT}" stroke="#ddd"/>')
            parts.append(_text(at, TOP + HEIGHT + 20, format_number(x), "middle"))
        for y in _ticks(low, high, log=self.log):
            _, at = place(xs[0], y)
            parts.append(f'<path d="M{LEFT} {at:.0f}H{LEFT + WIDTH}" stroke="#ddd"/>')
            parts.append(_text(LEFT - 8, at + 4, format_number(y), "end"))
        parts.append(_text(LEFT, TOP - 10, self.y, "start"))
        parts.append(_text(LEFT + WIDTH / 2, TOP + HEIGHT + 46, self.x, "middle"))
        for number, (name, points) in enumerate((*self.ideal.items(), *self.lines.items())):
            dashes, color = (' stroke-dasharray="6 5"', "#666") if name in self.ideal else ("", COLORS[number - len(self.ideal)])  # fmt: skip
            at = [place(x, y) for x, y in points]
            line = " ".join(f"{x:.0f},{y:.0f}" for x, y in at)
            parts.append(f'<polyline points="{line}" fill="none" stroke="{color}" stroke-width="2.5"{dashes}/>')
            if name in self.lines:
                parts += [f'<circle cx="{x:.0f}" cy="{y:.0f}" r="3.5" fill="{color}"/>' for x, y in at]
            parts.append(_text(LEFT + 12, TOP + 20 + 18 * number, name, "start", color))
        return _end(parts)


def draw_bar(title: str, shares: Mapping[str, float], unit: str) -> str:
    """Return a bar whose parts have the length of their values, the largest first."""
    total, left, width = sum(shares.values()), 10.0, 580.0
    parts, at = _begin(title, int(width) + 20, 92 + 20 * len(shares)), left
    for number, (name, value) in enumerate(sorted(shares.items(), key=lambda share: -share[1])):
        color, length = COLORS[number % len(COLORS)], value / total * width
        parts.append(f'<rect x="{at:.1f}" y="40" width="{length:.1f}" height="32" fill="{color}"/>')
        below = 96 + 20 * number
        parts.append(f'<rect x="{left:.0f}" y="{below - 11}" width="12" height="12" fill="{color}"/>')
        parts.append(_text(left + 20, below, f"{name}: {value:.0f} {unit}, {value / total:.0%}", "start"))
        at += length
    return _end(parts)


def format_number(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 else f"{value:.3g}"


def _powers(lowest: float, highest: float) -> tuple[float, float]:
    return 10.0 ** math.floor(math.log10(lowest)), 10.0 ** math.ceil(math.log10(highest))


def _ceiling(value: float) -> float:
    """Return the next 1, 2 or 5 times a power of ten."""
    power = 10.0 ** math.floor(math.log10(value))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= value)


def _ticks(low: float, high: float, *, log: bool) -> list[float]:
    if log:
        return [10.0**power for power in range(round(math.log10(low)), round(math.log10(high)) + 1)]
    return [high / 5 * number for number in range(6)]


def _begin(title: str, width: int, height: int) -> list[str]:
    return [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img">',
        "<style>text { font: 13px sans-serif }</style>",
        f"<title>{escape(title)}</title>",
        '<rect width="100%" height="100%" fill="#fff"/>',
        f'<text x="{width / 2:.0f}" y="20" text-anchor="middle" font-weight="bold">{escape(title)}</text>',
    ]


def _text(x: float, y: float, text: str, anchor: str, color: str = "#222") -> str:
    return f'<text x="{x:.0f}" y="{y:.0f}" text-anchor="{anchor}" fill="{color}">{escape(text)}</text>'


def _end(parts: list[str]) -> str:
    return "\n".join([*parts, "</svg>", ""])
