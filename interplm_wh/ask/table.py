"""Rows as aligned text."""

from __future__ import annotations

from collections.abc import Sequence


def plain_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Align columns: numbers to the right, text and the first column to the left.

    Parameters
    ----------
    header : sequence of str
    rows : sequence of sequence of str
        As long as the header each.
    """
    widths = [max(len(row[i]) for row in (header, *rows)) for i in range(len(header))]

    is_left = [i == 0 or not all(_is_number(row[i]) for row in rows) for i in range(len(header))]

    def line(row: Sequence[str]) -> str:
        cells = [
            cell.ljust(w) if left else cell.rjust(w)
            for cell, w, left in zip(row, widths, is_left, strict=True)
        ]
        return "  ".join(cells).rstrip()

    return [line(header), line(["-" * w for w in widths]), *(line(row) for row in rows)]


def number(value: object) -> str:
    """Return a number with as many digits as people read; a dash where there is none."""
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.4g}" if abs(value) < 1000 else f"{value:,.0f}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def _is_number(cell: str) -> bool:
    """Whether a cell is a number, or stands for one that is not there."""
    try:
        float(cell.replace(",", "").removesuffix("%"))
    except ValueError:
        return cell in ("", "-", "NULL")
    return True
