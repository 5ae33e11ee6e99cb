"""Rows of tables are ordinary entries; what is wrong in one is said in one line."""

import json

import pytest

from polymatch.errors import ConfigError
from polymatch.settings.config import load_config

DE = {"family": "dual_encoding", "alpha": 0.6, "training": {"lr": 1e-3}}


def config_of(rows, **more):
    return {
        "models": {
            "aligned": {"family": "aligned"},
            "de": DE,
            "small": {"family": "pruned", "of": "de", "rate": 0.5},
        },
        "seeds": [0, 1],
        "tables": {"t": {"rows": rows, **more}},
    }


ROWS = {
    "DE": {"model": "de"},
    "A": {"model": "DE", "change": {"alpha": 0.2, "loss.reduction": "sum"}, "about": "strategies"},
    "C": {"model": "A", "change": {"items.channels": [8, 8, 8, 8]}},
    "D": {"model": "A", "pruned": {"rate": 0.34}},
    "E": {"model": "DE", "pruned": {"rate": 0.5}},
    "F": {"model": "E", "change": {"biases": True}},
}


def test_a_row_is_an_entry_like_one_written_by_hand():
    config = load_config(config_of(ROWS))
    rows = {row.label: row for row in config.table_rows("t")}
    assert [row.name for row in rows.values()] == ["de", "t.A", "t.C", "t.D", "small", "t.F"]
    assert rows["A"].about == "strategies" and rows["C"].entry.items.channels == [8] * 4
    by_hand = {**DE, "alpha": 0.2, "loss": {"reduction": "sum"}}
    raw = config_of(ROWS)
    raw["models"]["hand"] = by_hand
    assert load_config(raw).models["hand"] == rows["A"].entry
    # An entry that is there already is the row: nothing is trained twice.
    assert load_config(raw).table_rows("t")[1].name == "hand"
    assert rows["D"].entry.of == "t.A" and rows["F"].entry.of == "de"
    assert rows["F"].entry.biases and rows["F"].entry.rate == 0.5


def test_rows_are_runs_that_can_be_asked_for_but_not_in_the_summary():
    config = load_config(config_of(ROWS))
    assert {run.model for run in config.runs()} == {"aligned", "de", "small"}
    assert [run.seed for run in config.runs_of("t.D")] == [0, 1]
    assert config.tables["t"].compared_with == "DE"
    again = load_config(json.loads(config.model_dump_json()))
    assert again.entries == config.entries and again.rows == config.rows


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (
            {"model": "d"},
            r"tables\.t\.rows\.X\.model: unknown model or row above 'd'; did you mean 'de'\?",
        ),
        (
            {"model": "Y"},
            r"rows\.X\.model: unknown model or row above 'Y'; allowed: aligned, de, sm",
        ),
        ({"model": "de", "chnge": {}}, r"tables\.t\.rows\.X\.chnge: unknown key 'chnge'; did you"),
        (
            {"model": "de", "change": {"alpa": 1}},
            r"tables\.t\.rows\.X\.change\.alpa: unknown key 'alpa'; did you mean 'alpha'\?",
        ),
        (
            {"model": "de", "change": {"alpha": 2}},
            r"X\.change\.alpha: 2 is not allowed: .*equal to 1",
        ),
        (
            {"model": "de", "pruned": {"rat": 1}},
            r"rows\.X\.pruned\.rat: unknown key 'rat'; did you",
        ),
        ({"model": "de", "pruned": {"of": "de"}}, r"X\.pruned\.of: is the row's `model`; leave it"),
        (
            {"model": "de", "pruned": {"method": "int8", "fine_tune": True}},
            r"rows\.X\.pruned: is not allowed: `fine_tune` needs gradients",
        ),
        (
            {"model": "small", "pruned": {}},
            r"rows\.X\.model: 'small' is of family pruned; what is pruned is of family dual_enc",
        ),
        (
            {"model": "de", "change": {"alpha": 0.1}, "pruned": {}},
            r"rows\.X: `change` and `pruned` in one row; give what is changed a row of its own",
        ),
    ],
)
def test_what_is_wrong_in_a_row_is_one_line_that_names_it(row, message):
    with pytest.raises(ConfigError, match=message) as caught:
        load_config(config_of({"X": row, "Y": {"model": "de"}}))
    assert "\n" not in str(caught.value)


def test_unknown_references_tables_and_names_that_are_taken():
    with pytest.raises(ConfigError, match=r"t\.reference: unknown row 'G'; allowed: DE, A, C"):
        load_config(config_of(ROWS, reference="G"))
    with pytest.raises(ConfigError, match=r"unknown table 'tt'; did you mean 't'\?"):
        load_config(config_of(ROWS)).table_rows("tt")
    raw = config_of(ROWS)
    raw["models"]["t.A"] = {**DE, "alpha": 0.9}
    with pytest.raises(ConfigError, match=r"rows\.A: 't\.A' would be named like another entry"):
        load_config(raw)


def test_what_is_pruned_must_be_a_trained_dual_encoder():
    for of, message in (("d", "of: unknown model 'd'; did you mean 'de'"), ("aligned", "is no tr")):
        raw = config_of({"X": {"model": "de"}})
        raw["models"]["small"]["of"] = of
        with pytest.raises(ConfigError, match=rf"models\.small\.of: .*{message[4:]}"):
            load_config(raw)


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"rate": 1}, r"models\.small\.rate: 1 is not allowed: .*less than 1"),
        ({"method": "unit"}, r"models\.small\.method: 'unit' is not allowed: .*'units' or 'int8'"),
        ({"parts": ["rnn"]}, r"models\.small\.parts\.0: 'rnn' is not allowed: .*'item_rnn'"),
        (
            {"method": "units", "parts": ["item_rnn", "item_latent"]},
            r"models\.small: is not allowed: `parts` names 'item_latent', which has no units",
        ),
        ({"method": "units", "biases": True}, r"`biases` is for method 'weights'; other methods"),
    ],
)
def test_what_no_pruning_can_be_is_refused(entry, message):
    raw = config_of({"X": {"model": "de"}})
    raw["models"]["small"] |= entry
    with pytest.raises(ConfigError, match=message):
        load_config(raw)
