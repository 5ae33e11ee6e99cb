"""Tables on disk: Parquet inside the flow, CSV where a person reads, both checked by a schema.

A schema is a JSON Schema file of one row (``workflow/schemas/<schema>.schema.json``); the check
runs over whole columns, since a row-by-row validator takes minutes for 600,000 rows. Two decisions:
a missing value (NaN, None) is JSON's ``null``, and a keyword that this check does not know is an
error, never passed over. One keyword is added: ``x-unique`` names the columns that together tell
every row apart. ``patternProperties`` are for columns that are not named under ``properties``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from polymatch.errors import ConfigError, DataError
from polymatch.files import written_atomically

SCHEMAS = Path(__file__).resolve().parents[2] / "schemas"

Schema = Mapping[str, Any]


@dataclass(frozen=True)
class Violation:
    """One rule that some rows of one column break; ``rows`` are positions, counted from 0."""

    column: str
    rule: str
    rows: NDArray[np.intp]


def write_table(frame: pd.DataFrame, path: Path | str, schema: str) -> None:
    """Check ``frame`` against a schema and write it whole or not at all.

    Args:
        frame: the rows; its index is not kept.
        path: ends in ``.parquet`` or ``.csv``.
        schema: name of a file ``workflow/schemas/<schema>.schema.json``.

    Raises:
        DataError: a column is missing or unknown, or a value breaks the schema.
    """
    path = Path(path)
    rules = load_schema(schema)
    check_table(frame, rules, str(path))
    frame = _typed(frame.reset_index(drop=True), rules)
    with written_atomically(path) as partial:
        if _format(path) == "parquet":
            frame.to_parquet(partial, index=False, compression="zstd")
        else:
            frame.to_csv(partial, index=False, lineterminator="\n")


def read_table(path: Path | str, schema: str) -> pd.DataFrame:
    """Read a table that :func:`write_table` or a person wrote, and check it.

    In a CSV file every text stays what it is ("NA", "null", "1e5"); an empty cell is a missing
    value in a column that may be null, and the empty text in any other column of text.

    Raises:
        DataError: no such file, not a table, or a value breaks the schema.
    """
    path = Path(path)
    rules = load_schema(schema)
    if not path.is_file():
        raise DataError(f"{path}: no such file; run the stage that writes it")
    try:
        if _format(path) == "parquet":
            frame = pd.read_parquet(path)
        else:
            frame = pd.read_csv(path, dtype="str", keep_default_na=False, encoding="utf-8")
            frame = _from_text(frame, rules, str(path))
    except (OSError, ValueError) as error:
        raise DataError(
            f"{path}: not a readable {path.suffix} table ({_first_line(error)}); "
            "delete it and run its stage again"
        ) from error
    check_table(frame, rules, str(path))
    return _typed(frame, rules)


def check_table(frame: pd.DataFrame, schema: Schema, where: str) -> None:
    """Raise a :class:`DataError` that names file, column, row and value of the first violation.

    Rows are counted from 1, without the header.
    """
    found = list(violations(frame, schema))
    if not found:
        return
    first = found[0]
    others = f"; {len(found) - 1} other rule(s) broken too" if len(found) > 1 else ""
    if not first.rows.size:
        raise DataError(f"{where}: column {first.column!r} {first.rule}{others}")
    row = int(first.rows[0])
    value = frame[first.column].iloc[row]
    shown = "nothing" if _is_null(value) else repr(_plain(value))
    count = f" ({first.rows.size} such rows)" if first.rows.size > 1 else ""
    raise DataError(
        f"{where}: column {first.column!r}, row {row + 1}: {shown} {first.rule}{count}{others}"
    )


def violations(frame: pd.DataFrame, schema: Schema) -> Iterator[Violation]:
    """Give every rule of ``schema`` that ``frame`` breaks, with all the rows that break it.

    >>> rows = {"type": "object", "properties": {"n": {"type": "integer", "minimum": 1}}}
    >>> [(v.rule, v.rows.tolist()) for v in violations(pd.DataFrame({"n": [1, 0, 2, -1]}), rows)]
    [('is below the minimum of 1', [1, 3])]
    """
    nowhere = np.empty(0, dtype=np.intp)
    columns = _column_rules(frame, schema)
    for column in schema.get("required", []):
        if column not in frame.columns:
            yield Violation(column, "is missing", nowhere)
    if schema.get("additionalProperties", True) is False:
        allowed = ", ".join([*schema.get("properties", {}), *schema.get("patternProperties", {})])
        for column in frame.columns:
            if column not in columns:
                yield Violation(str(column), f"is unknown (allowed: {allowed})", nowhere)
    for column, rules in columns.items():
        for rule, wrong in _broken(frame[column], rules):
            if wrong.any():
                yield Violation(column, rule, np.flatnonzero(wrong))
    key = list(schema.get("x-unique", []))
    if key and set(key) <= set(frame.columns):
        repeated = frame.duplicated(key).to_numpy()
        if repeated.any():
            rule = "occurs twice" if len(key) == 1 else f"occurs twice together with {key[1:]}"
            yield Violation(key[0], rule, np.flatnonzero(repeated))


@cache
def load_schema(name: str) -> Schema:
    """Read ``workflow/schemas/<name>.schema.json`` and refuse keywords that no check knows."""
    path = SCHEMAS / f"{name}.schema.json"
    if not path.is_file():
        known = ", ".join(sorted(p.name.removesuffix(".schema.json") for p in SCHEMAS.glob("*")))
        raise ConfigError(f"schema {name!r} is unknown (known: {known})")
    schema: Schema = json.loads(path.read_text(encoding="utf-8"))
    unknown = set(schema) - _ANNOTATIONS - _ROW_KEYWORDS
    for rules in [p for part in _PROPERTIES for p in schema.get(part, {}).values()]:
        unknown |= set(rules) - _ANNOTATIONS - set(_VALUE_CHECKS) - {"type"}
    if unknown:
        raise ConfigError(f"{path}: keywords that the table check lacks: {sorted(unknown)}")
    return schema


_ANNOTATIONS = {"$schema", "$id", "$comment", "title", "description", "examples", "default"}
_PROPERTIES = ("properties", "patternProperties")
_ROW_KEYWORDS = {"type", "additionalProperties", "required", "x-unique", *_PROPERTIES}

Mask = NDArray[np.bool_]


def _column_rules(frame: pd.DataFrame, schema: Schema) -> dict[Any, Schema]:
    """The rules of each column that has some: by its name, or else by the first pattern it fits."""
    rules: dict[Any, Schema] = {}
    named: Mapping[str, Schema] = schema.get("properties", {})
    for column in map(str, frame.columns):
        fits = (r for p, r in schema.get("patternProperties", {}).items() if re.search(p, column))
        found = named.get(column) or next(fits, None)
        if found is not None:
            rules[column] = found
    return rules


def _broken(column: pd.Series, rules: Schema) -> Iterator[tuple[str, Mask]]:
    null = column.isna().to_numpy()
    types = rules.get("type", [])
    types = [types] if isinstance(types, str) else list(types)
    if types:
        fits = null if "null" in types else np.zeros(len(column), dtype=bool)
        for name in types:
            if name != "null":
                fits = fits | (_is_type(column, name) & ~null)
        yield f"is not of type {' or '.join(types)}", ~fits
    for keyword, check in _VALUE_CHECKS.items():
        if keyword in rules:
            yield check(column, null, rules[keyword])


def _is_type(column: pd.Series, name: str) -> Mask:
    dtype = column.dtype
    everywhere = np.ones(len(column), dtype=bool)
    if pd.api.types.is_object_dtype(dtype) or isinstance(dtype, pd.CategoricalDtype):
        return np.fromiter((_value_is_type(v, name) for v in column), bool, len(column))
    if pd.api.types.is_bool_dtype(dtype):
        return everywhere & (name == "boolean")
    if pd.api.types.is_integer_dtype(dtype):
        return everywhere & (name in ("integer", "number"))
    if pd.api.types.is_float_dtype(dtype):
        if name != "integer":
            return everywhere & (name == "number")
        values = column.to_numpy(dtype=np.float64, na_value=np.nan)
        return np.isfinite(values) & (np.floor(values) == values)
    return everywhere & (name == "string" and pd.api.types.is_string_dtype(dtype))


def _value_is_type(value: object, name: str) -> bool:
    if isinstance(value, bool | np.bool_):
        return name == "boolean"
    if isinstance(value, int | np.integer):
        return name in ("integer", "number")
    if isinstance(value, float | np.floating):
        return name == "number" or (name == "integer" and float(value).is_integer())
    return name == "string" and isinstance(value, str)


def _numbers(column: pd.Series) -> NDArray[np.float64]:
    """The column's numbers as float64; NaN, which compares false with any bound, elsewhere."""
    if pd.api.types.is_bool_dtype(column.dtype):
        return np.full(len(column), np.nan)
    if pd.api.types.is_numeric_dtype(column.dtype):
        return column.to_numpy(dtype=np.float64, na_value=np.nan)
    found = (float(v) if _value_is_type(v, "number") else np.nan for v in column)
    return np.fromiter(found, np.float64, len(column))


def _lengths(column: pd.Series) -> NDArray[np.float64]:
    found = (len(v) if isinstance(v, str) else np.nan for v in column)
    return np.fromiter(found, np.float64, len(column))


def _bound(
    measure: Callable[[pd.Series], NDArray[np.float64]],
    breaks: Callable[[NDArray[np.float64], float], Mask],
    rule: str,
) -> Callable[[pd.Series, Mask, Any], tuple[str, Mask]]:
    def check(column: pd.Series, _null: Mask, limit: float) -> tuple[str, Mask]:
        return f"{rule} {limit}", breaks(measure(column), limit)

    return check


def _in_enum(column: pd.Series, null: Mask, allowed: list[Any]) -> tuple[str, Mask]:
    named = [value for value in allowed if value is not None]
    fits = column.isin(named).to_numpy(dtype=bool) | (null & (None in allowed))
    return f"is not one of {', '.join(map(repr, allowed))}", ~fits


def _in_pattern(column: pd.Series, null: Mask, pattern: str) -> tuple[str, Mask]:
    text = np.fromiter((isinstance(v, str) for v in column), bool, len(column))
    found = column.where(text, "").astype(str).str.contains(pattern, regex=True).to_numpy(bool)
    return f"does not match {pattern!r}", text & ~null & ~found


_VALUE_CHECKS: dict[str, Callable[[pd.Series, Mask, Any], tuple[str, Mask]]] = {
    "enum": _in_enum,
    "minimum": _bound(_numbers, np.less, "is below the minimum of"),
    "maximum": _bound(_numbers, np.greater, "is above the maximum of"),
    "exclusiveMinimum": _bound(_numbers, np.less_equal, "is not above"),
    "exclusiveMaximum": _bound(_numbers, np.greater_equal, "is not below"),
    "minLength": _bound(_lengths, np.less, "has fewer characters than"),
    "maxLength": _bound(_lengths, np.greater, "has more characters than"),
    "pattern": _in_pattern,
}


def _typed(frame: pd.DataFrame, schema: Schema) -> pd.DataFrame:
    """Give each column of a checked table the one dtype that its schema means.

    A nullable integer stays an integer, and empty text in a nullable column becomes missing, so
    that Parquet and CSV give the same table back.
    """
    frame = frame.copy(deep=False)
    for column, rules in _column_rules(frame, schema).items():
        kind, nullable = _kind(rules)
        if kind:
            frame[column] = frame[column].astype(_DTYPES[kind][nullable])
            if kind == "string" and nullable:
                frame[column] = frame[column].where(frame[column] != "")
    return frame


# what "str" means to pandas 3; to pandas 2, which some encoders need, that is any object
_TEXT = pd.StringDtype(na_value=np.nan)
_DTYPES = {
    "string": (_TEXT, _TEXT),
    "number": ("float64", "float64"),
    "integer": ("int64", "Int64"),
    "boolean": ("bool", "boolean"),
}


def _kind(rules: Schema) -> tuple[str, bool]:
    """The one type of a column beside null ("" if it has none or several), and if it has null."""
    types = rules.get("type", [])
    types = [types] if isinstance(types, str) else list(types)
    kinds = [name for name in types if name != "null"]
    return kinds[0] if len(kinds) == 1 else "", "null" in types


def _from_text(frame: pd.DataFrame, schema: Schema, where: str) -> pd.DataFrame:
    """The text of a CSV file as the schema's types; Python's own reading, so floats are exact."""
    for column, rules in _column_rules(frame, schema).items():
        kind, nullable = _kind(rules)
        if nullable:
            frame[column] = frame[column].where(frame[column] != "")
        if kind in _READERS:
            values: list[object] = []
            for row, text in enumerate(frame[column]):
                try:
                    values.append(None if _is_null(text) else _READERS[kind](text))
                except ValueError as error:
                    raise DataError(
                        f"{where}: column {column!r}, row {row + 1}: {text!r} is not of type {kind}"
                    ) from error
            frame[column] = pd.Series(values, index=frame.index, dtype=object)
    return frame


def _boolean(text: str) -> bool:
    if text.lower() not in ("true", "false"):
        raise ValueError(text)
    return text.lower() == "true"


_READERS: dict[str, Callable[[str], object]] = {
    "integer": int,
    "number": float,
    "boolean": _boolean,
}


def _format(path: Path) -> str:
    if path.suffix not in (".parquet", ".csv"):
        raise DataError(f"{path}: a table's name ends in .parquet or .csv")
    return path.suffix[1:]


def _is_null(value: object) -> bool:
    return value is None or value is pd.NA or (isinstance(value, float) and np.isnan(value))


def _plain(value: object) -> object:
    return value.item() if isinstance(value, np.generic) else value


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
