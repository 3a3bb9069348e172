"""Pictures of charts, as SVG and PNG: a layout of rectangles, lines and texts, and two programs that draw these."""

from __future__ import annotations

import io
import math
from collections.abc import Iterator, Mapping, Sequence
from importlib import import_module
from typing import Any, Final, Literal
from xml.sax.saxutils import escape, quoteattr

import attrs

from truemed_async.cli.charts import BarChart, Theme
from truemed_async.cli.output import printable
from truemed_async.errors import ConfigurationError

Colors = tuple[str, str]
"""The color in the light and in the dark theme."""

WIDTH = 760  # of a picture, unless its days need more
MARGIN = 24
ROW_HEIGHT = 26  # of a bar beside its label
MAX_BAR_LENGTH = 560
PLOT_HEIGHT = 200  # of bars side by side
MIN_PERIOD_WIDTH = 4  # of one of them
TICK = 5
GRID_STEPS = 4
SCALE = 2  # pixels of a PNG for each unit
TEXT_SIZE, TITLE_SIZE = 12, 15
LETTER = 0.58  # the usual width of a letter, of its size
MAX_LABEL = 34  # letters

BACKGROUND: Final[Colors] = ("#ffffff", "#0d1117")
TEXT: Final[Colors] = ("#1f2328", "#e6edf3")
MUTED: Final[Colors] = ("#59636e", "#9198a1")
GRID: Final[Colors] = ("#d1d9e0", "#3d444d")
GREEN: Final[Colors] = ("#2da44e", "#3fb950")
TEAL: Final[Colors] = ("#1b9aaa", "#39c5cf")
BLUE: Final[Colors] = ("#0969da", "#58a6ff")
YELLOW: Final[Colors] = ("#d4a72c", "#e3b341")
RED: Final[Colors] = ("#cf222e", "#f85149")
GRAY: Final[Colors] = ("#8c959f", "#8b949e")

STATUS_COLORS: Mapping[str, Colors] = {
    "approved": GREEN,
    "captured": GREEN,
    "eligible": GREEN,
    "eligible_with_lmn": TEAL,
    "authorized": TEAL,
    "processing": BLUE,
    "pending": YELLOW,
    "rejected": RED,
    "ineligible": RED,
    "canceled": GRAY,
}
OTHER_COLORS: Final[Sequence[Colors]] = (
    ("#8250df", "#bc8cff"),
    ("#bf3989", "#f778ba"),
    ("#bc4c00", "#f0883e"),
    ("#57606a", "#afb8c1"),
)

Anchor = Literal["start", "middle", "end"]


@attrs.frozen(kw_only=True)
class Rectangle:
    """A filled rectangle; ``title`` says what it is."""

    x: float
    y: float
    width: float
    height: float
    color: Colors
    title: str = ""


@attrs.frozen(kw_only=True)
class Rule:
    """A thin line, either horizontal or vertical."""

    x: float
    y: float
    to_x: float
    to_y: float
    color: Colors


@attrs.frozen(kw_only=True)
class Label:
    """A line of text; ``y`` is its baseline."""

    x: float
    y: float
    text: str
    anchor: Anchor = "start"
    color: Colors = TEXT
    size: int = TEXT_SIZE
    is_bold: bool = False


Shape = Rectangle | Rule | Label


# --- layout -------------------------------------------------------------------------------------------------------


@attrs.define
class _Picture:
    """Charts below each other; ``y`` is where the next one begins."""

    width: float
    colors: Mapping[str, Colors]
    y: float = MARGIN
    shapes: list[Shape] = attrs.field(factory=list[Shape])

    def add(self, chart: BarChart) -> None:
        self.y += TITLE_SIZE
        self.shapes.append(Label(x=MARGIN, y=self.y, text=chart.title, size=TITLE_SIZE, is_bold=True))
        self.y += 12
        if not chart.highest:
            self.y += TEXT_SIZE + 4
            self.shapes.append(Label(x=MARGIN, y=self.y, text="Nothing to show.", color=MUTED))
        elif chart.is_timeline:
            self._add_legend(chart.series)
            self._add_timeline(chart)
        else:
            self._add_bars(chart)
        if chart.note:
            self.y += TEXT_SIZE + 6
            self.shapes.append(Label(x=MARGIN, y=self.y, text=chart.note, color=MUTED))
        self.y += MARGIN

    def _add_legend(self, series: Sequence[str]) -> None:
        x: float = MARGIN
        self.y += TEXT_SIZE + 2
        for name in series:
            text = _shorten(name)
            length = TEXT_SIZE + 6 + _length(text) + 18
            if x > MARGIN and x + length > self.width - MARGIN:
                x, self.y = MARGIN, self.y + TEXT_SIZE + 8
            square = Rectangle(x=x, y=self.y - 10, width=TEXT_SIZE, height=TEXT_SIZE, color=self.colors[name])
            self.shapes += [square, Label(x=x + TEXT_SIZE + 6, y=self.y, text=text, color=MUTED)]
            x += length
        self.y += 12

    def _add_timeline(self, chart: BarChart) -> None:
        ticks = _ticks(chart.highest)
        left = MARGIN + max(_length(chart.format_number(tick)) for tick in ticks) + 8
        right = self.width - MARGIN
        self.y += TEXT_SIZE
        self.shapes.append(Label(x=MARGIN, y=self.y, text=chart.value_axis, color=MUTED))
        top = self.y + 12
        bottom = top + PLOT_HEIGHT
        for tick in ticks:
            y = bottom - tick / ticks[-1] * PLOT_HEIGHT
            self.shapes.append(Rule(x=left, y=y, to_x=right, to_y=y, color=GRID))
            number = chart.format_number(tick)
            self.shapes.append(Label(x=left - 8, y=y + 4, text=number, anchor="end", color=MUTED))
        step = (right - left) / len(chart.bars)
        every = math.ceil((_length(chart.bars[0][0]) + 12) / step)
        for at, (label, parts) in enumerate(chart.bars):
            x, middle = left + at * step, left + (at + 0.5) * step
            is_named = at % every == 0
            self.shapes.append(
                Rule(
                    x=middle,
                    y=bottom,
                    to_x=middle,
                    to_y=bottom + TICK + 3 * is_named,
                    color=MUTED if is_named else GRID,
                )
            )
            if is_named:
                anchor: Anchor = "middle"
                if middle + _length(label) / 2 > self.width - 4:
                    anchor, middle = "end", self.width - 4
                self.shapes.append(Label(x=middle, y=bottom + TEXT_SIZE + 12, text=label, anchor=anchor, color=MUTED))
            gap = min(step * 0.2, 8)
            self._stack(chart, label, parts, x + gap / 2, step - gap, bottom, PLOT_HEIGHT / ticks[-1])
        self.y = bottom + TEXT_SIZE + 12 + TEXT_SIZE + 8
        self.shapes.append(Label(x=(left + right) / 2, y=self.y, text=chart.label_axis, anchor="middle", color=MUTED))

    def _stack(
        self, chart: BarChart, label: str, parts: Mapping[str, int], x: float, width: float, y: float, scale: float
    ) -> None:
        for name in sorted(parts):
            height = parts[name] * scale
            y -= height
            title = f"{label}: {name} {chart.format_number(parts[name])}"
            self.shapes.append(Rectangle(x=x, y=y, width=width, height=height, color=self.colors[name], title=title))

    def _add_bars(self, chart: BarChart) -> None:
        labels = [_shorten(label) for label, _ in chart.bars]
        left = MARGIN + max(map(_length, [*labels, chart.label_axis])) + 14
        numbers = [chart.format_number(sum(parts.values())) for _, parts in chart.bars]
        room = min(self.width - MARGIN - left - max(map(_length, numbers)) - 10, MAX_BAR_LENGTH)
        self.y += TEXT_SIZE
        self.shapes.append(Label(x=left - 10, y=self.y, text=chart.label_axis, anchor="end", color=MUTED))
        self.shapes.append(Label(x=left, y=self.y, text=chart.value_axis, color=MUTED))
        self.y += 8
        top = self.y
        for (label, parts), text, number in zip(chart.bars, labels, numbers, strict=True):
            x, baseline = left, self.y + ROW_HEIGHT / 2 + 4
            self.shapes.append(Label(x=left - 10, y=baseline, text=text, anchor="end"))
            for name in sorted(parts):
                width = parts[name] / chart.highest * room
                title = f"{label}: {chart.format_number(parts[name])}"
                bar = Rectangle(
                    x=x, y=self.y + 4, width=width, height=ROW_HEIGHT - 8, color=self.colors[name], title=title
                )
                self.shapes.append(bar)
                x += width
            self.shapes.append(Label(x=x + 6, y=baseline, text=number, color=MUTED))
            self.y += ROW_HEIGHT
        self.shapes.append(Rule(x=left, y=top, to_x=left, to_y=self.y, color=MUTED))


def _lay_out(charts: Sequence[BarChart]) -> _Picture:
    periods = max((len(chart.bars) for chart in charts if chart.is_timeline), default=0)
    names = sorted({name for chart in charts for name in chart.series})
    others = [name for name in names if name not in STATUS_COLORS]
    colors = {name: OTHER_COLORS[at % len(OTHER_COLORS)] for at, name in enumerate(others)}
    picture = _Picture(width=max(WIDTH, periods * MIN_PERIOD_WIDTH + 4 * MARGIN), colors={**STATUS_COLORS, **colors})
    for chart in charts:
        picture.add(chart)
    return picture


def _ticks(highest: int) -> list[int]:
    """Return round numbers from 0 to the first one that is not below ``highest``."""
    rough = max(highest / GRID_STEPS, 1)
    magnitude = 10 ** math.floor(math.log10(rough))
    step = next(int(factor * magnitude) for factor in (1, 2, 5, 10) if factor * magnitude >= rough)
    return [step * number for number in range(math.ceil(highest / step) + 1)]


def _length(text: str) -> float:
    return len(text) * TEXT_SIZE * LETTER


def _shorten(text: str) -> str:
    label = printable(text)
    return label if len(label) <= MAX_LABEL else f"{label[: MAX_LABEL - 1]}…"


# --- SVG ----------------------------------------------------------------------------------------------------------


def draw_svg(charts: Sequence[BarChart], theme: Theme | None) -> bytes:
    """Return a self-contained SVG; without a theme it is light or dark as its reader prefers."""
    picture = _lay_out(charts)
    used = list(dict.fromkeys([BACKGROUND, *(shape.color for shape in picture.shapes)]))
    title = escape("; ".join(printable(chart.title) for chart in charts))
    width, height = _number(picture.width), _number(picture.y)
    size = f'viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img">',
        f"<title>{title}</title>",
        f"<style>{_style_sheet(used, theme)}</style>",
        f'<rect width="100%" height="100%" class="{_class(BACKGROUND, used)}"/>',
        *(_svg_of(shape, used) for shape in picture.shapes),
        "</svg>",
        "",
    ]
    return "\n".join(lines).encode()


def _style_sheet(used: Sequence[Colors], theme: Theme | None) -> str:
    def rules(at: int) -> str:
        return "".join(f".{_class(colors, used)}{{fill:{colors[at]};stroke:none}}" for colors in used) + "".join(
            f".l{_class(colors, used)}{{stroke:{colors[at]}}}" for colors in used
        )

    text = f"text{{font:{TEXT_SIZE}px system-ui,-apple-system,'Segoe UI',sans-serif}}"
    if theme is not None:
        return text + rules(("light", "dark").index(theme))
    return f"{text}{rules(0)}@media (prefers-color-scheme: dark){{{rules(1)}}}"


def _class(colors: Colors, used: Sequence[Colors]) -> str:
    return f"c{used.index(colors)}"


def _svg_of(shape: Shape, used: Sequence[Colors]) -> str:
    name = _class(shape.color, used)
    match shape:
        case Rectangle(x=x, y=y, width=width, height=height, title=title):
            place = f'x="{_number(x)}" y="{_number(y)}" width="{_number(width)}" height="{_number(height)}"'
            return f'<rect {place} class="{name}"><title>{escape(printable(title))}</title></rect>'
        case Rule(x=x, y=y, to_x=to_x, to_y=to_y):
            return f'<path d="M{_number(x)} {_number(y)}L{_number(to_x)} {_number(to_y)}" class="l{name}"/>'
        case _:
            font = f" style={quoteattr(f'font-size:{shape.size}px;font-weight:600')}" if shape.is_bold else ""
            place = f'x="{_number(shape.x)}" y="{_number(shape.y)}" text-anchor="{shape.anchor}"'
            return f'<text {place} class="{name}"{font}>{escape(printable(shape.text))}</text>'


def _number(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")


# --- PNG ----------------------------------------------------------------------------------------------------------


def import_pillow() -> Any:
    """Return the library that draws a PNG.

    Raises:
        ConfigurationError: It is not installed.
    """
    try:
        import_module("PIL.ImageDraw")
        import_module("PIL.ImageFont")
        return import_module("PIL")
    except ImportError as error:
        raise ConfigurationError(
            "a PNG requires Pillow: pip install 'truemed-async[png]'; --format svg does not"
        ) from error


def draw_png(charts: Sequence[BarChart], theme: Theme) -> bytes:
    """Return a PNG of the same picture, with two pixels for each unit, in the font that Pillow has with it."""
    pillow, at = import_pillow(), ("light", "dark").index(theme)
    picture = _lay_out(charts)
    size = (math.ceil(picture.width * SCALE), math.ceil(picture.y * SCALE))
    image = pillow.Image.new("RGB", size, BACKGROUND[at])
    draw = pillow.ImageDraw.Draw(image)
    fonts = {size: pillow.ImageFont.load_default(size * SCALE) for size in (TEXT_SIZE, TITLE_SIZE)}
    anchors = {"start": "ls", "middle": "ms", "end": "rs"}
    for shape in picture.shapes:
        color = shape.color[at]
        match shape:
            case Rectangle(width=width, height=height) if min(width, height) > 0:
                draw.rectangle(
                    [*_pixels(shape.x, shape.y), *_pixels(shape.x + width, shape.y + height, -1)], fill=color
                )
            case Rule():
                draw.line([*_pixels(shape.x, shape.y), *_pixels(shape.to_x, shape.to_y)], fill=color, width=SCALE // 2)
            case Label():
                place, font = tuple(_pixels(shape.x, shape.y)), fonts[shape.size]
                stroke = {"stroke_width": 0.5} if shape.is_bold else {}
                draw.text(place, printable(shape.text), fill=color, font=font, anchor=anchors[shape.anchor], **stroke)
            case _:  # an empty rectangle
                pass
    file = io.BytesIO()
    image.save(file, "PNG", optimize=True)
    return file.getvalue()


def _pixels(x: float, y: float, inset: int = 0) -> Iterator[int]:
    return (round(value * SCALE) + inset for value in (x, y))
