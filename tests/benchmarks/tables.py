"""How the benchmarks show what they measured: tables of numbers, and bars that were met or missed."""

from collections.abc import Sequence
from typing import Any, NamedTuple


class Bar(NamedTuple):
    """A ratio or a size that the design sets a limit to, from above unless `at_least`."""

    what: str
    measured: float
    limit: float
    at_least: bool = False

    @property
    def met(self) -> bool:
        return self.measured >= self.limit if self.at_least else self.measured <= self.limit


def show_table(title: str, head: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Print a table in Markdown, its first column to the left and numbers to the right."""
    cells = [list(head), *([_text(value) for value in row] for row in rows)]
    widths = [max(len(row[k]) for row in cells) for k in range(len(head))]
    lines = [
        [text.ljust(w) if k == 0 else text.rjust(w) for k, (text, w) in enumerate(zip(row, widths, strict=True))]
        for row in cells
    ]
    lines.insert(1, ["-" * w if k == 0 else "-" * (w - 1) + ":" for k, w in enumerate(widths)])
    print(f"\n{title}\n")
    print("\n".join(f"| {' | '.join(line)} |" for line in lines), flush=True)


def show_bars(bars: Sequence[Bar]) -> None:
    rows = [
        (bar.what, bar.measured, f"{'at least' if bar.at_least else 'at most'} {bar.limit:g}", _verdict(bar))
        for bar in bars
    ]
    show_table("Bars", ("bar", "measured", "limit", ""), rows)


def as_json(bars: Sequence[Bar]) -> list[dict[str, Any]]:
    return [bar._asdict() | {"met": bar.met} for bar in bars]


def _verdict(bar: Bar) -> str:
    return "met" if bar.met else "MISSED"


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.3g}" if abs(value) < 100 else f"{value:,.0f}"
    return f"{value:,}" if isinstance(value, int) else str(value)
