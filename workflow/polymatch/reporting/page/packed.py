"""Tables as small JSON: columns once, rows of values, numbers rounded to what a page can show."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

DIGITS = 6


def packed(
    frame: pd.DataFrame, columns: Sequence[str] | None = None, digits: int = DIGITS
) -> dict[str, Any]:
    """A table as ``{"columns": [...], "rows": [[...], ...]}``; what is missing is None.

    Args:
        frame: the rows.
        columns: those to keep, of which ones that are not there are passed over; all if not given.
        digits: significant ones of each number.

    >>> packed(pd.DataFrame({"a": [1, 2], "b": [0.123456789, np.nan]}), digits=3)
    {'columns': ['a', 'b'], 'rows': [[1, 0.123], [2, None]]}
    """
    names = [str(c) for c in frame.columns if columns is None or c in columns]
    values = [[plain(value, digits) for value in frame[name].tolist()] for name in names]
    return {"columns": names, "rows": [list(row) for row in zip(*values, strict=True)]}


def plain(value: Any, digits: int = DIGITS) -> Any:
    """A value that JSON can hold: a rounded number, a text, true or false, or None.

    >>> plain(1234.5678, 6), plain(2.0), plain(float("inf")), plain(np.bool_(True))
    (1234.57, 2, None, True)
    """
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or value is pd.NA or isinstance(value, str | bool | int):
        return None if value is pd.NA else value
    if isinstance(value, float):
        if not math.isfinite(value):
            return None
        rounded = float(f"{value:.{digits}g}")
        return int(rounded) if rounded.is_integer() and abs(rounded) < 1e15 else rounded
    return str(value)


def thinned(frame: pd.DataFrame, most: int) -> pd.DataFrame:
    """At most ``most`` rows, evenly spaced, the first and the last among them."""
    if len(frame) <= most:
        return frame
    return frame.iloc[np.unique(np.linspace(0, len(frame) - 1, most).round().astype(int))]
