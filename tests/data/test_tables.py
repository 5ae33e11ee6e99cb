"""Tables: what is written comes back, and the fast check agrees with a row-by-row validator."""

from __future__ import annotations

import json
import re

import jsonschema
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from polymatch.data.tables import (
    SCHEMAS,
    check_table,
    load_schema,
    read_table,
    violations,
    write_table,
)
from polymatch.errors import ConfigError, DataError

CAPTIONS = pd.DataFrame(
    {
        "caption_id": ["1", "2", "3", "4"],
        "item_id": ["NA", "null", "1e5", "007"],
        "text": ["NA", 'with "quotes", commas', "line\nbreak, tab\t, ünï ❤", " spaces "],
        "kind": ["name", "name", "keyword", "nan"],
        "language": ["en", "en-GB", "None", "no"],
    }
)

MIXED = {
    "type": "object",
    "additionalProperties": False,
    "required": ["name", "count"],
    "x-unique": ["name"],
    "properties": {
        "name": {"type": "string", "minLength": 2, "maxLength": 4},
        "count": {"type": "integer", "minimum": 0, "maximum": 5},
        "share": {"type": ["number", "null"], "exclusiveMinimum": 0, "exclusiveMaximum": 1},
        "kind": {"type": ["string", "null"], "enum": ["a", "b", None]},
        "done": {"type": "boolean"},
        "code": {"type": ["integer", "string"], "pattern": "^x"},
    },
    "patternProperties": {"^top[1-9]$": {"type": "number", "minimum": 0, "maximum": 5}},
}


@pytest.fixture
def mixed_schema(tmp_path, monkeypatch):
    monkeypatch.setattr("polymatch.data.tables.SCHEMAS", tmp_path)
    load_schema.cache_clear()
    (tmp_path / "mixed.schema.json").write_text(json.dumps(MIXED), encoding="utf-8")
    yield "mixed"
    load_schema.cache_clear()


@pytest.mark.parametrize("suffix", ["parquet", "csv"])
def test_text_survives(tmp_path, suffix):
    path = tmp_path / f"captions.{suffix}"
    write_table(CAPTIONS, path, "captions")
    pd.testing.assert_frame_equal(read_table(path, "captions"), CAPTIONS)
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("suffix", ["parquet", "csv"])
def test_types_and_missing_values_survive(tmp_path, suffix, mixed_schema):
    frame = pd.DataFrame(
        {
            "name": ["ab", "cd", "ef"],
            "count": [0.0, 3.0, 5.0],
            "share": [0.1 + 0.2, np.nan, 1e-300],
            "kind": ["a", None, None],
            "done": [True, False, True],
            "top5": [1.0, 0.1, 5.0],
        },
        index=[7, 8, 9],
    )
    write_table(frame, tmp_path / f"t.{suffix}", mixed_schema)
    back = read_table(tmp_path / f"t.{suffix}", mixed_schema)
    assert back["count"].dtype == np.int64 and back["count"].tolist() == [0, 3, 5]
    assert back["share"].tolist()[::2] == [0.1 + 0.2, 1e-300] and np.isnan(back["share"][1])
    assert back["kind"].isna().tolist() == [False, True, True]
    assert back["top5"].tolist() == [1.0, 0.1, 5.0]
    assert back["done"].dtype == bool and back["done"].tolist() == [True, False, True]


@pytest.mark.parametrize("suffix", ["parquet", "csv"])
def test_writing_twice_gives_the_same_bytes(tmp_path, suffix):
    for name in ("one", "two"):
        write_table(CAPTIONS, tmp_path / f"{name}.{suffix}", "captions")
    one, two = ((tmp_path / f"{n}.{suffix}").read_bytes() for n in ("one", "two"))
    assert one == two


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"text": ""}, r"captions.csv: column 'text', row 2: '' has fewer characters than 1"),
        ({"text": None}, r"column 'text', row 2: nothing is not of type string"),
        ({"caption_id": "1"}, r"column 'caption_id', row 2: '1' occurs twice"),
        ({"colour": "red"}, r"column 'colour' is unknown \(allowed: caption_id, item_id"),
        ({"kind": 3}, r"column 'kind', row 2: 3 is not of type string"),
    ],
)
def test_bad_values_are_named_and_nothing_is_written(tmp_path, change, message):
    frame = CAPTIONS.astype(object)
    for column, value in change.items():
        frame.loc[1, column] = value
    with pytest.raises(DataError, match=message):
        write_table(frame, tmp_path / "captions.csv", "captions")
    assert not list(tmp_path.iterdir())


def test_missing_column_is_named(tmp_path):
    with pytest.raises(DataError, match="column 'language' is missing"):
        write_table(CAPTIONS.drop(columns="language"), tmp_path / "c.csv", "captions")


def test_several_problems_are_counted():
    frame = CAPTIONS.assign(text="", kind="")
    with pytest.raises(DataError, match=r"row 1: .*\(4 such rows\); 1 other rule"):
        check_table(frame, load_schema("captions"), "here")


def test_files_that_are_not_tables(tmp_path):
    with pytest.raises(DataError, match=r"absent.csv: no such file"):
        read_table(tmp_path / "absent.csv", "captions")
    (tmp_path / "broken.parquet").write_bytes(b"PAR1 and then nothing")
    with pytest.raises(DataError, match=r"broken.parquet: not a readable .parquet table .*delete"):
        read_table(tmp_path / "broken.parquet", "captions")
    (tmp_path / "empty.csv").write_text("")
    with pytest.raises(DataError, match=r"empty.csv: not a readable .csv table"):
        read_table(tmp_path / "empty.csv", "captions")
    with pytest.raises(DataError, match=r"a table's name ends in .parquet or .csv"):
        write_table(CAPTIONS, tmp_path / "captions.txt", "captions")


def test_text_where_a_number_belongs_is_named(tmp_path):
    path = tmp_path / "manifest.csv"
    path.write_text("item_id,path,n_frames,group_id,split\na,a.png,1,g,test\nb,b.png,two,g,test\n")
    with pytest.raises(DataError, match=r"column 'n_frames', row 2: 'two' is not of type integer"):
        read_table(path, "manifest")


def test_unknown_schema_and_unknown_keyword(tmp_path, mixed_schema):
    with pytest.raises(ConfigError, match=r"schema 'nonsense' is unknown \(known: mixed\)"):
        load_schema("nonsense")
    (tmp_path / "odd.schema.json").write_text('{"properties": {"a": {"multipleOf": 3}}}')
    with pytest.raises(ConfigError, match="multipleOf"):
        load_schema("odd")
    (tmp_path / "odder.schema.json").write_text('{"patternProperties": {"a": {"format": "uri"}}}')
    with pytest.raises(ConfigError, match="format"):
        load_schema("odder")


@pytest.mark.parametrize("path", sorted(SCHEMAS.glob("*.schema.json")), ids=lambda p: p.name)
def test_every_schema_is_valid_json_schema(path):
    schema = json.loads(path.read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    # Validators pass over words that they don't know, as pydantic's own for bounds.
    assert not re.search(r'"[gl][et]": -?\d', path.read_text(encoding="utf-8"))
    name = path.name.removesuffix(".schema.json")
    if name not in ("config", "tuning"):  # those are of files that people write
        assert load_schema(name) == schema


values = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-2, 8),
    st.sampled_from([0.0, 0.5, 1.0, 2.5, -0.5]),
    st.text("abx", max_size=5),
)
homogeneous = {
    "name": st.text("ab", max_size=5),
    "count": st.integers(-1, 6),
    "share": st.sampled_from([None, 0.0, 0.5, 1.0, 1.5]),
    "kind": st.sampled_from([None, "a", "b", "c"]),
    "done": st.booleans(),
    "code": st.sampled_from(["x", "y", "xx", 3]),
    "top3": st.sampled_from([0.0, 2.5, 7.0]),
}


@settings(max_examples=150, deadline=None)
@given(data=st.data(), mixed=st.booleans(), n=st.integers(1, 6))
def test_agrees_with_jsonschema_row_by_row(data, mixed, n):
    rows = [
        {c: data.draw(values if mixed else homogeneous[c]) for c in homogeneous} for _ in range(n)
    ]
    frame = pd.DataFrame(rows, dtype=object) if mixed else pd.DataFrame(rows)
    found = {
        (v.column, int(row))
        for v in violations(frame, MIXED)
        if not re.match("occurs twice", v.rule)
        for row in v.rows
    }
    validator = jsonschema.Draft202012Validator(MIXED)
    expected = {
        (str(error.path[0]), i)
        for i, row in enumerate(rows)
        for error in validator.iter_errors(row)
    }
    assert found == expected


@given(names=st.lists(st.sampled_from(["aa", "bb", "cc"]), min_size=1, max_size=6))
def test_unique_finds_every_later_repeat(names):
    schema = {"x-unique": ["name"], "properties": {"name": {"type": "string"}}}
    found = [v.rows.tolist() for v in violations(pd.DataFrame({"name": names}), schema)]
    repeats = [i for i, name in enumerate(names) if name in names[:i]]
    assert found == ([repeats] if repeats else [])


def test_unique_over_two_columns():
    schema = {"x-unique": ["model", "seed"]}
    frame = pd.DataFrame({"model": ["a", "a", "b", "a"], "seed": [1, 2, 1, 2]})
    (found,) = violations(frame, schema)
    assert found.rows.tolist() == [3] and found.rule == "occurs twice together with ['seed']"
